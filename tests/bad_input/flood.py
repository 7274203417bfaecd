"""Sequences of mails that overwhelm by their number; each is one story, oldest mail first."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bad_input.mail import TEXT, a_file, a_mail, a_multipart, a_part

OPEN = frozenset({"ticket", "appended"})


@dataclass(frozen=True)
class Story:
    """Mails that belong together, and what becomes of all of them."""

    id: str
    what: str
    mails: tuple[bytes, ...]
    outcomes: frozenset[str]  # in the ledger
    acknowledgements: int  # at most


def one_id_two_contents() -> Story:
    fields = {"Message_ID": "<ten.sam@klient.example>"}
    mails = (a_mail("Pierwsza sprawa.", **fields), a_mail("Zupełnie inna sprawa.", **fields))
    return Story("E-29", "one Message-ID, two contents", mails, frozenset({"ticket"}), 2)


def one_content_many_ids() -> Story:
    sender = "Jan <jan@potop.example>"
    mails = tuple(a_mail(TEXT, From=sender, Message_ID=f"<{n}@potop.example>") for n in range(40))
    return Story("E-30", "one content, many Message-IDs", mails, OPEN, 3)


def foreign_bounces() -> Story:
    """Reports about mail that was never ours: of other shapes each."""

    def report(status: str, text: str = "No such user.") -> bytes:
        return a_multipart(
            a_part(text),
            a_part(status, "message/delivery-status"),
            kind="report; report-type=delivery-status",
            From="MAILER-DAEMON@mx.obcy.example",
            Subject="Undelivered Mail Returned to Sender",
            head=b"Return-Path: <>\r\n",
        )

    recipient = "Final-Recipient: rfc822; x@obcy.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    forged = f"{recipient}\r\nOriginal-Envelope-Id: ack.ODZ-2026-000001.0000000000000000\r\n"
    mails = [report(recipient) for _ in range(20)]
    mails += [report(""), report(forged), report(recipient * 2000)]
    mails += [report(recipient, "宛先不明のため配信できませんでした。")]
    return Story("E-64", "bounces of others", tuple(mails), frozenset({"bounce"}), 0)


def answering_machines() -> Story:
    """Two responders that answer one another through us."""
    mails = tuple(
        a_mail(
            f"Jestem na urlopie. ({n})",
            From="Jan <jan@urlop.example>",
            Subject="Automatyczna odpowiedź: " * (n % 5 + 1) + "Potwierdzenie",
            head=b"Auto-Submitted: auto-replied\r\n",
        )
        for n in range(20)
    )
    return Story("E-65", "answering machines", mails, frozenset({"automatic"}), 0)


def one_angry_sender() -> Story:
    sender = "Jan <jan@gniew.example>"
    mails = tuple(a_mail(f"Skarga numer {n}.", From=sender) for n in range(120))
    return Story("E-66", "120 mails of one sender", mails, OPEN, 3)


def many_senders_of_one_domain() -> Story:
    mails = tuple(a_mail(f"Skarga {n}.", From=f"x{n}@botnet.example") for n in range(120))
    return Story("E-66", "120 senders of one domain", mails, frozenset({"ticket"}), 20)


def a_photo_a_mail() -> Story:
    """A complaint in thirty mails of one photo each, as some telephones send it."""
    sender, first = "Anna <anna@zdjecia.example>", "<zdjecie.0@zdjecia.example>"

    def photo(number: int) -> bytes:
        return a_multipart(
            a_part(TEXT if not number else ""),
            a_file(f"IMG_{number}.jpg", "image/jpeg", b"\xff\xd8%d" % number),
            From=sender,
            Message_ID=first if not number else f"<zdjecie.{number}@zdjecia.example>",
            References=first if number else None,
        )

    mails = tuple(photo(number) for number in range(30))
    return Story("E-67", "thirty photos", mails, OPEN, 1)


STORIES: tuple[Callable[[], Story], ...] = (
    one_id_two_contents,
    one_content_many_ids,
    foreign_bounces,
    answering_machines,
    one_angry_sender,
    many_senders_of_one_domain,
    a_photo_a_mail,
)
