import pytest

from odzew import debian


def test_a_package_is_missing_when_its_file_is_not_there():
    packages = {"shell": "bin/sh", "nothing": "usr/bin/no-such-program", "any": "etc/pass*d"}
    assert debian.missing(packages) == ["nothing"]


def test_where_there_is_no_apt_the_packages_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(debian.SetupError, match="missing on this machine: postfix postgresql"):
        debian.install(["postfix", "postgresql"])
