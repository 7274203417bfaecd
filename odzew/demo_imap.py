"""The demo's IMAP server, as a process of its own: pymap, until the demo is gone."""

import os
import threading
import time

from pymap.main import main


def _end_with(parent: int) -> None:
    # A demo that was killed cannot end its children.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main()
