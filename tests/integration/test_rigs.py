"""Each rig does a real round trip: what the other tests stand on."""

import imaplib
import os
import select
import smtplib
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from sqlalchemy import text

from tests.rigs import Fault, FaultProxy, Postfix
from tests.rigs.process import require

MAIL = (
    b"From: Anna <anna@example.com>\r\nTo: sklep@sklep.test\r\nSubject: Paczka\r\n"
    b"\r\nDzie\xc5\x84 dobry,\r\n.\r\n..gdzie moja paczka?\r\n"
)


def send(port, mail=MAIL, recipients=("sklep@sklep.test",)):
    with smtplib.SMTP("localhost", port, local_hostname="client.test", timeout=10) as connection:
        connection.sendmail("anna@example.com", recipients, mail)


# Dovecot


def test_dovecot_gives_back_the_bytes_it_was_given(dovecot):
    user = dovecot.new_user()
    received_at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert dovecot.append(user, MAIL, b"Subject: 2\r\n\r\n", received_at=received_at) == [1, 2]
    with dovecot.connect(user) as connection:
        connection.select("INBOX", readonly=True)
        _, data = connection.uid("FETCH", "1", "(INTERNALDATE BODY.PEEK[])")
    assert data[0][1] == MAIL
    assert b'"01-Mar-2026 12:30:00 +0000"' in data[0][0]


def test_dovecot_takes_a_delivery_by_lmtp(dovecot):
    user = dovecot.new_user()
    dovecot.deliver(user, MAIL)
    with dovecot.connect(user) as connection:
        assert connection.select("INBOX") == ("OK", [b"1"])


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_dovecot_is_trusted_by_its_authority_alone(dovecot, kind):
    def log_in(context):
        if kind == "tls":
            connection = imaplib.IMAP4_SSL("localhost", dovecot.imaps_port, ssl_context=context)
        else:
            connection = imaplib.IMAP4("localhost", dovecot.imap_port)
            try:
                connection.starttls(context)
            except ssl.SSLError:
                connection.sock.close()
                raise
        with connection:
            return connection.login(dovecot.new_user(), dovecot.password)[0]

    assert log_in(ssl.create_default_context(cafile=dovecot.authority)) == "OK"
    with pytest.raises(ssl.SSLCertVerificationError):
        log_in(ssl.create_default_context())


def test_dovecot_refuses_a_wrong_password(dovecot):
    connection = imaplib.IMAP4("localhost", dovecot.imap_port)
    with connection, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        connection.login(dovecot.new_user(), "wrong")


def test_dovecot_keeps_its_mail_when_it_is_killed(dovecot):
    user = dovecot.new_user()
    dovecot.append(user, MAIL)
    connection = imaplib.IMAP4("localhost", dovecot.imap_port)
    dovecot.kill()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        connection.login(user, dovecot.password)
    connection.shutdown()
    with pytest.raises(ConnectionRefusedError):
        dovecot.append(user, MAIL)
    dovecot.start()
    assert dovecot.append(user, MAIL) == [2]


# SMTP catcher


def test_the_catcher_keeps_envelope_and_bytes(catcher):
    send(catcher.port, recipients=["a@sklep.test", "b@sklep.test"])
    [mail] = catcher.wait_for(1)
    assert mail.content == MAIL
    assert (mail.sender, mail.recipients) == ("anna@example.com", ("a@sklep.test", "b@sklep.test"))
    assert (mail.encrypted, mail.user) == (False, None)


@pytest.mark.parametrize("stage", ["connect", "helo", "mail", "rcpt", "data", "message"])
@pytest.mark.parametrize("reply", ["450 4.2.0 later", "550 5.7.1 never"])
def test_the_catcher_refuses_once_at_each_stage(catcher, stage, reply):
    # Whoever is refused at EHLO tries HELO.
    catcher.refuse(stage, reply, times=2 if stage == "helo" else 1)
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refusal:
        send(catcher.port)
    assert reply[4:] in str(refusal.value)
    assert not catcher.mails
    send(catcher.port)
    assert len(catcher.mails) == 1


def test_the_catcher_refuses_one_recipient_of_two(catcher):
    catcher.refuse("rcpt", "550 5.1.1 no such user", times=9, matching="nobody@")
    send(catcher.port, recipients=["nobody@sklep.test", "sklep@sklep.test"])
    assert catcher.mails[0].recipients == ("sklep@sklep.test",)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_message_whose_answer_is_lost_may_have_been_accepted(catcher, accepted):
    catcher.drop("message", accepted=accepted)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(catcher.port)
    assert len(catcher.mails) == accepted


def test_the_catcher_can_fall_silent(catcher):
    catcher.fall_silent("data")
    connection = smtplib.SMTP("localhost", catcher.port, local_hostname="client.test")
    connection.sock.settimeout(0.1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        connection.sendmail("anna@example.com", ["sklep@sklep.test"], MAIL)


def test_the_catcher_asks_for_tls_and_a_password(make_catcher, certificates):
    catcher = make_catcher(tls=certificates, users={"sklep": "tajne"})
    context = ssl.create_default_context(cafile=certificates.authority)
    with smtplib.SMTP("localhost", catcher.port, local_hostname="client.test") as connection:
        with pytest.raises(smtplib.SMTPSenderRefused):
            connection.sendmail("anna@example.com", ["sklep@sklep.test"], MAIL)
        connection.starttls(context=context)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            connection.login("sklep", "zgadywane")
        connection.login("sklep", "tajne")
        connection.sendmail("anna@example.com", ["sklep@sklep.test"], MAIL)
    assert (catcher.mails[0].encrypted, catcher.mails[0].user) == (True, "sklep")


def test_a_stopped_catcher_comes_back_on_its_port(catcher):
    catcher.stop()
    with pytest.raises(ConnectionRefusedError):
        send(catcher.port)
    catcher.start()
    send(catcher.port)
    assert len(catcher.mails) == 1


# Postfix


def test_postfix_relays_to_the_catcher(postfix, catcher):
    send(postfix.port)
    [mail] = catcher.wait_for(1)
    assert mail.content.endswith(MAIL.partition(b"\r\n\r\n")[2])
    assert mail.content.startswith(b"Received: from client.test")


def test_postfix_tries_again_after_a_temporary_refusal(postfix, catcher):
    catcher.refuse("message", "450 4.2.0 later")
    send(postfix.port)
    catcher.wait_for(1)
    assert "status=deferred" in postfix.log


def test_postfix_without_a_relay_discards():
    postfix = Postfix()
    try:
        postfix.start()
        send(postfix.port)
    finally:
        postfix.close()
    assert not postfix.folder.exists()


# Databases


def test_each_test_has_a_database_of_its_own(postgres):
    one, other = postgres.new_database(), postgres.new_database()
    with psycopg.connect(postgres.url(one).replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE t (x text)")
        connection.execute("INSERT INTO t VALUES ('zażółć')")
    copy = postgres.new_database(template=one)
    with psycopg.connect(postgres.url(copy).replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [("zażółć",)]
    with (
        psycopg.connect(postgres.url(other).replace("+psycopg", "")) as connection,
        pytest.raises(psycopg.errors.UndefinedTable),
    ):
        connection.execute("SELECT x FROM t")
    for name in (one, other, copy):
        postgres.drop_database(name)


def test_postgres_keeps_what_was_committed_when_it_is_killed(postgres):
    name = postgres.new_database()
    url = postgres.url(name).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t (x int)")
    postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    postgres.drop_database(name)


def test_the_engine_fixture_is_a_migrated_database(engine):
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM instance")).scalar() == 1


# Fault proxy


class Echo:
    """Sends back each line it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=[connection], daemon=True).start()

    @staticmethod
    def _answer(connection):
        with connection:
            try:
                while data := connection.recv(1000):
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def proxy(make_proxy):
    echo = Echo()
    yield make_proxy(echo.port)
    # Closing alone would leave the accepting thread waiting.
    echo.listener.shutdown(socket.SHUT_RDWR)
    echo.listener.close()


def talk(proxy: FaultProxy, *lines: bytes, timeout: float = 5.0) -> bytes:
    """What comes back until the end, all lines being sent one after the other."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout) as connection:
        received = b""
        for line in lines:
            connection.sendall(line)
            expected = len(received) + len(line)
            while len(received) < expected and (data := connection.recv(1000)):
                received += data
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(1000):
            received += data
        return received


def test_the_proxy_passes_and_records_everything(proxy):
    assert talk(proxy, b"one\r\n", b"two\r\n") == b"one\r\ntwo\r\n"
    assert proxy.sent_by_client() == proxy.sent_by_server(0) == b"one\r\ntwo\r\n"
    assert proxy.connections == 1


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cut_ends_the_answer_after_so_many_bytes(proxy, after):
    proxy.plan.append(Fault("cut", after=after))
    assert talk(proxy, b"one\r\n") == b"one\r\n"[:after]
    assert talk(proxy, b"one\r\n") == b"one\r\n"  # the plan holds for one connection


def test_a_reset_is_seen_as_one(proxy):
    proxy.plan.append(Fault("rst"))
    with pytest.raises(ConnectionResetError):
        talk(proxy, b"one\r\n")


def test_a_refused_connection_is_reset_at_once(proxy):
    proxy.plan.append(Fault("refuse"))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        talk(proxy, b"one\r\n")
    assert proxy.sent_by_client() == b""


@pytest.mark.parametrize("fault", [Fault("blackhole"), Fault("stall")])
def test_silence_lasts_until_the_client_gives_up(proxy, fault):
    proxy.plan.append(fault)
    with pytest.raises(TimeoutError):
        talk(proxy, b"one\r\n", timeout=0.1)


def test_a_stall_may_pass(proxy):
    proxy.plan.append(Fault("stall", after=2, seconds=0.05))
    assert talk(proxy, b"one\r\n") == b"one\r\n"


def test_a_dribble_brings_each_byte_alone(proxy):
    proxy.plan.append(Fault("dribble"))
    assert talk(proxy, b"one\r\n") == b"one\r\n"
    assert [p.data for p in proxy.transcript if p.direction == "to client"] == [
        b"o",
        b"n",
        b"e",
        b"\r",
        b"\n",
    ]


@pytest.mark.parametrize("forward", [True, False])
def test_a_fault_waits_for_a_command_of_the_client(proxy, forward):
    proxy.plan.append(Fault("cut", on=rb"tw.", forward=forward))
    assert talk(proxy, b"one\r\n", b"two\r\n") == b"one\r\n"
    assert (b"two" in proxy.sent_by_client()) is forward


def test_nobody_listens_while_the_proxy_refuses(proxy):
    with proxy.refusing(), pytest.raises(ConnectionRefusedError):
        talk(proxy, b"one\r\n")
    assert talk(proxy, b"one\r\n") == b"one\r\n"


def test_the_proxy_stands_before_dovecot_and_its_tls(make_proxy, dovecot):
    user = dovecot.new_user()
    plain, encrypted = make_proxy(dovecot.imap_port), make_proxy(dovecot.imaps_port)
    plain.plan.append(Fault("cut", on=rb"SELECT"))
    connection = imaplib.IMAP4("localhost", plain.port)
    connection.login(user, dovecot.password)
    with pytest.raises(imaplib.IMAP4.abort):
        connection.select("INBOX")
    connection.shutdown()
    context = ssl.create_default_context(cafile=dovecot.authority)
    with imaplib.IMAP4_SSL("localhost", encrypted.port, ssl_context=context) as connection:
        assert connection.login(user, dovecot.password)[0] == "OK"
    assert user.encode() in plain.sent_by_client()
    assert user.encode() not in encrypted.sent_by_client()


# Browser


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = "<!doctype html><title>t</title><h1 onclick=\"this.textContent='żółć'\">?</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments):
        """Says nothing on stderr."""


def test_the_browser_runs_a_page_of_this_machine(browser_page):
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        browser_page.goto(f"http://127.0.0.1:{server.server_port}/")
        browser_page.click("h1")
        assert browser_page.text_content("h1") == "żółć"
        server.shutdown()


# No other machine


@pytest.mark.parametrize("address", [("192.0.2.1", 25), ("2001:db8::1", 25, 0, 0)])
def test_a_test_cannot_reach_another_machine(address):
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with (
        socket.socket(family) as connection,
        pytest.raises(pytest.fail.Exception, match="only loopback"),
    ):
        connection.connect(address)


def test_a_test_cannot_look_up_another_machine():
    with pytest.raises(pytest.fail.Exception, match="only loopback"):
        socket.create_connection(("shop.example", 25))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("shop.invalid", 25))


def test_a_missing_server_is_a_failure_that_names_its_package():
    with pytest.raises(pytest.fail.Exception, match=r"install the Debian package dovecot-imapd"):
        require("/usr/sbin/no-such-program", "dovecot-imapd")


ABANDONS_A_SERVER = """
import os, signal, sys
from pathlib import Path
from tests.rigs.process import Server, as_server_user
log = Path(sys.argv[1])
server = Server(as_server_user(["sh", "-c", "echo ready; exec sleep 60"]), log=log)
server.wait_until(log.read_text)
print(server.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_dies_with_the_process_that_started_it(tmp_path):
    command = [sys.executable, "-c", ABANDONS_A_SERVER, str(tmp_path / "log")]
    root = Path(__file__).parents[2]
    pid = int(subprocess.run(command, cwd=root, capture_output=True, text=True).stdout)
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([process], [], [], 5)
    os.close(process)
    assert ended
