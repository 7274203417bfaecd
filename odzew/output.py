"""What the command line prints: tables for people, one JSON object a line for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console()
errors = Console(stderr=True)


def print_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """One object a line, UTF-8."""
    for value in objects:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; what customers wrote is shown as it is, never read as markup.

    A column whose name begins with ``=`` is never broken: a reference is for copying.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix("="), overflow="fold", no_wrap=column.startswith("="))
    for row in rows:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(table)


def say(line: str) -> None:
    """One line; a terminal may wrap it, we do not: a link must stay whole."""
    console.print(Text(_shown(line)), soft_wrap=True)


def _shown(cell: object) -> str:
    text = "" if cell is None else str(cell)
    # Control characters could drive the terminal (E-10).
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
