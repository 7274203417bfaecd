"""``python -m bench.pipeline``: mails a second through the whole of odzew, beside limits and peers.

In one run, the same mails from the same Dovecot: fetched and dropped (the limit of any reader),
taken in by odzew on SQLite and on PostgreSQL, with and without acknowledgements, with the shipped
classifier beside the classifier alone, and by the commands of django-helpdesk and django-mailbox.

Every worker and every peer is a process of its own that is ready before its clock runs: odzew's
until the last mail has its outcome (and, where these steps run, the last acknowledgement is taken
and the last ticket classified), a peer's until its command ends. All databases and files lie on
the real disk and sync as they do in production; Dovecot and the SMTP catcher work in memory. After
each run of odzew the oracle of tests/oracle.py looks at what has become of the mails.

The mails are those of bench.parse without those above 64 kB: photographs would measure the disk.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.parse import SEED, cpu_model, made
from bench.pipeline_peers import PEERS, Task, run_peer
from bench.pipeline_run import Place, Run, classifier_alone, drain, odzew
from tests.factories import a_mail
from tests.rigs import Dovecot, Postgres, SmtpCatcher

LARGEST = 64 * 1024
DISK = Path("/var/tmp")  # by its definition not in memory
PARTS = ("drain", "odzew", "acknowledged", "classifier", "peers")
STEPS = {
    "odzew": "pull,ingest",
    "acknowledged": "pull,ingest,deliver",
    "classifier": "pull,ingest,assign,deliver",
}
PEER_NAMES = {
    "helpdesk": "django-helpdesk `get_email`, silent",
    "helpdesk-answering": "django-helpdesk `get_email`, replying as installed",
    "mailbox": "django-mailbox `getmail` (no tickets)",
}
BASE, AS_INSTALLED = "helpdesk", "helpdesk-answering"
GOAL, TIMES_GOAL, SHARE_GOAL, SLOPE_GOAL = 1000, 15, 0.9, 1.0


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="odzew-bench-pipeline-", dir=DISK))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        servers = Dovecot(), Postgres(disk=DISK), SmtpCatcher()
        for server in servers:
            stack.callback(server.close)
            server.start()
        place = Place(folder, *servers)
        if options.memory:
            remember(place, options.memory)
        else:
            compare(place, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.pipeline --mails 300 --classified 60 --peer-mails 60",
    )
    parser.add_argument("--mails", type=int, default=5000)
    parser.add_argument("--classified", type=int, default=1500, help="so many for the classifier")
    parser.add_argument("--peer-mails", type=int, default=500, help="so many for the peers")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--memory", type=int, metavar="MAILS", help="only the worker's memory")
    return parser.parse_args()


def compare(place: Place, options: argparse.Namespace) -> None:
    say(heading())
    progress("mails are made")
    mails = small_mails(options.mails)
    size = statistics.mean(map(len, mails)) / 1000
    say(f"{len(mails)} mails, {size:.1f} kB on average, none above {LARGEST // 1024} kB.\n")
    everything = place.fill(mails)
    limits: list[Run] = []
    runs: list[Run] = []
    if "drain" in options.only:
        progress("IMAP alone")
        limits.append(drain(place, everything, "IMAP alone: fetched and dropped"))
    for part, more in (("odzew", ""), ("acknowledged", ", acknowledgements written and sent")):
        if part in options.only:
            for database in ("SQLite", "PostgreSQL"):
                progress(f"odzew, {database}{more}")
                runs.append(
                    odzew(place, everything, database, STEPS[part], f"odzew, {database}{more}")
                )
    peers = compared_peers(place, mails[: options.peer_mails]) if "peers" in options.only else {}
    if limits or runs or peers:
        say_table(limits, runs, peers)
    if "classifier" in options.only:
        compare_classifier(place, mails[: options.classified])


def compared_peers(place: Place, mails: Sequence[bytes]) -> dict[str, Run]:
    if not PEERS.exists():
        raise SystemExit(f"{PEERS} is not there: make var/bench-peers")
    runs = {}
    for name, title in PEER_NAMES.items():
        progress(title)
        box = place.fill(mails)
        place.catcher.forget()
        task = Task(
            folder=str(place.new_folder()),
            imap=place.dovecot.imap_port,
            user=box.user,
            password=place.dovecot.password,
            smtp=place.catcher.port,
        )
        done = run_peer(name, task)
        title += "" if done.stored == len(mails) else f", stopped before {len(mails)}"
        sent = len(place.catcher.mails)
        runs[name] = Run(title, done.stored, done.seconds, done.cpu, sent)
    return runs


def compare_classifier(place: Place, mails: Sequence[bytes]) -> None:
    """The classifier alone, odzew with everything on both databases, the classifier alone."""
    box = place.fill(mails)
    progress("texts for the classifier")
    texts = odzew(place, box, "SQLite", STEPS["odzew"], "texts")
    alone, whole = [], []
    for database in ("SQLite", "PostgreSQL"):
        progress("the classifier alone")
        alone.append(classifier_alone(texts, "the classifier alone"))
        progress(f"odzew, {database}, everything")
        whole.append(
            odzew(place, box, database, STEPS["classifier"], f"odzew, {database}, everything")
        )
    progress("the classifier alone")
    alone.append(classifier_alone(texts, "the classifier alone"))
    limit = statistics.mean(run.texts / run.seconds for run in alone)
    say(
        f"\nWith the shipped classifier, on the first {len(mails)} of the mails. A mail that opens "
        "no ticket needs no\nclassification, so texts are counted; the classifier alone ran "
        "before, between and after.\n"
    )
    say("| what | mails | texts | seconds | texts/s | of the classifier's own speed |")
    say("|---|---|---|---|---|---|")
    for run in alone:
        say(f"| {run.what} | | {run.texts} | {run.seconds:.1f} | {run.texts / run.seconds:.1f} | |")
    for run in whole:
        speed = run.texts / run.seconds
        say(
            f"| {run.what} | {run.mails} | {run.texts} | {run.seconds:.1f} | {speed:.1f} "
            f"| {speed / limit:.0%} |"
        )
    for run in whole:
        share = run.texts / run.seconds / limit
        say(
            verdict(f"{run.what}: share of the classifier's own speed", share, SHARE_GOAL, "{:.0%}")
        )


def say_table(limits: Sequence[Run], runs: Sequence[Run], peers: dict[str, Run]) -> None:
    base = peers[BASE].speed if BASE in peers else 0.0
    usual = peers[AS_INSTALLED].speed if AS_INSTALLED in peers else 0.0
    if limits:
        say("| limit | mails | seconds | mails/s | CPU ms a mail |\n|---|---|---|---|---|")
        for run in limits:
            say(
                f"| {run.what} | {run.mails} | {run.seconds:.2f} | {run.speed:,.0f} "
                f"| {1000 * run.cpu / run.mails:.2f} |"
            )
        say("")
    say(
        "| without classifier | mails | seconds | mails/s | x django-helpdesk, silent "
        "| x the same, replying | CPU ms a mail | replies |"
    )
    say("|---|---|---|---|---|---|---|---|")
    for run in (*runs, *peers.values()):
        shares = [f"{run.speed / of:.1f}" if of else "" for of in (base, usual)]
        say(
            f"| {run.what} | {run.mails} | {run.seconds:.2f} | {run.speed:,.0f} | {shares[0]} "
            f"| {shares[1]} | {1000 * run.cpu / run.mails:.2f} | {run.sent or ''} |"
        )
    say("")
    for run in runs:
        if run.what == "odzew, SQLite":
            say(verdict("odzew on SQLite, mails/s", run.speed, GOAL, "{:,.0f}"))
            if base:
                say(
                    verdict(
                        "the same, times django-helpdesk that is silent, too",
                        run.speed / base,
                        TIMES_GOAL,
                        "{:.1f}",
                    )
                )


def remember(place: Place, count: int) -> None:
    """What the worker's own process holds while many small mails go through all its steps."""
    say(heading())
    progress("mails are made")
    box = place.fill([a_mail() for _ in range(count)])
    say("| database | mails | replies | seconds | RSS after 1,000 | at end | MB per 1,000 mails |")
    say("|---|---|---|---|---|---|---|")
    slopes = []
    for database in ("SQLite", "PostgreSQL"):
        progress(f"odzew, {database}, memory")
        run = odzew(place, box, database, STEPS["classifier"], f"odzew, {database}", simulated=True)
        # The acknowledgement is the last that becomes of a mail.
        later = [(left.sent, held) for left, held in run.memory if left.sent >= 1000]
        slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 1000
        slopes.append((database, slope))
        say(
            f"| {database} | {run.mails} | {run.sent} | {run.seconds:.0f} | {later[0][1]:.0f} MB "
            f"| {later[-1][1]:.0f} MB | {slope:.2f} |"
        )
    say("\nThe classifier is left out (its memory is its model), acknowledgements are sent.")
    for database, slope in slopes:
        reached = "reached" if slope < SLOPE_GOAL else "missed"
        say(f"- {database}: {slope:.2f} MB per 1,000 mails, goal below {SLOPE_GOAL:g}: {reached}")


def small_mails(count: int) -> list[bytes]:
    """Distinct mails of all kinds without those that are mostly photographs; lines as on a wire."""
    found: list[bytes] = []
    seed = SEED
    while len(found) < count:
        lines = (re.sub(rb"\r?\n", b"\r\n", mail.raw) for mail in made(count, seed))
        found += [raw for raw in lines if len(raw) <= LARGEST]
        seed += 1
    assert len(set(found)) == len(found)
    return found[:count]


def verdict(what: str, value: float, goal: float, form: str) -> str:
    reached = "reached" if value >= goal else "missed"
    return f"- {what}: {form.format(value)}, goal {form.format(goal)}: {reached}"


def heading() -> str:
    return (
        f"{cpu_model()}, {os.cpu_count()} cores; Python {platform.python_version()}; "
        f"load {os.getloadavg()[0]:.1f} at the start"
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def progress(what: str) -> None:
    sys.stderr.write(f"{what} ...\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
