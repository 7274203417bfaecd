"""Text of a stranger as text: nothing in it may act on the page or mislead the reader."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

SHOWN = 100_000  # characters of one message; the rest stays in storage

# Control characters other than tab and line feed, those that turn the direction of text round (by
# them "gpj.exe" is made to look like "exe.jpg"), and those that hide words from a reader: tags and
# characters without width. The two that join and part letters stay: scripts and emoji need them.
_MISLEADING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Accents and variation selectors that are piled on one letter cover the lines around it.
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef]"
)
_PILED = re.compile(f"({_MARK}{{8}}){_MARK}+")
# Windows opens a device by these names, whatever their extension.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.I)
_PREFIX = re.compile(r"^(?:(?:re|odp|aw|fwd?|pd|wg|sv|vs)\s{0,3}(?:\[\d{1,3}\])?:\s{0,3})+", re.I)


def plain(text: str | None) -> str:
    """The text without characters that could mislead whoever reads it."""
    lines = (text or "").replace("\r\n", "\n").replace("\r", "\n")
    return _PILED.sub(r"\1", _MISLEADING.sub("", lines))


def one_line(text: str | None) -> str:
    return " ".join(plain(text).split())


@dataclass(frozen=True)
class Folded:
    """A message as it is shown: what is new, and what is folded away."""

    new: str
    history: str  # the quoted rest, or the whole message where it cannot be told apart
    whole: bool  # ``history`` repeats the whole message
    truncated: bool


def fold(text: str, body: str) -> Folded:
    """Split a message into what its sender newly wrote and what was quoted.

    text: what was newly written; body: all readable text.
    """
    new, everything = plain(text).strip(), plain(body).strip()
    truncated = max(len(new), len(everything)) > SHOWN
    if not new or new == everything:
        return Folded(_start(new or everything), "", False, truncated)
    if everything.startswith(new):
        return Folded(_start(new), _start(everything[len(new) :].strip()), False, truncated)
    return Folded(_start(new), _start(everything), True, truncated)


def reply_link(address: str, subject: str, reference: str) -> str:
    """A mailto link (RFC 6068) that keeps the reply in the ticket's conversation."""
    bare = _PREFIX.sub("", one_line(subject))
    line = f"Re: {bare}" if reference in bare else f"Re: {bare} [{reference}]"
    return f"mailto:{quote(address, safe='@')}?subject={quote(line, safe='')}"


def download_name(name: str) -> str:
    """A file name for showing and saving: no folder, no control characters, not too long.

    Without dots and blanks at its ends, and never the name of a device of Windows.
    """
    last = one_line(name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    safe = re.sub(r'[<>:"|?*%;]', "_", last).strip(". ")
    safe = _DEVICE.sub(r"_\g<0>", safe, count=1) if _DEVICE.match(safe) else safe
    suffix = PurePosixPath(safe).suffix[:12]
    stem = safe[: len(safe) - len(PurePosixPath(safe).suffix)][: 120 - len(suffix)]
    return f"{stem}{suffix}" or "attachment"


def content_disposition(name: str) -> str:
    """An attachment, never shown in the browser (RFC 6266, RFC 8187)."""
    safe = download_name(name)
    ascii_name = safe.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(safe, safe='')}"


def _start(text: str) -> str:
    return text[:SHOWN]
