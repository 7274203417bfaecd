"""Reads the taxonomy: the causes and urgencies a ticket can have, as data.

The shipped ``taxonomy.toml`` beside this module is the default. A shop's own file is a changed
copy of it: it may rename, add or retire causes and send them to teams, but every shipped code
stays in it, because classifiers predict it and old tickets name it.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast, get_args

from config.errors import PermanentError

Clock = Literal["complaint", "withdrawal", "none"]
CLOCKS: tuple[str, ...] = get_args(Clock)
URGENCIES = ("low", "normal", "high", "critical")  # least urgent first
LANGUAGES = ("pl", "en")

SHIPPED = Path(__file__).with_name("taxonomy.toml")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CAUSE_KEYS = ("code", "clock", "name", "description", "examples", "team", "retired")
_URGENCY_KEYS = ("code", "name", "description")


class TaxonomyError(PermanentError):
    """The taxonomy file is wrong; the message is one sentence that names the key."""


@dataclass(frozen=True)
class Wording:
    """The same words in the two languages of the page."""

    pl: str
    en: str

    def in_language(self, language: str) -> str:
        return self.pl if language == "pl" else self.en


@dataclass(frozen=True)
class Cause:
    code: str
    clock: Clock
    name: Wording
    description: Wording
    examples: Mapping[str, tuple[str, ...]]  # by language, "pl" and "en"
    team: str | None = None
    retired: bool = False  # offered to nobody any more; old tickets keep it


@dataclass(frozen=True)
class Urgency:
    code: str
    name: Wording
    description: Wording


@dataclass(frozen=True)
class Taxonomy:
    causes: tuple[Cause, ...]  # in the order of the file, retired ones included
    urgencies: tuple[Urgency, ...]  # least urgent first
    teams: Mapping[str, str]  # name of a team by its code
    version: str  # first 12 hex digits of the file's SHA-256

    @classmethod
    def load(cls, path: Path | str | None = None) -> Self:
        """The taxonomy in the file; the shipped one for None or "".

        Raises TaxonomyError with the first thing that is wrong.
        """
        content, document = _read(Path(path) if path else SHIPPED)
        name = Path(path).name if path else SHIPPED.name
        _refuse_unknown_keys(document, ("teams", "causes", "urgencies"), where=name)
        teams = _teams(document, where=name)
        causes = [_cause(t, where=w, teams=teams) for w, t in _tables(document, "causes", name)]
        _refuse_double_codes([cause.code for cause in causes], where=f"{name}: causes")
        urgencies = [_urgency(t, where=w) for w, t in _tables(document, "urgencies", name)]
        if tuple(urgency.code for urgency in urgencies) != URGENCIES:
            raise TaxonomyError(f"{name}: urgencies: the codes must be {', '.join(URGENCIES)}")
        taxonomy = cls(
            causes=tuple(causes),
            urgencies=tuple(urgencies),
            teams=teams,
            version=hashlib.sha256(content).hexdigest()[:12],
        )
        if path:
            taxonomy._refuse_missing_shipped_codes(where=name)
        return taxonomy

    @property
    def active_causes(self) -> tuple[Cause, ...]:
        """The causes a person may choose: those that are not retired."""
        return tuple(cause for cause in self.causes if not cause.retired)

    def cause(self, code: str) -> Cause:
        """The cause with this code, retired or not; raises TaxonomyError for an unknown one."""
        for cause in self.causes:
            if cause.code == code:
                return cause
        known = ", ".join(cause.code for cause in self.causes)
        raise TaxonomyError(f"cause {code!r} is not in the taxonomy; known: {known}")

    def _refuse_missing_shipped_codes(self, *, where: str) -> None:
        codes = {cause.code for cause in self.causes}
        for cause in type(self).load().causes:
            if cause.code not in codes:
                raise TaxonomyError(
                    f"{where}: causes: {cause.code!r} is missing; keep it and set retired = true, "
                    "because classifiers and old tickets know it"
                )
        if not self.active_causes:
            raise TaxonomyError(f"{where}: causes: all are retired; keep at least one")


def _read(path: Path) -> tuple[bytes, dict[str, object]]:
    try:
        content = path.read_bytes()
        return content, tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise TaxonomyError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{path} is not UTF-8 text: byte {error.start} is wrong") from error
    except tomllib.TOMLDecodeError as error:
        raise TaxonomyError(f"{path} is not valid TOML: {error}") from error


def _tables(
    document: Mapping[str, object], key: str, where: str
) -> list[tuple[str, dict[str, object]]]:
    """The tables of ``[[key]]``, each with the words that lead a reader to it."""
    tables = document.get(key)
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise TaxonomyError(f"{where}: {key}: expected one [[{key}]] table or more")
    # The code says more than a number, where there is one.
    return [
        (f"{where}: {key}[{table.get('code', number)}]", table)
        for number, table in enumerate(tables, start=1)
    ]


def _cause(table: Mapping[str, object], *, where: str, teams: Mapping[str, str]) -> Cause:
    _refuse_unknown_keys(table, _CAUSE_KEYS, where=where)
    clock = _text(table, "clock", where=where)
    if clock not in CLOCKS:
        raise TaxonomyError(f"{where}.clock: {clock!r} is none of {', '.join(CLOCKS)}")
    team = _text(table, "team", where=where) if "team" in table else None
    if team is not None and team not in teams:
        raise TaxonomyError(f"{where}.team: {team!r} is not in [teams]; add it or correct the name")
    retired = table.get("retired", False)
    if not isinstance(retired, bool):
        raise TaxonomyError(f"{where}.retired: expected true or false, found {retired!r}")
    return Cause(
        code=_code(table, where=where),
        clock=cast(Clock, clock),
        name=_wording(table, "name", where=where),
        description=_wording(table, "description", where=where),
        examples=_examples(table, where=where),
        team=team,
        retired=retired,
    )


def _urgency(table: Mapping[str, object], *, where: str) -> Urgency:
    _refuse_unknown_keys(table, _URGENCY_KEYS, where=where)
    return Urgency(
        code=_code(table, where=where),
        name=_wording(table, "name", where=where),
        description=_wording(table, "description", where=where),
    )


def _teams(document: Mapping[str, object], *, where: str) -> dict[str, str]:
    table = document.get("teams", {})
    if not isinstance(table, dict):
        raise TaxonomyError(f'{where}: teams: expected a [teams] table of code = "name"')
    return {code: _text(table, code, where=f"{where}: teams") for code in table}


def _code(table: Mapping[str, object], *, where: str) -> str:
    code = _text(table, "code", where=where)
    if not _CODE.fullmatch(code):
        raise TaxonomyError(
            f"{where}.code: {code!r} must be lower-case letters, digits and underscores, at most 40"
        )
    return code


def _wording(table: Mapping[str, object], key: str, *, where: str) -> Wording:
    texts = _by_language(table, key, where=where)
    pl, en = (_text(texts, language, where=f"{where}.{key}") for language in LANGUAGES)
    return Wording(pl=pl, en=en)


def _examples(table: Mapping[str, object], *, where: str) -> dict[str, tuple[str, ...]]:
    lists = _by_language(table, "examples", where=where)
    examples = {}
    for language in LANGUAGES:
        values = lists.get(language)
        texts = values if isinstance(values, list) else []
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise TaxonomyError(f"{where}.examples.{language}: expected a list of sentences")
        examples[language] = tuple(text.strip() for text in texts)
    return examples


def _by_language(table: Mapping[str, object], key: str, *, where: str) -> dict[str, object]:
    texts = table.get(key)
    if not isinstance(texts, dict):
        raise TaxonomyError(f"{where}.{key}: expected {key}.pl and {key}.en")
    _refuse_unknown_keys(texts, LANGUAGES, where=f"{where}.{key}")
    return texts


def _text(table: Mapping[str, object], key: str, *, where: str) -> str:
    value = table.get(key)
    if value is None:
        raise TaxonomyError(f"{where}.{key}: this key is missing")
    if not isinstance(value, str) or not value.strip():
        raise TaxonomyError(f"{where}.{key}: expected text, found {value!r}")
    return value.strip()


def _refuse_unknown_keys(
    table: Mapping[str, object], allowed: tuple[str, ...], *, where: str
) -> None:
    for key in table:
        if key not in allowed:
            raise TaxonomyError(
                f"{where}: the key {key!r} is not known; allowed: {', '.join(allowed)}"
            )


def _refuse_double_codes(codes: list[str], *, where: str) -> None:
    for code in codes:
        if codes.count(code) > 1:
            raise TaxonomyError(f"{where}: the code {code!r} is there twice; keep one of them")
