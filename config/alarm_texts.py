"""What an alarm says: words from ``alarms/words.toml``, the mail from a template, in pl and en.

A sentence is made of a constant text and a few names and numbers, so that nothing a customer wrote
can be in it.
"""

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

FOLDER = Path(__file__).with_name("alarms")
LANGUAGES = ("pl", "en")
LONGEST_VALUE = 200  # characters


@dataclass(frozen=True)
class AlarmText:
    """What is wrong, and what a person can do about it; a sentence or two each."""

    what: str
    advice: str


@dataclass(frozen=True)
class AlarmLine:
    """An alarm that opened or closed, for a mail."""

    kind: str
    detail: Mapping[str, object]
    at: datetime
    is_open: bool


def alarm_language(language: str) -> str:
    """The language itself where alarms have it, else English."""
    return language if language in LANGUAGES else "en"


def alarm_text(
    kind: str, detail: Mapping[str, object], language: str, *, timezone: str
) -> AlarmText:
    """The sentence of an alarm; a moment (ISO 8601, key ``since``) is shown in that time zone.

    A row of another version of odzew may be of an unknown kind, or lack a value: it is told anyway.
    """
    words = _words().get(kind, {}).get(alarm_language(language), {"what": kind, "do": ""})
    shown = {name: _shown(name, value, timezone) for name, value in detail.items()}
    return AlarmText(
        what=Template(words["what"]).safe_substitute(shown),
        advice=Template(words["do"]).safe_substitute(shown),
    )


def alarm_mail(
    lines: Sequence[AlarmLine], language: str, *, shop: str, installation: str, timezone: str
) -> tuple[str, str]:
    """Subject and body of the mail that tells of some alarms, new ones first."""
    language = alarm_language(language)
    words = _words()["mail"][language]
    parts = []
    for heading, is_open in (("opened", True), ("closed", False)):
        chosen = [line for line in lines if line.is_open is is_open]
        if chosen:
            parts.append(words[heading])
        for line in chosen:
            text = alarm_text(line.kind, line.detail, language, timezone=timezone)
            at = _moment(line.at, timezone)
            parts.append(Template(words["line"]).substitute(at=at, what=text.what))
            if is_open:
                parts.append(Template(words["advice"]).substitute(do=text.advice))
    count = sum(line.is_open for line in lines)
    values = {
        "shop": _one_line(shop),
        "installation": installation,
        "opened_count": str(count),
        "closed_count": str(len(lines) - count),
        "lines": "\n".join(parts),
    }
    subject, _, body = (FOLDER / f"mail.{language}.txt").read_text(encoding="utf-8").partition("\n")
    return Template(subject).substitute(values), Template(body).substitute(values).strip() + "\n"


def alarm_kinds() -> list[str]:
    """Every kind of alarm that has words."""
    return [kind for kind in _words() if kind != "mail"]


def _shown(name: str, value: object, timezone: str) -> str:
    if name == "since" and isinstance(value, str):
        return _moment(datetime.fromisoformat(value), timezone)
    return _one_line(str(value))


def _moment(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"


def _one_line(text: str) -> str:
    kept = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return " ".join(kept.split())[:LONGEST_VALUE]


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))
