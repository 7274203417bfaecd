"""Named points at transaction edges where a test can make the process die."""

import os
import signal


def checkpoint(name: str) -> None:
    """Kill this process at once when ``ODZEW_CRASH_AT`` names this point (tests only)."""
    if os.environ.get("ODZEW_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
