"""A disk with one megabyte left, under the whole worker: a clear line, and nothing lost."""

import os
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.desk import Desk, configuration
from tests.acceptance.test_outages import events, numbered

if TYPE_CHECKING:
    from tests.rigs import Dovecot, SmtpCatcher

LEFT = 1024 * 1024
MAILS = 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"only root may mount a small disk: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
    return ballast


def with_photograph(mail: bytes, number: int) -> bytes:
    """The complaint and a file of 150 kB beside it, as large as two of them are on the wire."""
    message = message_from_bytes(mail, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    photograph = Random(number).randbytes(150_000)
    message.add_attachment(photograph, maintype="image", subtype="jpeg", filename="wazon.jpg")
    return message.as_bytes()


def test_with_one_megabyte_left_everything_waits_and_nothing_is_lost(
    small_disk: Path, dovecot: "Dovecot", make_catcher: Callable[..., "SmtpCatcher"]
) -> None:
    catcher = make_catcher()
    user = dovecot.new_user()
    desk = Desk(
        small_disk / "desk",
        configuration(
            user=user,
            imap_port=dovecot.imap_port,
            smtp_port=catcher.port,
            more="[acknowledgements]\nper_address_per_day = 100",
        ),
        ODZEW_TEST_PASSWORD=dovecot.password,
        TMPDIR=str(small_disk),
    )
    desk.run("worker", "--once")
    ballast = fill(small_disk, leave=LEFT)
    dovecot.append(user, *(with_photograph(numbered(n), n) for n in range(MAILS)))

    said = events(desk.run("worker", "--once", status=1).stderr)
    problems = {str(event["problem"]) for event in said if event["event"] == "step failed"}
    assert problems, said
    assert all("No space left" in problem or "full" in problem for problem in problems), problems
    assert len(problems) <= 3
    assert "bug" not in str(problems)
    before = desk.objects("ledger")
    assert {row["outcome"] for row in before} <= {"pending", "ticket"}

    ballast.unlink()
    desk.run("worker", "--once")
    assert [row["outcome"] for row in desk.objects("ledger")] == ["ticket"] * MAILS
    assert [row["state"] for row in desk.objects("outbox")] == ["sent"] * MAILS
    assert len({mail.content for mail in catcher.mails}) == len(catcher.mails) == MAILS
    desk.run("ledger", "--check")
