"""What bench.pipeline measures of odzew: one run of the worker, the drain, the classifier alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.desk import MAILBOX, PASSWORD_VARIABLE, ROOT, SHOP, opened
from storage.database import open_session
from storage.reports import WorkLeft, work_left
from tests.oracle import broken_promises
from tests.rigs import Dovecot, Postgres, SmtpCatcher
from worker.context import Context
from worker.imap import connect, open_folder
from worker.pull import BATCH_MAILS

LOOK_SECONDS = 0.05
QUIET = "[acknowledgements]\nenabled = false"


@dataclass(frozen=True)
class Box:
    """A mailbox and what lies in it."""

    user: str
    mails: Sequence[bytes]


@dataclass(frozen=True)
class Place:
    """A folder on the disk and the servers."""

    folder: Path
    dovecot: Dovecot
    postgres: Postgres
    catcher: SmtpCatcher
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_folder(self) -> Path:
        return self.folder / str(next(self._numbers))

    def fill(self, mails: Sequence[bytes]) -> Box:
        """A new mailbox with these mails."""
        user = self.dovecot.new_user()
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(self.dovecot.append, user, *mails[i::4]) for i in range(4)]:
                done.result()
        return Box(user, mails)

    def configuration(self, box: Box, database: str, steps: str) -> Path:
        """A new installation that reads this mailbox."""
        folder = self.new_folder()
        folder.mkdir()
        url = f"sqlite:///{folder}/odzew.db"
        if database == "PostgreSQL":
            url = self.postgres.url(self.postgres.new_database())
        text = SHOP.format(database=url, storage=folder / "var", smtp=self.catcher.port)
        if "deliver" not in steps:
            text = text.replace("[acknowledgements]", QUIET)
        text += MAILBOX.format(name="reklamacje", imap=self.dovecot.imap_port, user=box.user)
        file = folder / "odzew.toml"
        file.write_text(text, encoding="utf-8")
        return file


@dataclass(frozen=True)
class Run:
    """What was done with how many mails in how many seconds."""

    what: str
    mails: int
    seconds: float
    cpu: float = 0.0  # seconds that processors worked for it, its child process included
    sent: int = 0  # acknowledgements
    texts: int = 0  # classified
    memory: Sequence[tuple[WorkLeft, float]] = ()  # of the worker's process on the way: MB
    configuration: Path | None = None

    @property
    def speed(self) -> float:
        return self.mails / self.seconds


def drain(place: Place, box: Box, what: str) -> Run:
    """Fetch all mails as ``worker.pull`` does, and keep nothing."""
    os.environ[PASSWORD_VARIABLE] = place.dovecot.password
    context = opened(place.configuration(box, "SQLite", "pull"))
    mailbox = context.settings.mailboxes[0]
    begin, worked = time.monotonic(), time.process_time()
    fetched = 0
    with connect(mailbox, context.tokens) as client:
        folder = open_folder(client, mailbox, mailbox.folders[0])
        uids = folder.uids_after(0)
        for first in range(0, len(uids), BATCH_MAILS):
            part = uids[first : first + BATCH_MAILS]
            folder.envelopes(part)
            fetched += len(folder.bodies(part))
    seconds, cpu = time.monotonic() - begin, time.process_time() - worked
    context.engine.dispose()
    return Run(what, fetched, seconds, cpu)


def odzew(
    place: Place, box: Box, database: str, steps: str, what: str, *, simulated: bool = False
) -> Run:
    """A worker of its own on an empty database, from its start until everything is done.

    Ends the program where the oracle finds a promise broken.
    """
    place.catcher.forget()
    configuration = place.configuration(box, database, steps)
    context = opened(configuration)
    done = _is_done(steps, len(box.mails))
    with _worker(configuration, steps, place.dovecot.password, simulated=simulated) as process:
        seconds, cpu, left, memory = _watch(context, process, done)
    arrived = [mail.content for mail in place.catcher.mails]
    broken = broken_promises(context, box.mails, arrived)
    context.engine.dispose()
    if broken:
        raise SystemExit(f"{what}: " + "\n".join(broken[:10]))
    return Run(
        what,
        len(box.mails),
        seconds,
        cpu,
        sent=len(arrived),
        texts=left.classified if "assign" in steps else 0,
        memory=memory,
        configuration=configuration,
    )


def _is_done(steps: str, mails: int) -> Callable[[WorkLeft], bool]:
    def is_done(left: WorkLeft) -> bool:
        return (
            left.mails == left.mails_done == mails
            and ("deliver" not in steps or left.replies == left.sent)
            and ("assign" not in steps or left.tickets == left.classified)
        )

    return is_done


@contextmanager
def _worker(
    configuration: Path, steps: str, password: str, *, simulated: bool
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that is ready to go."""
    command = [sys.executable, "-m", "bench.pipeline_worker", str(configuration)]
    command += ["--steps", steps, *(["--simulated"] if simulated else [])]
    environment = os.environ | {PASSWORD_VARIABLE: password}
    log = configuration.parent / "worker.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise SystemExit(f"the worker did not start:\n{log.read_text()[-3000:]}")
            yield process
        finally:
            # The end of its input asks it to stop.
            process.communicate(timeout=30)


def _watch(
    context: Context, process: "subprocess.Popen[bytes]", is_done: Callable[[WorkLeft], bool]
) -> tuple[float, float, WorkLeft, list[tuple[WorkLeft, float]]]:
    """Say go; seconds until all is done, those of CPU, what there was, the memory on the way."""
    assert process.stdin is not None
    memory: list[tuple[WorkLeft, float]] = []
    worked = _cpu_seconds(process.pid)
    begin = looked = time.monotonic()
    process.stdin.write(b"go\n")
    process.stdin.flush()
    while True:
        with open_session(context.engine) as session:
            left = work_left(session)
        now = time.monotonic()
        memory.append((left, _megabytes(process.pid)))
        if is_done(left):
            return now - begin, _cpu_seconds(process.pid) - worked, left, memory
        if process.poll() is not None:
            raise SystemExit("the worker ended before its work was done")
        # To look costs more the more there is; never more than a twentieth of the time.
        time.sleep(max(LOOK_SECONDS, 20 * (time.monotonic() - looked - LOOK_SECONDS) / 21))
        looked = time.monotonic()


def _cpu_seconds(pid: int) -> float:
    """Of a process and its children, in user and kernel mode."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        pids += map(int, (task / "children").read_text().split())
    ticks = 0
    for number in pids:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def classifier_alone(texts: Run, what: str) -> Run:
    """The classifier in a process of its own, on the texts of another run's tickets."""
    command = [sys.executable, "-m", "bench.pipeline_worker", str(texts.configuration), "--alone"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the classifier did not run:\n{done.stderr[-3000:]}")
    said = json.loads(done.stdout)
    return Run(what, texts.mails, said["seconds"], texts=said["texts"])
