"""Waits for a mailbox's own word that mail has come (IMAP IDLE, RFC 2177).

Only ever a hint to pull sooner: polling goes on beside it, so a notification that is lost delays a
message and never loses it (C-25). One connection a mailbox, in a thread of its own.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from config.errors import OdzewError
from config.settings import Mailbox
from worker.context import Context
from worker.imap import connect, open_folder, translated

log = logging.getLogger(__name__)

RENEW_SECONDS = 9 * 60  # servers may hang up after thirty minutes, some middle boxes after ten
LOOK_SECONDS = 5  # how often the wish to stop is looked at
LONGEST_WAIT = timedelta(minutes=5)


def watch(context: Context, mailbox: Mailbox, wake: Callable[[], None]) -> threading.Thread:
    """Call ``wake`` whenever the mailbox's first folder has new mail, until the worker stops."""
    thread = threading.Thread(
        target=_watch, args=(context, mailbox, wake), name=f"idle {mailbox.name}", daemon=True
    )
    thread.start()
    return thread


def _watch(context: Context, mailbox: Mailbox, wake: Callable[[], None]) -> None:
    failures = 0
    while not context.stopping.is_set():
        try:
            if not _idle(context, mailbox, wake):
                log.info("mailbox cannot notify", extra={"mailbox": mailbox.name})
                return
            failures = 0
        except OdzewError:
            # The pull of the same mailbox meets the same trouble and says so.
            failures += 1
        wait = min(timedelta(seconds=5 * 2.0**failures), LONGEST_WAIT)
        context.stopping.wait(wait.total_seconds())


def _idle(context: Context, mailbox: Mailbox, wake: Callable[[], None]) -> bool:
    """Listen for one connection's life; False where the server does not know IDLE."""
    with connect(mailbox, context.tokens) as client:
        with translated(mailbox):
            able = client.has_capability("IDLE")
        if not able:
            return False
        open_folder(client, mailbox, mailbox.folders[0])
        while not context.stopping.is_set():
            with translated(mailbox):
                client.idle()
                try:
                    for _ in range(RENEW_SECONDS // LOOK_SECONDS):
                        said = client.idle_check(timeout=LOOK_SECONDS)
                        if any(b"EXISTS" in item for item in said if isinstance(item, tuple)):
                            wake()
                        if context.stopping.is_set():
                            break
                finally:
                    client.idle_done()
    return True
