"""Postfix: a whole MTA with a queue. It discards what it takes, or relays it to a server."""

import os
import shutil
from pathlib import Path
from string import Template

import pytest

from tests.rigs.process import (
    HOST,
    Server,
    as_root,
    free_port,
    greets,
    new_folder,
    remove_folder,
    require,
)

TEMPLATES = Path(__file__).parent / "templates"
# `postfix start` would make these in 2.5 s.
QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "private", "saved", "trace"),
)


class Postfix:
    """relay_port: an SMTP server on loopback that gets every message; None discards them."""

    host = HOST

    def __init__(self, *, relay_port: int | None = None) -> None:
        self._program = require("/usr/lib/postfix/sbin/master", "postfix")
        if os.getuid() != 0:
            _fail_or_skip("Postfix starts only as root: run the tests as root to include it")
        self.port = free_port()
        self.folder = new_folder("postfix")
        os.chown(self.folder, 0, 0)
        self._make_folders()
        transport = f"smtp:[{HOST}]:{relay_port}" if relay_port else "discard:"
        for name in ("main.cf", "master.cf"):
            text = Template((TEMPLATES / f"postfix-{name}").read_text("utf-8")).safe_substitute(
                folder=self.folder, port=self.port, transport=transport
            )
            path = self.folder / "etc" / name
            path.write_text(text, "utf-8")
            # Postfix waits until a file this young is older, lest it be half-written.
            os.utime(path, (0, path.stat().st_mtime - 60))
        self._server: Server | None = None

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    @property
    def log(self) -> str:
        """What it says of each message: ``status=sent``, ``deferred`` or ``bounced``."""
        path = self.folder / "queue" / "maillog"
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def start(self) -> None:
        etc = self.folder / "etc"
        self._server = Server(
            as_root([self._program, "-c", str(etc)]),
            log=self.folder / "master.log",
            environment={"MAIL_CONFIG": str(etc)},
        )
        self._server.wait_until(lambda: greets(self.port, b"220 "))

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def close(self) -> None:
        self.stop()
        remove_folder(self.folder)

    def _make_folders(self) -> None:
        for name in ("etc", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix", "postfix")
        queue = self.folder / "queue"
        for name in QUEUES:
            (queue / name).mkdir(mode=0o700)
            shutil.chown(queue / name, "postfix", "root")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (queue / name).mkdir()
            (queue / name).chmod(mode)
            shutil.chown(queue / name, "postfix", "postdrop")
        (queue / "pid").mkdir()


def _fail_or_skip(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
