"""Reads reply templates and phrases: the shipped ones, or a shop's own in their place.

A template is ``<kind>.<language>.txt``: the subject line, a blank line, the body. Phrases, the
short texts that come and go, are in ``phrases.toml``. A file of the same name in a shop's own
folder replaces a shipped template whole, and shipped phrases one by one.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from config.errors import PermanentError

SHIPPED = Path(__file__).with_name("replies")
PHRASES = "phrases.toml"

_IN_SUBJECT = {"reference"}
_IN_BODY = {"reference", "shop_name", "shop_contact", "date", "time"}
_OPTIONAL = {"zone", "asks", "order_mention", "privacy_mention"}


class ReplyError(PermanentError):
    """No reply can be made of this template and these values; the message is one sentence."""


@dataclass(frozen=True)
class ReplyTemplate:
    path: Path
    subject: Template
    body: Template


def read_template(kind: str, language: str, *, folder: Path | None = None) -> ReplyTemplate:
    """The template of a known kind and language; raises ReplyError where it is not usable."""
    name = f"{kind}.{language}.txt"
    own = folder / name if folder is not None else None
    path = own if own is not None and own.is_file() else SHIPPED / name
    head, _, rest = _read(path).partition("\n")
    blank, _, body = rest.partition("\n")
    if not head.strip() or blank.strip() or not body.strip():
        raise ReplyError(f"{path}: expected the subject, a blank line, and the body")
    template = ReplyTemplate(path, Template(head.strip()), Template(body.strip() + "\n"))
    _check(template.subject, f"{path}: the subject", required=_IN_SUBJECT, allowed=_IN_SUBJECT)
    # A statement of withdrawal is confirmed with the exact time, so with the time zone.
    required = _IN_BODY | {"zone"} if kind == "withdrawal" else _IN_BODY
    _check(template.body, f"{path}: the body", required=required, allowed=_IN_BODY | _OPTIONAL)
    return template


def read_phrases(language: str, *, folder: Path | None = None) -> dict[str, str]:
    """The phrases of a known language by dotted key: ``received.note``.

    Raises ReplyError for a phrase of the shop that is unknown, empty or has other placeholders.
    """
    phrases = dict(_shipped_phrases(language))
    own = folder / PHRASES if folder is not None else None
    if own is None or not own.is_file():
        return phrases
    shipped = _shipped_phrases(language)
    for key, text in _flat(_toml(own).get(language, {})).items():
        where = f"{own}: {language}.{key}"
        if key not in shipped:
            raise ReplyError(f"{where}: this phrase is not known; known: {', '.join(shipped)}")
        if not text.strip():
            raise ReplyError(f"{where}: this phrase is empty")
        allowed = set(Template(shipped[key]).get_identifiers())
        _check(Template(text), where, required=set(), allowed=allowed)
        phrases[key] = text
    return phrases


@lru_cache
def _shipped_phrases(language: str) -> dict[str, str]:
    return _flat(_toml(SHIPPED / PHRASES)[language])


def _check(template: Template, where: str, *, required: set[str], allowed: set[str]) -> None:
    if not template.is_valid():
        raise ReplyError(f"{where} has a $ that begins no placeholder; write $$ for a dollar sign")
    found = set(template.get_identifiers())
    if wrong := found - allowed:
        known = _listed(allowed) or "none"
        raise ReplyError(f"{where} has the unknown placeholder {_listed(wrong)}; allowed: {known}")
    if missing := required - found:
        raise ReplyError(f"{where} lacks {_listed(missing)}")


def _listed(names: set[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(names))


def _flat(table: object, prefix: str = "") -> dict[str, str]:
    if not isinstance(table, Mapping):
        return {prefix.removesuffix("."): table if isinstance(table, str) else ""}
    flat: dict[str, str] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.")
    return flat


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise ReplyError(f"{path} is not valid TOML: {error}") from error


def _read(path: Path) -> str:
    try:
        # Notepad begins a UTF-8 file with a mark, which is no part of the subject.
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReplyError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ReplyError(f"{path} is not UTF-8 text: byte {error.start} is wrong") from error
