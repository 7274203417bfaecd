"""Every item of the bad-input catalogue, E-01 to E-80, is tested somewhere."""

import ast
import re
from pathlib import Path

import pytest

from tests.bad_input import GENERATORS, every_mail
from tests.bad_input.catalogue import ELSEWHERE, INAPPLICABLE, TITLES
from tests.bad_input.flood import STORIES

ROOT = Path(__file__).parents[2]


def test_the_catalogue_has_its_eighty_items():
    assert list(TITLES) == [f"E-{number:02}" for number in range(1, 81)]
    assert set(GENERATORS) | set(ELSEWHERE) | set(INAPPLICABLE) <= set(TITLES)


@pytest.mark.parametrize("item", TITLES)
def test_every_item_has_a_mail_or_a_test(item):
    assert item in GENERATORS or item in ELSEWHERE, TITLES[item]


@pytest.mark.parametrize(
    ("item", "file"), [(i, f) for i, files in ELSEWHERE.items() for f in files]
)
def test_a_test_that_is_elsewhere_names_its_item(item, file):
    assert re.search(item.replace("-", "[-_]?"), (ROOT / file).read_text("utf-8"), re.IGNORECASE)


def test_every_mail_is_of_an_item_and_has_a_name_of_its_own():
    mails = every_mail()
    assert {mail.id for mail in mails} <= set(TITLES)
    assert len({mail.name for mail in mails}) == len(mails) > 500


def test_every_story_is_of_an_item():
    assert {story().id for story in STORIES} == {"E-29", "E-30", "E-64", "E-65", "E-66", "E-67"}


# What would open an archive, a picture, a document or XML; or run something.
DECODERS = {
    "bz2",
    "cairosvg",
    "cv2",
    "defusedxml",
    "fitz",
    "gzip",
    "lxml",
    "lzma",
    "magic",
    "openpyxl",
    "pdfminer",
    "PIL",
    "pypdf",
    "rarfile",
    "tarfile",
    "tnefparse",
    "xml",
    "zipfile",
}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", ["worker", "web", "triage", "storage"])
def test_nothing_that_a_customer_sent_is_ever_opened(package):
    """E-37, E-38, E-39, E-42: files are stored and handed out as they are."""
    for path in (ROOT / package).rglob("*.py"):
        assert imports_of(path) & DECODERS == set(), path.name
