"""Every compiled pattern of a package, how the code applies it, and strings that it dreads (E-48).

What makes a backtracking matcher slow is something that may repeat, repeated, and then an end that
fits nothing. So for each repetition in a pattern, read from its syntax tree, there is a string: a
sample of what has to stand before it, what repeats, over and over, and a NUL.
"""

import importlib
import pkgutil
import random
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as syntax  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).parents[2]
MOST = 40  # attacks of one kind on a pattern
# Repeated alone: they fit into many classes at once.
USUAL = [
    " ",
    "\t",
    "\n",
    " \n",
    "a",
    "A",
    "1",
    ".",
    ",",
    "-",
    "_",
    ">",
    "<",
    "(",
    '"',
    "'",
    "@",
    "=",
]
USUAL += ["?", "a ", "1 ", "1.", "a.", "a@", "a\n", "> ", "=?", "ą", "а", "\u00a0", ": ", "a:", "*"]
_LETTERS = [*map(chr, range(32, 127)), "\n", "\t", "ą", "ё", "\u00a0", "中"]


def modules_of(package: str) -> Iterator[str]:
    """The modules that may hold patterns; those that import torch hold none and take seconds."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        source = (ROOT / package / f"{module.name}.py").read_text("utf-8")
        if "re.compile" in source or "mail_words" in source:
            yield f"{package}.{module.name}"


def patterns_in(*packages: str) -> dict[str, re.Pattern[Any]]:
    """Each pattern once, under the name where it is made or first met."""
    found: dict[str, re.Pattern[Any]] = {}
    known: set[int] = set()
    for package in packages:
        for name in modules_of(package):
            for attribute, value in vars(importlib.import_module(name)).items():
                for path, pattern in _patterns(attribute, value):
                    if id(pattern) not in known:
                        known.add(id(pattern))
                        found[f"{name}.{path}"] = pattern
    return found


def _patterns(path: str, value: object, depth: int = 0) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if isinstance(value, re.Pattern):
        yield path, value
    elif isinstance(value, dict) and depth < 3 and not path.startswith("__"):
        for key, part in value.items():
            yield from _patterns(f"{path}[{key}]", part, depth + 1)
    elif isinstance(value, list | tuple) and depth < 3:
        for index, part in enumerate(value):
            yield from _patterns(f"{path}[{index}]", part, depth + 1)


def is_anchored(name: str) -> bool:
    """Whether the code tries a pattern at one place only, by ``match`` or ``fullmatch``."""
    module, _, attribute = name.partition("[")[0].rpartition(".")
    package, _, file = module.partition(".")
    places = (
        [f"{package}/{file}.py"] if attribute.startswith("_") else ["triage/*.py", "worker/*.py"]
    )
    source = "\n".join(path.read_text("utf-8") for at in places for path in ROOT.glob(at))
    used = set(re.findall(rf"\b{attribute}(?:\[[^\]]*\])?\.([a-z]+)\(", source)) - {"pattern"}
    return bool(used) and used <= {"match", "fullmatch"}


def attacks(pattern: re.Pattern[Any], *, seed: int = 48) -> list[tuple[str, str]]:
    """(prefix, what is repeated) for a pattern: at most MOST of each kind, and the usual."""
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    tree = list(syntax.parse(pattern.pattern, flags))
    endless: dict[tuple[str, str], None] = {}  # what repeats without a limit comes first
    others: dict[tuple[str, str], None] = {}
    _repetitions(tree, "", endless, others)
    for sample in _branches(tree):
        others |= dict.fromkeys([("", sample), ("", sample[:-1] or sample), ("", f"{sample} ")])
    chance = random.Random(seed)
    own = [*_some(chance, list(endless), MOST), *_some(chance, list(others), MOST)]
    return list(dict.fromkeys([*(("", text) for text in USUAL), *own]))


def _some(chance: random.Random, found: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    return found if len(found) <= most else chance.sample(found, most)


def attack(prefix: str, repeated: str, length: int) -> str:
    """The string of one attack."""
    return (prefix + repeated * (length // len(repeated) + 1))[:length] + "\0"


Node = tuple[Any, Any]
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)


def _repetitions(
    nodes: list[Node],
    prefix: str,
    endless: dict[tuple[str, str], None],
    others: dict[tuple[str, str], None],
) -> None:
    for node in nodes:
        kind, value = node
        if kind in _REPEATS:
            _, most, body = value
            for choice in range(3):
                repeated = _sample(body, choice)
                if most is op.MAXREPEAT and repeated:
                    endless[prefix, repeated] = None
                if most >= 3 and repeated:
                    others[prefix, repeated] = others["", prefix + repeated] = None
        for below in _below(node):
            _repetitions(below, prefix, endless, others)
        prefix += _sample([node])


def _branches(nodes: list[Node]) -> Iterator[str]:
    yield from filter(None, [_sample(nodes)])
    for node in nodes:
        for below in _below(node):
            yield from _branches(below)


def _below(node: Node) -> list[list[Node]]:
    kind, value = node
    if kind in _REPEATS:
        return [list(value[2])]
    if kind is op.BRANCH:
        return [list(branch) for branch in value[1]]
    if kind is op.SUBPATTERN:
        return [list(value[3])]
    if kind is op.ATOMIC_GROUP:
        return [list(value)]
    return [list(value[1])] if kind in (op.ASSERT, op.ASSERT_NOT) else []


def _sample(nodes: list[Node], choice: int = 0) -> str:
    """Something that the nodes fit; ``choice`` among the letters of a class."""
    return "".join(_letters(node, choice) for node in nodes)


def _letters(node: Node, choice: int) -> str:
    kind, value = node
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.NOT_LITERAL:
        return "b" if value == ord("a") else "a"
    if kind is op.ANY:
        return "x"
    if kind is op.IN:
        fitting = _class(value)
        return fitting[min(choice, len(fitting) - 1)]
    if kind in _REPEATS:
        return _sample(value[2], choice) * min(value[0], 200)
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return ""
    below = _below(node)
    return _sample(below[0], choice) if below else ""


def _class(items: list[Node]) -> list[str]:
    negated = items[0][0] is op.NEGATE
    named = [chr(v if k is op.LITERAL else v[0]) for k, v in items if k in (op.LITERAL, op.RANGE)]
    order = [*([] if negated else named), "a", "1", " ", "\n", "-", *_LETTERS]
    fitting = [c for c in order if any(_fits(item, c) for item in items) is not negated]
    return list(dict.fromkeys(fitting)) or ["a"]


def _fits(item: Node, letter: str) -> bool:
    kind, value = item
    if kind is op.LITERAL:
        return ord(letter) == value
    if kind is op.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    if kind is op.CATEGORY:
        name = str(value)
        is_in = (
            letter.isdigit()
            if "DIGIT" in name
            else letter.isspace()
            if "SPACE" in name
            else letter.isalnum() or letter == "_"
        )
        return is_in is not ("NOT" in name)
    return False
