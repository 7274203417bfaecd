"""The mails of ``bench.chaos``: made from a seed, and answers to what odzew has sent meanwhile."""

import re
from collections.abc import Iterator, Sequence
from random import Random

from bench.parse import made

TWICE = 0.04  # come to two mailboxes: half of them by another way, so with other trace fields
FOLLOW_UP = 0.04  # of the customers write again
WITHDRAWAL = 0.02  # are owed a confirmation by law, which is sent again where its fate is unknown

Post = tuple[int, bytes]  # the number of a mailbox, and a mail for it


def post(count: int, mailboxes: int, seed: int) -> list[Post]:
    """So many mails, each for a mailbox; the order is that in which they arrive."""
    random = Random(seed)
    ordinary = made(count, seed)
    letters: list[Post] = []
    for mail in ordinary:
        if len(letters) >= count:
            break
        place, raw = random.randrange(mailboxes), _with_crlf(mail.raw)
        drawn = random.random()
        if drawn < WITHDRAWAL:
            raw = _withdrawal(random, mail.sender)
        letters.append((place, raw))
        if drawn > 1 - TWICE:
            other = (place + random.randrange(1, mailboxes)) % mailboxes
            letters.append((other, raw if random.random() < 0.5 else _by_another_way(random, raw)))
        elif drawn > 1 - TWICE - FOLLOW_UP:
            letters.append((place, _written_by(mail.sender, random, names=_id_of(raw))))
    return letters[:count]


def _with_crlf(raw: bytes) -> bytes:
    """As every server stores it."""
    return re.sub(rb"\r?\n", b"\r\n", raw)


def answers(acknowledgements: Sequence[bytes], random: Random) -> Iterator[bytes]:
    """What comes back for acknowledgements: an answer of the customer, or a bounce."""
    for sent in acknowledgements:
        recipient = _field(sent, b"To")
        if random.random() < 0.5:
            yield _written_by(recipient, random, names=_id_of(sent))
        else:
            yield _bounce(recipient, sent, random)


def _written_by(sender: str, random: Random, *, names: str, text: str = "") -> bytes:
    return (
        f"From: <{sender}>\r\nTo: <reklamacje@sklep.test>\r\nSubject: Re: reklamacja\r\n"
        f"Message-ID: <{random.randrange(16**20):020x}@klient.example>\r\n"
        + (f"In-Reply-To: {names}\r\n" if names else "")
        + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + (text or "Dosyłam numer zamówienia: 84512. Proszę o szybką odpowiedź.")
        + f"\r\n{random.randrange(10**9)}\r\n"
    ).encode()


def _withdrawal(random: Random, sender: str) -> bytes:
    text = "Dzień dobry, odstępuję od umowy zakupu butów z zeszłego tygodnia. Jan Sęk"
    return _written_by(sender, random, names="", text=text).replace(b"Re: reklamacja", b"Zwrot")


def _by_another_way(random: Random, raw: bytes) -> bytes:
    trace = f"Received: from relay.example by mx9.sklep.test; id {random.randrange(16**8):08x}"
    return trace.encode() + b"\r\n" + raw


def _bounce(recipient: str, sent: bytes, random: Random) -> bytes:
    mark = f"b{random.randrange(16**12):012x}"
    head = sent.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n", b"\r\n")
    report = (
        "Return-Path: <>\r\nFrom: Mail Delivery System <mailer-daemon@poczta.example>\r\n"
        "To: <reklamacje@sklep.test>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        f"Message-ID: <{mark}@poczta.example>\r\nAuto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; "
        f'boundary="{mark}"\r\n\r\n--{mark}\r\nContent-Type: text/plain\r\n\r\n'
        f"<{recipient}>: 452 4.2.2 mailbox full\r\n--{mark}\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx1.poczta.example"
        f"\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 4.2.2"
        f"\r\n\r\n--{mark}\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    )
    return report.encode() + head + f"\r\n\r\n--{mark}--\r\n".encode()


def _id_of(raw: bytes) -> str:
    return f"<{_field(raw, b'Message-ID')}>"


def _field(raw: bytes, name: bytes) -> str:
    """The address or id in a field; the mails here have it, on one line."""
    found = re.search(rb"(?im)^" + name + rb":[^\n<]*<?([^\s<>]+@[^\s<>]+?)>?\s*$", raw)
    return found[1].decode() if found else ""
