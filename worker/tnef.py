"""The files in a ``winmail.dat``, in which Outlook and Exchange pack what they attach.

MS-OXTNEF 2.1: a signature, then attributes one after the other, each with its level, name, length,
data and checksum. Only what names and holds a file is read, and nothing twice. Where anything is
not exactly as it should be there are no files, and the ``winmail.dat`` stays what is attached.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from worker import charset

MAX_FILES = 200
MAX_PROPERTIES = 1000  # of one file, each value of several counted

_SIGNATURE = 0x223E9F78
_CODE_PAGE, _NEW_FILE, _TITLE, _DATA, _PROPERTIES = (
    *(0x00069007, 0x00069002, 0x00018010),
    *(0x0006800F, 0x00069005),
)
_LONG_NAME, _MIME_TYPE = 0x3707, 0x370E
_MIME = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)
# Sizes of the values of fixed size (MS-OXCDATA 2.11.1), as padded in TNEF; the others are objects,
# strings in the code page, strings in UTF-16 and bytes, each with its length.
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_STRING, _UNICODE = 30, 31
_VARIABLE = (13, _STRING, _UNICODE, 258)


@dataclass(frozen=True)
class File:
    """One attached file."""

    name: str = ""
    type: str = "application/octet-stream"
    content: bytes | None = None


def files(data: bytes) -> list[File]:
    """The files in a ``winmail.dat``, or none where it cannot be read whole.

    An attached mail or an object of an office program is no file: with one, there are none.
    """
    found: list[File] = []
    code_page = "windows-1252"
    try:
        for attribute, value in _attributes(data):
            if attribute == _CODE_PAGE:
                code_page = f"windows-{struct.unpack_from('<I', value)[0]}"
            elif attribute == _NEW_FILE:
                found.append(File())
            elif attribute == _TITLE:
                title = charset.decode(value.rstrip(b"\0"), code_page).text
                found[-1] = replace(found[-1], name=found[-1].name or title)
            elif attribute == _DATA:
                found[-1] = replace(found[-1], content=value)
            elif attribute == _PROPERTIES:
                found[-1] = _described(found[-1], dict(_strings(value, code_page)))
    except (struct.error, LookupError, ValueError):
        return []
    if len(found) > MAX_FILES or any(file.content is None for file in found):
        return []
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in order; ValueError or struct.error where one is broken."""
    if struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise ValueError("no TNEF")
    position = 6
    while position < len(data):
        attribute, length = struct.unpack_from("<II", data, position + 1)
        start, end = position + 9, position + 9 + length
        value = data[start:end]
        if sum(value) & 0xFFFF != struct.unpack_from("<H", data, end)[0]:
            raise ValueError("wrong checksum")
        yield attribute, value
        position = end + 2


def _described(file: File, strings: dict[int, str]) -> File:
    kind = strings.get(_MIME_TYPE, "").lower()
    return replace(
        file,
        name=strings.get(_LONG_NAME) or file.name,
        type=kind if _MIME.fullmatch(kind) else file.type,
    )


def _strings(data: bytes, code_page: str) -> Iterator[tuple[int, str]]:
    """The strings among the properties of a file, by number (MS-OXTNEF 2.1.3.4)."""
    count = struct.unpack_from("<I", data)[0]
    position = 4
    left = MAX_PROPERTIES
    for _ in range(count):
        kind, number = struct.unpack_from("<HH", data, position)
        position += 4
        if number >= 0x8000:  # a property with a name: a GUID, then a number or a name
            by_name, size = struct.unpack_from("<16xII", data, position)
            position += 24 + (size + -size % 4 if by_name else 0)
        single = kind & 0x0FFF
        values = 1
        if kind & 0x1000 or single in _VARIABLE:
            values = struct.unpack_from("<I", data, position)[0]
            position += 4
        left -= values
        if left < 0:
            raise ValueError("too many properties")
        if single not in _VARIABLE:
            position += _FIXED[single] * values
            continue
        for _ in range(values):
            size = struct.unpack_from("<I", data, position)[0]
            value = data[position + 4 : position + 4 + size]
            if single == _UNICODE:
                yield number, value.decode("utf-16-le", "replace").rstrip("\0")
            elif single == _STRING and number in (_LONG_NAME, _MIME_TYPE):
                yield number, charset.decode(value.rstrip(b"\0"), code_page).text
            position += 4 + size + -size % 4
