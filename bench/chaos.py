"""``python -m bench.chaos``: nothing lost and nothing doubled while everything breaks at once.

Nodes of `odzew fleet`, each a process of its own, on PostgreSQL. They read mailboxes of a real
Dovecot through lines that break, and send acknowledgements through such lines to a server that
refuses, hangs up or keeps silent. Meanwhile the nodes are killed by SIGKILL, alone or with their
parser, each at a moment of chance, and started again at once; now and then one loses its parser
only, or stands still for longer than its lease. Mail arrives all the time, answers to
acknowledgements among it. The classifier is simulated, for the run is not about it.

When so many nodes have been killed at work, the trouble ends. What is left is done, a person reads
what was set aside once more (`odzew ledger retry`), and the oracle of tests/oracle.py looks at
mails, database, and every acknowledgement that arrived. The plan follows from the seed; which
moment of the work a kill hits does not.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from sqlmodel import select

from bench.chaos_killer import Place, Toll, places
from bench.chaos_mails import post
from bench.chaos_report import Times, broken_besides, figures
from bench.chaos_world import World
from bench.desk import MAILBOX, PASSWORD_VARIABLE, ROOT, SHOP, is_done, opened
from storage.database import open_session
from storage.reports import WorkLeft, work_left
from storage.tables import RawMessage
from tests.oracle import broken_promises
from tests.rigs import Dovecot, FaultProxy, Postgres, SmtpCatcher
from worker.context import Context

SEED = 20261122
AT_START = 0.3  # of the mails lie in the mailboxes before the first node starts
SETTLE_SECONDS = 900.0
RETRY_SECONDS = [5] * 5 + [10] * 5 + [20] * 10  # hours, in an installation


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="odzew-bench-chaos-"))
        if not options.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dovecot, postgres, catcher = Dovecot(), Postgres(), SmtpCatcher()
        for server in (dovecot, postgres, catcher):
            stack.callback(server.close)
            server.start()
        lines = FaultProxy(dovecot.imap_port), FaultProxy(catcher.port)
        for line in lines:
            stack.callback(line.close)
            line.start()
        users = [dovecot.new_user() for _ in range(options.mailboxes)]
        configuration = folder / "odzew.toml"
        database = postgres.url(postgres.new_database())
        configuration.write_text(_installation(folder, database, lines, users), encoding="utf-8")
        context = opened(configuration)
        stack.callback(context.engine.dispose)
        toll = Toll()
        world = World(
            dovecot,
            users,
            post(options.mails, options.mailboxes, options.seed),
            lines,
            catcher,
            seed=options.seed,
            share=lambda: min(1.0, AT_START + (1 - AT_START) * toll.working / options.kills),
        )
        nodes = places(folder, options.nodes, options.seed, configuration, options.classifier_ms)
        for node in nodes:
            stack.callback(node.kill)
        os.environ[PASSWORD_VARIABLE] = dovecot.password
        times = run(nodes, world, context, toll, options, configuration)
        arrived = [mail.content for mail in catcher.mails]
        broken = [
            *broken_promises(context, world.stored, arrived),
            *broken_besides(nodes, context, arrived),
        ]
        say(_heading(options), "", "| | |", "|---|---|")
        for what, how_much in figures(context, toll, world, nodes, arrived, times):
            say(f"| {what} | {how_much} |")
        say("", f"oracle: {'broken' if broken else 'green'}")
        for sentence, count in Counter(broken).items():
            say(f"  {sentence}, {count} times" if count > 1 else f"  {sentence}")
        if options.keep:
            say(f"logs: {folder}")
    if broken:
        sys.exit(1)


def say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _heading(options: argparse.Namespace) -> str:
    return (
        f"{options.nodes} nodes, {options.mailboxes} mailboxes, seed {options.seed}; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}; the classifier is simulated: "
        f"{options.classifier_ms:g} ms a mail"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.chaos --mails 500 --kills 30",
    )
    parser.add_argument("--mails", type=int, default=5000, help="answers come in addition")
    parser.add_argument("--kills", type=int, default=300, help="of nodes that were at work")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--mailboxes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--classifier-ms", type=float, default=2.0, help="a mail")
    parser.add_argument("--keep", action="store_true", help="the logs of the nodes")
    return parser.parse_args()


def _installation(
    folder: Path, database: str, lines: tuple[FaultProxy, FaultProxy], users: Sequence[str]
) -> str:
    imap, smtp = lines
    text = SHOP.format(database=database, storage=folder / "var", smtp=smtp.port)
    text += f"retry_seconds = {RETRY_SECONDS}\n"
    for number, user in enumerate(users):
        text += MAILBOX.format(name=f"skrzynka{number}", imap=imap.port, user=user)
        text += "poll_seconds = 2\n"
    return text


def run(
    nodes: Sequence[Place],
    world: World,
    context: Context,
    toll: Toll,
    options: argparse.Namespace,
    configuration: Path,
) -> Times:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        kills = progress.add_task("killed at work", total=options.kills)
        mails = progress.add_task("mails handled", total=options.mails)
        world.start()
        begin = looked = time.monotonic()
        for node in nodes:
            node.start()
        while toll.working < options.kills:
            for node in nodes:
                node.turn(toll)
            time.sleep(0.005)
            if time.monotonic() > looked + 1:
                looked = time.monotonic()
                progress.update(kills, completed=toll.working)
                _show(progress, mails, _left(context), len(world.stored))
                if world.error:
                    raise world.error
        progress.update(kills, completed=toll.working)
        world.become_calm()
        for node in nodes:
            node.go_on()
        end = time.monotonic()
        _settle(context, world, progress, mails)
        retried = _retry_quarantined(context, configuration)
        if retried:
            _settle(context, world, progress, mails)
        settled = time.monotonic()
        for node in nodes:
            node.stop()
    return Times(trouble=end - begin, settling=settled - end, set_aside=retried)


def _settle(context: Context, world: World, progress: Progress, task: TaskID) -> None:
    """Wait until nothing is left; what then still is, the oracle names."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        left = _left(context)
        _show(progress, task, left, len(world.stored))
        if is_done(left, len(world.stored)):
            return
        time.sleep(0.5)


def _left(context: Context) -> WorkLeft:
    with open_session(context.engine) as session:
        return work_left(session)


def _show(progress: Progress, task: TaskID, left: WorkLeft, mails: int) -> None:
    progress.update(task, completed=left.mails_done, total=mails)


def _retry_quarantined(context: Context, configuration: Path) -> Counter[str]:
    """What a person does with mails over which three nodes died (D-P4); their reasons."""
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage).where(RawMessage.outcome == "quarantined")).all()
    for row in rows:
        command = [sys.executable, "-m", "odzew", "ledger", "retry", str(row.id)]
        subprocess.run(
            [*command, "--config", str(configuration)], cwd=ROOT, check=True, capture_output=True
        )
    return Counter(str(row.reason) for row in rows)


if __name__ == "__main__":
    main()
