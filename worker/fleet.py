"""Many processes on many machines, the same steps: the large installation on PostgreSQL.

APScheduler decides when, in each node for itself; the database lets each tick of a step through
once; the queue of wake-ups decides which node takes it. A node runs each of its steps once at a
time, several nodes may run the same one, but a mailbox is read by one node at a time.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from zlib import crc32

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from procrastinate.exceptions import AlreadyEnqueued

from storage.database import DATABASE_DOWN, explain, open_session
from storage.fleet import (
    driver_connection,
    failures_of,
    forget,
    make_queue,
    next_tick,
    queue_address,
    require_fleet,
    say_alive,
    set_failures,
)
from worker.clock_watch import watch_clock
from worker.context import Context
from worker.pipeline import DATABASE, Runner, Step, Troubles
from worker.wakeups import DEAD_AFTER, HEARTBEAT, QUEUE_DOWN, Desk, WakeUps, queue_definition

log = logging.getLogger(__name__)

STOP_SECONDS = 9.0  # a supervisor that asked us to stop kills after ten
PULLS_AT_ONCE = 8  # mailboxes that one node reads at the same time
TICK_THREADS = 2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start(steps: Sequence[Step], context: Context) -> "Node":
    """Join the fleet with these steps; raises NoFleet where this database or machine cannot."""
    require_fleet(context.engine)
    make_queue(context.engine, queue_definition())
    context.files.sweep()
    node = Node(steps, context)
    node.start()
    watch_clock(node.scheduler, context)
    log.info("worker started", extra={"count": len(steps)})
    return node


def stop(node: "Node", context: Context) -> bool:
    """Let the messages in hand be finished; False when that takes more than nine seconds.

    Then the caller ends the process: its rows and wake-ups come free by themselves.
    """
    context.stopping.set()
    waiting = threading.Thread(target=node.leave, daemon=True)
    waiting.start()
    waiting.join(STOP_SECONDS)
    with suppress(*DATABASE_DOWN):
        forget(context.engine, node.name)
    log.info("worker stopped", extra={"state": "late" if waiting.is_alive() else "clean"})
    return not waiting.is_alive()


class Node:
    """A process of the fleet: its schedule, its end of the queue, and its steps."""

    def __init__(self, steps: Sequence[Step], context: Context) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._steps = steps
        self._said_at = time.monotonic()
        self._engine = context.engine
        self._troubles = Troubles()
        self._runners = {step.name: Runner(step, context, self._troubles) for step in steps}
        self._queue = WakeUps(
            queue_address(context.engine),
            _desks(steps),
            {step.name: partial(self._run, step) for step in steps},
            trouble=partial(self._note_trouble, "fleet queue"),
        )
        self.scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(TICK_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        self._say_alive()
        self._queue.start()
        now = datetime.now(UTC)
        self.scheduler.add_job(self._say_alive, "interval", seconds=HEARTBEAT)
        for step in self._steps:
            self.scheduler.add_job(
                partial(self._tick, step),
                "interval",
                seconds=step.every_seconds,
                start_date=EPOCH + timedelta(seconds=_offset(step)),
                next_run_time=now,
                id=step.name,
            )
        self.scheduler.start()

    def leave(self) -> None:
        """Look for no more work, and wait for what is being done."""
        self.scheduler.shutdown()
        self._queue.stop()

    def _tick(self, step: Step) -> None:
        """Wake a node for a step, unless there is nothing to do or another node has done so."""
        try:
            if not step.is_due():
                return
            with next_tick(
                self._engine, step.name, every=step.every_seconds, offset=_offset(step)
            ) as connection:
                if connection is not None:
                    self._queue.put(
                        step.name,
                        alone=step.one_at_a_time,
                        connection=driver_connection(connection),
                    )
        except AlreadyEnqueued:
            return  # another node was quicker
        except (*DATABASE_DOWN, *QUEUE_DOWN) as error:
            self._note_trouble("fleet", error)

    def _run(self, step: Step) -> None:
        """Do what a wake-up asks for."""
        try:
            if step.one_at_a_time:
                self._run_alone(self._runners[step.name])
            else:
                self._runners[step.name]()
        except DATABASE_DOWN as error:
            self._note_trouble("fleet", error)
        except Exception:
            log.exception("bug in a step", extra={"step": step.name})

    def _run_alone(self, runner: Runner) -> None:
        # The next wake-up may come to another node: how often a mailbox has refused us counts for
        # all of them together (C-27).
        with open_session(self._engine) as session:
            runner.failures = before = failures_of(session, runner.step.name)
        runner.run()
        if before or runner.failures:
            with open_session(self._engine) as session:
                set_failures(session, runner.step.name, runner.failures, wait=runner.wait)

    def _say_alive(self) -> None:
        silent, self._said_at = time.monotonic() - self._said_at, time.monotonic()
        if silent > DEAD_AFTER:
            log.warning("node stood still", extra={"seconds": round(silent)})
        try:
            say_alive(self._engine, self.name, [step.name for step in self._steps])
        except DATABASE_DOWN as error:
            self._note_trouble("fleet", error)
        else:
            self._note_trouble("fleet", None)

    def _note_trouble(self, part: str, error: Exception | None) -> None:
        if error is None:
            self._troubles.end(part)
        else:
            known = error.__cause__ if isinstance(error.__cause__, Exception) else error
            self._troubles.begin(DATABASE, part, explain(self._engine, known))


def _desks(steps: Sequence[Step]) -> list[Desk]:
    """Mailboxes share a desk; every other step has one of its own, and never overlaps itself."""
    pulls = [step for step in steps if step.name.startswith("pull ")]
    desks = [Desk([step.name], 1, _look_every(step)) for step in steps if step not in pulls]
    if pulls:
        names = [step.name for step in pulls]
        desks.append(Desk(names, min(PULLS_AT_ONCE, len(names)), min(map(_look_every, pulls))))
    return desks


def _look_every(step: Step) -> float:
    return min(max(step.every_seconds / 60, 0.5), 5.0)


def _offset(step: Step) -> int:
    """Seconds after the full period: so that fifty mailboxes are not read in the same second."""
    return crc32(step.name.encode()) % step.every_seconds
