"""Commands that stay: the worker, the page, or both in one process."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated

import typer

from config.logs import set_up_logging
from config.settings import Settings, load_settings
from config.taxonomy import Taxonomy
from odzew.opening import open_and_migrate, open_context
from odzew.options import Config
from odzew.output import errors, say
from storage.columns import utc_now
from storage.database import Engine, open_session
from storage.files import FileStore
from worker.context import Context

Steps = Annotated[
    str, typer.Option("--steps", help="Only these of pull,ingest,assign,deliver,retrain,alarms.")
]
ALL_STEPS = "pull,ingest,assign,deliver,retrain,alarms"


def run(config: Config = None) -> None:
    """The worker and the page in one process. Example: odzew run"""
    set_up_logging()
    context = open_context(config)
    with page_of(context), stop_on_signal(context.stopping):
        work(context)


def worker(
    once: Annotated[
        bool, typer.Option("--once", help="Until nothing is due any more, then exit.")
    ] = False,
    steps: Steps = ALL_STEPS,
    config: Config = None,
) -> None:
    """The scheduled worker alone. Example: odzew worker --once"""
    only = names_of_steps(steps)
    set_up_logging()
    context = open_context(config)
    with stop_on_signal(context.stopping):
        if not once:
            work(context, only)
        elif work_once(context, only):
            sys.exit(1)


def fleet(steps: Steps = ALL_STEPS, config: Config = None) -> None:
    """One node of many, on PostgreSQL. Example: odzew fleet --steps pull,ingest,deliver"""
    from storage.database import open_database
    from storage.fleet import require_fleet

    only = names_of_steps(steps)
    set_up_logging()
    # Before a SQLite file would be made.
    require_fleet(open_database(load_settings(config).database.url))
    context = open_context(config)
    with stop_on_signal(context.stopping):
        work_in_fleet(context, only)


def names_of_steps(steps: str) -> list[str]:
    """The steps of ``--steps``, each of them known."""
    from worker.pipeline import STEPS

    only = [name.strip() for name in steps.split(",") if name.strip()]
    for name in only:
        if name not in STEPS:
            raise typer.BadParameter(f"{name!r} is not a step; allowed: {', '.join(STEPS)}")
    return only


def web(config: Config = None) -> None:
    """The page alone. Example: odzew web"""
    set_up_logging()
    settings = load_settings(config)
    taxonomy = Taxonomy.load(settings.triage.taxonomy or None)
    stopping = threading.Event()
    with (
        page(settings, open_and_migrate(settings), taxonomy, FileStore(settings.storage.path)),
        stop_on_signal(stopping),
    ):
        stopping.wait()


def work_once(context: Context, only: list[str] | None = None) -> list[str]:
    """Work until nothing is due; say and return what went wrong, a sentence each."""
    from worker.only_worker import only_worker
    from worker.pipeline import STEPS, run_once

    with only_worker(context):
        prepare_classifier(context)
        problems = run_once(context, only=only or STEPS)
    for problem in problems:
        errors.print(f"odzew: {problem}", markup=False, highlight=False, soft_wrap=True)
    return problems


def work(context: Context, only: list[str] | None = None) -> None:
    """Run the steps on their schedule until somebody asks us to stop."""
    from worker import scheduler
    from worker.context import known_addresses
    from worker.only_worker import only_worker
    from worker.parser_process import ParserProcess
    from worker.pipeline import STEPS, build_steps

    with only_worker(context):
        prepare_classifier(context)
        parser = ParserProcess(known_addresses(context.settings))
        running = scheduler.start(build_steps(context, parser, only=only or STEPS), context)
        context.stopping.wait()
        clean = scheduler.stop(running, context)
        if clean:
            parser.close()
    if not clean:
        # A step hangs in a server's silence. Its rows come free by themselves when it is gone.
        os._exit(0)


def work_in_fleet(context: Context, only: list[str]) -> None:
    """Be a node of the fleet until somebody asks us to stop."""
    from worker import fleet as driver
    from worker.context import known_addresses
    from worker.parser_process import ParserProcess
    from worker.pipeline import STEPS, build_steps

    prepare_classifier(context)
    parser = ParserProcess(known_addresses(context.settings))
    node = driver.start(build_steps(context, parser, only=only or STEPS), context)
    context.stopping.wait()
    if not driver.stop(node, context):
        os._exit(0)
    parser.close()


def prepare_classifier(context: Context) -> None:
    from models.registry import ensure_default

    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())


def page_of(context: Context) -> AbstractContextManager[None]:
    """The page beside the worker."""
    return page(context.settings, context.engine, context.taxonomy, context.files)


@contextmanager
def page(
    settings: Settings, engine: Engine, taxonomy: Taxonomy, files: FileStore
) -> Iterator[None]:
    """The page in a thread of this process."""
    from web.app import create_app
    from web.server import serving

    app = create_app(settings, engine, taxonomy, files, clock=utc_now)
    with serving(app, settings.web.host, settings.web.port) as url:
        greet(engine, url)
        yield


def greet(engine: Engine, url: str) -> None:
    """Say where the page is; where nobody can sign in yet, make the first admin and a link."""
    from odzew.first_admin import first_link

    say(f"The page: {url}")
    link = first_link(engine)
    if link:
        say(f"Nobody can sign in yet. Within an hour, open {url.rstrip('/')}{link}")


@contextmanager
def stop_on_signal(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask for a clean stop; a second one ends the process at once."""

    def ask(_signal: int, _frame: object) -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
