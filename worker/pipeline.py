"""The steps, and the one way to run them.

mailbox → pull → ingest → assign → deliver
                            ↑
labels  → retrain → candidate → promoted version

``alarms`` looks at what the others left in the database and tells a person of what is wrong.
A step takes whatever rows are waiting for it, so it may run at any time, in any order, in any
number of processes. ``scheduler`` drives the steps in one process, ``fleet`` in many.
"""

import logging
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from config.errors import OdzewError
from storage.alarms import bring_alarms_back
from storage.database import DATABASE_DOWN, explain, open_session
from storage.instance import get_instance
from storage.tables import Alarm, OutboxMessage, RawMessage, Ticket, WorkColumns
from storage.tickets import with_confirmed_requester
from storage.work import bring_back, has_work
from worker.alarm_channels import tell_of_alarms
from worker.alarms import count_rows, look_for_alarms
from worker.assign import ActiveTriager, assign, refresh_priorities
from worker.context import Context, known_addresses
from worker.deliver import deliver
from worker.imap import LoginRefused
from worker.ingest import ingest
from worker.parser_process import ParserProcess
from worker.pull import pull
from worker.retrain import retrain

log = logging.getLogger(__name__)

STEPS = ("pull", "ingest", "assign", "deliver", "retrain", "alarms")
DATABASE = "database"  # a trouble that all steps share
LONGEST_WAIT = timedelta(minutes=5)
# After three refused passwords only now and then: servers lock an account that is hammered (C-27).
WAIT_AFTER_REFUSALS = timedelta(hours=1)


@dataclass(frozen=True)
class Step:
    """One kind of work: ``run`` handles one batch and returns how many rows that were."""

    name: str
    run: Callable[[], int]
    every_seconds: int  # how often to look for work when nothing wakes the step
    again_at_once: bool = True  # whether a batch with work in it may mean more of it
    idle_proves_nothing: bool = False  # with nothing to do it does not try the server
    one_at_a_time: bool = False  # over all processes
    is_due: Callable[[], bool] = lambda: True  # whether running it may find something to do


def build_steps(
    context: Context,
    parser: ParserProcess,
    *,
    only: Collection[str] = STEPS,
    active: ActiveTriager | None = None,
) -> list[Step]:
    """The steps in the order in which a message meets them; pull once per mailbox.

    active: the classifier; None: the version that is active in the database.
    """
    steps = [
        Step(
            f"pull {mailbox.name}",
            partial(pull, context, mailbox),
            mailbox.poll_seconds,
            again_at_once=False,
            one_at_a_time=True,
        )
        for mailbox in context.settings.mailboxes
        if "pull" in only
    ]
    active = active or ActiveTriager(context.settings.storage.path, context.taxonomy)
    others = [
        Step("ingest", partial(ingest, context, parser), 1, is_due=_waiting(context, RawMessage)),
        Step("assign", partial(assign, context, active), 1, is_due=_waiting(context, Ticket)),
        Step(
            "assign priorities",
            partial(refresh_priorities, context),
            600,
            again_at_once=False,
            one_at_a_time=True,
        ),
        Step(
            "deliver",
            partial(deliver, context),
            1,
            idle_proves_nothing=True,
            is_due=_waiting(context, OutboxMessage),
        ),
        Step("retrain", partial(retrain, context), 600, again_at_once=False, one_at_a_time=True),
        Step(
            "alarms", partial(look_for_alarms, context), 30, again_at_once=False, one_at_a_time=True
        ),
        Step(
            "alarms clock",
            partial(_check_clock, context),
            60,
            again_at_once=False,
            one_at_a_time=True,
        ),
        Step(
            "alarms tell",
            partial(tell_of_alarms, context),
            30,
            idle_proves_nothing=True,
            is_due=_waiting(context, Alarm),
        ),
        Step(
            "alarms count",
            partial(count_rows, context),
            60,
            again_at_once=False,
            one_at_a_time=True,
        ),
    ]
    return steps + [step for step in others if step.name.split()[0] in only]


def _check_clock(context: Context) -> int:
    """Work that a clock set back has put off is due now (CP-47)."""
    with open_session(context.engine) as session:
        rows = bring_back(session, (RawMessage, Ticket, OutboxMessage), now=context.clock())
        rows += bring_alarms_back(session, now=context.clock())
    if rows:
        log.warning("clock was set back", extra={"count": rows})
    return rows


def _waiting(context: Context, table: type[WorkColumns]) -> Callable[[], bool]:
    """Whether a row of a table is due; a ticket that a person has released is ingest's, too."""

    def is_due() -> bool:
        with open_session(context.engine) as session:
            if has_work(session, table, now=context.clock()):
                return True
            return table is RawMessage and bool(
                with_confirmed_requester(session, now=context.clock(), limit=1)
            )

    return is_due


class Troubles:
    """What is out of order: said once when it begins and once when it is over.

    Several steps meet the same absent database: ``cause`` makes that one trouble, not four.
    """

    def __init__(self) -> None:
        self._steps: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def begin(self, cause: str, step: str, problem: str) -> None:
        with self._lock:
            known = self._steps.setdefault(cause, set())
            if not known:
                kind, _, mailbox = step.partition(" ")
                about = {"mailbox": mailbox} if kind == "pull" else {}
                log.warning("step failed", extra={"step": step, "problem": problem} | about)
            known.add(step)

    def end(self, step: str) -> None:
        with self._lock:
            for cause, steps in list(self._steps.items()):
                if step in steps:
                    steps.remove(step)
                    # A database that one step reaches is there for all; some run but now and then.
                    if not steps or cause == DATABASE:
                        del self._steps[cause]
                        log.info("step works again", extra={"step": step})


class Runner:
    """Runs one step until it finds no more work; waits longer after each failure in a row."""

    def __init__(self, step: Step, context: Context, troubles: Troubles) -> None:
        self.step = step
        self.problem: str | None = None
        self.failures = 0  # in a row
        self.wait = timedelta()  # after the last failure
        self._cause = ""
        self._context = context
        self._troubles = troubles
        self._failed_at: datetime | None = None

    def __call__(self) -> int:
        """Run when it is time; return how many rows were handled."""
        # A moment of failure that is yet to come: the clock was set back meanwhile (CP-47).
        failed, now = self._failed_at, self._context.clock()
        if failed is not None and failed <= now < failed + self.wait:
            return 0
        return self.run()

    def run(self) -> int:
        """Run now; what goes wrong is kept in ``problem``, nothing is raised."""
        handled = 0
        try:
            if self._is_paused():
                return 0
            while not self._context.stopping.is_set():
                count = self.step.run()
                handled += count
                if not count or not self.step.again_at_once:
                    break
        except OdzewError as error:
            self._failed(str(error), refused=isinstance(error, LoginRefused))
        except DATABASE_DOWN as error:
            self._failed(explain(self._context.engine, error), cause=DATABASE)
        except Exception as error:
            log.exception("bug in a step", extra={"step": self.step.name})
            # Its message may quote somebody's mail, and this is written to the log.
            self._failed(f"bug: {type(error).__name__}")
        else:
            if handled or not self.step.idle_proves_nothing or self._cause == DATABASE:
                self._succeeded()
        return handled

    def _is_paused(self) -> bool:
        with open_session(self._context.engine) as session:
            return get_instance(session).worker_paused

    def _failed(self, problem: str, *, cause: str = "", refused: bool = False) -> None:
        self._cause = cause or self.step.name
        self._troubles.begin(self._cause, self.step.name, problem)
        self.problem = problem
        self.failures += 1
        wait = min(timedelta(seconds=2.0**self.failures), LONGEST_WAIT)
        if refused and self.failures >= 3:
            wait = WAIT_AFTER_REFUSALS
        # Half of the wait is chance, so that many workers do not come back at the same moment.
        self.wait = wait * random.uniform(0.5, 1)
        self._failed_at = self._context.clock()

    def _succeeded(self) -> None:
        if self.problem is not None:
            self._troubles.end(self.step.name)
        self.problem, self.failures, self._failed_at = None, 0, None


def run_once(context: Context, *, only: Collection[str] = STEPS) -> list[str]:
    """Pull once, then work until nothing is due any more; return what went wrong, a sentence each.

    Retries that are due later remain, and nothing is trained. Alarms come last; that nobody could
    be told of them is in the log and does not count.
    """
    parser = ParserProcess(known_addresses(context.settings))
    try:
        steps = build_steps(context, parser, only=set(only) - {"retrain"})
        troubles = Troubles()
        runners = [Runner(step, context, troubles) for step in steps]
        pulls = [runner for runner in runners if runner.step.name.startswith("pull ")]
        for runner in pulls:
            runner.run()
        alarms = [runner for runner in runners if runner.step.name.startswith("alarms")]
        others = [runner for runner in runners if runner not in (*pulls, *alarms)]
        while sum(_run_unless_failed(others)) and not context.stopping.is_set():
            continue
        for runner in alarms:
            runner.run()
        counted = [runner for runner in runners if runner.step.name != "alarms tell"]
        return [runner.problem for runner in counted if runner.problem]
    finally:
        parser.close()


def _run_unless_failed(runners: Sequence[Runner]) -> list[int]:
    return [runner.run() for runner in runners if runner.problem is None]
