"""What somebody newly wrote in a mail, apart from what a program or another person put there.

Apart are quoted history (``triage.history``) and signatures and footers (``triage.signature``).
Recognised by form, never by meaning, and where the form leaves doubt the words stay: a lost
complaint is worse than a line of history too many. The time is linear in the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.history import Marker, is_quoted, markers, quoted_from
from triage.signature import without_rule, without_signature


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
    found = {marker.start: marker for marker in markers(lines)}
    drops_quotes = bool(found) or answers
    kept: list[str] = []
    quoted = False
    skip_to = 0
    for index, line in enumerate(lines):
        if index < skip_to:
            continue
        marker = found.get(index)
        if marker is not None and not _opens_the_body(marker, kept):
            quoted = True
            kept.append(marker.lead)
            if marker.kind in ("reply_above", "forward") or not quoted_from(lines, marker.end):
                kept = without_rule(kept)
                break
            # Quoted line by line, so there may be answers between and below.
            skip_to = marker.end
        elif drops_quotes and is_quoted(line):
            quoted = True
            if kept and kept[-1]:
                kept.append("")
        else:
            kept.append(line)
    signed = without_signature(kept)
    text = "\n".join(signed.lines).strip("\n\ufeff\u200b")
    return Quotation(text, quoted, "\n".join(signed.removed).strip())


def _opens_the_body(marker: Marker, kept: list[str]) -> bool:
    """A header with nothing above it is no history, but the fields of a form or a copied mail."""
    return marker.kind == "block" and not any(line.strip() for line in kept)
