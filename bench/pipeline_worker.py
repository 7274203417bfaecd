"""The worker that ``bench.pipeline`` puts the clock on, in a process of its own.

It gets ready (imports, database, child process, classifier), says so on standard output, and begins
when a line comes in; from there the steps run as in `odzew worker`, until standard input ends.
With ``--alone`` there is nothing but the classifier, on the texts of a database that is filled.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.desk import Simulated, opened
from bench.parse import made
from config.logs import set_up_logging
from odzew.run_commands import prepare_classifier
from storage.database import open_session
from storage.tickets import all_tickets, texts_to_classify
from worker import scheduler
from worker.assign import BATCH, ActiveTriager
from worker.context import Context, known_addresses
from worker.parser_process import ParserProcess
from worker.pipeline import build_steps

WARM = 60  # mails that the child, and texts that the classifier reads before the clock runs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline_worker", description=__doc__)
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--steps", default="pull,ingest")
    parser.add_argument("--simulated", action="store_true", help="a classifier that does nothing")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    set_up_logging()
    context = opened(options.configuration)
    prepare_classifier(context)
    if options.alone:
        count, seconds = classify_all(context)
        sys.stdout.write(json.dumps({"texts": count, "seconds": seconds}))
    else:
        work(context, options.steps.split(","), simulated=options.simulated)


def work(context: Context, steps: Sequence[str], *, simulated: bool) -> None:
    """What `odzew worker` does, from the line that says go."""
    parser = ParserProcess(known_addresses(context.settings))
    parser.read_all([mail.raw for mail in made(WARM, seed=1)])
    active = Simulated(0) if simulated else ready_classifier(context) if "assign" in steps else None
    listed = build_steps(context, parser, only=steps, active=active)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    running = scheduler.start(listed, context)
    sys.stdin.readline()
    clean = scheduler.stop(running, context)
    parser.close()
    if not clean:
        os._exit(1)


def ready_classifier(context: Context) -> ActiveTriager:
    """The active classifier as the worker loads it, loaded and warm."""
    active = ActiveTriager(context.settings.storage.path, context.taxonomy)
    with open_session(context.engine) as session:
        triager = active.get(session)
    if triager is None:
        raise SystemExit("the shipped classifier cannot be used; its log says why")
    triager.triage([("Reklamacja", "Paczka przyszła uszkodzona, proszę o zwrot.")] * WARM)
    return active


def classify_all(context: Context) -> tuple[int, float]:
    """Texts of all tickets, in batches as ``worker.assign`` takes them; seconds for them."""
    active = ready_classifier(context)
    with open_session(context.engine) as session:
        triager = active.get(session)
        assert triager is not None
        tickets = sorted(all_tickets(session), key=lambda ticket: ticket.id or 0)
        found = texts_to_classify(session, tickets)
    messages = [found[t.id] for t in tickets if t.id in found]
    texts = [(message.subject, message.text) for message in messages]
    begin = time.monotonic()
    for first in range(0, len(texts), BATCH):
        triager.triage(texts[first : first + BATCH])
    return len(texts), time.monotonic() - begin


if __name__ == "__main__":
    main()
