"""Debian packages that odzew needs: which are missing, and installing them where that is allowed.

Standard library only, and readable to an older Python: ``odzew.setup`` runs before anything is
installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

# Package to a file that shows it is there: looking is quicker than asking dpkg, and a server from
# elsewhere counts when it lies in the same place.
FOR_TESTS = {
    "chromium": "usr/bin/chromium",
    "dovecot-imapd": "usr/lib/dovecot/imap",
    "dovecot-lmtpd": "usr/lib/dovecot/lmtp",
    "fonts-dejavu-core": "usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "libatomic1": "usr/lib/*/libatomic.so.1",  # Playwright's Node.js
    "openssl": "usr/bin/openssl",
    "postfix": "usr/lib/postfix/sbin/master",
    "postgresql": "usr/lib/postgresql/*/bin/initdb",
}


class SetupError(Exception):
    """What is wrong and what to do about it, in one sentence for the person at the terminal."""


def say(text: str) -> None:
    sys.stdout.write(f"odzew: {text}\n")
    sys.stdout.flush()


def missing(packages: dict[str, str]) -> list[str]:
    """Those whose file is not there; sorted by name."""
    return sorted(name for name, pattern in packages.items() if not any(Path("/").glob(pattern)))


def install(packages: list[str]) -> None:
    """Install by apt-get, as root or by sudo without a password.

    Raises SetupError, naming the packages, when neither is possible or apt-get fails.
    """
    names = " ".join(packages)
    by_hand = f"apt-get install --no-install-recommends {names}"
    if which("apt-get") is None:
        raise SetupError(f"missing on this machine: {names} (the names are Debian's)")
    if os.geteuid() == 0:
        prefix = []
    elif which("sudo") and _succeeds(["sudo", "-n", "true"]):
        prefix = ["sudo", "-n"]
    else:
        raise SetupError(f"missing Debian packages; install them with: sudo {by_hand}")
    say(f"installing Debian packages: {names}")
    if "postfix" in packages:
        # Left to itself the package would listen on every address of the machine.
        answer = "postfix postfix/main_mailer_type select Local only\n"
        _succeeds([*prefix, "debconf-set-selections"], given=answer)
    # Waits for another apt rather than failing at once.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o"]
    apt += ["DPkg::Lock::Timeout=300", "--quiet", "--yes"]
    _succeeds([*apt, "update"])  # an out-of-date list may do; the next line tells
    problem = _problem([*apt, "install", "--no-install-recommends", *packages])
    if problem:
        raise SetupError(f"{by_hand} failed: {problem}")
    if Path("/run/systemd/system").is_dir() and "postfix" in packages:
        say("the tests start servers of their own; the packages' services may be switched off")


def _succeeds(command: list[str], *, given: str = "") -> bool:
    return not _problem(command, given=given)


def _problem(command: list[str], *, given: str = "") -> str:
    """The last line of a failed command's output; empty when it succeeded."""
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode == 0:
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
