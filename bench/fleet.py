"""``python -m bench.fleet``: how `odzew fleet` grows with its nodes, and whether it stays right.

The same mails, in many mailboxes of a real Dovecot, are pulled, made into tickets, classified and
acknowledged by 1, 2 and 4 nodes on PostgreSQL, each a process of its own, each time from an empty
database. The classifier is simulated: for each mail it sleeps for as long as the shipped one needs
on the machine of docs/classifier.md, outside of the GIL. On two cores four real ones would only
take the processor from each other; what is measured is how everything else scales beside them.

The nodes are started, wait for each other and join the fleet together: from there the clock runs
until every mail has its outcome, every ticket its prediction and every acknowledgement is out. Then
the oracle of tests/oracle.py looks at mails, database and the catcher of all acknowledgements.
"""

import argparse
import dataclasses
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random

from bench.desk import MAILBOX, PASSWORD_VARIABLE, ROOT, SHOP, Simulated, is_done, opened
from models.corpus import corpus
from storage.columns import utc_now
from storage.database import open_session
from storage.reports import work_left
from tests.factories import a_mail
from tests.oracle import broken_promises
from tests.rigs import Dovecot, Postgres, SmtpCatcher
from worker.context import Context

SEED = 20261122
# 45.7 mails a second: the shipped classifier with both cores to itself, docs/classifier.md.
CLASSIFIER_MS = 22.0
GO = "go"  # a file for which the nodes wait


@dataclasses.dataclass(frozen=True)
class Run:
    """What one fleet did; seconds since it began."""

    nodes: int
    seconds: float
    stored: float  # the last mail was in the ledger
    handled: float  # the last mail had its outcome
    busy: float  # share of the machine's processors that worked for anybody
    ours: float  # that worked for nodes, servers and this program
    broken: Sequence[str]


def main() -> None:
    options = _options()
    if options.node:
        run_node(options.node, options.classifier_ms / 1000)
        return
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="odzew-bench-fleet-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dovecot, postgres = Dovecot(), Postgres()
        for server in (dovecot, postgres):
            stack.callback(server.close)
            server.start()
        users = [dovecot.new_user() for _ in range(options.mailboxes)]
        mails = fill(dovecot, users, options.mails)
        say(_heading(options))
        alone = 0.0
        for count in options.workers:
            run = measure(folder / str(count), dovecot, postgres, users, mails, count, options)
            alone = alone or run.seconds * run.nodes
            say(_row(run, len(mails), alone))
            for sentence in run.broken[:10]:
                say(f"  {sentence}")
            if run.broken:
                sys.exit(1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.fleet",
        description="Throughput of a fleet of 1, 2 and 4 nodes, with the classifier simulated.",
        epilog="example: python -m bench.fleet --mails 6000",
    )
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument(
        "--workers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4]
    )
    parser.add_argument(
        "--classifier-ms", type=float, default=CLASSIFIER_MS, help="a mail; default %(default)s"
    )
    parser.add_argument("--node", type=Path, help=argparse.SUPPRESS)  # used by itself
    return parser.parse_args()


def fill(dovecot: Dovecot, users: Sequence[str], count: int) -> list[bytes]:
    """Each mailbox gets its share of mails of different customers; return them all."""
    texts = [example.text for example in corpus("test")]
    random = Random(SEED)
    mails = [a_mail(date=utc_now(), text=random.choice(texts)) for _ in range(count)]
    with ThreadPoolExecutor(4) as pool:
        shares = [(user, mails[number :: len(users)]) for number, user in enumerate(users)]
        for done in [pool.submit(dovecot.append, user, *share) for user, share in shares]:
            done.result()
    return mails


def measure(
    folder: Path,
    dovecot: Dovecot,
    postgres: Postgres,
    users: Sequence[str],
    mails: Sequence[bytes],
    count: int,
    options: argparse.Namespace,
) -> Run:
    folder.mkdir()
    catcher = SmtpCatcher()
    catcher.start()
    database = postgres.new_database()
    try:
        configuration = folder / "odzew.toml"
        text = SHOP.format(
            database=postgres.url(database), storage=folder / "var", smtp=catcher.port
        )
        for number, user in enumerate(users):
            text += MAILBOX.format(name=f"skrzynka{number}", imap=dovecot.imap_port, user=user)
        configuration.write_text(text, encoding="utf-8")
        context = opened(configuration)
        with running(count, configuration, options.classifier_ms, dovecot.password):
            while len(list(folder.glob("*.ready"))) < count:
                time.sleep(0.1)
            (folder / GO).touch()
            times = wait_until_done(context, len(mails))
        arrived = [mail.content for mail in catcher.mails]
        broken = broken_promises(context, mails, arrived)
        context.engine.dispose()
        return Run(count, *times, broken)
    finally:
        catcher.close()
        postgres.drop_database(database)


@contextmanager
def running(count: int, configuration: Path, classifier_ms: float, password: str) -> Iterator[None]:
    """So many nodes, each a process of its own with one thread for numbers."""
    command = [sys.executable, "-m", "bench.fleet", "--node", str(configuration)]
    command += ["--classifier-ms", str(classifier_ms)]
    environment = os.environ | {PASSWORD_VARIABLE: password, "OMP_NUM_THREADS": "1"}
    started = []
    try:
        for number in range(count):
            with (configuration.parent / f"node{number}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
                )
        yield
    finally:
        for node in started:
            node.terminate()
        for node in started:
            node.wait()


def wait_until_done(context: Context, mails: int) -> tuple[float, float, float, float, float]:
    """Seconds until all is done, all is stored, all is handled; how busy the processors were."""
    begin, before = time.monotonic(), _ticks()
    stored = handled = 0.0
    while True:
        with open_session(context.engine) as session:
            left = work_left(session)
        now = time.monotonic() - begin
        if left.mails == mails:
            stored = stored or now
        if left.mails_done == mails:
            handled = handled or now
        if is_done(left, mails):
            total, busy, ours = (after - b for after, b in zip(_ticks(), before, strict=True))
            return now, stored, handled, busy / total, ours / total
        time.sleep(0.5)


def _ticks() -> tuple[int, int, int]:
    """Of the processors since the start: all, those not idle, those of this process's family."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    numbers = [int(field) for field in fields]
    return sum(numbers), sum(numbers) - numbers[3] - numbers[4], _of_family()


def _of_family() -> int:
    parents, ticks = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number = int(file.parent.name)
            # After the name, which may hold anything: state, parent, ...; proc(5).
            fields = file.read_text().rpartition(")")[2].split()
            parents[number] = int(fields[1])
            ticks[number] = sum(int(field) for field in fields[11:15])
    family, found = set(), {os.getpid()}
    while found:
        family |= found
        found = {number for number, parent in parents.items() if parent in found} - family
    return sum(ticks[number] for number in family)


def _heading(options: argparse.Namespace) -> str:
    speed = (
        ""
        if not options.classifier_ms
        else f", at most {1000 / options.classifier_ms:.1f}/s a node"
    )
    return (
        f"{options.mails} mails in {options.mailboxes} mailboxes; {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; the classifier is simulated: it sleeps "
        f"{options.classifier_ms:g} ms a mail{speed}\n\n"
        "| nodes | mails/s | speed-up | stored | handled | done | processors | ours | oracle |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )


def _row(run: Run, mails: int, alone: float) -> str:
    return (
        f"| {run.nodes} | {mails / run.seconds:.1f} | {alone / run.seconds:.2f} "
        f"| {run.stored:.0f} s | {run.handled:.0f} s | {run.seconds:.0f} s | {run.busy:.0%} "
        f"| {run.ours:.0%} "
        f"| {'broken' if run.broken else 'green'} |"
    )


# The node


def run_node(configuration: Path, seconds: float) -> None:
    """What `odzew fleet` does, with another classifier."""
    from config.logs import set_up_logging
    from odzew.opening import open_context
    from odzew.run_commands import stop_on_signal
    from worker import fleet
    from worker.context import known_addresses
    from worker.parser_process import ParserProcess
    from worker.pipeline import build_steps

    set_up_logging()
    context = open_context(configuration)
    with stop_on_signal(context.stopping):
        parser = ParserProcess(known_addresses(context.settings))
        only = ("pull", "ingest", "assign", "deliver")
        steps = build_steps(context, parser, only=only, active=Simulated(seconds))
        (configuration.parent / f"{os.getpid()}.ready").touch()
        while not (configuration.parent / GO).exists():
            time.sleep(0.05)
        node = fleet.start(steps, context)
        context.stopping.wait()
        fleet.stop(node, context)
        parser.close()


if __name__ == "__main__":
    main()
