"""The IMAP edge: connect, log in, and read a folder by UID without changing anything in it.

Only ``BODY.PEEK[]`` is used and only UIDs are sent (C-02, C-04). What the library raises is
translated here, once, into ``MailboxUnreachable``.
"""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from imaplib import IMAP4
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError

from config.errors import TemporaryError
from config.settings import Mailbox
from worker.oauth import AccessTokens, xoauth2

CONNECT_SECONDS = 15
COMMAND_SECONDS = 60
HEAD_BYTES = 256 * 1024  # what is kept of a message larger than storage.max_bytes
KEYWORD = "$OdzewStored"
REFUSALS = 3  # so many at the beginning of a set: the server is in trouble, not its messages
# An answer to SEARCH is one line: a million bytes, the library's limit, are 150,000 UIDs (C-22).
imaplib._MAXLINE = 20_000_000  # type: ignore[attr-defined]
# Answers to a login that say nothing about the password (RFC 5530 §3).
NOT_THE_PASSWORD = re.compile(
    r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]", re.IGNORECASE
)


class MailboxUnreachable(TemporaryError):
    """The mailbox cannot be read just now; the message says what a person can do."""


class LoginRefused(MailboxUnreachable):
    """The server does not accept the user name or the secret: trying again soon only locks out."""


class CommandRefused(MailboxUnreachable):
    """The server said no to one command; the connection stands and others may be accepted."""


@dataclass(frozen=True)
class Envelope:
    """What the server says of a message without its text."""

    size: int  # RFC822.SIZE in bytes; some servers only estimate it (C-09)
    received_at: datetime  # INTERNALDATE


class Folder:
    """One selected folder; every method may raise MailboxUnreachable."""

    def __init__(self, client: IMAPClient, mailbox: Mailbox, selected: dict[bytes, Any]) -> None:
        self._client = client
        self._mailbox = mailbox
        self.uidvalidity = int(selected[b"UIDVALIDITY"])
        self.exists = int(selected[b"EXISTS"])
        self.uidnext = int(selected.get(b"UIDNEXT") or 0) or self._highest() + 1

    def _highest(self) -> int:
        # UIDNEXT is optional in RFC 3501; the last message's UID serves as well.
        return max(self.uids_after(0), default=0) if self.exists else 0

    def uids_after(self, last: int, *, since: date | None = None) -> list[int]:
        """UIDs greater than ``last``, ascending; ``since``: only what arrived on that day or later.

        ``n:*`` names the last message even when its UID is less than n, hence the filter (C-11).
        """
        if not self.exists:
            return []
        criteria: list[object] = ["UID", f"{last + 1}:*"]
        with translated(self._mailbox):
            found = self._client.search(criteria + (["SINCE", since] if since else []))
        return sorted({int(uid) for uid in found if int(uid) > last})

    def still_listed(self, uids: Sequence[int]) -> list[int]:
        """Those of the messages that have not been expunged meanwhile, ascending."""
        if not uids:
            return []
        with translated(self._mailbox):
            self._client.noop()  # lets the server tell us of expunged messages
            found = self._client.search(["UID", ",".join(str(uid) for uid in uids)])
        return sorted({int(uid) for uid in found} & set(uids))

    def envelopes(self, uids: Sequence[int]) -> dict[int, Envelope]:
        """Size and arrival of those messages that are still there and say both."""
        with translated(self._mailbox):
            answer = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        return {
            uid: Envelope(items[b"RFC822.SIZE"], _aware(items[b"INTERNALDATE"]))
            for uid, items in answer.items()
            if uid in uids
            and isinstance(items.get(b"RFC822.SIZE"), int)
            and isinstance(items.get(b"INTERNALDATE"), datetime)
        }

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The unchanged bytes; a message that is gone (``BODY[] NIL``) is left out (C-07)."""
        return self._fetch(uids, "BODY.PEEK[]", b"BODY[]")

    def heads(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The first 256 KiB of messages that are too large to keep whole (C-21)."""
        return self._fetch(uids, f"BODY.PEEK[]<0.{HEAD_BYTES}>", b"BODY[]<0>")

    def _fetch(self, uids: Sequence[int], item: str, key: bytes) -> dict[int, bytes]:
        try:
            with translated(self._mailbox):
                answer = self._client.fetch(uids, [item])
        except CommandRefused:
            if len(uids) == 1:
                raise
            return self._fetch_each(uids, item, key)
        return {
            uid: items[key]
            for uid, items in answer.items()
            if uid in uids and isinstance(items.get(key), bytes)
        }

    def _fetch_each(self, uids: Sequence[int], item: str, key: bytes) -> dict[int, bytes]:
        """One by one: some servers refuse a whole set for a message that they cannot render."""
        found: dict[int, bytes] = {}
        refused = 0
        for uid in uids:
            try:
                found |= self._fetch([uid], item, key)
            except CommandRefused:
                refused += 1
                if refused >= REFUSALS and not found:
                    raise  # it is not the messages
        return found

    def mark_stored(self, uids: Sequence[int], how: str) -> None:
        """``after_import``: keyword, seen or move:<folder>; only for what is stored (C-01)."""
        with translated(self._mailbox):
            if how == "seen":
                self._client.add_flags(uids, [b"\\Seen"], silent=True)
            elif how == "keyword":
                self._client.add_flags(uids, [KEYWORD.encode()], silent=True)
            else:
                target = how.removeprefix("move:").strip()
                if not self._client.folder_exists(target):
                    self._client.create_folder(target)
                self._client.move(uids, target)


@contextlib.contextmanager
def connect(mailbox: Mailbox, tokens: AccessTokens) -> Iterator[IMAPClient]:
    """A logged-in connection, closed at the end.

    Raises MailboxUnreachable, LoginRefused, TokenUnavailable.
    """
    secret = tokens.current(mailbox) if mailbox.oauth else mailbox.secret()
    with translated(mailbox):
        client = IMAPClient(
            mailbox.host,
            port=mailbox.port,
            ssl=mailbox.security == "tls",
            ssl_context=_tls(mailbox),
            timeout=SocketTimeout(connect=CONNECT_SECONDS, read=COMMAND_SECONDS),
        )
        client.normalise_times = False  # aware moments, as the server gives them
    try:
        with translated(mailbox), _hidden(secret):
            if mailbox.security == "starttls":
                client.starttls(_tls(mailbox))
            if mailbox.oauth:
                _log_in_by_token(client, mailbox, secret, tokens)
            elif (mailbox.username + secret).isascii():
                client.login(mailbox.username, secret)
            else:
                # LOGIN takes only ASCII; SASL takes UTF-8 (RFC 4616 §2).
                client.plain_login(mailbox.username, secret)
        yield client
        # The work is done: how the farewell goes does not matter.
        with contextlib.suppress(OSError, IMAP4.error):
            client.logout()
    finally:
        with contextlib.suppress(OSError, IMAP4.error):
            client.shutdown()


def _log_in_by_token(
    client: IMAPClient, mailbox: Mailbox, token: str, tokens: AccessTokens
) -> None:
    """XOAUTH2, once more with a new token where this one is refused (C-34)."""
    try:
        _say_token(client, mailbox, token)
    except LoginError as refusal:
        if not _is_about_the_login(refusal):
            raise
        renewed = tokens.renewed(mailbox, refused=token)
        if renewed is None:
            raise
        _say_token(client, mailbox, renewed)


def _say_token(client: IMAPClient, mailbox: Mailbox, token: str) -> None:
    # A second challenge is the reason of a refusal, in JSON: an empty line asks for the verdict.
    said = xoauth2(mailbox.username, token)
    client.sasl_login("XOAUTH2", lambda challenge: b"" if challenge else said)


def open_folder(client: IMAPClient, mailbox: Mailbox, name: str) -> Folder:
    """Select a folder, read-only unless ``after_import`` has to mark something (C-29)."""
    with translated(mailbox):
        selected = client.select_folder(name, readonly=mailbox.after_import == "leave")
    if b"UIDVALIDITY" not in selected:
        raise MailboxUnreachable(
            f"mailbox {mailbox.name!r}, folder {name!r}: the server gives no UIDVALIDITY, "
            "so messages cannot be told apart safely"
        )
    return Folder(client, mailbox, selected)


def _tls(mailbox: Mailbox) -> ssl.SSLContext | None:
    if mailbox.security == "none":
        return None
    return ssl.create_default_context(cafile=mailbox.ca_file and str(mailbox.ca_file))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextlib.contextmanager
def translated(mailbox: Mailbox) -> Iterator[None]:
    """Turn what sockets, TLS and the library raise into one sentence for a person."""
    where = f"mailbox {mailbox.name!r} at {mailbox.host}:{mailbox.port}"
    try:
        yield
    except LoginError as error:
        if not _is_about_the_login(error):
            raise MailboxUnreachable(f"{where}: {_brief(error)}") from error
        what, check = "password", "username and the secret it is configured with"
        if mailbox.oauth:
            what, check = "token", "username, the token's permissions, and that IMAP is allowed"
        raise LoginRefused(
            f"{where}: the server refused the user name or {what} ({_brief(error)}); check {check}"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise MailboxUnreachable(
            f"{where}: its certificate is not trusted ({error.verify_message}); "
            "correct host, or name the authority by ca_file"
        ) from error
    except TimeoutError as error:
        raise MailboxUnreachable(f"{where}: no answer in time") from error
    except (OSError, IMAP4.abort) as error:
        raise MailboxUnreachable(f"{where}: {_brief(error)}") from error
    except IMAP4.error as error:
        raise CommandRefused(f"{where}: {_brief(error)}") from error


@contextlib.contextmanager
def _hidden(secret: str) -> Iterator[None]:
    """Keep the secret out of what is said about a login: some servers repeat the command."""
    try:
        yield
    except (OSError, IMAP4.error) as error:
        said = str(error)
        if not secret or secret not in said:
            raise
        raise type(error)(said.replace(secret, "(hidden)")) from None


def _is_about_the_login(error: LoginError) -> bool:
    """The library calls it a refusal, too, when the connection was lost at that moment."""
    lost = isinstance(error.__context__, IMAP4.abort)
    return not lost and not NOT_THE_PASSWORD.search(str(error))


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split())
    # imaplib puts the server's bytes into its messages as Python writes them.
    return re.sub(r"^b(['\"])(.*)\1$", r"\2", said)[:200] or type(error).__name__
