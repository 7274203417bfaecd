"""A mail after parsing: plain values, nothing stored, nothing decided about tickets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Authenticity = Literal["pass", "fail", "unknown"]
Kind = Literal["person", "auto_reply", "bounce", "list", "own", "report"]
RequesterSource = Literal["from", "reply_to", "forward", "form", "group", "relay", "none"]


@dataclass(frozen=True)
class KnownAddresses:
    """What a shop says about addresses of its own, as ``plain_address`` has them."""

    own_domains: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()  # mailboxes, senders, aliases
    trusted_forwarders: tuple[str, ...] = ()  # addresses whose forwards are unwrapped
    contact_forms: tuple[str, ...] = ()  # senders of mail that customers typed
    groups: tuple[str, ...] = ()  # group addresses that rewrite From
    relays: tuple[str, ...] = ()  # domains of marketplaces
    # Servers whose word counts: names in Received, in Authentication-Results, in ARC seals.
    trusted_hosts: tuple[str, ...] = ()
    authserv_ids: tuple[str, ...] = ()
    trusted_sealers: tuple[str, ...] = ()

    def is_own(self, addr: str) -> bool:
        """Whether the address is the shop's; so is one with a detail part (``+``, RFC 5233)."""
        local, _, domain = addr.rpartition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        return bool(addr) and (plain in self.own_addresses or in_domains(addr, self.own_domains))

    def is_trusted_forwarder(self, addr: str) -> bool:
        return bool(addr) and (self.is_own(addr) or addr in self.trusted_forwarders)


@dataclass(frozen=True)
class Attachment:
    name: str  # decoded; path separators and controls are not removed here
    type: str  # lower case
    size: int  # bytes of the decoded content
    inline: bool
    content: bytes


@dataclass(frozen=True)
class ForwardedMessage:
    """The outermost mail that was handed on."""

    from_addr: str
    from_name: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    body: str
    date: str  # as copied by the mail program: there is no common format
    complete: bool  # attached whole, or its copied header names sender and two of date, subject, to
    # Where this one is a colleague's who handed on another: the customer's mail inside it.
    origin: "ForwardedMessage | None" = None


@dataclass(frozen=True)
class Bounce:
    """One recipient that a mail did not reach."""

    recipient: str
    status: str | None  # enhanced status code, "5.1.1" (RFC 3463)
    hard: bool | None  # None: not said


@dataclass(frozen=True)
class ParsedMessage:
    """One mail. Addresses as ``plain_address`` has them; ids without brackets; absent text: ""."""

    subject: str
    from_addr: str
    from_name: str
    to_addrs: tuple[str, ...]
    cc_addrs: tuple[str, ...]
    reply_to_addr: str
    requester_addr: str
    requester_source: RequesterSource
    message_id: str  # "sha256.<32 hex>@odzew.invalid" where the mail has none
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None  # UTC, as claimed by the sender
    body: str  # the whole readable text
    text: str  # what the sender newly wrote
    language: str | None  # ISO 639-1
    kind: Kind
    is_auto_reply: bool
    is_bounce: bool
    is_forward: bool
    auto_ack_ok: bool
    no_ack_reason: str | None  # "B-M2: ..."
    return_path: str | None  # "" is the null return path; None: no such field
    forwarded: ForwardedMessage | None
    bounces: tuple[Bounce, ...]
    attachments: tuple[Attachment, ...]
    defects: tuple[str, ...]
    requester_name: str = ""
    requester_sure: bool = True  # False: a person confirms the address before mail goes to it
    authenticity: Authenticity = "unknown"  # by the shop's own servers (RFC 8601)
    returned_ids: tuple[str, ...] = ()  # of the mails that a report brings back
    report_type: str = ""  # RFC 6522: "delivery-status", "feedback-report", ...
    is_automatic: bool = False  # Auto-Submitted says so (RFC 3834)
    loop_marks: tuple[str, ...] = ()  # X-Odzew-Loop (B-L2)
    error: str | None = None  # a sentence where nothing could be read


def in_domains(addr: str, domains: tuple[str, ...]) -> bool:
    """Whether the address lies in one of the domains or below it."""
    domain = addr.rpartition("@")[2]
    return any(domain == own or domain.endswith(f".{own}") for own in domains if own)
