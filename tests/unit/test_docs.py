"""The documentation names what is in the code, and nothing it names is missing."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer

import storage.tables as tables
from config.settings import Settings
from odzew.cli import app
from odzew.dry_run import decision_for
from odzew.shapes import ledger_object, outbox_object, ticket_object
from storage.columns import utc_now
from tests.unit.config.test_example import keys_of_settings
from worker.mime import parse
from worker.parsed_json import to_json

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "storage", "triage", "models", "worker", "web", "odzew")
VARIABLE = re.compile(r"ODZEW_[A-Z][A-Z0-9_]*")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def documentation() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in pages())


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def modules() -> list[Path]:
    found = [path for name in PACKAGES for path in sorted((ROOT / name).glob("*.py"))]
    return [path for path in found if not path.stem.startswith("__")]


def sources() -> Iterator[Path]:
    for name in PACKAGES:
        yield from (ROOT / name).rglob("*.py")


def commands() -> list[str]:
    """Every command that can be called: ``odzew users add``."""

    def under(command: click.Command, path: str) -> Iterator[str]:
        children = getattr(command, "commands", {})
        if not children:
            yield path
        for name, child in children.items():
            yield from under(child, f"{path} {name}")

    return list(under(typer.main.get_command(app), "odzew"))


def log_events() -> set[str]:
    """The first argument of each call on a module's ``log``."""
    events = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log")),
                    args=[ast.Constant(value=str(event)), *_],
                ):
                    events.add(event)
    return events


def section(page: str, heading: str) -> str:
    """The text of a page from a heading to the next one of the same level."""
    level = heading.split(" ")[0]
    _, found, rest = text(page).partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    return rest.partition(f"\n{level} ")[0]


def first_column(table: str) -> list[str]:
    """The words in backticks of the first column of the tables in a text."""
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    content = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", content, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> list[tuple[str, str]]:
    found = []
    for page in [*pages(), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
            target = link[1] or link[2]
            if not target.startswith(("http://", "https://", "mailto:")):
                found.append((str(page.relative_to(ROOT)), target))
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command):
    assert f"`{command}`" in section("docs/operations.md", "## Commands")


@pytest.mark.parametrize("key", sorted(keys_of_settings()))
def test_every_setting_is_documented(key):
    assert f"`{key}`" in section("docs/operations.md", "## Settings")


def test_no_other_setting_is_documented():
    known = keys_of_settings()
    table = {key.split(".")[0] for key in known}
    named = re.findall(r"`([a-z_]+\.[a-z_]+)`", section("docs/operations.md", "## Settings"))
    assert {key for key in named if key.split(".")[0] in table} - known == set()


def test_the_tables_are_documented():
    documented = first_column(section("docs/architecture.md", "## The tables"))
    assert documented == [str(table.name) for table in _tables_in_order()]


def _tables_in_order() -> list[tables.SQLModel]:
    classes = [c for c in vars(tables).values() if isinstance(c, type) and hasattr(c, "__table__")]
    return [c.__table__ for c in classes]


def test_every_environment_variable_is_documented():
    named = {name for path in sources() for name in VARIABLE.findall(path.read_text("utf-8"))}
    assert {name for name in named if f"`{name}`" not in documentation()} == set()


def test_every_module_has_its_line_and_no_line_is_without_module():
    rooms = section("docs/architecture.md", "## The rooms")
    for package in PACKAGES:
        room = re.search(rf"^### `{package}/`.*?(?=^### |\Z)", rooms, re.MULTILINE | re.DOTALL)
        assert room, f"docs/architecture.md has no room {package}/"
        documented = set(first_column(room[0])) - {"migrations"}
        assert documented == {path.stem for path in modules() if path.parent.name == package}


def test_every_log_event_is_documented():
    documented = first_column(section("docs/operations.md", "## What the log says"))
    assert set(documented) >= log_events() > set()


def test_no_log_event_is_documented_that_is_not_logged():
    events = section("docs/operations.md", "## What the log says").partition("| event |")[2]
    assert set(first_column(events)) - log_events() == set()


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("## What the ledger says", tables.OUTCOMES),
        ("## What the outbox says", tables.OUTBOX_STATES),
    ],
)
def test_every_outcome_says_what_to_do(heading, words):
    assert first_column(section("docs/operations.md", heading)) == list(words)


def test_every_finding_of_doctor_says_what_to_do():
    source = text("odzew/doctor.py")
    checks = set(re.findall(r'(?:_tried|Finding)\(\s*f?"([a-z]+)', source))
    documented = {
        name.split(" ")[0]
        for name in first_column(section("docs/operations.md", "## What doctor finds"))
    }
    assert documented >= checks > set()


def json_keys() -> dict[str, set[str]]:
    now = utc_now()
    ticket = tables.Ticket(
        reference="",
        requester_status="",
        subject="",
        received_at=now,
        shop="",
        mailbox="",
        fingerprint="",
        acknowledgement_reason="",
    )
    row = tables.RawMessage(mailbox="", folder="", uidvalidity=0, uid=0, size=0, received_at=now)
    owed = tables.OutboxMessage(
        ticket_id=0, kind="", mailbox="", sender="", recipient="", message_id="", content=b""
    )
    return {
        "A parsed message": set(to_json("", parse(b""))),
        "A decision about an acknowledgement": set(decision_for(b"", Settings())),
        "A ticket": set(ticket_object(ticket, [])),
        "A row of the ledger": set(ledger_object(row, None)),
        "A row of the outbox": set(outbox_object(owed, "")),
    }


@pytest.mark.parametrize("shape", json_keys())
def test_the_keys_of_json_are_documented(shape):
    [heading] = re.findall(rf"^## {shape}: .+$", text("docs/json.md"), re.MULTILINE)
    assert set(first_column(section("docs/json.md", heading))) == json_keys()[shape]


def test_every_dependency_has_its_reason():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["demo"], *extras["fast"]]
    asked += [
        line for line in text("requirements-dev.in").splitlines() if line[:1] not in ("", "#")
    ]
    names = {re.split(r"[\[<>=~ ]", line)[0] for line in asked}
    rows = re.findall(
        r"^\| ([a-z][a-z0-9-]*)", section("docs/architecture.md", "## Dependencies"), re.MULTILINE
    )
    assert set(rows) - {"package", "setuptools"} == names


def test_the_versions_of_dependencies_are_the_locked_ones():
    locked = {}
    names = ("requirements.lock", "requirements-dev.lock", "requirements-fast.lock")
    for line in "".join(map(text, names)).splitlines():
        name, _, version = line.partition("==")
        locked[name.lower().replace("_", "-")] = version
    rows = re.findall(
        r"^\| ([a-z][a-z0-9-]*)[^|]*\| (\d[^ ]*) \|",
        section("docs/architecture.md", "## Dependencies"),
        re.MULTILINE,
    )
    assert rows
    assert dict(rows) == {name: locked[name] for name, _ in rows}


def test_every_name_of_the_glossary_is_in_the_code():
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    names = first_column(text("docs/glossary.md"))
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_every_promise_has_its_section():
    headings = re.findall(r"^## (D-P\d+)", text("docs/promises.md"), re.MULTILINE)
    assert headings == [f"D-P{number}" for number in range(1, 13)]


def test_decisions_are_numbered_without_gaps_and_have_their_five_parts():
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [file.name[:4] for file in files] == [f"{n:04}" for n in range(1, len(files) + 1)]
    parts = ["Status", "Context", "Decision", "Consequences", "Considered"]
    for file in files:
        headings = re.findall(r"^## (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == parts, file.name


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    assert file.exists(), f"{page} links to {path}, which is not there"
    if anchor:
        assert anchor in anchors(file), f"{page} links to #{anchor}, which {file.name} lacks"


def test_every_file_in_backticks_exists():
    named = re.findall(
        r"`((?:config|storage|triage|models|worker|web|odzew|tests|docs)/[\w./-]+\.\w+)`",
        documentation() + text("CONTRIBUTING.md"),
    )
    assert named
    assert sorted({name for name in named if not (ROOT / name).exists()}) == []
