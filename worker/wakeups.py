"""The queue of wake-ups: Procrastinate, which gives each one to one node of the fleet.

A wake-up names a step and carries nothing else, so one that is lost, late or doubled changes
nothing: what there is to do is in our rows. Those of a node that died are given to another.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two signs of life
DEAD_AFTER = 20.0  # seconds without one; a process may be busy for some of them
RESCUE_EVERY = 2.0
AGAIN_AFTER = 2.0  # the database was away
FOR_NO_REASON = 3600.0  # nobody ever asks for a wake-up to be aborted
CONNECTIONS = 4
CONNECT_WITHIN = 10.0  # seconds
QUEUE_DOWN = (ConnectorException, psycopg.OperationalError, psycopg.InterfaceError)
# SQLSTATE of an exception that a function in the database raises, and of a missing foreign key.
_RAISED, _NO_SUCH_ROW = "P0001", "23503"


@dataclass(frozen=True)
class Desk:
    """Wake-ups that this node takes, so many at a time."""

    names: Sequence[str]
    at_once: int
    look_every: float  # seconds


def queue_definition() -> str:
    """The SQL that makes the queue's schema."""
    return SchemaManager.get_schema()


class WakeUps:
    """One node's end of the queue: ``put`` from any thread, ``start`` and ``stop`` the taking."""

    def __init__(
        self,
        address: str,
        desks: Sequence[Desk],
        run: Mapping[str, Callable[[], None]],
        *,
        trouble: Callable[[Exception | None], None],
    ) -> None:
        """address: how to connect; trouble: told of an error, and of None when all is well."""
        self._address = address
        self._desks = desks
        self._run = run
        self._trouble = trouble
        # It sends over the caller's connections and has none of its own.
        self._sender = App(connector=SyncPsycopgConnector())
        self._stopping = asyncio.Event()

    def put(self, name: str, *, alone: bool, connection: Any) -> None:
        """Wake one node for a step, in the transaction of a connection of psycopg.

        alone: not while another node is at it. Where one such wake-up waits already, this one is
        not needed: then AlreadyEnqueued is raised, and the transaction is lost.
        """
        self._sender.configure_task(
            name,
            queue=name,
            lock=name if alone else None,
            queueing_lock=name,
            connection=connection,
        ).defer()

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._live, name="wake-ups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more, and wait for what is being done."""
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(self._unexpected)
        threads = ThreadPoolExecutor(sum(desk.at_once for desk in self._desks))
        self._loop.set_default_executor(threads)
        try:
            self._loop.run_until_complete(self._until_stopped())
        finally:
            threads.shutdown()
            self._loop.close()

    async def _until_stopped(self) -> None:
        while not self._stopping.is_set():
            app = self._app()
            try:
                async with app.open_async():
                    await self._together(
                        self._rescue(app), *(self._serve(app, desk) for desk in self._desks)
                    )
            except QUEUE_DOWN as error:
                self._trouble(error)
                await asyncio.sleep(AGAIN_AFTER)

    async def _together(self, *activities: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.create_task(activity) for activity in activities]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _app(self) -> App:
        connector = PsycopgConnector(
            conninfo=self._address, min_size=1, max_size=CONNECTIONS, timeout=CONNECT_WITHIN
        )
        app = App(connector=connector)
        app.job_manager = _Jobs(connector)
        for name, function in self._run.items():
            app.task(name=name, queue=name)(function)
        return app

    async def _serve(self, app: App, desk: Desk) -> None:
        """Take wake-ups at one desk; after the database was away under another number."""
        while not self._stopping.is_set():
            try:
                await app.run_worker_async(
                    queues=desk.names,
                    concurrency=desk.at_once,
                    fetch_job_polling_interval=desk.look_every,
                    abort_job_polling_interval=FOR_NO_REASON,
                    listen_notify=False,  # each desk would need a connection for it
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=DEAD_AFTER,
                )
            except QUEUE_DOWN as error:
                if _sqlstate(error) != _NO_SUCH_ROW:  # else this node stood still, and was removed
                    self._trouble(error)
            await asyncio.sleep(AGAIN_AFTER)

    async def _rescue(self, app: App) -> None:
        """Give what a dead node had in hand to another."""
        while True:
            try:
                await app.job_manager.prune_stalled_workers(DEAD_AFTER)
                for job in await app.job_manager.get_stalled_jobs(
                    seconds_since_heartbeat=DEAD_AFTER
                ):
                    await self._put_again(app, job)
                self._trouble(None)
            except QUEUE_DOWN as error:
                self._trouble(error)
            await asyncio.sleep(RESCUE_EVERY)

    async def _put_again(self, app: App, job: Job) -> None:
        """Under another number: should the dead node wake up, it cannot end what is another's."""
        assert job.id is not None  # it comes from the database
        try:
            await app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
        except ConnectorException as error:
            if _sqlstate(error) == _RAISED:
                return  # there is none any more: another node was quicker
            raise
        log.warning("wake-up of a dead node", extra={"step": job.task_name})
        with suppress(AlreadyEnqueued):
            await app.configure_task(
                job.task_name, queue=job.queue, lock=job.lock, queueing_lock=job.queueing_lock
            ).defer_async()

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, QUEUE_DOWN):
            log.error("bug in a step", exc_info=error, extra={"step": "fleet"})


class _Jobs(JobManager):
    """An end that did not reach the database would keep a mailbox locked while its node lives."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        while True:
            try:
                await super().finish_job(job, status, delete_job)
                return
            except ConnectorException as error:
                if _sqlstate(error) == _RAISED:
                    return  # there is no such job any more: we were taken for dead
            await asyncio.sleep(AGAIN_AFTER)


def _sqlstate(error: Exception) -> str | None:
    """The code of PostgreSQL (appendix A) that is behind an error of the queue."""
    return getattr(error.__cause__, "sqlstate", None)
