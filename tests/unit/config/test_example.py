"""odzew.example.toml is whole, true to config/settings.py, and can be used as it is."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from config.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[3] / "odzew.example.toml"
# "# text" explains, "#key = value" and "#[table]" are settings that are not switched on.
SWITCHED_OFF = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)


def everything_switched_on() -> str:
    return SWITCHED_OFF.sub("", EXAMPLE.read_text(encoding="utf-8"))


def keys_of_settings() -> set[str]:
    """``table.key`` for each key that config/settings.py knows."""
    keys = set()
    for table, field in Settings.model_fields.items():
        candidates = [field.annotation, *get_args(field.annotation)]
        [section] = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        keys |= {f"{table}.{key}" for key in section.model_fields}
    return keys


def keys_of_example() -> set[str]:
    keys = set()
    for table, content in tomllib.loads(everything_switched_on()).items():
        for section in content if isinstance(content, list) else [content]:
            keys |= {f"{table}.{key}" for key in section}
    return keys


def test_the_example_can_be_used_as_it_is():
    settings = load_settings(EXAMPLE)
    assert [mailbox.name for mailbox in settings.mailboxes] == ["reklamacje"]
    assert settings.smtp is not None


def test_what_is_not_switched_on_is_valid_too(tmp_path):
    path = tmp_path / "odzew.toml"
    path.write_text(everything_switched_on(), encoding="utf-8")
    assert len(load_settings(path).mailboxes) == 2


def test_every_setting_is_in_the_example():
    assert keys_of_settings() - keys_of_example() == set()


def test_the_example_has_no_other_keys():
    assert keys_of_example() - keys_of_settings() == set()


@pytest.mark.parametrize(
    "table",
    [
        "database",
        "storage",
        "triage",
        "mail",
        "alerts",
        "acknowledgements",
        "web",
    ],
)
def test_switched_on_settings_that_are_no_shops_own_are_the_defaults(table):
    shown = getattr(load_settings(EXAMPLE), table)
    assert shown == type(shown)()


def test_each_setting_has_an_explanation_above_it():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    explained: set[str] = set()
    unexplained: set[str] = set()
    table, is_explained = "", False
    for line in lines:
        if heading := re.match(r"#?\[+([a-z_]+)\]", line):
            table, is_explained = heading[1], False
        elif key := re.match(r"#?([a-z_]+) = ", line):
            (explained if is_explained else unexplained).add(f"{table}.{key[1]}")
            is_explained = False
        elif line.startswith("# "):
            is_explained = True
    assert unexplained - explained == set()
