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
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from config.errors import TemporaryError
from worker.mime import parse
from worker.parsed_message import KnownAddresses, ParsedMessage

log = logging.getLogger(__name__)

MEMORY_BYTES = 2 * 1024**3  # address space; a mail of 50 MB needs a few copies of itself
SECONDS_PER_MAIL = 20
SECONDS_PER_BATCH = 120


class Unparsable(TemporaryError):
    """The parser died or did not come to an end over this mail."""


class ParserProcess:
    """One child that parses; it is replaced when a mail has killed it."""

    def __init__(self, known: KnownAddresses) -> None:
        self._known = known
        self._pool: ProcessPoolExecutor | None = None

    def parse_all(self, contents: Sequence[bytes]) -> list[ParsedMessage]:
        """Parse messages in order; raises Unparsable when the child dies or takes too long."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare_child,
            )
        try:
            limit = min(SECONDS_PER_MAIL * len(contents), SECONDS_PER_BATCH)
            return self._pool.submit(_parse_all, list(contents), self._known).result(limit)
        except (BrokenProcessPool, TimeoutError, MemoryError) as error:
            self.close()
            raise Unparsable(
                f"the parser did not survive this mail ({type(error).__name__})"
            ) from error

    def close(self) -> None:
        """End the child, also one that is stuck."""
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None


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


def _parse_all(contents: Sequence[bytes], known: KnownAddresses) -> list[ParsedMessage]:
    return [parse(content, known) for content in contents]
