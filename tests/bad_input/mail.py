"""What a bad mail is: its item in the catalogue, its bytes, and what has to become of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

TEXT = "Dzień dobry, talerze przyszły stłuczone. Proszę o wymianę.\r\n"
HTML = "text/html; charset=utf-8"

_serial = count(1)


@dataclass(frozen=True)
class BadMail:
    """One mail that nobody would send on purpose, or only on purpose."""

    what: str  # the variant, in a few words
    raw: bytes
    outcome: str = "ticket"  # in the ledger
    acknowledged: bool = True
    defect: str = ""  # part of a sentence in ``defects``
    says: tuple[str, ...] = ()  # what stands in the readable text
    hides: tuple[str, ...] = ()  # what does not
    subject: str | None = None
    sender: tuple[str, str] | None = None  # name and address
    files: tuple[str, ...] | None = None  # names of the attachments
    sizes: tuple[int, ...] | None = None  # of the attachments, decoded
    seconds: float = 1.0  # of processor time at most
    id: str = ""  # E-01 to E-80, set by the registry

    @property
    def name(self) -> str:
        return f"{self.id} {self.what}"


Generator = Callable[[], Iterator[BadMail]]
GENERATORS: dict[str, list[Generator]] = {}


def item(*ids: str) -> Callable[[Generator], Generator]:
    """Put a generator into the catalogue; of several ids the first names its mails."""

    def register(generator: Generator) -> Generator:
        for id_ in ids:
            GENERATORS.setdefault(id_, []).append(generator)
        return generator

    return register


def mails_of(id_: str) -> list[BadMail]:
    """The mails of one item."""
    return [replace(mail, id=id_) for generator in GENERATORS[id_] for mail in generator()]


def an_address() -> str:
    """An address that no other mail has: a sender is answered once in a while only."""
    return f"jan@obcy{next(_serial)}.example"


def a_mail(body: str | bytes = TEXT, *, head: bytes = b"", **fields: str | bytes | None) -> bytes:
    """A customer's mail; each has its own sender and Message-ID.

    head: header lines as they are, above all others. fields: underscores in names become hyphens,
    None leaves a field out, bytes are written as they are.
    """
    number = next(_serial)
    every: dict[str, str | bytes | None] = {
        "From": f"Anna Nowak <anna@zly{number}.example>",
        "To": "reklamacje@sklep.example",
        "Subject": "Reklamacja",
        "Date": "Mon, 02 Mar 2026 08:00:00 +0000",
        "Message-ID": f"<zly{number}@klient.example>",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    }
    every |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
        for name, value in every.items()
        if value is not None
    ]
    return head + b"".join(lines) + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def a_part(
    body: str | bytes = TEXT, content_type: str = "text/plain; charset=utf-8", **fields: str
) -> bytes:
    """One part of a multipart."""
    head = f"Content-Type: {content_type}\r\n" if content_type else ""
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return head.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def a_file(name: str, content_type: str, body: bytes = b"tresc", **fields: str) -> bytes:
    """A part that is a file; ``name`` as it stands after ``filename=``."""
    given = {"Content_Disposition": f"attachment; filename={name}"} | fields
    return a_part(body, content_type, **given)


def a_multipart(
    *parts: bytes, kind: str = "mixed", boundary: bytes = b"granica", **fields: str | bytes | None
) -> bytes:
    """A mail of these parts."""
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    content_type = b"multipart/" + kind.encode() + b'; boundary="' + boundary + b'"'
    fields = {"Content_Type": content_type, "Content_Transfer_Encoding": None} | fields
    return a_mail(body + b"--" + boundary + b"--\r\n", **fields)
