"""Renders an acknowledgement from a template and values, and refuses one that says too much.

Values are put in by ``string.Template``, once: nothing in a value is ever a placeholder, and a
customer's text is never a template. Each finished reply passes ``config.reply_rules``.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from string import Template
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from config.reply_rules import lint
from config.reply_templates import ReplyError, read_phrases, read_template
from config.settings import LANGUAGES

__all__ = [
    "KINDS",
    "LANGUAGES",
    "Kind",
    "Reply",
    "ReplyError",
    "ReplyValues",
    "lint",
    "problems",
    "render",
]

Kind = Literal["received", "withdrawal"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# With it, a whole message stays below 10 KiB, whatever its References and transfer encoding.
MAX_BODY_OCTETS = 3840
MAX_ORDER_NUMBERS = 5

_REFERENCE = re.compile(r"[A-Z]{2,8}-\d{4}-\d{4,12}")
_ORDER_NUMBER = re.compile(r"#?(?=[A-Z/_-]*\d)[A-Z0-9/_-]{1,32}", re.ASCII | re.IGNORECASE)
_PRIVACY_LINK = re.compile(r"https?://[^\s<>\"']{1,300}")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class ReplyValues:
    """What a template may mention."""

    shop_name: str  # legal name
    shop_contact: str  # postal and e-mail address, one or more lines
    reference: str
    received_at: datetime  # aware; shown in ``timezone``
    timezone: str = "Europe/Warsaw"
    privacy_link: str = ""  # http or https; "" leaves the link out
    order_numbers: tuple[str, ...] = ()  # found in the message; only plain numbers are shown
    asks_order_number: bool = False
    asks_photos: bool = False
    asks_wish: bool = False


@dataclass(frozen=True)
class Reply:
    subject: str  # one line
    body: str  # plain text, lines end with "\n"
    language: str


def render(kind: Kind, language: str, values: ReplyValues, *, folder: Path | None = None) -> Reply:
    """The acknowledgement of this kind in this language.

    A kind asks only for what it has a phrase for: a withdrawal never asks for photos or a wish.
    folder: the shop's own templates and phrases, before the shipped ones.
    Raises ReplyError for an unknown language, an unusable template, a value that cannot be shown,
    and wording that ``lint`` refuses.
    """
    if kind not in KINDS or language not in LANGUAGES:
        raise ReplyError(
            f"there is no reply {kind!r} in {language!r}; kinds: {', '.join(KINDS)}, "
            f"languages: {', '.join(LANGUAGES)}"
        )
    template = read_template(kind, language, folder=folder)
    texts = _texts(kind, values, read_phrases(language, folder=folder))
    reply = Reply(
        subject=template.subject.substitute(texts),
        body=_tidy(template.body.substitute(texts)),
        language=language,
    )
    broken = lint(
        f"{reply.subject}\n\n{reply.body}",
        language,
        ours=(
            texts["shop_name"],
            *texts["shop_contact"].splitlines(),
            *_shown(values.order_numbers),
        ),
        links=(values.privacy_link, texts["shop_name"], texts["shop_contact"]),
    )
    if broken:
        raise ReplyError(f"{template.path}: the reply {'; it '.join(broken)}")
    if len(reply.body.encode()) > MAX_BODY_OCTETS:
        raise ReplyError(f"{template.path}: the reply has more than {MAX_BODY_OCTETS} bytes")
    return reply


def problems(values: ReplyValues, *, folder: Path | None = None) -> list[str]:
    """Why some reply of this shop could not be rendered, a sentence each; [] when all can be.

    values: the shop's own; reference, moment and questions are only examples.
    """
    sentences = []
    for kind, language in product(KINDS, LANGUAGES):
        try:
            render(kind, language, values, folder=folder)
        except ReplyError as error:
            sentences.append(str(error))
    return sentences


def _texts(kind: Kind, values: ReplyValues, phrases: Mapping[str, str]) -> dict[str, str]:
    """What stands for each placeholder of a template."""
    if not _REFERENCE.fullmatch(values.reference):
        raise ReplyError(f"{values.reference!r} is no reference like ODZ-2026-000123")
    if values.privacy_link and not _PRIVACY_LINK.fullmatch(values.privacy_link):
        raise ReplyError(f"the privacy link {values.privacy_link!r} is no http or https address")
    shop_name = _one_line(values.shop_name)
    shop_contact = "\n".join(filter(None, map(_one_line, values.shop_contact.splitlines())))
    if not shop_name or not shop_contact:
        raise ReplyError("shop_name and shop_contact must say who answers, and from where")
    wanted = {
        "order_number": values.asks_order_number,
        "photos": values.asks_photos,
        "wish": values.asks_wish,
    }
    asks = [
        phrases[f"{kind}.{ask}"] for ask in wanted if wanted[ask] and f"{kind}.{ask}" in phrases
    ]
    numbers = ", ".join(_shown(values.order_numbers))
    link = values.privacy_link
    mention = Template(phrases[f"{kind}.order_mention"])
    return {
        "reference": values.reference,
        "shop_name": shop_name,
        "shop_contact": shop_contact,
        **_moment(values, phrases),
        "asks": " ".join([*asks, phrases[f"{kind}.note"]]) if asks else "",
        "order_mention": mention.substitute(order_numbers=numbers) if numbers else "",
        "privacy_mention": Template(phrases["privacy_mention"]).substitute(privacy_link=link)
        if link
        else "",
    }


def _moment(values: ReplyValues, phrases: Mapping[str, str]) -> dict[str, str]:
    """Date, time and zone of receipt, as people of this language write them."""
    if values.received_at.tzinfo is None:
        raise ValueError(f"received_at {values.received_at.isoformat()} has no time zone")
    local = values.received_at.astimezone(ZoneInfo(values.timezone))
    months = phrases.get("months", "").split() or [""] * 12
    date = Template(phrases["date"]).substitute(
        d=local.day,
        dd=f"{local.day:02}",
        m=local.month,
        mm=f"{local.month:02}",
        month=months[local.month - 1],
        yyyy=f"{local.year:04}",
    )
    time = Template(phrases["time"]).substitute(hh=f"{local.hour:02}", mi=f"{local.minute:02}")
    offset = f"UTC{local.isoformat()[-6:]}"
    name = local.tzname() or ""
    # Some zones have no name of their own: theirs repeats the offset.
    return {"date": date, "time": time, "zone": f"{name}, {offset}" if name.isalpha() else offset}


def _shown(order_numbers: Iterable[str]) -> list[str]:
    """What of a customer's text may stand in ours: no words, no links, only a few numbers."""
    plain = (number for number in order_numbers if _ORDER_NUMBER.fullmatch(number))
    return list(dict.fromkeys(plain))[:MAX_ORDER_NUMBERS]


def _one_line(text: str) -> str:
    """No control, format or broken characters, single spaces."""
    kept = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return " ".join(kept.split())


def _tidy(body: str) -> str:
    """No spaces at line ends, and one blank line where a placeholder stayed empty."""
    lines = "\n".join(line.rstrip() for line in body.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip() + "\n"
