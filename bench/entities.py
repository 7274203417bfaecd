"""``python -m bench.entities``: what ``triage.entities`` finds in the labelled mails of one part.

A label has one value, ``extract`` gives a list. *Given* counts the lists that are not empty,
*found* those with the labelled value; what stands beside it in the list is no mistake.
Precision is found by given, recall found by labelled, and *strict* the share of all mails whose
list has the label or that have neither. Dates have no labels and are not in the table.
Deterministic; takes seconds.
"""

import argparse
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from triage.entities import Entities, extract

DATA = Path(__file__).resolve().parent.parent / "models" / "data"
STEM = 4  # letters that two words share when one is another form of the other


@dataclass(frozen=True)
class Field:
    name: str
    label: str  # key in the labelled entities
    given: Callable[[Entities], tuple[str, ...]]
    same: Callable[[str, str], bool]


@dataclass(frozen=True)
class Score:
    mails: int
    labelled: int  # mails with a label
    given: int  # mails with a list that is not empty
    found: int  # mails whose list has the label
    silent: int  # mails with neither

    @property
    def precision(self) -> float:
        return self.found / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.found / self.labelled if self.labelled else 0.0

    @property
    def strict(self) -> float:
        return (self.found + self.silent) / self.mails if self.mails else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.entities", description=__doc__)
    parser.add_argument(
        "--part", choices=("train", "validation", "test"), default="train", help="default: train"
    )
    part = parser.parse_args().part
    mails = [(labels, extract(text)) for text, labels in labelled_mails(DATA / part)]
    Console().print(table({field.name: score(field, mails) for field in FIELDS}, title=part))


def labelled_mails(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Text and labelled entities of each mail of ``pass-*.jsonl``, in the order of the files."""
    for path in sorted(folder.glob("pass-*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                mail = json.loads(line)
                yield f"{mail['subject']}\n{mail['body']}", mail["entities"]


def score(field: Field, mails: list[tuple[Mapping[str, Any], Entities]]) -> Score:
    pairs = [(_label(labels, field.label), field.given(found)) for labels, found in mails]
    return Score(
        mails=len(pairs),
        labelled=sum(label is not None for label, _ in pairs),
        given=sum(bool(given) for _, given in pairs),
        found=sum(
            label is not None and any(field.same(label, one) for one in given)
            for label, given in pairs
        ),
        silent=sum(label is None and not given for label, given in pairs),
    )


def same_code(label: str, given: str) -> bool:
    """Whether two codes differ in nothing but spaces, case and a leading ``#`` or ``(00)``."""
    return _code(label) == _code(given)


def same_sum(label: str, given: str) -> bool:
    """Whether two sums have the same digits; the label of some mails lacks the currency."""
    return re.sub(r"\D", "", label) == re.sub(r"\D", "", given)


def same_product(label: str, given: str) -> bool:
    """Whether one word of each begins alike: ``czajnika`` and ``czajnik elektryczny``."""
    return bool(_stems(label) & _stems(given))


def table(scores: Mapping[str, Score], *, title: str) -> Table:
    result = Table(title=title)
    for column in ("field", "labelled", "given", "found", "precision", "recall", "strict"):
        result.add_column(column, justify="left" if column == "field" else "right")
    for name, one in scores.items():
        rates = (f"{rate:.3f}" for rate in (one.precision, one.recall, one.strict))
        result.add_row(name, str(one.labelled), str(one.given), str(one.found), *rates)
    return result


def _label(labels: Mapping[str, Any], key: str) -> str | None:
    value = labels.get(key)
    return None if value in (None, "", "none") else str(value)


def _code(text: str) -> str:
    return re.sub(r"\s|^[#№]", "", text).casefold().removeprefix("(00)")


def _stems(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c)).replace("ł", "l")
    return {word[:STEM] for word in re.findall(r"[^\W\d_]{3,}", letters)}


def _remedy(found: Entities) -> tuple[str, ...]:
    return () if found.remedy == "none" else (found.remedy,)


FIELDS = (
    Field("order number", "order_no", lambda found: found.order_numbers, same_code),
    Field("tracking number", "tracking_no", lambda found: found.tracking_numbers, same_code),
    Field("amount", "amount", lambda found: found.amounts, same_sum),
    Field("product", "product", lambda found: found.products, same_product),
    Field("remedy", "desired_remedy", _remedy, str.__eq__),
)

if __name__ == "__main__":
    main()
