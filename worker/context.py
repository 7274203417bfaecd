"""What every step needs, put together once at start."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from config.addresses import plain_address
from config.settings import Mailbox, Settings
from config.taxonomy import Taxonomy
from storage.columns import utc_now
from storage.database import Engine
from storage.files import FileStore
from worker.oauth import AccessTokens
from worker.parsed_message import KnownAddresses


@dataclass(frozen=True)
class Context:
    """The configuration, the places where things are kept, the clock, and the wish to stop."""

    settings: Settings
    taxonomy: Taxonomy
    engine: Engine
    files: FileStore
    clock: Callable[[], datetime] = utc_now
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def tokens(self) -> AccessTokens:
        return AccessTokens(self.settings, self.clock)

    def mailbox(self, name: str) -> Mailbox | None:
        return self.settings.mailbox(name)

    def local_date(self, moment: datetime) -> date:
        """The calendar day where the shop is."""
        return moment.astimezone(ZoneInfo(self.settings.shop.timezone)).date()


def _lower(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def known_addresses(settings: Settings) -> KnownAddresses:
    """Which addresses are the shop's own, and which bring other people's mail."""
    own = [parseaddr(mailbox.sender)[1] for mailbox in settings.mailboxes if mailbox.sender]
    own += [mailbox.username for mailbox in settings.mailboxes if "@" in mailbox.username]
    if settings.smtp is not None:
        own.append(parseaddr(settings.smtp.sender)[1])
    return KnownAddresses(
        own_domains=tuple(settings.shop.own_domains),
        own_addresses=tuple(sorted({plain_address(address) for address in own if address})),
        trusted_forwarders=tuple(settings.shop.trusted_forwarders),
        contact_forms=tuple(plain_address(form.sender) for form in settings.contact_forms),
        groups=tuple(plain_address(group.address) for group in settings.groups),
        relays=tuple(plain_address(relay.domain) for relay in settings.relays),
        trusted_hosts=_lower(settings.mail.trusted_hosts),
        authserv_ids=_lower(settings.mail.authserv_ids),
        trusted_sealers=_lower(settings.mail.trusted_sealers),
    )
