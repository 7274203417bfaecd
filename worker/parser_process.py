"""Parsing in a child process with limits, so that no mail can take the worker down.

``worker.mime`` never raises and is bounded by its own rules; this is the second line of defence
against what nobody has thought of: memory, endless loops, a crash in a library's C code.
"""

import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from config.errors import TemporaryError
from worker.parsed_message import KnownAddresses
from worker.reading import Reading, read_mail

log = logging.getLogger(__name__)

MEMORY_BYTES = 2 * 1024**3  # address space; a mail of 50 MB needs a few copies of itself
SECONDS_PER_MAIL = 20
SECONDS_PER_BATCH = 120
SECONDS_TO_START = 30
SECONDS_TO_END = 5


class Unparsable(TemporaryError):
    """The parser died or did not come to an end over this mail."""


class ParserProcess:
    """One child that parses; it is replaced when a mail has killed it."""

    def __init__(self, known: KnownAddresses) -> None:
        self._known = known
        self._pool: ProcessPoolExecutor | None = None
        self._begun: tuple[Sequence[bytes], Future[list[Reading]] | None] = (), None

    def warm_up(self) -> None:
        """Have a child that is ready, also where the last one has died meanwhile.

        To start it takes a second. A worker that dies in that second should have no mail in hand:
        it would be taken for the cause.
        """
        if self._pool is not None and self._pool._broken:
            self.close()
        if self._pool is None:
            with suppress(BrokenProcessPool, TimeoutError):  # the first mail will meet the same
                self._submit(()).result(SECONDS_TO_START)

    def begin(self, contents: Sequence[bytes]) -> None:
        """Let the child read these mails while the caller does something else."""
        with suppress(BrokenProcessPool):  # read_all will meet the same
            self._begun = contents, self._submit(contents)

    def read_all(self, contents: Sequence[bytes]) -> list[Reading]:
        """Read mails in order; raises Unparsable when the child dies or takes too long."""
        begun, reading = self._begun
        self._begun = (), None
        try:
            if begun is not contents or reading is None:
                if reading is not None and not reading.done():
                    self.close()  # nobody waits for that any more, and this is not to wait for it
                self.warm_up()  # also where another mail has killed it: that is not this one's
                reading = self._submit(contents)
            return reading.result(min(SECONDS_PER_MAIL * len(contents), SECONDS_PER_BATCH))
        except (BrokenProcessPool, TimeoutError, MemoryError, CancelledError) as error:
            self.close()
            raise Unparsable(
                f"the parser did not survive this mail ({type(error).__name__})"
            ) from error

    def _submit(self, contents: Sequence[bytes]) -> Future[list[Reading]]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare_child,
            )
        return self._pool.submit(_read_all, list(contents), self._known)

    def close(self) -> None:
        """End the child, also one that is stuck."""
        self._begun = (), None
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        manager = self._pool._executor_manager_thread
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None
        if manager is not None:
            # Python 3.11 says farewell to it at exit and falls over one that ends just then. Not
            # for ever: before 3.11.5 it may hang over a child that died while it was written to.
            manager.join(SECONDS_TO_END)  # type: ignore[attr-defined]


def _prepare_child() -> None:
    # Ctrl+C reaches the whole process group; the worker ends its child itself when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    # A worker that was killed cannot end its child.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_all(contents: Sequence[bytes], known: KnownAddresses) -> list[Reading]:
    return [read_mail(content, known) for content in contents]
