"""How far the demo has come: bars on a terminal, one line when everything is handled."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress

from odzew.output import errors, say
from storage.database import open_session
from storage.reports import WorkLeft, work_left
from worker.context import Context

LOOK_EVERY = 0.3  # seconds


@contextmanager
def progress_shown(context: Context) -> Iterator[None]:
    """Watch the work from a thread until nothing is left, or until the block ends."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(context, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(context: Context, done: threading.Event) -> None:
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bars = {
            name: progress.add_task(f"{name:<12}", total=None)
            for name in ("mails", "tickets", "replies")
        }
        while not done.wait(LOOK_EVERY):
            with open_session(context.engine) as session:
                left = work_left(session)
            progress.update(bars["mails"], completed=left.mails_done, total=left.mails)
            progress.update(bars["tickets"], completed=left.classified, total=left.tickets)
            progress.update(bars["replies"], completed=left.sent, total=left.replies)
            if left.is_nothing:
                break
        else:
            return
    _tell(left)


def _tell(left: WorkLeft) -> None:
    say(
        f"Done: {left.mails} mails became {left.tickets} tickets, all classified; "
        f"{left.sent} acknowledgements were sent."
    )
