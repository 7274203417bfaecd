"""APScheduler decides when each step looks for work; one process, every step."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from worker.clock_watch import watch_clock
from worker.context import Context
from worker.idle import watch
from worker.pipeline import Runner, Step, Troubles

log = logging.getLogger(__name__)

STOP_SECONDS = 9.0  # a supervisor that asked us to stop kills after ten


def start(steps: Sequence[Step], context: Context) -> BackgroundScheduler:
    """Run the steps on their schedule in threads of this process.

    A late run is not made up for and a step never overlaps itself: rows keep the backlog.
    """
    # A thread for each step: the first pull of a large mailbox must not keep the others waiting.
    threads = ThreadPoolExecutor(max(len(steps), 1))
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": threads})
    troubles = Troubles()
    for step in steps:
        scheduler.add_job(
            Runner(step, context, troubles),
            "interval",
            seconds=step.every_seconds,
            id=step.name,
            next_run_time=context.clock(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()
    watch_clock(scheduler, context)
    names = {step.name for step in steps}
    for mailbox in context.settings.mailboxes:
        job = f"pull {mailbox.name}"
        if mailbox.idle and job in names:
            watch(context, mailbox, partial(_run_now, scheduler, job, context))
    log.info("worker started", extra={"count": len(steps)})
    return scheduler


def _run_now(scheduler: BackgroundScheduler, job: str, context: Context) -> None:
    with suppress(JobLookupError):  # the scheduler has been shut down meanwhile
        scheduler.modify_job(job, next_run_time=context.clock())


def stop(scheduler: BackgroundScheduler, context: Context) -> bool:
    """Let the messages in hand be finished; False when that takes more than nine seconds.

    Then the caller ends the process: leases end by themselves, and a message that is on the wire
    is found as ``unknown``.
    """
    context.stopping.set()
    waiting = threading.Thread(target=scheduler.shutdown, daemon=True)
    waiting.start()
    waiting.join(STOP_SECONDS)
    log.info("worker stopped", extra={"state": "late" if waiting.is_alive() else "clean"})
    return not waiting.is_alive()
