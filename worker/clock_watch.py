"""A schedule goes by the wall clock; one that is set back by an hour must not stop it for an hour.

That is part of CP-47; what lies in the database under a wrong date is brought back by the step
``alarms clock``, which needs a schedule that goes on.
"""

import logging
import threading
import time
from datetime import datetime, timedelta

from apscheduler.schedulers.base import BaseScheduler

from worker.context import Context

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
TOLERATED = timedelta(seconds=2)  # a schedule that waits so much longer harms nobody


def watch_clock(scheduler: BaseScheduler, context: Context) -> threading.Thread:
    """Have every job run at once when the clock was set back, until the worker stops."""
    thread = threading.Thread(target=_watch, args=(scheduler, context), name="clock", daemon=True)
    thread.start()
    return thread


def _watch(scheduler: BaseScheduler, context: Context) -> None:
    before = _beginning(context)
    while not context.stopping.wait(LOOK_SECONDS):
        beginning = _beginning(context)
        if beginning < before - TOLERATED:
            back = round((before - beginning).total_seconds())
            log.warning("clock was set back", extra={"seconds": back})
            for job in scheduler.get_jobs():
                scheduler.modify_job(job.id, next_run_time=context.clock())
        before = beginning


def _beginning(context: Context) -> datetime:
    """When the steady clock of this machine stood at zero, by the wall clock."""
    return context.clock() - timedelta(seconds=time.monotonic())
