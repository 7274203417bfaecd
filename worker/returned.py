"""Which mail a report or an automatic reply is about, by what it brings back of it."""

import re
from collections.abc import Iterator

from worker.headers import message_id, message_ids
from worker.structure import Part, read

MAX_RETURNED = 20
MAX_HEADER = 65536  # bytes or characters that are searched

_ID_LINE = re.compile(
    r"^[ \t>|]{0,20}(?:Original-)?Message-ID[ \t]*:[ \t]*\n?[ \t>|]{0,20}(<[^<>\s]{3,500}>)",
    re.IGNORECASE | re.MULTILINE,
)


def returned_ids(root: Part, body: str) -> tuple[str, ...]:
    """Ids of the mails that this one brings back: whole, by their header, or in its text.

    body: its readable text. Without angle brackets, in order, each once.
    """
    found = [message_id(part.get("message-id")) for part in _returned(root)]
    for part in root.walk():
        if part.type in ("message/delivery-status", "message/disposition-notification"):
            found += _ID_LINE.findall(part.body[:MAX_HEADER].decode("latin-1"))
    found += _ID_LINE.findall(body[:MAX_HEADER])
    plain = (named for one in found[:MAX_RETURNED] for named in message_ids(one) or (one,))
    return tuple(dict.fromkeys(one for one in plain if one))


def _returned(root: Part) -> Iterator[Part]:
    """The mails or mere headers attached to the mail, not those attached to them."""
    waiting, count = list(root.parts), 0
    while waiting and count < MAX_RETURNED:
        part = waiting.pop(0)
        if part.type == "text/rfc822-headers" or (
            part.type.startswith("message/rfc822") and not part.parts
        ):
            count += 1
            yield read(part.body[:MAX_HEADER])[0]
        elif part.type in ("message/rfc822", "message/global") and part.parts:
            count += 1
            yield part.parts[0]
        elif part.type.startswith("multipart/"):
            waiting.extend(part.parts)
