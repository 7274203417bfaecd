"""The lock files fit what pyproject.toml asks for, and work on any machine."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from odzew.lock import ONLY_ON_SOME_MACHINES

ROOT = Path(__file__).parents[3]
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-fast.lock"]


def pins(*names):
    """Canonical name to exact version."""
    found = {}
    for name in names:
        for line in (ROOT / name).read_text("utf-8").splitlines():
            if not line.startswith("#"):
                package, _, version = line.partition("==")
                found[canonicalize_name(package)] = version
    return found


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def asked_for():
    return [
        *project()["project"]["dependencies"],
        *project()["project"]["optional-dependencies"]["demo"],
        *project()["build-system"]["requires"],
    ]


def asked_for_by_tests():
    lines = (ROOT / "requirements-dev.in").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("text", asked_for())
def test_what_odzew_needs_is_locked(text):
    requirement = Requirement(text)
    version = pins("requirements.lock").get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not in requirements.lock: run make lock"
    assert requirement.specifier.contains(version), "requirements.lock is old: run make lock"


@pytest.mark.parametrize("text", asked_for_by_tests())
def test_what_the_tests_need_is_locked(text):
    requirement = Requirement(text)
    version = pins(*LOCKS[:2]).get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not locked: run make lock"
    assert requirement.specifier.contains(version), "requirements-dev.lock is old: run make lock"


@pytest.mark.parametrize("text", project()["project"]["optional-dependencies"]["fast"])
def test_the_extra_fast_is_locked(text):
    requirement = Requirement(text)
    version = pins("requirements-fast.lock").get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not in requirements-fast.lock: run make lock"
    assert requirement.specifier.contains(version), "requirements-fast.lock is old: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_nothing_of_the_machine_it_was_made_on(lock):
    for name, version in pins(lock).items():
        assert version
        assert not set(version) & set("+/@: ;")
        assert not ONLY_ON_SOME_MACHINES.match(name)


def test_nothing_is_locked_twice():
    assert len(pins(*LOCKS)) == sum(len(pins(lock)) for lock in LOCKS)
