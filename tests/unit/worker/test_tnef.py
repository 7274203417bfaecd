"""The files in a winmail.dat are listed by their names; a broken one stays what it is."""

import base64
import random
import struct
import time

import pytest

from tests.unit.worker.mails import a_multipart, a_part
from worker import tnef
from worker.mime import parse
from worker.tnef import File

NEW_FILE, TITLE, DATA, PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
CODE_PAGE = 0x00069007
HEAD = struct.pack("<IH", 0x223E9F78, 1)


def attribute(level: int, name: int, value: bytes) -> bytes:
    return (
        struct.pack("<BII", level, name, len(value))
        + value
        + struct.pack("<H", sum(value) & 0xFFFF)
    )


def text(number: int, value: str, *, encoding: str = "utf-16-le", kind: int = 31) -> bytes:
    data = (value + "\0").encode(encoding)
    return struct.pack("<HHII", kind, number, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def properties(*values: bytes) -> bytes:
    return attribute(2, PROPERTIES, struct.pack("<I", len(values)) + b"".join(values))


def a_file(title: bytes, content: bytes | None, *more: bytes) -> bytes:
    data = b"" if content is None else attribute(2, DATA, content)
    return (
        attribute(2, NEW_FILE, b"\1\0" + b"\0" * 12)
        + attribute(2, TITLE, title + b"\0")
        + data
        + b"".join(more)
    )


POLISH = attribute(1, CODE_PAGE, struct.pack("<II", 1250, 0))
LONG = "pęknięta półka – ściana.jpg"
NUMBER = struct.pack("<HHI", 3, 0x0E21, 5)
NAMED = (
    struct.pack("<HH16sII", 11, 0x8001, b"g" * 16, 1, 5) + b"abcd\0\0\0\0" + struct.pack("<I", 1)
)
SEVERAL = struct.pack("<HHI", 0x1003, 0x6001, 3) + b"\0" * 12


@pytest.mark.parametrize(
    ("data", "files"),
    [
        (a_file(b"a.txt", b"abc"), [File("a.txt", content=b"abc")]),
        (POLISH + a_file("śruba.txt".encode("cp1250"), b""), [File("śruba.txt", content=b"")]),
        (
            a_file(
                b"POLKA~1.JPG",
                b"abc",
                properties(NUMBER, NAMED, SEVERAL, text(0x3707, LONG), text(0x370E, "image/jpeg")),
            ),
            [File(LONG, "image/jpeg", b"abc")],
        ),
        (
            POLISH
            + a_file(b"A~1", b"x", properties(text(0x3707, "źle.txt", encoding="cp1250", kind=30))),
            [File("źle.txt", content=b"x")],
        ),
        (
            a_file(b"a.txt", b"1") + a_file(b"b.txt", b"2"),
            [File("a.txt", content=b"1"), File("b.txt", content=b"2")],
        ),
    ],
)
def test_files_are_found_with_their_long_names(data, files):
    assert tnef.files(HEAD + data) == files


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        b"\0" * 100,
        HEAD + a_file(b"a.txt", b"abc")[:-1],
        HEAD + a_file(b"a.txt", b"abc")[:-1] + b"\xff",
        HEAD + attribute(2, TITLE, b"no file"),
        HEAD + a_file(b"an attached mail", None),
        HEAD + a_file(b"a.txt", b"1") * 201,
        HEAD + a_file(b"a.txt", b"1", properties(struct.pack("<HHI", 999, 1, 1))),
        HEAD
        + a_file(
            b"a.txt",
            b"1",
            attribute(2, PROPERTIES, struct.pack("<IHHI", 2**32 - 1, 31, 1, 2**32 - 1)),
        ),
    ],
)
def test_what_cannot_be_read_whole_has_no_files(data):
    assert tnef.files(data) == []


def test_noise_does_no_harm_and_takes_no_second():
    dice = random.Random(60)
    whole = HEAD + POLISH + a_file(b"A", b"x" * 50, properties(NAMED, SEVERAL, text(0x3707, LONG)))
    start = time.process_time()
    for _ in range(2000):
        data = bytearray(whole)
        data[dice.randrange(len(data))] = dice.randrange(256)
        tnef.files(bytes(data))
    large = a_file(b"A", b"", properties(*[text(0x3707, "a")] * 200_000))
    assert tnef.files(HEAD + large) == []
    assert time.process_time() - start < 1.5


def a_mail_with(data: bytes, text: str = "Półka pękła.", name: str = "winmail.dat") -> bytes:
    packed = a_part(
        base64.encodebytes(data),
        f"application/ms-tnef; name={name}",
        Content_Transfer_Encoding="base64",
    )
    return a_multipart("mixed", a_part(text), packed)


def test_e60_the_files_stand_in_place_of_winmail_dat():
    mail = parse(a_mail_with(HEAD + a_file(b"a.txt", b"abc")))
    assert [(file.name, file.size) for file in mail.attachments] == [("a.txt", 3)]


@pytest.mark.parametrize("data", [HEAD, HEAD + a_file(b"a.txt", b"abc")[:-1]])
def test_e60_a_winmail_dat_without_files_or_broken_is_kept(data):
    [file] = parse(a_mail_with(data)).attachments
    assert (file.name, file.content) == ("winmail.dat", data)


def test_e60_winmail_dat_is_kept_beside_its_files_where_the_mail_has_no_other_text():
    mail = parse(a_mail_with(HEAD + a_file(b"a.txt", b"abc"), text=""))
    assert [file.name for file in mail.attachments] == ["a.txt", "winmail.dat"]
