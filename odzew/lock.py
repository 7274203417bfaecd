"""The lock files: exact versions to run odzew, to test it, and for its extra ``fast``.

pip resolves what pyproject.toml and ``requirements-dev.in`` ask for, without installing it. Only
names and versions are kept, so each machine fetches from where its own pip is told to.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from odzew.debian import SetupError, say

HEADER = """\
# Made by `make lock` from {sources} with Python {python}: do not edit.
"""
# What PyTorch brings along only where its build for GPUs is installed.
ONLY_ON_SOME_MACHINES = re.compile(r"nvidia-|cuda-|triton$")


def write(python: Path, root: Path, *, upgrade: bool) -> None:
    """Write the lock files.

    python: the environment's, whose version decides what fits: use the oldest supported one.
    upgrade: take the newest versions; otherwise those locked now stay where they still fit.
    Raises SetupError when there is no environment or pip finds no solution.
    """
    if not python.exists():
        raise SetupError("there is no .venv yet: run python3 -m odzew.setup --test first")
    asked, extras = _asked_for(root)
    asked_by_tests = (root / "requirements-dev.in").read_text("utf-8").splitlines()
    # Each on top of the one before, so that they agree. `make run` shows the demo.
    locks = {
        "requirements.lock": ("pyproject.toml", [*asked, *extras.get("demo", [])]),
        "requirements-dev.lock": (
            "requirements-dev.in, on top of requirements.lock,",
            asked_by_tests,
        ),
        "requirements-fast.lock": (
            "the extra `fast`, on top of requirements-dev.lock,",
            extras.get("fast", []),
        ),
    }
    locked = [root / name for name in locks if (root / name).exists() and not upgrade]
    version = _python_version(python)
    below: dict[str, str] = {}
    for name, (sources, requirements) in locks.items():
        pins = [f"{package}=={number}" for package, number in below.items()]
        found = _resolve(python, [*pins, *requirements], keep=locked)
        header = HEADER.format(sources=sources, python=version)
        _write_pins(root / name, found, header, without=below)
        below = found


def _asked_for(root: Path) -> tuple[list[str], dict[str, list[str]]]:
    """What pyproject.toml asks for, and what each extra asks for."""
    import tomllib  # not in the Python that the set-up may be started with

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    # The build tool installs odzew itself.
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    return asked, project["project"].get("optional-dependencies", {})


def _python_version(python: Path) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run(
        [str(python), "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def _resolve(python: Path, requirements: list[str], *, keep: list[Path]) -> dict[str, str]:
    """Name to version of everything that the requirements need, without local version parts."""
    wanted = [line for line in map(_without_comment, requirements) if line]
    say(f"resolving {len(wanted)} requirements")
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run(
        [*command, *(f"--constraint={path}" for path in keep), *wanted],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise SetupError(
            f"pip found no versions that fit together: {errors[0] if errors else done.stderr} "
            "(perhaps --upgrade lets them)"
        )
    report: dict[str, Any] = json.loads(done.stdout)
    found = {item["metadata"]["name"]: item["metadata"]["version"] for item in report["install"]}
    return {
        name: found[name].split("+")[0]
        for name in sorted(found, key=str.lower)
        if not ONLY_ON_SOME_MACHINES.match(name.lower())
    }


def _without_comment(line: str) -> str:
    return line.split("#")[0].strip()


def _write_pins(path: Path, pins: dict[str, str], header: str, *, without: dict[str, str]) -> None:
    kept = [f"{name}=={version}\n" for name, version in pins.items() if name not in without]
    path.write_text(header + "".join(kept), "utf-8")
    say(f"{path.name}: {len(kept)} packages")
