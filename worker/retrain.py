"""Step 5: a new candidate when people have corrected enough tickets.

The candidate is made by a process of low priority that knows the database and the folder of the
versions, and no mailbox (F-56). It is only registered: promoting it is a person's decision, unless
the shop says otherwise, and then through the gate.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path

from config.errors import OdzewError
from models.readiness import new_labels
from models.registry import GateRefused, TaxonomyMismatch, known_version, promote
from models.retraining import NotReady, version_name
from models.retraining import retrain as make_candidate
from storage.database import open_database, open_session
from worker.context import Context
from worker.parser_process import end_with_parent

log = logging.getLogger(__name__)

NICENESS = 10
NOT_NOW = 75  # exit status: EX_TEMPFAIL of sysexits.h


class TrainingFailed(OdzewError):
    """The process that trains ended without a version; it said why on its standard error."""


def retrain(context: Context) -> int:
    """Train a candidate when there are enough new labels; return how many versions were made."""
    after = context.settings.triage.retrain_after
    with open_session(context.engine) as session:
        if not after or new_labels(session) < after:
            return 0
    name = _train_in_a_process(context)
    if not name:
        return 0
    with open_session(context.engine) as session:
        version = known_version(session, name)
        log.info("candidate trained", extra={"step": "retrain", "classifier": version.version})
        if context.settings.triage.promote:
            try:
                promote(
                    session,
                    version.version,
                    context.settings.storage.path,
                    now=context.clock(),
                    taxonomy=context.taxonomy,
                )
            except (GateRefused, TaxonomyMismatch) as error:
                log.warning(
                    "candidate not promoted",
                    extra={"classifier": version.version, "problem": str(error)},
                )
    return 1


def _train_in_a_process(context: Context) -> str:
    """The name of the new version; "" when the worker stops first: what was read is kept."""
    settings, now = context.settings, context.clock()
    child = multiprocessing.get_context("spawn").Process(
        target=_train,
        args=(
            settings.database.url,
            settings.storage.path,
            now,
            [cause.code for cause in context.taxonomy.causes],
        ),
        daemon=True,
    )
    child.start()
    assert child.pid is not None  # it has been started
    name = version_name(now, child.pid)
    while child.is_alive():
        child.join(0.5)
        if context.stopping.is_set():
            child.terminate()
            child.join()
            return ""
    if child.exitcode == NOT_NOW:
        return ""
    if child.exitcode != 0:
        raise TrainingFailed(f"the training ended with status {child.exitcode}")
    return name


def _train(url: str, storage: Path, now: datetime, known: list[str]) -> None:
    # Who stops the worker stops this process through it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    with open_session(open_database(url)) as session:
        try:
            make_candidate(session, storage, now=now, known=known)
        except NotReady:
            sys.exit(NOT_NOW)  # too few different mails, or somebody trains by hand
