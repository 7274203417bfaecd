"""What was signed can be read, what was encrypted not, and what is neither does no harm."""

import base64
import time

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker import smime
from worker.mime import parse

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")
ENTITY = "Content-Type: text/plain; charset=utf-8\r\n\r\nŚruba pękła, proszę o nową.\r\n".encode()


def der(tag: int, *content: bytes) -> bytes:
    data = b"".join(content)
    size = len(data)
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return (
        bytes([tag])
        + (bytes([size]) if size < 128 else bytes([0x80 + len(octets)]) + octets)
        + data
    )


def ber(tag: int, *content: bytes) -> bytes:
    """An element of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(content) + b"\0\0"


def signed(*content: bytes, build=der) -> bytes:
    """SignedData without certificates and signatures."""
    inner = build(0x30, DATA, *(build(0xA0, one) for one in content))
    algorithms = der(0x31, der(0x30, b"\x06\x01\x01"))
    return build(0x30, SIGNED_DATA, build(0xA0, build(0x30, b"\2\1\1", algorithms, inner)))


PIECES = ber(
    0x24, der(0x04, ENTITY[:9]), ber(0x24, der(0x04, ENTITY[9:30])), der(0x04, ENTITY[30:])
)


@pytest.mark.parametrize(
    "message",
    [
        signed(der(0x04, ENTITY)),
        signed(der(0x04, ENTITY), build=ber),
        signed(PIECES, build=ber),
        signed(der(0x24, der(0x04, ENTITY[:9]), der(0x04, ENTITY[9:]))),
    ],
    ids=["definite", "indefinite", "in pieces", "in pieces of a known length"],
)
def test_signed_content_is_found(message):
    assert smime.signed_content(message) == ENTITY


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"0",
        b"\x30\x80",
        signed(),
        signed(der(0x0C, ENTITY)),
        der(0x30, ENVELOPED_DATA, der(0xA0, ENTITY)),
        b"\x30\x80" * 300_000,
        signed(b"\x24\x80" * 300_000, build=ber),
        signed(der(0x04, ENTITY)).replace(b"\x31", b"\x31\x84\xff\xff\xff\xff", 1),
    ],
)
def test_what_holds_no_signed_content_gives_none_and_takes_no_second(message):
    start = time.process_time()
    assert not smime.signed_content(message)
    assert time.process_time() - start < 1


def test_a_signed_message_that_was_cut_gives_what_there_is():
    assert smime.signed_content(signed(der(0x04, ENTITY * 9))[:-100]) == (ENTITY * 9)[:-100]


def a_message(
    content: bytes, content_type: str = "application/pkcs7-mime; name=smime.p7m"
) -> bytes:
    return a_mail(
        base64.encodebytes(content),
        Content_Type=content_type,
        Content_Transfer_Encoding="base64",
        Content_Disposition="attachment; filename=smime.p7m",
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "application/pkcs7-mime; smime-type=signed-data",
        "application/x-pkcs7-mime",
        "application/octet-stream",
    ],
)
def test_e61_the_text_of_an_opaque_signed_mail_is_read(content_type):
    mail = parse(a_message(signed(der(0x04, ENTITY)), content_type))
    assert mail.text.strip() == "Śruba pękła, proszę o nową."
    assert mail.attachments == ()


def test_e61_files_in_a_signed_mail_are_attachments():
    inner = a_multipart("mixed", a_part("Zdjęcie."), a_part(b"123", "image/png; name=a.png"))
    mail = parse(a_message(signed(der(0x04, inner))))
    assert mail.body.strip() == "Zdjęcie."
    assert [(file.name, file.size) for file in mail.attachments] == [("a.png", 3)]


def test_e61_an_encrypted_mail_is_an_attachment_and_says_so():
    mail = parse(a_message(der(0x30, ENVELOPED_DATA, der(0xA0, ENTITY))))
    assert [file.name for file in mail.attachments] == ["smime.p7m"]
    assert "the mail is encrypted and cannot be read here" in mail.defects


def test_e61_signed_in_signed_ends_somewhere():
    message = ENTITY
    for _ in range(40):
        head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        message = head + base64.encodebytes(signed(der(0x04, message)))
        if len(message) > 2_000_000:
            break
    assert parse(b"From: jan@example.com\r\n" + message).from_addr == "jan@example.com"
