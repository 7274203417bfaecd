"""What lies in an S/MIME message (RFC 8551): a signed mail can be read, an encrypted one not.

A walk over the outer few elements of the BER (X.690) to the signed content, which is itself a MIME
entity. No signature is checked: it would say who holds a key, not who is a customer. Nothing is
copied but the content, and each byte is looked at once.
"""

from typing import Literal

MAX_ELEMENTS = 100_000  # that are stepped over; a content in pieces has them of 1,000 bytes or more

_SIGNED = bytes.fromhex("06092a864886f70d010702")
_ENCRYPTED = (
    bytes.fromhex("06092a864886f70d010703"),  # enveloped-data
    bytes.fromhex("060b2a864886f70d0109100117"),  # authenticated-enveloped-data
)
_OCTETS, _OCTETS_IN_PIECES, _OBJECT_ID, _END = 0x04, 0x24, 0x06, 0x00


def kind(data: bytes) -> Literal["signed", "encrypted", ""]:
    """What the outermost element says of itself; "" where it is neither or unknown."""
    try:
        _, start, _ = _element(data, 0)
    except IndexError:
        return ""
    if data.startswith(_SIGNED, start):
        return "signed"
    return "encrypted" if data.startswith(_ENCRYPTED, start) else ""


def signed_content(data: bytes) -> bytes | None:
    """The MIME entity that was signed; None where there is none in it or it cannot be found.

    A message that was cut short gives as much of its content as there is.
    """
    if kind(data) != "signed":
        return None
    try:
        _, start, _ = _element(data, 0)  # ContentInfo
        _, start, _ = _element(data, start + len(_SIGNED))  # [0]
        _, start, _ = _element(data, start)  # SignedData
        start = _after(data, _after(data, start))  # past the version and the digest algorithms
        _, start, stop = _element(data, start)  # EncapsulatedContentInfo
        start = _after(data, start)  # past the type of the content
        if start >= stop or data[start] != 0xA0:
            return None  # the content is elsewhere: a detached signature
        _, start, _ = _element(data, start)
        return _octets(data, start)
    except IndexError:
        return None


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, first index and end of the content of an element; an end beyond the data is its end.

    Of one of indefinite length, the end is unknown and that of the data.
    """
    tag, size, start = data[at], data[at + 1], at + 2
    if size == 0x80:
        return tag, start, len(data)
    if size > 0x80:
        octets = data[start : start + size - 0x80]
        start += len(octets)
        size = int.from_bytes(octets[-8:], "big")
    return tag, start, min(start + size, len(data))


def _after(data: bytes, at: int) -> int:
    """Where the next element begins."""
    open_ends = 0
    for _ in range(MAX_ELEMENTS):
        _, start, stop = _element(data, at)
        if data[at : at + 2] == b"\0\0":
            open_ends, at = open_ends - 1, start
        elif data[at + 1] == 0x80:
            open_ends, at = open_ends + 1, start
        else:
            at = stop
        if open_ends <= 0:
            return at
    raise IndexError("too many elements")


def _octets(data: bytes, at: int) -> bytes | None:
    """An octet string, also one in pieces, and these in pieces."""
    tag, start, stop = _element(data, at)
    if tag == _OCTETS:
        return data[start:stop]
    if tag != _OCTETS_IN_PIECES:
        return None
    open_ends = int(data[at + 1] == 0x80)
    pieces: list[bytes] = []
    at, end = start, stop
    for _ in range(MAX_ELEMENTS):
        if at + 1 >= end:
            break
        tag, start, stop = _element(data, at)
        if tag == _OCTETS:
            pieces.append(data[start:stop])
            at = stop
        elif tag == _OCTETS_IN_PIECES:
            open_ends += data[at + 1] == 0x80
            at = start
        elif tag == _END:
            open_ends -= 1
            at = start
            if open_ends <= 0:
                break
        else:
            return None
    return b"".join(pieces)
