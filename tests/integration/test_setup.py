"""The set-up of a fresh checkout, with a project of no dependencies in place of odzew's."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

ROOT = Path(__file__).parents[2]

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "odzew"
version = "1"
"""

# A build tool that needs none: it makes the smallest wheel there is.
BACKEND = """
from pathlib import Path
from zipfile import ZipFile

FILES = {
    "odzew-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: odzew\\nVersion: 1\\n",
    "odzew-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "odzew-1.dist-info/RECORD": "odzew-1.dist-info/RECORD,,\\n",
}


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "odzew-1-py3-none-any.whl"
    with ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "odzew").mkdir()
    for name in ("__init__", "setup", "debian", "lock"):
        shutil.copy(ROOT / "odzew" / f"{name}.py", tmp_path / "odzew")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    return tmp_path


def set_up(checkout, **environment):
    return subprocess.run(
        [sys.executable, "-m", "odzew.setup"],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_fresh_checkout_becomes_ready_and_stays_so(checkout):
    first = set_up(checkout)
    assert first.returncode == 0, first.stderr
    assert "making .venv" in first.stdout
    assert "the environment is ready" in first.stdout
    assert list(checkout.glob(".venv/lib/python*/site-packages/odzew-1.dist-info"))

    begun = perf_counter()
    again = set_up(checkout)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert perf_counter() - begun < 2  # 0.1 s on an idle machine

    # What cannot be had is named in one line, and the environment stays as it was.
    (checkout / "requirements.lock").write_text("odzew-no-such-package==1\n")
    failed = set_up(checkout, PIP_NO_INDEX="1")
    assert failed.returncode == 1
    [line] = failed.stderr.splitlines()
    assert "odzew-no-such-package" in line
    (checkout / "requirements.lock").write_text("# nothing\n")
    assert set_up(checkout).stdout == ""

    # Killed while packages were being written: half-written ones look whole, so all is made afresh.
    (checkout / ".venv/odzew-setup.unfinished").touch()
    leftover = checkout / ".venv/lib/half-written"
    leftover.touch()
    repaired = set_up(checkout)
    assert repaired.returncode == 0, repaired.stderr
    assert "making .venv" in repaired.stdout
    assert not leftover.exists()


def test_a_missing_lock_file_is_one_sentence(checkout):
    (checkout / "requirements.lock").unlink()
    done = set_up(checkout)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "requirements.lock is missing" in line


@pytest.mark.parametrize("module", ["__init__", "setup", "debian"])
def test_an_older_python_can_read_what_tells_it_that_it_is_too_old(module):
    source = (ROOT / "odzew" / f"{module}.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 7))
