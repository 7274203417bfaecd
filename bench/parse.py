"""``python -m bench.parse``: mails a second that one core takes apart, odzew beside its peers.

In one run, on the same mails: odzew with everything it finds out, the standard library as anybody
would use it, mail-parser and the reader of django-helpdesk (both from ``var/bench-peers``, which
``make parse-speed`` fills), and odzew through its child process. Each runs in a process of its own
on one core, which reads some mails to get warm and is judged by these; rounds take turns. Counted
are the seconds that the core worked for it, so that other work on the machine hardly matters.

The mails are made here from a seed: texts of the shipped corpus in the mails of common programs,
with photographs, history, forwards, automatic replies, bounces and old charsets. With ``--mails``
they are all the ``.eml`` below a folder, and nothing is judged.
"""

import argparse
import base64
import binascii
import html
import json
import logging
import multiprocessing
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import getaddresses, parseaddr
from importlib import import_module
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

SEED = 20260302
MAILS = 5000
ROUNDS = 5
WARM = 250  # mails read before the clock runs
BATCH = 100
CORPUS = Path("models/data/train")
PEERS = Path("var/bench-peers")
SHOP = "reklamacje@sklep.example"


@dataclass(frozen=True)
class Found:
    """What every reader must have in its hands at the end, whatever else it finds out."""

    subject: str
    sender: str
    text: str
    sizes: tuple[int, ...]  # bytes of each attachment, decoded


@dataclass(frozen=True)
class Mail:
    """A mail and, where it was made here, what is in it."""

    raw: bytes
    subject: str = ""  # without "Re:"
    sender: str = ""
    phrase: str = ""  # of the text
    sizes: tuple[int, ...] = ()  # of photographs and documents
    known: bool = False

    def is_right(self, found: Found) -> bool:
        text = " ".join(html.unescape(found.text).split())
        return (
            found.subject.endswith(self.subject)
            and found.sender == self.sender
            and self.phrase in text
            and set(self.sizes) <= set(found.sizes)
        )


ReadOne = Callable[[bytes], Found]
Read = Callable[[Sequence[bytes]], Iterator[Found | None]]  # None: the reader gave up


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.parse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mails", type=Path, metavar="FOLDER", help="all .eml below this folder")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--run", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        reader, file = options.run
        sys.stdout.write(json.dumps(run(reader, Path(file))))
        return
    mails = stored(options.mails) if options.mails else made()
    if not mails:
        parser.error(f"there is no .eml below {options.mails}")
    compare(mails, options.only, options.rounds)


def compare(mails: Sequence[Mail], readers: Sequence[str], rounds: int) -> None:
    """All readers in turns, so that what else the machine does hits all alike; then the table."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    megabytes = sum(len(mail.raw) for mail in mails) / 1e6
    console.print(
        f"Python {platform.python_version()}, {cpu_model()}, one core; "
        f"load {os.getloadavg()[0]:.1f} at the start; {len(mails)} mails, "
        f"{1000 * megabytes / len(mails):.1f} kB on average, {rounds} rounds"
    )
    there = [name for name in readers if PEERS.exists() or name not in NEEDS_PEERS]
    if there != list(readers):
        console.print(f"{PEERS} is not there, so the peers are left out: make {PEERS}")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in there}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mails"
        file.write_bytes(pickle.dumps(list(mails)))
        for _ in range(rounds):
            for name in there:
                results[name].append(in_own_process(name, file))
    table = Table()
    table.add_column("reader", no_wrap=True)
    judged = mails[0].known
    for column in ("mails/s", "rounds", "MB/s", "ratio", "core", "right" if judged else "failed"):
        table.add_column(column, justify="right")
    middle = {name: statistics.median(r["seconds"] for r in rows) for name, rows in results.items()}
    for name, rows in results.items():
        seconds = [row["seconds"] for row in rows]
        table.add_row(
            READERS[name][0],
            f"{len(mails) / middle[name]:.0f}",
            f"{len(mails) / max(seconds):.0f}-{len(mails) / min(seconds):.0f}",
            f"{megabytes / middle[name]:.1f}",
            f"{middle['stdlib'] / middle[name]:.2f}" if "stdlib" in middle else "",
            f"{sum(seconds) / sum(row['elapsed'] for row in rows):.0%}",
            f"{rows[0]['right']:.1%}" if judged else f"{rows[0]['failed']:.0f}",
        )
    console.print(table)
    console.print(
        "ratio: to the standard library (odzew's goal: 4, at best 8); core: how much of the core a "
        "reader got; failed: mails over which it raised an error; right: those of the first "
        f"{WARM} with subject, sender, text and attachments as they were written"
    )


def in_own_process(reader: str, file: Path) -> dict[str, float]:
    environment = dict(os.environ)
    if reader in NEEDS_PEERS:
        environment["PYTHONPATH"] = str(PEERS.resolve())
    command = [sys.executable, "-m", "bench.parse", "--run", reader, str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the reader {reader!r} did not come to its end:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def run(reader: str, file: Path) -> dict[str, float]:
    """What a reader needs for the mails of a file; in the process that is to be timed."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    logging.disable(logging.CRITICAL)  # a line of log for each mail is no part of reading it
    mails: list[Mail] = pickle.loads(file.read_bytes())
    read = READERS[reader][1]()
    warm = mails[:WARM]
    right = sum(
        found is not None and mail.is_right(found)
        for mail, found in zip(warm, in_batches(read, warm), strict=True)
    )
    failed = 0
    start, start_worked = time.perf_counter(), seconds_worked()
    for found in in_batches(read, mails):
        failed += found is None
    return {
        "seconds": seconds_worked() - start_worked,
        "elapsed": time.perf_counter() - start,
        "failed": failed,
        "right": right / len(warm),
    }


def seconds_worked() -> float:
    """Seconds of CPU that this process and its children have used, in user and kernel mode."""
    ticks = 0
    for child in multiprocessing.active_children():
        stat = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8")
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def in_batches(read: Read, mails: Sequence[Mail]) -> Iterator[Found | None]:
    for first in range(0, len(mails), BATCH):
        yield from read([mail.raw for mail in mails[first : first + BATCH]])


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def stored(folder: Path) -> list[Mail]:
    return [Mail(path.read_bytes()) for path in sorted(folder.rglob("*.eml"))]


# --- readers -----------------------------------------------------------------------------------


def one_by_one(read_one: ReadOne) -> Read:
    """A reader of single mails; what it raises is that mail's failure."""

    def read(batch: Sequence[bytes]) -> Iterator[Found | None]:
        for raw in batch:
            try:
                yield read_one(raw)
            except Exception:
                yield None

    return read


def odzew() -> Read:
    """``worker.mime.parse``: also what is new, quoted, handed on, bounced, and by whom."""
    from worker.mime import parse

    return one_by_one(lambda raw: found_by_odzew(parse(raw)))


def odzew_process() -> Read:
    """The same in the worker's child process; both share the one core."""
    from worker.parsed_message import KnownAddresses
    from worker.parser_process import ParserProcess

    process = ParserProcess(KnownAddresses())
    return lambda batch: map(found_in_reading, process.read_all(batch))


def found_in_reading(reading: Any) -> Found:
    return found_by_odzew(reading.message)


def found_by_odzew(message: Any) -> Found:
    sizes = tuple(attachment.size for attachment in message.attachments)
    return Found(message.subject, message.from_addr, message.body, sizes)


# Who wrote to whom and in answer to what; every reader but this one takes them by itself.
_NEEDED = ("to", "cc", "reply-to", "date", "message-id", "in-reply-to", "references")


def stdlib() -> Read:
    """``policy.default``, the fields that a help desk needs and all parts; HTML stays HTML."""
    import email
    from email import policy

    def read_one(raw: bytes) -> Found:
        message = email.message_from_bytes(raw, policy=policy.default)
        for field in _NEEDED:
            str(message[field] or "")
        texts, sizes = [], []
        for part in message.walk():
            if part.is_multipart():
                continue
            name = part.get_filename()
            if name or part.is_attachment() or part.get_content_maintype() != "text":
                sizes.append(len(part.get_payload(decode=True) or b""))
                continue
            try:
                texts.append(part.get_content())
            except LookupError:  # a charset that Python does not know
                data: Any = part.get_payload(decode=True)
                texts.append(data.decode("utf-8", "replace"))
        subject, sender = str(message["subject"] or ""), parseaddr(str(message["from"] or ""))[1]
        return Found(subject, sender, "\n".join(texts), tuple(sizes))

    return one_by_one(read_one)


def mail_parser() -> Read:
    """PyPI ``mail-parser``; attachments come as base64 and are decoded, HTML stays HTML."""
    mailparser: Any = import_module("mailparser")

    def read_one(raw: bytes) -> Found:
        mail = mailparser.parse_from_bytes(raw)
        files = [
            base64.b64decode(a["payload"]) if a["binary"] else a["payload"].encode()
            for a in mail.attachments
        ]
        sender = mail.from_[0][1] if mail.from_ else ""
        text = "\n".join(mail.text_plain + mail.text_html)
        return Found(str(mail.subject), sender, text, tuple(map(len, files)))

    return one_by_one(read_one)


def helpdesk() -> Read:
    """django-helpdesk's ``extract_email_metadata``, as its IMAP reader calls it, all but the rows.

    Its own queries (ignored senders, other queues) find nothing, and where it would store the
    ticket it reads the fields that ``create_object_from_email_message`` reads and stops.
    """
    import_module("django.conf").settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "helpdesk"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    import_module("django").setup()
    force_str = import_module("django.utils.encoding").force_str
    reader: Any = import_module("helpdesk.email")

    def instead_of_storing(
        message: Any, _ticket: object, payload: dict[str, Any], files: Any, **_: object
    ) -> Found:
        for field in ("To", "Cc"):
            getaddresses(message.get_all(field, []))
        for field in ("Message-Id", "In-Reply-To"):
            message.get(field)
        reader.is_autoreply(message)
        sizes = tuple(file.size for file in files)
        return Found(payload["subject"], payload["sender_email"], payload["full_body"] or "", sizes)

    none: Any = SimpleNamespace(filter=lambda *_, **__: (), exclude=lambda **_: none)
    reader.IgnoreEmail = reader.Queue = SimpleNamespace(objects=none)
    reader.create_object_from_email_message = instead_of_storing
    queue = SimpleNamespace(id=1, slug="complaints")
    log = logging.getLogger("helpdesk")

    def read_one(raw: bytes) -> Found:
        found: Found = reader.extract_email_metadata(force_str(raw, errors="replace"), queue, log)
        return found

    return one_by_one(read_one)


READERS: dict[str, tuple[str, Callable[[], Read]]] = {
    "odzew": ("odzew", odzew),
    "stdlib": ("standard library", stdlib),
    "mail-parser": ("mail-parser", mail_parser),
    "helpdesk": ("django-helpdesk", helpdesk),
    "odzew-process": ("odzew, child process", odzew_process),
}
NEEDS_PEERS = frozenset({"mail-parser", "helpdesk"})


# --- mails -------------------------------------------------------------------------------------

_NAMES = (
    "Agnieszka Wójcik", "Bartłomiej Gajda", "Celina Żurek", "Dariusz Sęk", "Elżbieta Łoś",
    "Grzegorz Dąb", "Halina Święch", "Ireneusz Ćwik", "Joanna Kość", "Krzysztof Brzęk",
    "Łucja Miś", "Michał Rózga", "Norbert Pająk", "Olga Stępień", "Piotr Źrebiec", "Róża Mąka",
)  # fmt: skip
_HOSTS = ("poczta.example", "mail.example", "skrzynka.example", "firma-abc.example")
_OUTLOOK_STYLE = "".join(
    f"\t{{font-family:{font};\r\n\tpanose-1:2 4 5 3 5 4 6 3 2 4;}}\r\n@font-face\r\n"
    for font in ("Helvetica", "Courier", '"Cambria Math"', "Calibri", "Aptos", "Tahoma", "Verdana")
)


@dataclass(frozen=True)
class Story:
    """Who writes what: one text of the corpus."""

    name: str
    address: str
    subject: str
    text: str


def made(count: int = MAILS, seed: int = SEED) -> list[Mail]:
    """Mails of all kinds in about the mix that a Polish shop gets, always the same."""
    random = Random(seed)
    files = [path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*.jsonl"))]
    examples = [json.loads(line) for lines in files for line in lines.splitlines()]
    polish = [example for example in examples if example["language"] == "pl"]
    kinds = [kind for kind, share in KINDS.items() for _ in range(share)]
    mails = []
    for number in range(count):
        example = random.choice(polish if random.random() < 0.85 else examples)
        name = random.choice(_NAMES)
        address = f"klient.{random.randrange(10**6)}@{random.choice(_HOSTS)}"
        story = Story(name, address, example["subject"], example["body"])
        mails.append(replace(random.choice(kinds)(random, number, story), known=True))
    return mails


def encoded(text: str, *, quoted: bool = False) -> str:
    """A header value in RFC 2047 words of at most 75 characters, folded."""
    if text.isascii():
        return text
    words, chunk = [], b""
    for letter in [*text, ""]:
        data = letter.encode()
        if not letter or len(chunk) + len(data) > (15 if quoted else 42):
            if quoted:
                inner = "".join(
                    chr(b) if chr(b).isalnum() and b < 128 else f"={b:02X}" for b in chunk
                )
                words.append(f"=?UTF-8?Q?{inner}?=")
            else:
                words.append(f"=?utf-8?B?{base64.b64encode(chunk).decode()}?=")
            chunk = b""
        chunk += data
    return "\r\n ".join(words)


def blob(random: Random, size: int) -> str:
    """Base64 as in signatures and the fields of filters, folded."""
    letters = base64.b64encode(random.randbytes(size)).decode()
    return "\r\n\t".join(letters[i : i + 64] for i in range(0, len(letters), 64))


def header(random: Random, number: int, story: Story, *more: str, subject: str = "") -> str:
    """The fields of a mail that came over three servers, one of them with a filter."""
    moment = f"Mon, {1 + number % 28} Mar 2026 {number % 24:02}:{number % 60:02}:07 +0100"
    host = story.address.partition("@")[2]
    received = "".join(
        f"Received: from out{hop}.{host} (out{hop}.{host} [192.0.2.{10 + hop}])\r\n"
        f"\tby mx{hop}.sklep.example (Postfix) with ESMTPS id {random.randrange(16**10):010X}\r\n"
        f"\t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256)\r\n"
        f"\tfor <{SHOP}>; {moment}\r\n"
        for hop in range(random.randint(2, 5))
    )
    filtered = "".join(
        f"X-Filter-{field}: {blob(random, random.randint(20, 300))}\r\n"
        for field in ("State", "Source", "Message-Info", "Data-0")[: random.randint(0, 4)]
    )
    lines = (
        f"From: {encoded(story.name)} <{story.address}>",
        f"To: Sklep <{SHOP}>",
        f"Subject: {encoded(subject or story.subject, quoted=number % 3 == 0)}",
        f"Date: {moment}",
        f"Message-ID: <{random.randrange(16**20):020x}@{host}>",
        *more,
        "MIME-Version: 1.0",
    )
    return (
        f"Return-Path: <{story.address}>\r\nDelivered-To: {SHOP}\r\n{received}"
        f"Authentication-Results: mx1.sklep.example; dkim=pass header.i=@{host} header.s=s1\r\n"
        f"\theader.b=Xy12; spf=pass smtp.mailfrom={story.address}; dmarc=pass\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={host}; s=s1; t=1772442007;\r\n"
        f"\th=from:to:subject:date:message-id; bh={blob(random, 32)}=;\r\n"
        f"\tb={blob(random, 256)}\r\n{filtered}" + "\r\n".join(lines) + "\r\n"
    )


def text_part(text: str, kind: str, transfer: str, charset: str = "utf-8", more: str = "") -> bytes:
    """Content-Type and all below it, for a text."""
    data = text.replace("\r\n", "\n").replace("\n", "\r\n").encode(charset, "replace")
    if transfer == "base64":
        body = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif transfer == "quoted-printable":
        body = binascii.b2a_qp(data, istext=True)
    else:
        body = data
    label = (
        f"Content-Type: {kind}; charset={charset}{more}\r\nContent-Transfer-Encoding: {transfer}"
    )
    return f"{label}\r\n\r\n".encode() + body + b"\r\n"


def multipart(random: Random, subtype: str, parts: Sequence[bytes]) -> bytes:
    mark = f"000000000000{random.randrange(16**16):016x}"
    body = b"".join(b"--" + mark.encode() + b"\r\n" + part for part in parts)
    top = f'Content-Type: multipart/{subtype}; boundary="{mark}"\r\n\r\n'.encode()
    return top + body + f"--{mark}--\r\n".encode()


def with_files(random: Random, part: bytes) -> tuple[bytes, tuple[int, ...]]:
    """The text, in one mail of six with photographs, in one of thirty with a document."""
    files: list[tuple[str, str, int]] = []
    if random.random() < 1 / 6:
        files = [
            (f"IMG_{random.randrange(10**4):04}.jpg", "image/jpeg", random.randint(50, 400) * 1024)
            for _ in range(random.choice((1, 1, 1, 2, 3)))
        ]
    if random.random() < 1 / 30:
        files.append(
            ("Zgłoszenie reklamacji.pdf", "application/pdf", random.randint(20, 150) * 999)
        )
    if not files:
        return part, ()
    parts = [part]
    for name, kind, size in files:
        label = (
            f'Content-Type: {kind}; name="{encoded(name)}"\r\n'
            f'Content-Disposition: attachment; filename="{encoded(name)}"\r\n'
            f"Content-Transfer-Encoding: base64\r\nX-Attachment-Id: f_{size}\r\n\r\n"
        )
        data = base64.encodebytes(random.randbytes(size)).replace(b"\n", b"\r\n")
        parts.append(label.encode() + data)
    return multipart(random, "mixed", parts), tuple(size for *_, size in files)


def mail(
    top: str, body: bytes, story: Story, sizes: tuple[int, ...] = (), *, charset: str = "utf-8"
) -> Mail:
    longest = max(story.text.split("\n"), key=len)
    phrase = " ".join(longest.encode(charset, "replace").decode(charset).split())
    raw = top.encode() + body
    return Mail(raw, story.subject.strip(), story.address, phrase, sizes)


def wrapped(text: str, *, flowed: bool = False) -> str:
    """Lines of at most 76 characters, as programs make them for plain text."""
    end = " \n" if flowed else "\n"
    return "\n".join(
        end.join(textwrap.wrap(line, 76, break_on_hyphens=False)) for line in text.split("\n")
    )


def gmail_html(text: str) -> str:
    return f'<div dir="ltr">{html.escape(text).replace(chr(10), "<br>")}</div>'


def outlook_html(text: str) -> str:
    paragraphs = "".join(
        f'<p class="MsoNormal"><span style="font-size:11.0pt">{html.escape(line) or "&nbsp;"}'
        "<o:p></o:p></span></p>\r\n"
        for line in text.split("\n")
    )
    return (
        '<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:'
        'office">\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html">\r\n'
        f"<style><!--\r\n@font-face\r\n{_OUTLOOK_STYLE}p.MsoNormal {{margin:0cm;}}\r\n--></style>"
        '\r\n</head>\r\n<body lang="PL" link="#0563C1" style="word-wrap:break-word">\r\n'
        f'<div class="WordSection1">\r\n{paragraphs}</div>\r\n</body>\r\n</html>'
    )


def footer(random: Random) -> str:
    """What stands below half of the texts."""
    return random.choice(
        (
            *[""] * 4,
            "\n\nWysłane z iPhone'a",
            "\n\n-- \nPozdrawiam serdecznie\ntel. 600 000 000",
            "\n\nWysłano z aplikacji mobilnej poczty",
            "\n\nTreść tej wiadomości może zawierać informacje poufne, przeznaczone tylko dla "
            "adresata.\nJeżeli nie są Państwo adresatem, prosimy o jej usunięcie.",
        )
    )


def alternative(random: Random, text: str, document: str) -> bytes:
    return multipart(
        random,
        "alternative",
        [
            text_part(text, "text/plain", random.choice(("base64", "quoted-printable"))),
            text_part(document, "text/html", "quoted-printable"),
        ],
    )


def plain(random: Random, number: int, story: Story) -> Mail:
    transfer = random.choice(("8bit", "quoted-printable", "base64"))
    flowed = random.random() < 1 / 3
    text = random.choice((story.text, wrapped(story.text, flowed=flowed))) + footer(random)
    more = "; format=flowed" * flowed
    body = text_part(text, "text/plain", transfer, more=more)
    body, sizes = with_files(random, body)
    return mail(header(random, number, story), body, story, sizes)


def from_gmail(random: Random, number: int, story: Story) -> Mail:
    below = footer(random)
    text, document = wrapped(story.text) + below, gmail_html(story.text + below)
    body, sizes = with_files(random, alternative(random, text, document))
    return mail(header(random, number, story), body, story, sizes)


def from_outlook(random: Random, number: int, story: Story) -> Mail:
    text = story.text + footer(random)
    body = alternative(random, text, outlook_html(text))
    if random.random() < 0.3:
        logo = base64.encodebytes(random.randbytes(random.randint(3, 15) * 1024))
        label = (
            b'Content-Type: image/png; name="image001.png"\r\nContent-ID: <image001@01DB>\r\n'
            b'Content-Disposition: inline; filename="image001.png"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n"
        )
        body = multipart(random, "related", [body, label + logo.replace(b"\n", b"\r\n")])
    body, sizes = with_files(random, body)
    return mail(header(random, number, story), body, story, sizes)


def html_only(random: Random, number: int, story: Story) -> Mail:
    document = random.choice((outlook_html, gmail_html))(story.text + footer(random))
    transfer = random.choice(("base64", "quoted-printable"))
    body, sizes = with_files(random, text_part(document, "text/html", transfer))
    return mail(header(random, number, story), body, story, sizes)


def old_charset(random: Random, number: int, story: Story) -> Mail:
    """ISO-8859-2 and Windows-1250, a few of them under the other's name."""
    charset = random.choice(("iso-8859-2", "windows-1250"))
    transfer = random.choice(("8bit", "quoted-printable"))
    body = text_part(story.text + footer(random), "text/plain", transfer, charset)
    if random.random() < 0.1:
        body = body.replace(b"charset=windows-1250", b"charset=iso-8859-2")
    return mail(header(random, number, story), body, story, charset=charset)


def history() -> str:
    return (
        "Dzień dobry,\ndziękujemy za zgłoszenie. Prosimy o numer zamówienia oraz o zdjęcia "
        "uszkodzonego towaru\ni opakowania, wtedy od razu przekażemy sprawę dalej.\n\n"
        "Z poważaniem\nDział reklamacji\n\n"
    )


def answer(random: Random, number: int, story: Story) -> Mail:
    """A reply with its history below, as Gmail, Outlook or a plain text program writes it."""
    way = random.choice(("gmail", "outlook", "plain"))
    fields = (
        "In-Reply-To: <c1@sklep.example>",
        "References: <a0@poczta.example>\r\n <c1@sklep.example>",
    )
    top = header(random, number, story, *fields, subject=f"Re: {story.subject}")
    attribution = f"pon., 2 mar 2026 o 10:12 Sklep <{SHOP}> napisał(a):"
    earlier = history() * random.randint(1, 4)
    quoted = "".join(f"> {line}\n" for line in earlier.split("\n"))
    if way == "outlook":
        head = (
            f"Od: Sklep <{SHOP}>\nWysłano: poniedziałek, 2 marca 2026 10:12\n"
            f"Do: {story.name} <{story.address}>\nTemat: Zgłoszenie"
        )
        text = f"{story.text}\n\n{head}\n\n{earlier}"
        body = alternative(random, text, outlook_html(text))
    elif way == "gmail":
        document = (
            f'{gmail_html(story.text)}<br><div class="gmail_quote"><div dir="ltr" '
            f'class="gmail_attr">{html.escape(attribution)}<br></div><blockquote '
            'class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid">'
            f"{gmail_html(earlier)}</blockquote></div>"
        )
        text = f"{wrapped(story.text)}\n\n{attribution}\n\n{quoted}"
        body = alternative(random, text, document)
    else:
        text = f"{wrapped(story.text, flowed=True)}\n\n{attribution}\n{quoted}"
        body = text_part(text, "text/plain", "8bit", more="; format=flowed")
    body, sizes = with_files(random, body)
    return mail(top, body, story, sizes)


def forward(random: Random, number: int, story: Story) -> Mail:
    """A customer's mail, handed on by Gmail, by Outlook or as an attachment."""
    way = random.choice(("gmail", "gmail", "outlook", "attached"))
    other = replace(story, name=random.choice(_NAMES), address="biuro@firma-abc.example")
    top = header(random, number, other, subject=f"Fwd: {story.subject}")
    if way == "attached":
        inner = header(random, number + 1, story).encode()
        inner += text_part(story.text, "text/plain", "quoted-printable")
        parts = [
            text_part("Proszę o odpowiedź, w załączeniu.", "text/plain", "8bit"),
            b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + inner,
        ]
        return replace(
            mail(top, multipart(random, "mixed", parts), other), phrase="Proszę o odpowiedź"
        )
    start = "---------- Forwarded message ---------\n" if way == "gmail" else ""
    head = (
        f"{start}Od: {story.name} <{story.address}>\nDate: pon., 2 mar 2026 o 10:12\n"
        f"Subject: {story.subject}\nTo: <{other.address}>"
    )
    text = f"Dzień dobry, przekazuję.\n\n{head}\n\n\n{story.text}"
    document = gmail_html(text) if way == "gmail" else outlook_html(text)
    body, sizes = with_files(random, alternative(random, text, document))
    return mail(top, body, other, sizes)


def auto_reply(random: Random, number: int, story: Story) -> Mail:
    text = (
        "Dzień dobry,\n\ndziękuję za wiadomość. Jestem na urlopie do 15 marca i odpiszę po "
        "powrocie."
    )
    absent = replace(story, text=text, subject=f"Automatyczna odpowiedź: {story.subject}")
    fields = ("Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All")
    top = header(random, number, absent, *fields)
    return mail(top, alternative(random, text, outlook_html(text)), absent)


def bounce(random: Random, number: int, story: Story) -> Mail:
    """A failure notice with report and the header of what could not be delivered."""
    text = (
        "This is the mail system at host mx1.poczta.example.\n\nI'm sorry to have to inform you "
        f"that your message could not\nbe delivered to one or more recipients.\n\n<{story.address}>"
        ": host mx2.poczta.example said: 550 5.1.1 User unknown"
    )
    report = (
        "Content-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx1.poczta.example\r\n\r\n"
        f"Final-Recipient: rfc822; {story.address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
    )
    returned = f"Content-Type: text/rfc822-headers\r\n\r\n{header(random, number, story)}\r\n"
    parts = [text_part(text, "text/plain", "8bit"), report.encode(), returned.encode()]
    daemon = Story(
        "Mail Delivery System",
        "mailer-daemon@poczta.example",
        "Undelivered Mail Returned to Sender",
        text,
    )
    top = header(random, number, daemon, "Auto-Submitted: auto-replied")
    body = multipart(random, "report; report-type=delivery-status", parts)
    return mail(top, body, daemon)


# Shares of a hundred.
KINDS: dict[Callable[[Random, int, Story], Mail], int] = {
    plain: 24,
    from_gmail: 18,
    from_outlook: 12,
    html_only: 9,
    old_charset: 6,
    answer: 19,
    forward: 6,
    auto_reply: 3,
    bounce: 3,
}


if __name__ == "__main__":
    main()
