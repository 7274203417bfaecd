"""Makes a checkout ready to run: ``python3 -m odzew.setup``.

Runs with the machine's own Python before anything is installed, so it needs the standard library
only, and must still be readable to an older Python, which it says it cannot use.

``.venv`` holds two files of ours: a stamp with the fingerprint of what was installed, so that the
next call has nothing to do, and, while packages are being installed, a mark that the environment
is unfinished: one that was killed half-way is made afresh, for half-written packages look whole.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

from odzew import debian
from odzew.debian import SetupError, say

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 14)  # what the locked packages exist for

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONFIGURATION = VENV / "pyvenv.cfg"  # names the Python it was made for
STAMP = VENV / "odzew-setup.json"
UNFINISHED = VENV / "odzew-setup.unfinished"
LOG = VENV / "odzew-setup.log"
# How pip begins a line about one requirement: fetched, found as a file, there already.
COLLECTED = ("Collecting ", "Processing ", "Requirement already satisfied: ")

# The extra `fast`, for its own tests alone: everything else finds .venv as a shop has it, without.
FAST = VENV / "fast"

RUN_LOCK, TEST_LOCK = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
FAST_LOCK = ROOT / "requirements-fast.lock"
# The version is read from odzew/__init__.py when odzew itself is installed.
PROJECT_FILES = (ROOT / "pyproject.toml", ROOT / "odzew" / "__init__.py")


def main(arguments: list[str] | None = None) -> int:
    """Set up, or lock; the exit code: 0, or 1 with one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        if not OLDEST <= sys.version_info[:2] <= NEWEST:
            _start_again_with_another_python()
        if options.lock:
            from odzew import lock

            lock.write(PYTHON, ROOT, upgrade=options.upgrade)
        else:
            _set_up(test=options.test)
    except SetupError as error:
        sys.stderr.write(f"odzew: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nodzew: stopped; the next call makes the environment afresh\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m odzew.setup",
        description="Make .venv with everything that odzew needs; when nothing changed since the "
        "last call, do nothing.",
        epilog="example: python3 -m odzew.setup && .venv/bin/odzew demo",
    )
    parser.add_argument(
        "--test", action="store_true", help="also what the tests need, Debian packages among it"
    )
    parser.add_argument(
        "--lock",
        action="store_true",
        help="write the three requirements*.lock anew from pyproject.toml and "
        "requirements-dev.in, keeping the versions that still fit",
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="with --lock: take the newest versions"
    )
    return parser


def _set_up(*, test: bool) -> None:
    begun = monotonic()
    for path in (*PROJECT_FILES, *_locks(test=test)):
        if not path.is_file():
            raise SetupError(f"{path} is missing: this is no whole checkout of odzew")
    if test:
        absent = debian.missing(debian.FOR_TESTS)
        if absent:
            debian.install(absent)
    if _is_ready(test=test):
        return
    with _OnlyOne(ROOT):
        if _is_ready(test=test):  # another call did it while this one waited
            return
        if UNFINISHED.exists() or not _has_pip():
            _make_environment()
        _install(test=test)
    say(f"the environment is ready after {monotonic() - begun:.0f} s")


def _is_ready(*, test: bool) -> bool:
    if UNFINISHED.exists() or not PYTHON.exists() or not CONFIGURATION.exists():
        return False
    return _read_stamp().get(_key(test=test)) == _fingerprint(test=test)


def _locks(*, test: bool) -> list[Path]:
    return [RUN_LOCK, TEST_LOCK, FAST_LOCK] if test else [RUN_LOCK]


def _key(*, test: bool) -> str:
    return "test" if test else "run"


def _read_stamp() -> dict[str, str]:
    import json

    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _fingerprint(*, test: bool) -> str:
    """What is to be installed, where, and for which Python."""
    return _digest(*PROJECT_FILES, *_locks(test=test), CONFIGURATION)


def _digest(*paths: Path) -> str:
    import hashlib

    digest = hashlib.sha256(str(ROOT).encode())
    for path in paths:
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _has_pip() -> bool:
    if not PYTHON.exists() or not CONFIGURATION.exists():
        return False
    asked = subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True)
    return asked.returncode == 0


def _make_environment() -> None:
    import shutil
    from importlib.util import find_spec

    if find_spec("venv") is None or find_spec("ensurepip") is None:
        # Debian keeps both out of its python3 package.
        debian.install([f"python3.{sys.version_info.minor}-venv"])
    say(f"making .venv with Python {sys.version.split()[0]}")
    # A call from inside .venv must not depend on the files it removes here.
    python = getattr(sys, "_base_executable", None) or sys.executable
    try:
        # Without its interpreter nothing takes a half-removed environment for a whole one.
        PYTHON.unlink(missing_ok=True)
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
    except OSError as error:
        raise SetupError(f".venv cannot be made in {ROOT}: {error}") from None
    made = subprocess.run(
        [python, "-m", "venv", str(VENV)], capture_output=True, text=True, close_fds=False
    )
    if made.returncode:
        problem = (made.stderr or made.stdout).strip().splitlines()
        raise SetupError(
            f"{python} -m venv failed: {problem[-1] if problem else 'no reason given'}"
        )


def _install(*, test: bool) -> None:
    import json

    locks = [RUN_LOCK, *([TEST_LOCK] if test else [])]
    total = sum(_count_packages(lock) for lock in locks)
    say(f"collecting {total} packages, about 350 MB the first time (log: {LOG.relative_to(ROOT)})")
    stamp = _read_stamp()
    UNFINISHED.touch()
    LOG.write_bytes(b"")
    _pip([word for lock in locks for word in ("-r", str(lock))], total=total)
    # The build tool is among the locked packages, so nothing is fetched for this.
    _pip(["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], total=0)
    # The locks agree on what they share, so what else was installed stays valid or is found out of
    # date by its own fingerprint.
    stamp["run"] = _fingerprint(test=False)
    if test:
        fast = _digest(FAST_LOCK, CONFIGURATION)
        if stamp.get("fast") != fast:
            _install_fast()
        stamp |= {"test": _fingerprint(test=True), "fast": fast}
    STAMP.write_text(json.dumps(stamp), "utf-8")
    UNFINISHED.unlink()


def _install_fast() -> None:
    """Afresh, whole or not at all: pip leaves old versions beside new ones in such a folder."""
    import shutil

    total = _count_packages(FAST_LOCK)
    say(f"collecting {total} packages of the extra `fast`, for its tests, about 100 MB")
    new = FAST.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    # What they need besides is in .venv.
    _pip(["--no-deps", "--target", str(new), "-r", str(FAST_LOCK)], total=total)
    shutil.rmtree(FAST, ignore_errors=True)
    new.rename(FAST)


def _count_packages(lock: Path) -> int:
    return sum("==" in line for line in lock.read_text("utf-8").splitlines())


def _pip(arguments: list[str], *, total: int) -> None:
    """Run ``pip install`` with the machine's own configuration; the log gets all it says.

    total: how many packages to show progress for; 0 shows none.
    """
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    pip = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,  # see _OnlyOne
        text=True,
        errors="replace",
    )
    assert pip.stdout is not None
    done, problem = 0, ""
    with LOG.open("a", encoding="utf-8") as log:
        for line in pip.stdout:
            log.write(line)
            if total and line.startswith(COLLECTED):
                done = min(done + 1, total)
                _show_progress(f"{done} of {total}: {_name(line)}")
            elif line.startswith("Installing collected packages: ") and total:
                _show_progress("")
                say(f"installing {line.count(',') + 1} of them, a minute or two for all")
            elif line.startswith("ERROR: ") and not problem:
                problem = line[len("ERROR: ") :].strip()
    _show_progress("")
    if pip.wait() == 0:
        return
    if pip.returncode > 0:
        # It ended by itself, so it had changed nothing or put back what it changed.
        UNFINISHED.unlink()
    raise SetupError(
        f"pip could not install the packages: {problem or f'exit code {pip.returncode}'} "
        f"(all it said: {LOG})"
    )


def _name(line: str) -> str:
    """``Collecting torch==2.13.0 (from …)`` to ``torch==2.13.0``; of a path the last part."""
    return line.split(" (from ")[0].split(" in ")[0].split()[-1].split("/")[-1]


def _show_progress(text: str) -> None:
    """One line that overwrites itself; on anything but a terminal nothing."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()


def _start_again_with_another_python() -> None:
    """Replace this process by a Python that fits.

    Raises SetupError when there is none.
    """
    from shutil import which

    for minor in range(OLDEST[1], NEWEST[1] + 1):
        path = which(f"python3.{minor}")
        # A version manager's shim may exist for a version that does not.
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            os.chdir(ROOT)
            os.execv(path, [path, "-m", "odzew.setup", *sys.argv[1:]])
    found = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"Python {found} cannot run odzew, and no python3.{OLDEST[1]} to python3.{NEWEST[1]} was "
        f"found; install one of them, for example by apt-get install python3.{OLDEST[1]}-venv"
    )


class _OnlyOne:
    """Two calls at once: the second waits for the first.

    The lock ends with the last process that inherited it, so it outlasts a killed call for as long
    as that call's pip goes on writing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        import fcntl

        self.descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout")
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        os.set_inheritable(self.descriptor, True)

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


if __name__ == "__main__":
    sys.exit(main())
