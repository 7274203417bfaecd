"""The world around the demo: an IMAP mailbox with sample mails and an SMTP server, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from imapclient import IMAPClient
from rich.progress import track

from config.errors import PermanentError
from config.settings import (
    ContactForm,
    Database,
    Mailbox,
    Settings,
    Shop,
    Smtp,
    Storage,
    Web,
)
from odzew.output import errors

SAMPLES = Path(__file__).parent / "samples"
ADDRESS = "reklamacje@sklep.example"
PASSWORD = "demo"  # of a mailbox that lives in the memory of this machine for as long as the demo
PASSWORD_VARIABLE = "ODZEW_DEMO_PASSWORD"
START_SECONDS = 20


class Catcher:
    """Takes every message for every recipient and keeps it as a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        number = len(list(self._folder.glob("*.eml"))) + 1
        content = envelope.content
        assert isinstance(content, bytes)
        (self._folder / f"{number:04d}.eml").write_bytes(content)
        return "250 OK"


@contextmanager
def demo_settings(folder: Path, *, port: int, tell: Callable[[str], None]) -> Iterator[Settings]:
    """Start the servers, fill the mailbox, and give the configuration that knows them."""
    os.environ[PASSWORD_VARIABLE] = PASSWORD
    sent = folder / "sent"
    try:
        sent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermanentError(f"{sent} cannot be made: {error.strerror}") from error
    smtp = Controller(Catcher(sent), hostname="127.0.0.1", port=_free_port())
    smtp.start()
    try:
        with _imap_server() as imap_port:
            tell(f"IMAP mailbox at 127.0.0.1:{imap_port}, SMTP catcher at 127.0.0.1:{smtp.port}.")
            count = _deliver_samples(imap_port)
            tell(f"{count} sample mails lie in the mailbox; what odzew sends lands in {sent}/.")
            yield _settings(folder, imap_port=imap_port, smtp_port=smtp.port, port=port)
    finally:
        smtp.stop()


def _settings(folder: Path, *, imap_port: int, smtp_port: int, port: int) -> Settings:
    return Settings(
        shop=Shop(
            name="Sklep Przykładny",
            address="Sklep Przykładny sp. z o.o., ul. Przykładowa 1, 00-001 Warszawa",
            own_domains=["sklep.example"],
            trusted_forwarders=["biuro@sklep.example"],
        ),
        database=Database(url=f"sqlite:///{folder / 'odzew.db'}"),
        mailboxes=[
            Mailbox(
                name="reklamacje",
                host="127.0.0.1",
                port=imap_port,
                security="none",
                username=ADDRESS,
                password_env=PASSWORD_VARIABLE,
                start="all",
                poll_seconds=2,
            )
        ],
        smtp=Smtp(
            host="127.0.0.1",
            port=smtp_port,
            security="none",
            sender=f"Sklep Przykładny <{ADDRESS}>",
        ),
        storage=Storage(path=folder),
        contact_forms=[ContactForm(sender="formularz@sklep.example")],
        web=Web(port=port),
    )


@contextmanager
def _imap_server() -> Iterator[int]:
    """pymap, in memory, in a process of its own; gives the port."""
    port = _free_port()
    command = [sys.executable, "-m", "odzew.demo_imap"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--no-tls", "dict", "--demo-user", ADDRESS, "--demo-password", PASSWORD]
    # A group of its own, so that Ctrl+C reaches odzew first and the mailbox outlives its reader.
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise PermanentError("the demo's IMAP server did not start")


def _deliver_samples(port: int) -> int:
    """Put the samples into the mailbox as if they had come over the last two days."""
    files = sorted(SAMPLES.glob("*.eml"))
    client = IMAPClient("127.0.0.1", port=port, ssl=False)
    client.login(ADDRESS, PASSWORD)
    now = datetime.now(UTC)
    shown = errors.is_terminal
    for index, file in enumerate(
        track(files, "delivering sample mails", console=errors, disable=not shown)
    ):
        arrived = now - timedelta(hours=len(files) - index)
        client.append("INBOX", file.read_bytes(), msg_time=arrived)
    client.logout()
    return len(files)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
