"""Builds an acknowledgement: the exact bytes that go on the wire, from a reply and addresses.

The same arguments always give the same bytes, so they are rendered once, stored, and sent again
unchanged on every retry. The fields are written here and not by ``email.message``, which encodes
a long message id as if it were text and lets other programs' versions decide where to fold.
Nothing that a customer sent can add a field: ids pass a strict grammar, addresses too, text loses
its control characters first.
"""

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from urllib.parse import quote, unquote

import idna

from config.errors import PermanentError
from config.replies import Reply
from worker.headers import one_line, strict_address

MAX_ID_OCTETS = 250  # with angle brackets; longer ones are not repeated
MAX_REFERENCES = 10
MAX_ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3, without angle brackets
MAX_LOCAL_OCTETS = 64
MAX_TEXT = 200  # characters of a subject or a display name
FOLD_AT = 76  # octets of a line

# Our stand-in for a Message-ID that was missing: nobody else knows it.
_SYNTHETIC = "@odzew.invalid"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = rf"{_ATEXT}(?:\.{_ATEXT})*"
# RFC 5322 §3.6.4 without the obsolete forms.
_MESSAGE_ID = re.compile(rf"{_DOT_ATOM}@(?:{_DOT_ATOM}|\[[!-Z^-~]+\])")
_REFERENCE = re.compile(r"[A-Za-z0-9-]{1,40}")


class AddressError(PermanentError):
    """An address that no mail can or may go to, or come from."""


@dataclass(frozen=True)
class Acknowledgement:
    """A message ready to be sent."""

    content: bytes  # RFC 5322, lines end with CR LF
    message_id: str  # without angle brackets
    sender: str  # address in From, domain in A-labels
    recipient: str  # the one address in To, domain in A-labels
    needs_smtputf8: bool  # an address has a non-ASCII local part (RFC 6531)


def build_acknowledgement(
    reply: Reply,
    *,
    reference: str,
    sender_name: str,
    sender_addr: str,
    reply_to: str,
    recipient: str,
    date: datetime,
    shop_id: str,
    key: bytes,
    original_message_id: str = "",
    original_references: Iterable[str] = (),
) -> Acknowledgement:
    """The message that tells ``recipient`` that their mail arrived.

    sender_name: shown as the sender; sender_addr: the shop's mailbox, whose domain the Message-ID
    has; reply_to: where people read the answers. All addresses are bare.
    date: when it was put into the outbox, not when it is sent.
    original_*: ids of the mail that is answered, with or without angle brackets, oldest reference
    first; invalid ones are left out.
    key: for the HMACs by which we know our own mail again.
    Raises AddressError for an address that is not exactly one, or has no public domain.
    Field rules: RFC 3834 §3.1 and §5, RFC 5322 §3.6.4.
    """
    if date.tzinfo is None:
        raise ValueError(f"date {date.isoformat()} has no time zone")
    sender, answers, to = map(bare_address, (sender_addr, reply_to, recipient))
    message_id = acknowledgement_id(reference, domain=sender.rpartition("@")[2], key=key)
    original = _valid_ids([original_message_id])
    references = _valid_ids(original_references)[-MAX_REFERENCES:]
    body, encoding = _encoded(reply.body)
    fields = [
        ("Date", format_datetime(date.astimezone(UTC))),
        ("From", _mailbox(sender_name, sender)),
        ("Reply-To", answers),
        ("To", to),
        ("Subject", _subject(reply.subject)),
        ("Message-ID", f"<{message_id}>"),
        ("In-Reply-To", "".join(original)),
        ("References", "\r\n ".join([*(i for i in references if i not in original), *original])),
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),
        ("Precedence", "bulk"),
        ("X-Odzew-Loop", loop_header(shop_id, key=key)),
        ("Content-Language", reply.language),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", encoding),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields if value)
    return Acknowledgement(
        content=head.encode("utf-8") + b"\r\n" + body,
        message_id=message_id,
        sender=sender,
        recipient=to,
        needs_smtputf8=not all(address.isascii() for address in (sender, answers, to)),
    )


def bare_address(address: str) -> str:
    """The address with its domain in A-labels; raises AddressError unless it is exactly one.

    The domain must be public: no literal, no host without a dot (acknowledgement rule B-D2).
    """
    found = strict_address(address)
    local, _, domain = found.rpartition("@")
    if not found or any(unicodedata.category(c)[0] in "CZ" for c in found):
        raise AddressError(f"{address[:100]!r} is not exactly one address")
    try:
        labels = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise AddressError(f"the domain {domain[:100]!r} is not valid: {error}") from error
    if "." not in labels or labels.rpartition(".")[2].isdigit():
        raise AddressError(f"{domain[:100]!r} is not a domain of the Internet")
    complete = f"{local}@{labels}"
    if len(complete.encode()) > MAX_ADDRESS_OCTETS or len(local.encode()) > MAX_LOCAL_OCTETS:
        raise AddressError(f"{complete[:100]!r} is longer than an address may be")
    return complete


def acknowledgement_id(reference: str, *, domain: str, key: bytes) -> str:
    """The Message-ID of the acknowledgement of a ticket, without angle brackets."""
    if not _REFERENCE.fullmatch(reference):
        raise ValueError(f"{reference!r} is no ticket reference")
    return f"ack.{reference}.{_hmac('ack', reference, domain, key=key)[:16]}@{domain}"


def verify_acknowledgement_id(message_id: str, key: bytes) -> str | None:
    """The reference of the ticket whose acknowledgement has this id, or None where it is forged."""
    local, _, domain = message_id.strip().strip("<>").rpartition("@")
    kind, _, rest = local.partition(".")
    reference, _, _ = rest.rpartition(".")
    if kind != "ack" or not _REFERENCE.fullmatch(reference):
        return None
    genuine = acknowledgement_id(reference, domain=domain, key=key)
    return reference if _equal(f"{local}@{domain}", genuine) else None


def reply_address(address: str, reference: str, *, key: bytes) -> str:
    """The address with the ticket in its detail part: answers find their ticket by it alone.

    RFC 5233: what stands between "+" and "@" does not change whose mailbox it is.
    """
    local, _, domain = address.rpartition("@")
    token = _hmac("reply", reference, key=key)[:16]
    return f"{local}+{reference.lower()}.{token}@{domain}"


def verify_reply_address(address: str, key: bytes) -> str | None:
    """The reference of the ticket whose answers go to this address; None where it is forged."""
    detail = address.rpartition("@")[0].rpartition("+")[2]
    reference, _, token = detail.upper().partition(".")
    if not _REFERENCE.fullmatch(reference):
        return None
    genuine = _hmac("reply", reference, key=key)[:16]
    return reference if _equal(token.lower(), genuine) else None


def loop_header(shop_id: str, *, key: bytes) -> str:
    """The value of X-Odzew-Loop, by which an installation knows its own mail again."""
    if not shop_id or len(shop_id) > MAX_TEXT:
        raise ValueError("shop_id must have 1 to 200 characters")
    return f"v1;{quote(shop_id, safe='')};{_hmac('loop', 'v1', shop_id, key=key)}"


def verify_loop_header(value: str, key: bytes) -> str | None:
    """The shop id of a genuine X-Odzew-Loop field, or None: anyone may copy or invent one."""
    version, _, rest = value.strip().partition(";")
    shop_id = unquote(rest.partition(";")[0])
    if version != "v1" or not shop_id or len(shop_id) > MAX_TEXT or not value.isascii():
        return None
    return shop_id if _equal(value.strip(), loop_header(shop_id, key=key)) else None


def _hmac(*parts: str, key: bytes) -> str:
    """32 hex digits over the parts; the first says what they are for."""
    if not key:
        raise ValueError("the key is empty")
    message = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def _equal(found: str, genuine: str) -> bool:
    return hmac.compare_digest(found.encode("utf-8", "replace"), genuine.encode("utf-8", "replace"))


def _valid_ids(ids: Iterable[str]) -> list[str]:
    """Those that may be repeated, in angle brackets, each once."""
    bare = (i.strip().removeprefix("<").removesuffix(">") for i in ids)
    return list(
        dict.fromkeys(
            f"<{i}>"
            for i in bare
            if len(i) <= MAX_ID_OCTETS - 2
            and _MESSAGE_ID.fullmatch(i)
            and not i.lower().endswith(_SYNTHETIC)
        )
    )


def _mailbox(name: str, address: str) -> str:
    name = _one_line(name)
    if name.isascii() and "=?" not in name:
        return formataddr((name, address))
    # Encoded whole: outside of an encoded word "(" and "<" would mean something.
    return f"{_encoded_words(name, field='From')} <{address}>"


def _subject(text: str) -> str:
    """The text, folded, in RFC 2047 encoded words as far as it needs them.

    What follows the last word that needs encoding stays readable: the reference.
    """
    words = _one_line(text).split(" ")
    # ASCII that looks like an encoded word would be decoded by whoever reads it.
    needing = [n for n, word in enumerate(words, 1) if not word.isascii() or "=?" in word]
    first_plain = max(needing, default=0)
    value = _encoded_words(" ".join(words[:first_plain]), field="Subject")
    for word in words[first_plain:]:
        last_line = value.rpartition("\r\n")[2]
        too_long = value and len("Subject: " + last_line) + len(word) > FOLD_AT
        value += ("\r\n " if too_long else " " if value else "") + word
    return value


def _encoded_words(text: str, *, field: str) -> str:
    return Header(text, "utf-8", maxlinelen=FOLD_AT, header_name=field).encode(linesep="\r\n")


def _one_line(text: str) -> str:
    text = one_line(text).encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())[:MAX_TEXT].strip()


def _encoded(body: str) -> tuple[bytes, str]:
    """The body in the shorter of the two encodings whose lines have 76 octets at most."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    data = "\r\n".join(lines).encode("utf-8", "replace")
    quoted = binascii.b2a_qp(data)
    in_base64 = base64.encodebytes(data).replace(b"\n", b"\r\n")
    if len(in_base64) < len(quoted):
        return in_base64, "base64"
    return quoted, "quoted-printable"
