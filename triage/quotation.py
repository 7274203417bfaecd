"""What somebody newly wrote in a mail, apart from what a program or another person put there.

Apart are quoted history (``triage.history``) and signatures and footers (``triage.signature``).
Recognised by form, never by meaning, and where the form leaves doubt the words stay: a lost
complaint is worse than a line of history too many. The time is linear in the text.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from triage.history import Marker, is_quoted, markers, quoted_from
from triage.mail_words import ANSWER_PLACES, ANSWERS_BELOW, POINTS_BELOW
from triage.signature import Signed, trimmed, without_armour, without_rule, without_signature
from triage.text import without_runs

MAX_ANNOUNCEMENT = 4000  # characters above the history that may announce answers in it
MAX_POINTER_WORDS = 12  # of a text that does nothing but point below, with greeting and name


@dataclass(frozen=True)
class Quotation:
    """A body taken apart."""

    text: str  # newly written
    quoted: bool  # whether there was any history
    signature: str  # what was taken for a signature, device line or footer


def split(body: str, *, answers: bool = False) -> Quotation:
    """Take a body apart; ``body`` has ``>`` before quoted lines, as in plain text mail.

    answers: it is known to answer another mail, so that ``>`` lines are history even where nothing
    announces them. Elsewhere they may be what the sender cites.
    """
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return split_lines(lines, answers=answers)


def split_lines(lines: Sequence[str], *, answers: bool = False) -> Quotation:
    """As ``split``, for lines without their ends."""
    lines = without_armour(lines)
    found = {marker.start: marker for marker in markers(lines, answers=answers)}
    quotes_from = _quotes_from(lines, list(found.values()), answers=answers)
    parts: list[list[str]] = [[]]  # newly written, parted where history was
    quoted = False
    skip_to = 0
    cites = False  # what is copied below is the sender's citation
    for index, line in enumerate(lines):
        if index < skip_to:
            continue
        marker = found.get(index)
        if (
            marker is not None
            and not cites
            and not _opens_the_body(marker, parts)
            and not _is_mere_title(marker, lines, found)
        ):
            if not answers and _introduces(parts, marker):
                cites = True
                parts[-1].append(line)
                continue
            quoted = True
            parts[-1].append(marker.lead)
            if marker.kind in ("reply_above", "forward") or not quoted_from(lines, marker.end):
                parts[-1] = without_rule(parts[-1])
                if _has_answers_below(marker, parts):
                    parts.append(list(lines[marker.end :]))
                break
            # Quoted line by line, so there may be answers between and below.
            skip_to = marker.end
            parts.append([])
        elif index >= quotes_from and not cites and is_quoted(line):
            quoted = True
            if parts[-1]:
                parts.append([])
        else:
            parts[-1].append(line)
    signed = _without_signatures(parts)
    text = "\n".join(signed.lines).strip("\n\ufeff\u200b")
    return Quotation(text, quoted, "\n".join(signed.removed).strip())


def _quotes_from(lines: Sequence[str], found: Sequence[Marker], *, answers: bool) -> int:
    """The line from which on ``>`` lines are history.

    In a mail that is not known to answer another, ``>`` lines above the first attribution are what
    the sender cites; unless that stands in quoted lines itself, or there is none at all.
    """
    if answers:
        return 0
    if not found:
        return len(lines)
    first = found[0].start
    return 0 if is_quoted(lines[first]) else first


def _opens_the_body(marker: Marker, parts: Sequence[list[str]]) -> bool:
    """Whether nothing stands above a header or a "reply above this line".

    Such a header is no history, but the fields of a form or a copied mail; and whoever finds
    nothing above the line finds the message below it.
    """
    return marker.kind in ("block", "reply_above") and not any(
        line.strip() for part in parts for line in part
    )


def _is_mere_title(marker: Marker, lines: Sequence[str], found: Container[int]) -> bool:
    """Whether "Forwarded message" has neither a header nor a quotation below it.

    Then it is what the sender says about forwarding.
    """
    if marker.kind != "forward" or marker.fields or quoted_from(lines, marker.end):
        return False
    nearby = range(marker.end, min(len(lines), marker.end + 4))
    return next((at for at in nearby if lines[at].strip()), -1) not in found


def _introduces(parts: Sequence[list[str]], marker: Marker) -> bool:
    """Whether a sentence that ends in a colon stands right above older mail.

    "I got this from you:" announces a citation, and the sender's words go on below it. Asked only
    of a mail that is not known to answer another.
    """
    if marker.kind not in ("block", "original", "attribution"):
        return False
    above = next((line for line in reversed(parts[-1]) if line.strip()), "")
    return above.rstrip().endswith(":") and len(above.split()) > 1


def _has_answers_below(marker: Marker, parts: Sequence[list[str]]) -> bool:
    """Whether answers stand in history that is not marked line by line, so that all of it stays.

    The new text says so ("my answers below in red"), and nothing but a colour tells them apart; or
    it says little more than "see below"; or there is no new text, so that what was written can only
    stand below.
    """
    if marker.kind in ("reply_above", "forward"):
        return False
    text = " ".join(line for part in parts for line in part)[-MAX_ANNOUNCEMENT:].lower()
    text = without_runs(text)
    if not text.strip():
        return True
    # Most mails name no such place, and to see that is much faster.
    if not any(place in text for place in ANSWER_PLACES):
        return False
    short = len(text.split()) <= MAX_POINTER_WORDS
    return bool(ANSWERS_BELOW.search(text) or (short and POINTS_BELOW.search(text)))


def _without_signatures(parts: Sequence[list[str]]) -> Signed:
    """The parts in one, without what stands at the end of the first and of the last.

    A signature or device line above the history ends the text there, whatever is written below.
    """
    written = [left for part in parts if (left := trimmed(part))]
    lines: list[str] = []
    removed: list[str] = []
    for place, part in enumerate(written):
        if place in (0, len(written) - 1):
            signed = without_signature(part)
            part = signed.lines
            removed += signed.removed
        if part and lines:
            lines.append("")
        lines += part
    return Signed(lines, removed)
