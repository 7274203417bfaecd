"""Dovecot: a real IMAP and LMTP server. Any user name has a mailbox, all with one password."""

import imaplib
import re
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from grp import getgrgid
from itertools import count
from pathlib import Path
from string import Template

from tests.rigs.certificates import Certificates
from tests.rigs.process import (
    HOST,
    Server,
    as_server_user,
    free_port,
    give_to_server_user,
    greets,
    listens,
    new_folder,
    remove_folder,
    require,
    server_user,
)

TEMPLATES = Path(__file__).parent / "templates"


class Dovecot:
    """A Dovecot of its own: connect to ``imap_port`` (plain and STARTTLS) or ``imaps_port``."""

    host = HOST
    password = "test-only"

    def __init__(self) -> None:
        self._program = require("/usr/sbin/dovecot", "dovecot-imapd")
        require("/usr/lib/dovecot/lmtp", "dovecot-lmtpd")
        self.imap_port, self.imaps_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.folder = new_folder("dovecot")
        self._numbers = count(1)
        for name in ("run", "state", "home"):
            (self.folder / name).mkdir()
            give_to_server_user(self.folder / name)
        self._certificates = Certificates(self.folder)
        # The authority's certificate: what a client has to trust.
        self.authority = self._certificates.authority
        configuration = self.folder / "dovecot.conf"
        configuration.write_text(self._configuration(), "utf-8")
        give_to_server_user(configuration, self._certificates.certificate, self._certificates.key)
        self._command = as_server_user([self._program, "-F", "-c", str(configuration)])
        self._server: Server | None = None

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    def start(self) -> None:
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)  # left by a killed one
        self._server = Server(self._command, log=self.folder / "dovecot.log")
        # It listens on all ports before it answers on one.
        self._server.wait_until(lambda: greets(self.imap_port, b"* OK"))

    def stop(self) -> None:
        """An orderly end: clients are told, mail is kept; ``start`` goes on with the same ports."""
        if self._server:
            # By itself it would wait a second for its log process.
            self._server.stop(whole_group=True)

    def kill(self) -> None:
        """SIGKILL to all its processes: clients lose their connections in mid-command."""
        if self._server:
            self._server.kill()
            # Its children close the ports a moment after the master is gone.
            while listens(self.imap_port):
                continue

    def restart_with_certificate(self, *, days: int) -> None:
        """days: how long it is valid; a negative number makes it an expired one."""
        self.stop()
        self._certificates.renew(days=days)
        give_to_server_user(self._certificates.certificate, self._certificates.key)
        self.start()

    def close(self) -> None:
        """Remove it with every mailbox."""
        self.kill()
        remove_folder(self.folder)

    def new_user(self, name: str = "sklep") -> str:
        """A user nobody has used: an empty mailbox, so nothing needs to be cleaned up."""
        return f"{name}{next(self._numbers)}@sklep.test"

    @contextmanager
    def connect(self, user: str) -> Iterator[imaplib.IMAP4]:
        """A plain connection, logged in; for arranging and looking, not for what is tested."""
        with imaplib.IMAP4(HOST, self.imap_port, timeout=10) as connection:
            connection.login(user, self.password)
            yield connection

    def append(
        self,
        user: str,
        *messages: bytes,
        folder: str = "INBOX",
        flags: str = "",
        received_at: datetime | None = None,
    ) -> list[int]:
        """Store messages as they are and return their UIDs.

        received_at: INTERNALDATE of all; None for the moment of storing.
        """
        when = imaplib.Time2Internaldate(received_at) if received_at else ""
        uids = []
        with self.connect(user) as connection:
            if folder != "INBOX":
                connection.create(folder)  # says NO where it exists already
            for message in messages:
                status, [said] = connection.append(folder, flags, when, message)
                found = re.search(rb"APPENDUID \d+ (\d+)", said or b"")
                assert found, f"APPEND: {status} {said!r}"
                uids.append(int(found[1]))
        return uids

    def deliver(self, user: str, message: bytes, *, sender: str = "anna@example.com") -> None:
        """Hand a message over as an MTA does, by LMTP."""
        with smtplib.LMTP(HOST, self.lmtp_port) as connection:
            connection.sendmail(sender, [user], message)

    def _configuration(self) -> str:
        said = subprocess.run(
            [self._program, "--version"], check=True, capture_output=True, text=True
        ).stdout
        version = ".".join(said.split(".")[:2])
        template = TEMPLATES / f"dovecot-{version}.conf"
        if not template.exists():
            raise RuntimeError(f"Dovecot {said.strip()}: {template.name} has to be written first")
        user = server_user()
        return Template(template.read_text("utf-8")).substitute(
            folder=self.folder,
            user=user.pw_name,
            group=getgrgid(user.pw_gid).gr_name,
            uid=user.pw_uid,
            gid=user.pw_gid,
            password=self.password,
            imap_port=self.imap_port,
            imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port,
            certificate=self._certificates.certificate,
            key=self._certificates.key,
        )
