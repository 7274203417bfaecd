"""Bytes to a parsed message: nothing raises, nothing is lost, nothing takes long."""

import base64
import time

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import KnownAddresses, parse, take_apart
from worker.parsed_json import to_json

TEXT = "Dzień dobry, paczka nie dotarła."
HTML = "text/html; charset=utf-8"


def nested(levels: int) -> bytes:
    opened = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(levels)
    )
    return f"From: a@example.com\r\n{opened}\r\nw środku\r\n".encode()


def test_a_plain_mail_gives_every_field():
    mail = parse(
        a_mail(In_Reply_To="<0@example.com>", References="<00@example.com> <0@example.com>")
    )
    assert (mail.subject, mail.from_addr, mail.from_name) == (
        "Reklamacja",
        "anna@example.com",
        "Anna Nowak",
    )
    assert mail.to_addrs == ("reklamacje@sklep.example",)
    assert (mail.message_id, mail.in_reply_to) == ("1@example.com", ("0@example.com",))
    assert mail.references == ("00@example.com", "0@example.com")
    assert mail.date is not None
    assert mail.date.isoformat() == "2026-03-02T09:00:00+00:00"
    assert (mail.text.strip(), mail.language, mail.kind) == (TEXT, "pl", "person")
    assert (mail.auto_ack_ok, mail.no_ack_reason, mail.error) == (True, None, None)


def test_a_missing_message_id_becomes_the_hash_of_the_bytes():
    raw = a_mail(Message_ID=None)
    assert parse(raw).message_id == parse(raw).message_id
    assert parse(raw).message_id.startswith("sha256.")
    assert parse(raw).message_id.endswith("@odzew.invalid")


def test_the_json_has_the_keys_of_the_contract_in_order():
    keys = list(to_json("a.eml", parse(a_mail())))
    assert keys[:4] == ["file", "error", "subject", "from_addr"]
    assert keys[-3:] == ["bounces", "attachments", "defects"]
    assert len(keys) == 27


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_line_ends_of_any_kind_are_read(line_end):
    raw = a_multipart("mixed", a_part(TEXT)).replace(b"\r\n", line_end)
    assert parse(raw).body.strip() == TEXT


def test_plain_text_is_preferred_to_html_that_says_the_same():
    raw = a_multipart("alternative", a_part(TEXT), a_part("<p>html</p>", HTML))
    assert parse(raw).body.strip() == TEXT


def test_html_is_read_where_the_plain_alternative_is_empty():
    raw = a_multipart("alternative", a_part(" \r\n"), a_part(f"<p>{TEXT}</p>", HTML))
    assert parse(raw).body == TEXT


def test_a_broken_fold_does_not_end_the_header():
    raw = a_mail().replace(b"To: ", b"X-Long: a\r\nno indentation here\r\nTo: ")
    assert parse(raw).subject == "Reklamacja"
    assert parse(raw).body.strip() == TEXT


def test_a_body_that_follows_without_an_empty_line_is_kept():
    mail = parse(b"From: a@example.com\r\nSubject: x\r\nTu zaczyna sie tresc.\r\n")
    assert "zaczyna sie" in mail.body


@pytest.mark.parametrize(
    ("content_type", "disposition", "name"),
    [
        ("image/jpeg", 'attachment; filename="zdjęcie.jpg"', "zdjęcie.jpg"),
        ("image/jpeg", "attachment; filename*=utf-8''zdj%C4%99cie.jpg", "zdjęcie.jpg"),
        ("image/jpeg; name=a.jpg", "inline", "a.jpg"),
        ("application/ms-tnef", "attachment", "winmail.dat"),
        ("application/pkcs7-mime", "attachment", "smime.p7m"),
        ("application/pgp-signature", "attachment", "signature.asc"),
        ("text/plain; name=opis.txt", "attachment", "opis.txt"),
    ],
)
def test_what_is_not_text_is_an_attachment_with_a_name(content_type, disposition, name):
    part = a_part(
        base64.b64encode(b"1234567"),
        content_type,
        Content_Disposition=disposition,
        Content_Transfer_Encoding="base64",
    )
    mail = parse(a_multipart("mixed", a_part(TEXT), part))
    [found] = mail.attachments
    assert (found.name, found.size, found.content) == (name, 7, b"1234567")
    assert mail.body.strip() == TEXT


def test_a_uuencoded_file_in_the_text_is_an_attachment():
    mail = parse(a_mail("Opis\n\nbegin 644 a.txt\n#0V%T\n`\nend\nDalej\n"))
    [found] = mail.attachments
    assert (found.name, found.content) == ("a.txt", b"Cat")
    assert "begin 644" not in mail.body
    assert "Dalej" in mail.body


def test_flowed_lines_are_joined_and_quotation_marks_kept():
    flowed = "To jest jedno \r\nzdanie.\r\n> cudze \r\n> zdanie\r\n"
    mail = parse(a_mail(flowed, Content_Type="text/plain; charset=utf-8; format=flowed"))
    assert mail.body == "To jest jedno zdanie.\n> cudze zdanie\n"


@pytest.mark.parametrize("levels", [10, 100, 1000, 10_000])
def test_e01_nested_parts_are_read_to_a_depth_and_kept_below(levels):
    mail = take_apart(nested(levels), KnownAddresses())
    assert mail.from_addr == "a@example.com"
    assert ("w środku" in mail.body) == (levels <= 19)


def test_e02_mails_in_mails_are_read_to_a_depth():
    raw = b"From: a@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 5000 + b"x"
    assert take_apart(raw, KnownAddresses()).from_addr == "a@example.com"


HOSTILE = {
    "E-03 ten thousand parts": a_multipart("mixed", *[a_part("x")] * 10_000),
    "E-03 bare boundaries": a_mail(
        b"--b\r\n" * 200_000, Content_Type="multipart/mixed; boundary=b"
    ),
    "E-06 a long field": a_mail(Subject="x" * 5_000_000),
    "E-06 many fields": b"X-A: b\r\n" * 100_000 + a_mail(),
    "E-07 encoded words": a_mail(Subject="=?utf-8?q?a=20b?= " * 10_000),
    "E-26 open comments": a_mail(From="(" * 16_000 + "a@example.com"),
    "E-26 open comments, many fields": b"".join(
        b"To: " + b"(a" * 7000 + b"\r\n" for _ in range(18)
    ),
    "E-36 soft line breaks": a_mail(b"=\n" * 500_000, Content_Transfer_Encoding="quoted-printable"),
    "E-36 padding": a_mail(b"A=" * 300_000, Content_Transfer_Encoding="base64"),
    "E-45 nested elements": a_mail("<div>" * 200_000 + "x", Content_Type=HTML),
    "E-48 quotation marks": a_mail(">" * 100_000),
    "E-48 spaces": a_mail(" " * 1_000_000 + "x"),
    "E-48 attributions": a_mail("On Mon, 1 Jan 2020 at 10:00 " * 100_000 + "wrote:"),
    "E-48 copied headers": a_mail("From: a@example.com\nTo: \n\n" * 20_000),
    "E-48 dashes": a_mail("-----a" * 100_000),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mail_takes_no_second(raw):
    start = time.process_time()
    take_apart(raw, KnownAddresses())
    assert time.process_time() - start < 1.5  # a second on an idle machine; tests share one


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\0" * 100, b"From", b":\n", b"--\n", b"\xff\xfe"])
def test_e25_next_to_nothing_is_still_a_mail(raw):
    mail = take_apart(raw, KnownAddresses())
    assert (mail.requester_addr, mail.auto_ack_ok) == ("", False)


def test_control_characters_do_not_reach_the_text():
    mail = parse(a_mail("a\x00b\x1b[31mc\x07", Subject="=?utf-8?q?x=0D=0ABcc:_y?="))
    assert mail.body == "a\u2400b[31mc"
    assert mail.subject == "x Bcc: y"


def test_a_duplicate_from_is_never_answered_by_itself():
    mail = parse(b"From: b@example.com\r\n" + a_mail())
    assert (mail.auto_ack_ok, mail.no_ack_reason) == (False, "B-D2: several From fields")
