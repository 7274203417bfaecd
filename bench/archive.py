"""``python -m bench.archive``: `odzew import` of a large mbox, killed once on the way.

Distinct mails, texts of the shipped corpus, in one mbox file that is written first. The command
runs as an admin would run it, on SQLite; after a third of the mails it is killed with SIGKILL and
started again, and goes on where it was. Shown are mails a second and the memory of the command for
each tenth; at the end the ledger has every mail once and no acknowledgement was written.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlmodel import func, select

from models.corpus import corpus
from storage.database import Engine, open_database, open_session
from storage.mail import count_ledger, outcome_counts
from storage.tables import OutboxMessage
from tests.factories import a_mail

SEED = 20261122
TENTHS = 10
CONFIGURATION = """
[shop]
own_domains = ["sklep.example"]
[database]
url = "sqlite:///{folder}/odzew.db"
[storage]
path = "{folder}"
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        run(Path(folder), wanted.mails)


def run(folder: Path, mails: int) -> None:
    archive = folder / "archive.mbox"
    write_mbox(archive, mails)
    (folder / "odzew.toml").write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    engine = open_database(f"sqlite:///{folder}/odzew.db")
    table = Table(title=f"{mails} mails, {archive.stat().st_size / 1e6:.0f} MB, one SIGKILL")
    for heading in ("mails", "mails/s", "memory, MB", ""):
        table.add_column(heading, justify="right")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("import", total=mails)
        began, before, command = time.perf_counter(), 0, start(folder, archive)
        is_killed = False
        for tenth in range(1, TENTHS + 1):
            note = ""
            while (stored := stored_in(engine)) < mails * tenth / TENTHS and running(command):
                progress.update(task, completed=stored)
                if not is_killed and stored > mails / 3:
                    command.send_signal(signal.SIGKILL)
                    command.wait()
                    command, is_killed, note = start(folder, archive), True, "killed, began again"
                time.sleep(0.2)
            if tenth == TENTHS:
                command.wait()
            now = time.perf_counter()
            memory = f"{resident(command):.0f}" if running(command) else ""
            table.add_row(str(stored), f"{(stored - before) / (now - began):.0f}", memory, note)
            began, before = now, stored
    Console().print(table)
    check(engine, mails, command.returncode)


def start(folder: Path, archive: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "odzew", "import", str(archive)],
        env=os.environ | {"ODZEW_CONFIG": str(folder / "odzew.toml")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def running(command: "subprocess.Popen[bytes]") -> bool:
    return command.poll() is None


def resident(command: "subprocess.Popen[bytes]") -> float:
    """Megabytes of the command, without its child that parses."""
    pages = int(Path(f"/proc/{command.pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def stored_in(engine: Engine) -> int:
    try:
        with open_session(engine) as session:
            return count_ledger(session)
    except Exception:  # the tables are being made
        return 0


def check(engine: Engine, mails: int, status: int) -> None:
    with open_session(engine) as session:
        outcomes = outcome_counts(session)
        written = session.exec(select(func.count()).select_from(OutboxMessage)).one()
    Console().print(f"exit status {status}, outcomes {outcomes}, acknowledgements {written}")
    if status or sum(outcomes.values()) != mails or outcomes.get("pending") or written:
        sys.exit("something is missing or doubled")


def write_mbox(path: Path, mails: int) -> None:
    with path.open("wb") as file:
        for mail in written(mails):
            file.write(b"From anna@klient.example Mon Mar  2 08:00:00 2026\n")
            file.write(mail.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ") + b"\n")


def written(mails: int) -> Iterator[bytes]:
    texts = [example.text for example in corpus("train")]
    random = Random(SEED)
    for number in range(mails):
        yield a_mail(text=f"{random.choice(texts)}\n\nNumer sprawy: {number}")


if __name__ == "__main__":
    main()
