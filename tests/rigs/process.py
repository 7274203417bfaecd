"""A server of the machine, run for a test: whom it runs as, when it is ready, how it ends.

Nothing is left behind: a server dies with the test process, even one killed by SIGKILL; its folder
is removed, at the latest by the next test run. Its port was free and lies outside the range that
outgoing connections take.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

HOST = "127.0.0.1"
START_SECONDS = 15.0  # ten times what a busy machine needs


def require(program: str, package: str) -> str:
    """The newest path that fits the pattern; a missing server fails the test, never skips it."""
    found = sorted(Path("/").glob(program.lstrip("/")), key=_version_in)
    if not found:
        pytest.fail(
            f"{program} is missing: install the Debian package {package} (`make test` does it)",
            pytrace=False,
        )
    return str(found[-1])


def _version_in(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.parts if part.isdigit())


def free_port() -> int:
    """A port nobody listens on, outside the range of outgoing connections."""
    lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(10_000, max(lowest_ephemeral, 11_000))
    for port in random.sample(ports, k=200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise OSError("no free port on loopback")


def server_user() -> pwd.struct_passwd:
    """Ourselves, or ``nobody`` for root: Dovecot and PostgreSQL refuse to serve as root."""
    return pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")


def new_folder(server: str, *, parent: Path | None = None) -> Path:
    """A folder the server user can write; short, for paths of Unix sockets end at 107 bytes."""
    parent = parent or _memory() or Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"odzew-{os.getpid()}-{server}-", dir=parent))
    folder.chmod(0o755)
    give_to_server_user(folder)
    return folder


def _memory() -> Path | None:
    """Memory as a folder, where there is plenty: databases are made there ten times as fast."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 2_000_000_000:
        return memory
    return None


def _remove_abandoned(parent: Path) -> None:
    """What test processes left that were killed; their names carry the process."""
    for folder in parent.glob("odzew-[0-9]*-*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            remove_folder(folder)


def give_to_server_user(*paths: Path) -> None:
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, server_user().pw_uid, server_user().pw_gid)


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def as_server_user(command: list[str]) -> list[str]:
    """The command under the server user, in a process that ends when this one ends."""
    prefix = ["setpriv", "--pdeathsig", "TERM"]
    if os.getuid() == 0:
        user = server_user()
        prefix += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*prefix, *command]


def as_root(command: list[str]) -> list[str]:
    return ["setpriv", "--pdeathsig", "TERM", *command]


class Server:
    """One running server process with everything it started."""

    def __init__(
        self, command: list[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # so that a kill reaches its children too
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return as soon as it is ready; fail with its log when it ends or takes too long."""
        deadline = monotonic() + START_SECONDS
        while not ready():
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.005)
            if not self.running or monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"{self.process.args} did not start:\n{self.log.read_text(errors='replace')}"
                )

    def stop(
        self, with_signal: signal.Signals = signal.SIGTERM, *, whole_group: bool = False
    ) -> None:
        """An orderly end; what is left after 10 s is killed.

        whole_group: tell its children too, instead of leaving that to the server.
        """
        if self.running:
            if whole_group:
                os.killpg(self.process.pid, with_signal)
            else:
                self.process.send_signal(with_signal)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()

    def kill(self) -> None:
        """The whole group at once, as when the machine loses power."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def greets(port: int, greeting: bytes) -> bool:
    """Whether the server on this port says what is expected of it."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            return connection.recv(512).startswith(greeting)
    except OSError:
        return False


def listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=5):
            return True
    except OSError:
        return False
