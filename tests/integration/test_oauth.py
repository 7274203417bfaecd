"""Mailboxes that log in by OAuth 2: a token server and mail servers that know each other's tokens.

Nothing that the token server has given out or taken is ever in a log or in a traceback: each test
here ends with that look.
"""

import base64
import hashlib
import logging
import os
import re
import signal
import socketserver
import stat
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from config.errors import PermanentError
from config.settings import ConfigurationError
from odzew.doctor import examine
from odzew.mailbox_commands import login
from storage.columns import utc_now
from storage.database import open_session
from storage.files import StorageFull
from storage.reports import attention
from storage.tables import OutboxMessage, RawMessage
from tests.factories import a_mail, a_mailbox, a_ticket, an_outbox_message, an_smtp_server
from tests.integration.test_odd_imap_servers import ScriptedImap
from tests.rigs.token_server import TokenServer
from worker import oauth_provider
from worker.deliver import deliver
from worker.imap import LoginRefused, MailboxUnreachable
from worker.oauth import LoginNeeded, TokenUnavailable
from worker.oauth_provider import (
    Refused,
    finish_device_login,
    finish_page_login,
    start_device_login,
    start_page_login,
)
from worker.pull import pull
from worker.smtp import ServerUnreachable

ROOT = Path(__file__).parents[2]
FIRST = "first-refresh-token"
CLIENT_SECRET = "client-secret"
ADDRESS = "anna@sklep.example"  # in what the token server says of a refusal


class TokenImap(ScriptedImap):
    """Lets in whoever has a good token, and says no as Google and Microsoft do."""

    def __init__(self, mails: dict[int, bytes], tokens: TokenServer) -> None:
        super().__init__(mails)
        self.RequestHandlerClass = _Conversation
        self.tokens = tokens
        self.given: list[bytes] = []  # each client's word, decoded
        self.after_refusal: list[bytes] = []  # what clients answer to the reason
        self.refusal = b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"


class _Conversation(socketserver.StreamRequestHandler):
    server: TokenImap

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, verb = line.split()[:2]
            untagged, said = b"", b""
            if verb == b"AUTHENTICATE":
                said = self.authenticate()
            else:
                untagged, said = self.server.answer(line)
            self.wfile.write(untagged + (tag + b" " + said + b"\r\n" if said else b""))
            if not said or verb == b"LOGOUT":
                return

    def authenticate(self) -> bytes:
        self.wfile.write(b"+ \r\n")
        given = base64.b64decode(self.rfile.readline())
        self.server.given.append(given)
        found = re.fullmatch(rb"user=.+\x01auth=Bearer (.+)\x01\x01", given)
        if found and found[1].decode() in self.server.tokens.access_tokens:
            return b"OK done"
        reason = base64.b64encode(b'{"status":"400","schemes":"Bearer"}')
        self.wfile.write(b"+ " + reason + b"\r\n")
        self.server.after_refusal.append(self.rfile.readline())
        return self.server.refusal


@pytest.fixture
def make_tokens():
    made = []

    def make(**options):
        server = TokenServer(**options)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def tokens(make_tokens):
    return make_tokens()


@pytest.fixture
def server(tokens):
    with TokenImap({uid: a_mail() for uid in (3, 5, 8)}, tokens) as scripted:
        thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_secret_is_told(caplog, tokens, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SKLEP_TOKEN", FIRST)
    yield
    said = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for secret in (*tokens.secrets, CLIENT_SECRET, ADDRESS):
        assert secret not in said


def told(error: BaseException) -> str:
    """All that a traceback would show."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.fixture
def box(server, tokens):
    return a_mailbox(
        port=server.server_address[1],
        username="sklep@sklep.example",
        oauth="microsoft",
        oauth_client_id="client",
        oauth_token_env="SKLEP_TOKEN",
        oauth_endpoint=tokens.url,
    )


@pytest.fixture
def context(sqlite_engine, make_context, box):
    return make_context(sqlite_engine, mailboxes=[box])


def stored_uids(context):
    with open_session(context.engine) as session:
        return sorted(session.exec(select(RawMessage.uid)).all())


def problems_of(context):
    with open_session(context.engine) as session:
        return [(m.mailbox, m.problem) for m in attention(session).mailboxes]


# Renewing


def test_the_first_token_of_the_environment_begins_a_chain_that_is_kept(
    context, box, server, tokens
):
    assert pull(context, box) == 3
    [asked] = tokens.asked
    assert asked == {
        "path": "/organizations/oauth2/v2.0/token",
        "client_id": "client",
        "grant_type": "refresh_token",
        "refresh_token": FIRST,
        "scope": "https://127.0.0.1/IMAP.AccessAsUser.All https://127.0.0.1/SMTP.Send "
        "offline_access",
    }
    [access] = tokens.access_tokens
    assert server.given == [f"user=sklep@sklep.example\x01auth=Bearer {access}\x01\x01".encode()]
    folder = context.settings.storage.path / "tokens"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert files == {"reklamacje.json": 0o600, "reklamacje.lock": 0o600}
    assert pull(context, box) == 0
    assert len(tokens.asked) == 1


@pytest.mark.parametrize(("left", "renewals"), [(301, 1), (300, 2), (-1, 2), (-7200, 2)])
def test_a_token_is_renewed_when_five_minutes_are_left(context, box, tokens, clock, left, renewals):
    pull(context, box)
    clock.forward(seconds=3600 - left)
    pull(context, box)
    assert len(tokens.asked) == renewals


@pytest.mark.parametrize("rotates", [True, False], ids=["microsoft", "google"])
def test_the_newest_refresh_token_is_used_and_survives(
    context, box, make_tokens, clock, server, rotates
):
    tokens = server.tokens = make_tokens(rotates=rotates)
    box = box.model_copy(update={"oauth_endpoint": tokens.url})
    for _ in range(4):
        pull(context, box)
        clock.forward(hours=1)
    used = [fields["refresh_token"] for fields in tokens.asked]
    assert used[0] == FIRST
    assert len(set(used)) == (4 if rotates else 1)


def test_google_is_asked_as_google_wants_it(context, box, tokens, monkeypatch):
    monkeypatch.setenv("SKLEP_SECRET", CLIENT_SECRET)
    google = box.model_copy(update={"oauth": "google", "oauth_client_secret_env": "SKLEP_SECRET"})
    assert pull(context, google) == 3
    [asked] = tokens.asked
    assert asked == {
        "path": "/token",
        "client_id": "client",
        "client_secret": CLIENT_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": FIRST,
    }


@pytest.mark.parametrize(
    ("lifetime", "after", "renewals"),
    [
        ("3599", 3000, 1),
        (None, 3000, 1),
        (240, 100, 1),
        (240, 121, 2),
        (10**8, 86_000, 1),
        (10**8, 86_200, 2),
    ],
    ids=["text", "nothing", "short, young", "short, old", "long, young", "long, old"],
)
def test_a_lifetime_in_any_form_is_understood(
    context, box, make_tokens, server, clock, lifetime, after, renewals
):
    tokens = server.tokens = make_tokens(lifetime=lifetime)
    box = box.model_copy(update={"oauth_endpoint": tokens.url})
    pull(context, box)
    clock.forward(seconds=after)
    pull(context, box)
    assert len(tokens.asked) == renewals


def test_a_token_from_the_future_is_renewed(context, box, tokens, clock):
    """The clock was two days ahead and is right again."""
    clock.forward(days=2)
    pull(context, box)
    clock.forward(days=-2)
    pull(context, box)
    assert len(tokens.asked) == 2


def test_a_token_is_only_for_the_account_that_it_was_given_for(context, box, tokens, monkeypatch):
    pull(context, box)
    tokens.refresh_tokens.add("another")
    tokens.secrets.add("another")
    monkeypatch.setenv("SKLEP_TOKEN", "another")
    pull(context, box.model_copy(update={"username": "druga@sklep.example"}))
    assert [fields["refresh_token"] for fields in tokens.asked] == [FIRST, "another"]


def test_the_stored_token_counts_before_the_one_in_the_environment(
    context, box, tokens, clock, monkeypatch
):
    pull(context, box)
    monkeypatch.setenv("SKLEP_TOKEN", "stale")
    clock.forward(hours=1)
    pull(context, box)
    monkeypatch.delenv("SKLEP_TOKEN")
    clock.forward(hours=1)
    pull(context, box)
    assert "stale" not in [fields["refresh_token"] for fields in tokens.asked]
    assert len(tokens.asked) == 3


def test_a_bare_access_token_is_used_as_it_is(context, box, tokens, monkeypatch):
    tokens.access_tokens.add("bare")
    tokens.secrets.add("bare")
    monkeypatch.setenv("SKLEP_TOKEN", "bare")
    bare = box.model_copy(update={"oauth_client_id": ""})
    assert pull(context, bare) == 3
    tokens.access_tokens.clear()
    with pytest.raises(LoginRefused, match="user name or token"):
        pull(context, bare)
    assert tokens.asked == []


# One at a time


def test_many_threads_ask_once(context, box, tokens):
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: context.tokens.current(box), range(16)))
    assert len(set(given)) == 1
    assert len(tokens.asked) == 1


PROGRAM = """
import resource, signal, sys
from pathlib import Path
from config.settings import load_settings
from storage.columns import utc_now
from worker.oauth import AccessTokens
if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    AccessTokens(settings, utc_now).current(settings.mailboxes[0])
"""


def configuration(context, box, tmp_path):
    """The same as a file, for another process."""
    path = tmp_path / "odzew.toml"
    path.write_text(
        f"""
        [database]
        url = "{context.engine.url}"
        [storage]
        path = "{context.settings.storage.path}"
        [[mailboxes]]
        name = "{box.name}"
        host = "{box.host}"
        port = {box.port}
        security = "none"
        username = "{box.username}"
        oauth = "{box.oauth}"
        oauth_client_id = "{box.oauth_client_id}"
        oauth_token_env = "{box.oauth_token_env}"
        oauth_endpoint = "{box.oauth_endpoint}"
        """,
        encoding="utf-8",
    )
    return str(path)


def processes(context, box, tmp_path, *arguments, number=1, **variables):
    """So many new processes that want a token at the same time: exit codes, and what they said."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    path = configuration(context, box, tmp_path)
    started = [
        subprocess.Popen(
            [sys.executable, str(program), path, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(number)
    ]
    outputs = [process.communicate()[0] for process in started]
    return [process.returncode for process in started], "".join(outputs)


def test_many_processes_ask_once(context, box, tokens, tmp_path):
    codes, output = processes(context, box, tmp_path, number=3)
    assert codes == [0, 0, 0], output
    assert len(tokens.asked) == 1


def test_cp_44_killed_between_the_answer_and_the_disk(
    context, box, server, tokens, tmp_path, clock, monkeypatch
):
    """The provider takes the old token no more: one clear sentence, and all else goes on."""
    clock.now = utc_now() - timedelta(hours=2)
    pull(context, box)
    before = context.tokens.stored(box)

    codes, output = processes(context, box, tmp_path, ODZEW_CRASH_AT="CP-44")
    assert codes == [-signal.SIGKILL], output
    assert before.refresh_token not in tokens.refresh_tokens
    assert context.tokens.stored(box) == before

    clock.now = utc_now()
    other = a_mailbox(
        name="druga",
        port=server.server_address[1],
        username="druga@sklep.example",
        oauth="google",
        oauth_token_env="BARE",
    )
    began = time.monotonic()
    with pytest.raises(LoginNeeded, match=r"'reklamacje' is paused.*mailboxes login") as error:
        pull(context, box)
    assert time.monotonic() - began < 10  # the lock of the dead is nobody's
    assert not any(secret in told(error.value) for secret in tokens.secrets)
    assert problems_of(context) == [("reklamacje", str(error.value))]
    monkeypatch.setenv("BARE", next(iter(tokens.access_tokens)))
    assert pull(context, other) == 3
    assert len(stored_uids(context)) == 6


def test_cp_44_a_provider_that_still_takes_the_old_token(
    context, box, make_tokens, server, tmp_path
):
    tokens = server.tokens = make_tokens(rotates=False)
    box = box.model_copy(update={"oauth_endpoint": tokens.url})
    codes, _ = processes(context, box, tmp_path, ODZEW_CRASH_AT="CP-44")
    assert codes == [-signal.SIGKILL]
    assert pull(context, box) == 3


def test_a_full_disk_is_found_before_the_provider_is_asked(context, box, tokens, tmp_path):
    codes, output = processes(context, box, tmp_path, "20000")
    assert codes == [1]
    assert StorageFull.__name__ in output
    assert "cannot be written" in output
    assert tokens.asked == []
    assert FIRST not in output
    names = {file.name for file in (context.settings.storage.path / "tokens").iterdir()}
    assert names == {"reklamacje.lock"}


def test_a_damaged_file_is_no_token(context, box, tokens):
    pull(context, box)
    path = context.settings.storage.path / "tokens" / "reklamacje.json"
    path.write_bytes(path.read_bytes()[:100])
    tokens.refresh_tokens.add(FIRST)
    assert pull(context, box) == 0
    assert len(tokens.asked) == 2


# What mail servers say


def test_a_refused_token_is_renewed_once_and_tried_again(context, box, server, tokens, clock):
    pull(context, box)
    clock.forward(minutes=20)
    tokens.access_tokens.clear()  # revoked, long before its end
    server.mails[9] = a_mail()
    assert pull(context, box) == 1
    assert len(tokens.asked) == 2
    assert len(server.given) == 3
    assert server.after_refusal == [b"\r\n"]


def test_a_server_that_refuses_every_token_is_not_a_reason_to_make_many(
    context, box, server, tokens, clock
):
    pull(context, box)
    clock.forward(minutes=20)

    class Nothing(set):
        def __contains__(self, _item):
            return False

    tokens.access_tokens = Nothing()
    for _ in range(5):
        with pytest.raises(LoginRefused, match=r"refused the user name or token.*IMAP is allowed"):
            pull(context, box)
        clock.forward(minutes=1)
    assert len(tokens.asked) == 2
    assert len(server.given) == 1 + 2 + 4
    assert set(server.after_refusal) == {b"\r\n"}


@pytest.mark.parametrize("said", [b"NO [UNAVAILABLE] later", b"NO [LIMIT] too many", b""])
def test_a_server_in_trouble_is_no_reason_to_renew(context, box, server, tokens, clock, said):
    pull(context, box)
    clock.forward(minutes=20)
    tokens.access_tokens.clear()
    server.refusal = said
    with pytest.raises(MailboxUnreachable) as failure:
        pull(context, box)
    assert not isinstance(failure.value, LoginRefused)
    assert len(tokens.asked) == 1


def test_a_token_that_ends_in_the_middle_of_a_fetch_loses_nothing(
    context, box, server, tokens, clock
):
    """As Exchange does: the session is closed, and a new one begins with a new token."""

    def fetch(line):
        if b"BODY" in line:
            tokens.access_tokens.clear()
            clock.forward(hours=1)
            return b"* BYE Session invalidated - AccessTokenExpired\r\n", b""
        return server._fetch(line)

    server.script["FETCH"] = fetch
    with pytest.raises(MailboxUnreachable):
        pull(context, box)
    assert stored_uids(context) == []
    del server.script["FETCH"]
    assert pull(context, box) == 3
    assert stored_uids(context) == [3, 5, 8]
    assert len(tokens.asked) == 2


# What providers say


@pytest.mark.parametrize("code", ["invalid_grant", "interaction_required"])
def test_a_login_that_is_over_pauses_its_mailbox_and_no_other(context, box, tokens, clock, code):
    pull(context, box)
    clock.forward(hours=1)
    tokens.refuse(code, description="AADSTS50173: The grant has been revoked.")
    for _ in range(3):
        with pytest.raises(LoginNeeded, match=rf"\({code}, AADSTS50173\); log in again") as error:
            pull(context, box)
        clock.forward(hours=7)
    assert ADDRESS not in told(error.value)
    assert len(tokens.asked) == 2  # it is not asked again and again
    assert problems_of(context) == [("reklamacje", str(error.value))]
    clock.forward(hours=7)
    assert pull(context, box) == 0  # after a day once more: the account was locked by mistake
    assert problems_of(context) == []


def test_a_new_login_ends_the_pause(context, box, tokens, clock):
    tokens.refuse("invalid_grant")
    for _ in range(2):
        with pytest.raises(LoginNeeded):
            pull(context, box)
    grant = finish_device_login(box, start_device_login(box), wait=lambda _seconds: None)
    context.tokens.keep(box, grant)
    assert pull(context, box) == 3
    clock.forward(hours=1)
    pull(context, box)
    assert tokens.grants[-1] == "refresh_token"


def test_a_new_first_token_ends_the_pause(context, box, tokens, monkeypatch):
    tokens.refuse("invalid_grant")
    with pytest.raises(LoginNeeded):
        pull(context, box)
    tokens.refresh_tokens.add("second")
    tokens.secrets.add("second")
    monkeypatch.setenv("SKLEP_TOKEN", "second")
    assert pull(context, box) == 3
    assert [fields["refresh_token"] for fields in tokens.asked] == [FIRST, "second"]


def test_without_any_token_somebody_must_log_in(context, box, tokens, monkeypatch):
    monkeypatch.delenv("SKLEP_TOKEN")
    with pytest.raises(LoginNeeded, match=r"nobody has logged in.*or set SKLEP_TOKEN"):
        pull(context, box)
    assert tokens.asked == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b'{"error": "server_error"}', "answered 500 without a token"),
        (429, b"{}", "answered 429"),
        (400, b'{"error": "temporarily_unavailable"}', "has trouble of its own"),
        (503, b"<html>", "answered 503"),
        (200, b"<html>welcome to the hotel</html>", "answered 200 without a token"),
        (302, b"", "answered 302"),
        (200, b"[]", "answered 200"),
        (200, b"{}", "no token"),
        (200, b'{"access_token": "a\\r\\nb", "expires_in": 5}', "no token"),
        (200, b'{"access_token": "a", "refresh_token": 7}', "no token"),
        (200, b'{"access_token": "' + b"a" * 100_000, "answered 200"),
        (400, b'{"error": "in\\u0000valid"}', "no reason given"),
        (401, b'{"error": "invalid_client"}', "make a new one"),
    ],
)
def test_an_answer_without_a_token_changes_nothing(context, box, tokens, clock, status, body, said):
    context.tokens.current(box)
    clock.forward(hours=2)
    before = context.tokens.stored(box)
    tokens.say(status, body)
    with pytest.raises(TokenUnavailable, match=said) as error:
        context.tokens.current(box)
    assert not isinstance(error.value, LoginNeeded)
    assert "\n" not in str(error.value)
    assert not any(secret in told(error.value) for secret in tokens.secrets)
    assert context.tokens.stored(box) == before
    assert context.tokens.current(box) in tokens.access_tokens


def test_an_endpoint_that_hangs_is_left_in_time(context, box, tokens, monkeypatch):
    monkeypatch.setattr(oauth_provider, "SECONDS", 0.3)
    tokens.fall_silent()
    with pytest.raises(TokenUnavailable, match="no answer in time"):
        pull(context, box)
    assert pull(context, box) == 3


def test_an_endpoint_that_is_away_costs_nothing_while_the_token_lasts(context, box, tokens, clock):
    pull(context, box)
    clock.forward(minutes=57)
    tokens.say(503, b"")
    assert pull(context, box) == 0
    clock.forward(minutes=3)
    tokens.say(503, b"")
    with pytest.raises(TokenUnavailable):
        pull(context, box)


def test_an_endpoint_that_is_not_there(context, box):
    nowhere = box.model_copy(update={"oauth_endpoint": "http://127.0.0.1:1"})
    with pytest.raises(TokenUnavailable, match=r"Microsoft cannot be asked.*refused"):
        pull(context, nowhere)
    unknown = box.model_copy(update={"oauth_endpoint": "https://login.invalid"})
    with pytest.raises(TokenUnavailable, match="Name or service not known"):
        pull(context, unknown)


def test_no_secret_goes_to_an_endpoint_whose_certificate_is_not_trusted(
    context, box, make_tokens, certificates
):
    tokens = make_tokens(tls=certificates)
    with pytest.raises(TokenUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        pull(context, box.model_copy(update={"oauth_endpoint": tokens.url}))
    assert tokens.asked == []


# An application that logs in as itself


@pytest.fixture
def application(box, monkeypatch):
    monkeypatch.setenv("SKLEP_SECRET", CLIENT_SECRET)
    return box.model_copy(
        update={
            "oauth_token_env": "",
            "oauth_client_secret_env": "SKLEP_SECRET",
            "oauth_tenant": "sklep.example",
        }
    )


def test_an_application_logs_in_as_itself(context, application, tokens, clock):
    assert pull(context, application) == 3
    clock.forward(hours=1)
    assert pull(context, application) == 0
    assert (
        tokens.asked
        == [
            {
                "path": "/sklep.example/oauth2/v2.0/token",
                "client_id": "client",
                "client_secret": CLIENT_SECRET,
                "grant_type": "client_credentials",
                "scope": "https://127.0.0.1/.default",
            }
        ]
        * 2
    )


def test_an_application_needs_its_organisation_and_its_secret(context, application, monkeypatch):
    with pytest.raises(ConfigurationError, match="needs oauth_tenant"):
        pull(context, application.model_copy(update={"oauth_tenant": ""}))
    monkeypatch.delenv("SKLEP_SECRET")
    with pytest.raises(ConfigurationError, match=r"SKLEP_SECRET .* is not set"):
        pull(context, application)


def test_a_secret_that_has_run_out_is_no_pause(context, application, tokens):
    tokens.refuse("invalid_client", status=401, description="AADSTS7000222: expired.")
    with pytest.raises(Refused, match=r"\(invalid_client, AADSTS7000222\).*make a new one"):
        pull(context, application)
    assert pull(context, application) == 3


# SMTP


@pytest.fixture
def owed(sqlite_engine, make_context, make_catcher, box, tokens):
    """A worker's context with one acknowledgement to send, and the catcher."""
    tokens.size = 300  # the catcher reads lines of a thousand bytes
    catcher = make_catcher(tokens=tokens.access_tokens)
    server = an_smtp_server(port=catcher.port, oauth_mailbox="reklamacje")
    context = make_context(sqlite_engine, mailboxes=[box], smtp=server)
    with open_session(context.engine) as session:
        ticket = a_ticket()
        session.add(ticket)
        session.flush()
        session.add(an_outbox_message(ticket))
        session.commit()
    return context, catcher


def test_smtp_logs_in_by_the_token_of_a_mailbox(owed, box, tokens):
    context, catcher = owed
    pull(context, box)
    assert deliver(context) == 1
    [mail] = catcher.mails
    assert mail.user == "sklep@sklep.example"
    assert len(tokens.asked) == 1


def test_smtp_renews_a_refused_token_once(owed, box, tokens, clock):
    context, catcher = owed
    pull(context, box)
    clock.forward(minutes=20)
    tokens.access_tokens.clear()
    assert deliver(context) == 1
    assert len(catcher.mails) == 1
    assert len(tokens.asked) == 2


def test_smtp_of_a_paused_mailbox_waits(owed, tokens, clock, monkeypatch):
    context, catcher = owed
    tokens.refuse("invalid_grant")
    with pytest.raises(LoginNeeded):
        deliver(context)
    assert catcher.mails == []
    with open_session(context.engine) as session:
        [row] = session.exec(select(OutboxMessage)).all()
        assert (row.state, row.attempts) == ("waiting", 0)
    tokens.refresh_tokens.add("second")
    monkeypatch.setenv("SKLEP_TOKEN", "second")
    clock.forward(minutes=1)
    assert deliver(context) == 1
    assert len(catcher.mails) == 1


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "see smtp.oauth_mailbox",
        ),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "allow authenticated SMTP",
        ),
        ("535 5.7.8 Bad credentials", "check smtp.username"),
    ],
)
def test_c_35_a_server_without_passwords_says_the_way_out(
    owed, make_context, make_catcher, tmp_path, reply, advice
):
    context, _ = owed
    (tmp_path / "secret").write_text("hunter2")
    catcher = make_catcher(users={"sklep": "hunter2"})
    catcher.refuse("auth", reply, times=2)  # the library tries two mechanisms
    server = an_smtp_server(port=catcher.port, username="sklep", password_file=tmp_path / "secret")
    context = make_context(context.engine, smtp=server)
    with pytest.raises(ServerUnreachable, match=advice):
        deliver(context)


# A person logs in


def test_a_device_code_is_asked_for_until_the_person_has_agreed(box, tokens):
    started = start_device_login(box)
    assert (started.url, started.user_code) == ("https://microsoft.com/devicelogin", "ABC-DEF")
    assert "device-secret" not in repr(started)
    tokens.refuse("authorization_pending", times=2)
    tokens.refuse("slow_down")
    waits = []
    grant = finish_device_login(box, started, wait=waits.append)
    assert waits == [0, 0, 0, 5]
    assert grant.refresh_token in tokens.refresh_tokens
    assert grant.refresh_token not in repr(grant)
    assert tokens.asked[-1]["device_code"] == "device-secret"


@pytest.mark.parametrize("code", ["authorization_declined", "expired_token"])
def test_a_person_who_does_not_agree_ends_the_login(box, tokens, code):
    started = start_device_login(box)
    tokens.refuse(code)
    with pytest.raises(Refused, match=code):
        finish_device_login(box, started, wait=lambda _seconds: None)


def test_the_address_of_another_page_is_no_login(box, tokens):
    started = start_page_login(box)
    for address in ("", "http://localhost:47653/?code=1&state=guessed", "nonsense"):
        with pytest.raises(Exception, match="not the address"):
            finish_page_login(box, started, address)
    address = f"http://localhost:47653/?error=access_denied&state={started.state}"
    with pytest.raises(Refused, match="access_denied"):
        finish_page_login(box, started, address)
    assert tokens.asked == []


def test_the_command_logs_in_by_a_code(context, box, tokens, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SKLEP_TOKEN")
    login("reklamacje", config=Path(configuration(context, box, tmp_path)))
    output = capsys.readouterr().out
    assert "Open https://microsoft.com/devicelogin in any browser, enter the code ABC-DEF" in output
    assert not any(secret in output for secret in tokens.secrets)
    context.clock.now = utc_now()
    assert pull(context, box) == 3
    assert tokens.grants == ["urn:ietf:params:oauth:grant-type:device_code"]


def test_the_command_logs_in_by_a_page(context, box, tokens, tmp_path):
    google = box.model_copy(update={"oauth": "google"})
    path = configuration(context, google, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "odzew", "mailboxes", "login", "reklamacje", "--config", path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        started.stdout.readline()
        url = started.stdout.readline()
        [state] = re.findall(r"state=([^&]+)", url)
        [challenge] = re.findall(r"code_challenge=([^&]+)", url)
        assert url.startswith(f"{tokens.url}/auth?client_id=client&")
        assert "access_type=offline&prompt=consent" in url
        last_page = f"http://localhost:47653/?state={state}&code=the-code&scope=x\n"
        output, errors = started.communicate(last_page, timeout=30)
    assert started.returncode == 0, errors
    assert not any(secret in output + errors for secret in tokens.secrets)
    [asked] = tokens.asked
    assert (asked["grant_type"], asked["code"]) == ("authorization_code", "the-code")
    assert asked["redirect_uri"] == "http://localhost:47653"
    digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def test_microsofts_page_is_the_organisations(box):
    started = start_page_login(box.model_copy(update={"oauth_endpoint": "", "host": "h"}))
    assert started.url.startswith(
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?client_id=client"
    )
    assert "scope=https%3A%2F%2Foutlook.office365.com%2FIMAP.AccessAsUser.All+" in started.url


def test_a_login_without_a_refresh_token_is_refused(context, box, tokens, tmp_path):
    """It would end within the hour: the application may not have offline_access."""
    path = Path(configuration(context, box, tmp_path))
    code = b'{"device_code":"d","user_code":"u","verification_uri":"v","interval":0}'
    tokens.say(200, code)
    tokens.say(200, b'{"access_token":"a","expires_in":3600}')
    with pytest.raises(PermanentError, match="gave no refresh token"):
        login("reklamacje", config=path)
    with pytest.raises(PermanentError, match="is named 'druga'"):
        login("druga", config=path)


# Doctor


@pytest.fixture
def finding(context, tmp_path, clock):
    """What doctor finds about the token, and what of the mailbox."""
    clock.now = utc_now()

    def find(box):
        path = configuration(context, box, tmp_path)
        found = {}
        for finding in examine(Path(path)):
            found[finding.check.split()[0]] = finding
            if finding.check.startswith("token"):
                return found["mailbox"], finding
        raise AssertionError("doctor says nothing of the token")

    return find


def test_doctor_tells_how_old_a_token_is_and_when_it_ends(box, finding):
    mailbox, token = finding(box)
    assert mailbox.ok
    assert token.ok
    assert token.found.startswith("renewed 0 days ago, good until ")


def test_doctor_says_who_must_log_in_again(box, finding, tokens):
    tokens.refuse("invalid_grant", description="AADSTS700082")
    mailbox, token = finding(box)
    assert not mailbox.ok
    assert not token.ok
    assert "AADSTS700082" in token.found
    assert token.advice == "odzew mailboxes login reklamacje"


def test_doctor_warns_before_a_login_ends(box, finding, tokens):
    """Google's, of an application that is still in testing: after seven days."""
    tokens.login_lifetime = 6 * 86_400
    mailbox, token = finding(box)
    assert mailbox.ok
    assert not token.ok
    assert "the login itself ends on" in token.found


def test_doctor_says_that_a_bare_token_will_end(box, finding, tokens, monkeypatch):
    tokens.access_tokens.add("bare-access-token")
    monkeypatch.setenv("SKLEP_TOKEN", "bare-access-token")
    mailbox, token = finding(box.model_copy(update={"oauth_client_id": ""}))
    assert mailbox.ok
    assert not token.ok
    assert "lives about an hour" in token.found
