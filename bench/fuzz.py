"""``python -m bench.fuzz``: random and broken mails through the parser, for as long as it is told.

A mail is a random tree of parts, or one of ``tests/bad_input`` and ``tests/corpus`` with bits
turned over, pieces cut out, repeated, or put in from another. Of each is asked: no exception, less
than a second of processor time, no text that a database would refuse. What fails is written to
var/fuzz/ with the reason beside it; its name holds seed and number, ``--only`` makes it again.
"""

import argparse
import base64
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from worker.mime import take_apart
from worker.parsed_message import KnownAddresses, ParsedMessage

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 300_000  # bytes of a mail that is taken as a beginning
LIMIT = 1.0  # seconds of processor time
GIVEN_UP = 10.0
KNOWN = KnownAddresses(
    own_domains=("sklep.example",),
    own_addresses=("reklamacje@sklep.example",),
    trusted_forwarders=("biuro@sklep.example",),
    contact_forms=("formularz@sklep.example",),
    groups=("grupa@sklep.example",),
    relays=("allegromail.example",),
)

TYPES = (
    "text/plain",
    "text/html",
    "text/plain; charset=utf-8; format=flowed; delsp=yes",
    "text/html; charset=iso-8859-2",
    "text/plain; charset=utf-16",
    "text/plain; charset=iso-2022-jp",
    "text/calendar; method=REPLY",
    "text/rfc822-headers",
    "image/png; name*=utf-8''a%00%2F.png",
    "application/ms-tnef",
    "message/delivery-status",
    "message/disposition-notification",
    "message/feedback-report",
    "message/rfc822",
    "",
    "text",
)
CONTAINERS = ("mixed", "alternative", "related", "report", "digest", "signed", "x")
ENCODINGS = ("", "7bit", "8bit", "base64", "quoted-printable", "x-uuencode", "nonsense")
FIELDS = (
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Sender",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Return-Path",
    "Received",
    "List-Id",
    "Auto-Submitted",
    "X-Failed-Recipients",
    "X-Original-From",
    "Precedence",
    "Content-Type",
)
WORDS = (
    "a@b.example",
    "Jan <jan@klient.example>",
    "<1@x>",
    "=?utf-8?q?=C5=BC=0D=0A?=",
    "=?iso-8859-2?b?vw==?=",
    "=?",
    "?=",
    "(",
    '"',
    "<",
    ">",
    ";",
    ",",
    ":",
    "Re: ",
    "Fwd: ",
    "Mon, 02 Mar 2026 10:00:00 +0100",
    "auto-replied",
    "Undelivered Mail Returned to Sender",
    "biuro@sklep.example",
    "formularz@sklep.example",
    "zażółć",
    "\u202e",
    "\0",
    "\r\n ",
    " " * 50,
    "x" * 200,
    "ODZ-2026-000001",
)
LINES = (
    "Dzień dobry, talerz przyszedł rozbity. Proszę o zwrot.",
    "W dniu 2.03.2026 o 10:00 Jan <jan@klient.example> napisał(a):",
    "---------- Forwarded message ----------",
    "Od: Jan <jan@klient.example>",
    "Do: biuro@sklep.example",
    "Temat: Reklamacja",
    "Data: 2 marca 2026",
    "> cytat",
    ">>> głębiej",
    "-- ",
    "________________________________",
    "begin 644 a.txt",
    "#0V%T",
    "end",
    "<div><blockquote>x</div>",
    "<p hidden>y</p><!--",
    "Final-Recipient: rfc822; jan@klient.example",
    "Action: failed",
    "Status: 5.1.1",
    "Imię: Jan",
    "E-mail: jan@klient.example",
    ".",
    "",
    " " * 300,
    "-" * 300,
    "a" * 300,
    "odpowiedzi na czerwono",
    "\u2028\x0b\x1b[31m",
)
PIECES = (
    b"\r\n\r\n",
    b"\r\n ",
    b"\n",
    b"\r",
    b"\0",
    b"--",
    b"boundary=",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"=?utf-8?q?",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1b$B",
    b"<div>" * 50,
    b"(" * 100,
    b" " * 500,
    b"-" * 500,
    b">" * 500,
    b"." * 500,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--only", type=int, help="this number alone, to standard output")
    options = parser.parse_args()
    beginnings = stored_mails()
    if options.only is not None:
        sys.stdout.buffer.write(random_mail(options.seed, options.only, beginnings))
        return
    failed = fuzz(options.seed, options.seconds, beginnings, folder=ROOT / "var" / "fuzz")
    sys.exit(1 if failed else 0)


def stored_mails() -> list[bytes]:
    """The mails of the catalogue and of the corpus, without the largest."""
    from tests.bad_input import every_mail

    files = sorted((ROOT / "tests" / "corpus").rglob("*.eml"))
    mails = [mail.raw for mail in every_mail()] + [file.read_bytes() for file in files]
    return [mail for mail in mails if len(mail) <= LONGEST]


def fuzz(seed: int, seconds: float, beginnings: Sequence[bytes], *, folder: Path) -> int:
    """Try mails until the time is over; return how many failed."""
    console = Console()
    console.print(f"{len(beginnings)} mails to begin with; seed {seed}")
    started = said = time.monotonic()
    number = failed = 0
    slowest, slowest_number, spent = 0.0, 0, 0.0
    while (now := time.monotonic()) - started < seconds:
        number += 1
        raw = random_mail(seed, number, beginnings)
        problem, taken = try_mail(raw)
        spent += taken
        if taken > slowest:
            slowest, slowest_number = taken, number
        if problem:
            failed += 1
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{seed}-{number}.eml").write_bytes(raw)
            (folder / f"{seed}-{number}.txt").write_text(problem + "\n", "utf-8")
            console.print(f"{seed}-{number}: {problem}", markup=False)
        if now - said > 60:
            said = now
            console.print(f"{number} mails, {failed} failed, slowest {slowest:.2f} s")
    console.print(
        f"{number} mails, {number / max(spent, 0.001):.0f} a second of the parser, "
        f"{failed} failed, slowest {slowest:.2f} s: number {slowest_number}"
    )
    return failed


def try_mail(raw: bytes) -> tuple[str, float]:
    """What is wrong with how a mail is taken apart, or "", and the processor time it took."""
    started = time.process_time()
    try:
        with at_most(GIVEN_UP):
            message = take_apart(raw, KNOWN)
    except TimeoutError:
        return f"more than {GIVEN_UP} s", GIVEN_UP
    except Exception as error:
        return f"{type(error).__name__}: {error}", time.process_time() - started
    taken = time.process_time() - started
    if taken > LIMIT:
        return f"{taken:.2f} s", taken
    return unstorable(message), taken


def unstorable(message: ParsedMessage) -> str:
    """The text of a parsed mail that no database takes, in a sentence, or ""."""
    for name, value in asdict(message).items():
        for text in _texts(value):
            if "\0" in text:
                return f"{name} holds a NUL"
            try:
                text.encode()
            except UnicodeEncodeError:
                return f"{name} holds half a character"
    return ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop what is inside by a TimeoutError after that much processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def random_mail(seed: int, number: int, beginnings: Sequence[bytes]) -> bytes:
    """The mail of this number: the same bytes for the same seed and the same beginnings."""
    chance = random.Random(f"{seed}:{number}")
    if chance.random() < 0.4 or not beginnings:
        raw = entity(chance, 0, is_mail=True)
    else:
        raw = chance.choice(beginnings)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
        raw = changed(chance, raw, beginnings)
    return raw


def entity(chance: random.Random, depth: int, *, is_mail: bool = False) -> bytes:
    """A mail or a part of one, with parts below it."""
    names = chance.choices(FIELDS, k=chance.randint(0, 9)) if is_mail else []
    lines = [f"{name}: {''.join(chance.choices(WORDS, k=chance.randint(0, 4)))}" for name in names]
    if depth < 6 and chance.random() < 0.5 / (depth + 1) + 0.1:
        boundary = chance.choice(("b", f"b{depth}", "b b", "", "x" * 80, '"'))
        lines.append(
            f'Content-Type: multipart/{chance.choice(CONTAINERS)}; boundary="{boundary}"'
            + chance.choice(("", "; report-type=delivery-status"))
        )
        parts = [entity(chance, depth + 1) for _ in range(chance.randint(0, 4))]
        mark = f"\r\n--{boundary}".encode()
        body = b"".join(mark + b"\r\n" + part for part in parts)
        body += chance.choice((mark + b"--\r\n", b"", mark))
    else:
        kind = chance.choice(TYPES)
        encoding = chance.choice(ENCODINGS)
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Transfer-Encoding: {encoding}"] if encoding else []
        if chance.random() < 0.3:
            name = "".join(chance.choices(WORDS, k=2))
            lines.append(f'Content-Disposition: attachment; filename="{name}"')
        if "rfc822" in kind and depth < 6:
            body = entity(chance, depth + 1, is_mail=True)
        else:
            end = chance.choice(("\r\n", "\n", "\r"))
            body = end.join(chance.choices(LINES, k=chance.randint(0, 30))).encode()
        if encoding == "base64":
            body = base64.encodebytes(body)
    head = "\r\n".join(lines).encode("utf-8", "replace")
    return head + (b"\r\n\r\n" if lines else b"\r\n") + body


def changed(chance: random.Random, raw: bytes, beginnings: Sequence[bytes]) -> bytes:
    """The mail with one thing done to it."""
    if not raw:
        return chance.choice(PIECES)
    start = chance.randrange(len(raw))
    stop = min(len(raw), start + chance.choice((1, 4, 40, 400, 4000)))
    match chance.randrange(8):
        case 0:  # bits turned over
            flipped = bytearray(raw)
            for _ in range(chance.choice((1, 8, 64))):
                flipped[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            return bytes(flipped)
        case 1:  # cut off
            return raw[:start]
        case 2:  # cut out
            return raw[:start] + raw[stop:]
        case 3:  # repeated
            times = chance.choice((2, 10, 200))
            return raw[:start] + raw[start:stop] * times + raw[stop:] if stop - start < 999 else raw
        case 4:  # something put in
            return raw[:start] + chance.choice(PIECES) + raw[start:]
        case 5 if beginnings:  # a piece of another mail put in
            other = chance.choice(beginnings)
            at = chance.randrange(len(other) + 1)
            return raw[:start] + other[at : at + 4000] + raw[start:]
        case 6:  # other line ends
            return raw.replace(b"\r\n", chance.choice((b"\n", b"\r", b"\r\r\n", b"\n\n")))
        case _:  # noise
            return raw[:start] + chance.randbytes(stop - start) + raw[stop:]


if __name__ == "__main__":
    main()
