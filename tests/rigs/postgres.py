"""PostgreSQL: one server for a test run, a database of its own for each test."""

import signal
import subprocess
from itertools import count
from pathlib import Path

import psycopg

from tests.rigs.process import (
    HOST,
    Server,
    as_server_user,
    free_port,
    new_folder,
    remove_folder,
    require,
)

USER = "odzew"
# What a crash of the machine might lose does not matter here; what a crash of a process might
# lose is as safe as ever.
CARELESS = {"fsync": "off", "full_page_writes": "off"}
SETTINGS = {
    "listen_addresses": HOST,
    # Shared memory in its own folder goes with the folder, also when it was killed.
    "dynamic_shared_memory_type": "mmap",
}


class Postgres:
    """Everybody may connect without a password, from loopback only.

    disk: a folder on a real disk, to which everything is synced as it is in production.
    """

    host = HOST

    def __init__(self, *, disk: Path | None = None) -> None:
        self._programs = Path(require("/usr/lib/postgresql/*/bin/initdb", "postgresql")).parent
        self.port = free_port()
        self._settings = SETTINGS | ({} if disk else CARELESS)
        self.folder = new_folder("postgres", parent=disk)
        self._numbers = count(1)
        self._server: Server | None = None
        command = [str(self._programs / "initdb"), "--pgdata", str(self.folder / "data")]
        command += ["--username", USER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(as_server_user(command), check=True, capture_output=True, cwd="/")

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    def start(self) -> None:
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        settings = {**self._settings, "port": self.port, "unix_socket_directories": self.folder}
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._server = Server(as_server_user(command), log=self.folder / "postgres.log")
        self._server.wait_until(self._answers)

    def stop(self) -> None:
        """A fast shutdown: connections are ended, everything committed stays."""
        if self._server:
            self._server.stop(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to all its processes; ``start`` recovers."""
        if self._server:
            self._server.kill()

    def close(self) -> None:
        """Remove it with every database."""
        self.stop()
        remove_folder(self.folder)

    def new_database(self, *, template: str = "template1") -> str:
        """The name of a new database, a copy of the template (which nobody may be connected to)."""
        name = f"odzew_{next(self._numbers)}"
        # Twice as fast as the other strategy as long as nothing is synced to a disk.
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name

    def drop_database(self, name: str) -> None:
        """Remove it, and with it the connections that a test left open."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, database: str) -> str:
        """As ``database.url`` in odzew.toml."""
        return f"postgresql+psycopg://{USER}@{HOST}:{self.port}/{database}"

    def _run(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=HOST, port=self.port, user=USER, dbname="postgres", autocommit=True
        )
