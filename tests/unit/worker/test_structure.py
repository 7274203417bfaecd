"""What stands behind a transfer encoding, also where programs on the way have changed it."""

import base64
import time
from random import Random

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import parse
from worker.structure import decode_transfer

TEXT = "Dzień dobry,\r\nodkurzacz dmucha kurzem, proszę o właściwy filtr.\r\nMichalina Gęś\r\n" * 3
FOOTER = "-- \r\nWiadomosc sprawdzona programem antywirusowym."


def in_base64(data: bytes, width: int = 76) -> bytes:
    letters = base64.b64encode(data)
    return b"".join(letters[i : i + width] + b"\r\n" for i in range(0, len(letters), width))


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("gap", ["", "\r\n", "\r\n\r\n"])
@pytest.mark.parametrize(
    "footer", [FOOTER, "_" * 40 + "\r\nLista dyskusyjna ogrodnicy\r\nWypisz mnie"]
)
def test_e36_plain_text_under_base64_is_kept_and_spoils_nothing(padding, gap, footer):
    text = TEXT.encode() + b"x" * ((padding - len(TEXT.encode())) % 3)
    body = in_base64(text) + gap.encode() + footer.encode()
    mail = parse(a_mail(body, Content_Transfer_Encoding="base64"))
    assert mail.body.replace("\n", "\r\n").startswith(text.decode())
    assert mail.body.rstrip().endswith(footer.replace("\r\n", "\n"))


def test_e36_a_footer_in_another_charset_is_kept_too():
    body = in_base64(TEXT.encode()) + "\r\n--\r\nTreść poufna, prosimy usunąć\r\n".encode("cp1250")
    mail = parse(a_mail(body, Content_Transfer_Encoding="base64"))
    assert "właściwy filtr" in mail.body
    assert "Treść poufna, prosimy usunąć" in mail.body


@pytest.mark.parametrize(
    "junk",
    [
        lambda lines: [line[:20] + b" " + line[20:] for line in lines],
        lambda lines: [b"  " + line for line in lines],
        lambda lines: [line[:20] + b"!*" + line[20:] for line in lines],
        lambda lines: [lines[0], b"", *lines[1:]],
        lambda lines: [line + b"\t" for line in lines],
        lambda lines: [b"> " + line for line in lines],
    ],
    ids=["spaces", "indented", "stray characters", "an empty line", "tabs", "quoted"],
)
def test_e36_junk_in_base64_is_passed_over(junk):
    body = b"\r\n".join(junk(in_base64(TEXT.encode()).splitlines()))
    assert decode_transfer(body, "base64").decode() == TEXT


def test_e36_a_footer_under_a_file_is_no_part_of_the_file():
    file = a_part(
        in_base64(b"%PDF" * 99) + b"\r\n" + FOOTER.encode(),
        "application/pdf; name=a.pdf",
        Content_Transfer_Encoding="base64",
    )
    [found] = parse(a_multipart("mixed", a_part("x"), file)).attachments
    assert found.content == b"%PDF" * 99


def test_e36_runs_of_base64_that_were_encoded_one_by_one_are_joined():
    assert decode_transfer(in_base64(b"a" * 100) + in_base64(b"b" * 100), "base64") == (
        b"a" * 100 + b"b" * 100
    )


@pytest.mark.parametrize("break_", ["=\r\n", "=\n", "=\r", "= \r\n", "=\t \n", "=  \r"])
def test_soft_line_breaks_of_every_kind_are_joined(break_):
    line_end = break_.lstrip("= \t")
    sent = (
        f"Szcz=C4{break_}=99=C5=9B=C4=87 Bo{break_}że!{line_end}2 pary = jedna{line_end}".encode()
    )
    assert decode_transfer(sent, "quoted-printable").decode() == (
        f"Szczęść Boże!{line_end}2 pary = jedna{line_end}"
    )


def test_a_mail_with_bare_cr_and_soft_breaks_is_read_whole():
    raw = a_mail(
        "Nuty bez strony 45, =\rjest dwa razy 47. Pr=F3ba w =B6rod=EA.\r".encode("ascii"),
        Content_Type="text/plain; charset=iso-8859-2",
        Content_Transfer_Encoding="quoted-printable",
    ).replace(b"\r\n", b"\r")
    assert parse(raw).body.strip() == "Nuty bez strony 45, jest dwa razy 47. Próba w środę."


def test_a_header_of_junk_is_judged_as_a_whole():
    """Found by the fuzzer: 400 fields of random bytes, the charset of each guessed by itself."""
    junk = Random(1).randbytes(250_000).translate(None, b"\r\n")
    lines = [b"Subject: " + junk[start : start + 500] for start in range(0, 200_000, 500)]
    subject = "Subject: Reklamacja żółtej łódki".encode("iso-8859-2")
    started = time.process_time()
    mail = parse(b"\r\n".join([subject, *lines, b"", b"Talerz przyszed\xb3 rozbity."]))
    assert time.process_time() - started < 0.5
    assert mail.subject.startswith("Reklamacja ")
    assert mail.body == "Talerz przyszedł rozbity."


@pytest.mark.parametrize("label", ["utf-16", "windows-1250"])
@pytest.mark.parametrize("first", [b"\xff\xfe", b"\xb1\0"], ids=["byte order mark", "NUL"])
def test_junk_in_other_fields_spoils_none_that_matters(first, label):
    junk = [b"X-%d: %sz\xb3o\xb6\xe6" % (number, first) for number in range(30)]
    known = [
        b"From: Jan <jan@klient.example>",
        "Subject: Zażółć gęślą jaźń".encode("cp1250"),
        b"Content-Type: text/plain; charset=%s" % label.encode(),
    ]
    mail = parse(b"\r\n".join([*junk, *known, b"", b"x"]))
    assert (mail.from_addr, mail.subject) == ("jan@klient.example", "Zażółć gęślą jaźń")


def test_a_few_fields_are_judged_one_by_one():
    fields = ["Subject: Źle uszyte", "From: Świątek <a@klient.example>"]
    raw = b"\r\n".join([fields[0].encode("cp1250"), fields[1].encode(), b"", b"x"])
    mail = parse(raw)
    assert (mail.subject, mail.from_name) == ("Źle uszyte", "Świątek")
