"""What Dovecot never says and other servers do: answers by a script, on a real socket."""

import base64
import re
import socketserver
import threading
import traceback
from collections.abc import Callable

import pytest
from sqlmodel import select

from storage.database import open_session
from storage.mail import raw_bytes
from storage.tables import RawMessage
from tests.factories import NOW, a_mail, a_mailbox
from worker.imap import CommandRefused, LoginRefused, MailboxUnreachable
from worker.pull import pull
from worker.reconcile import compare_all

DATE = b'"02-Mar-2026 08:00:00 +0000"'


class ScriptedImap(socketserver.ThreadingTCPServer):
    """An IMAP server with these messages, by UID; ``script`` replaces its answers.

    script: a command's first word (UID's second) to a function of the command's line that returns
    the untagged lines and what the tag is followed by.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, mails: dict[int, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mails = mails
        self.script: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {}
        self.lines: list[bytes] = []
        self.capabilities = b"IMAP4rev1"

    def answer(self, line: bytes) -> tuple[bytes, bytes]:
        words = line.decode("latin-1").split()
        verb = (words[2] if words[1].upper() == "UID" else words[1]).upper()
        if verb in self.script:
            return self.script[verb](line)
        return getattr(self, f"_{verb.lower()}", self._fine)(line)

    def _fine(self, _line: bytes) -> tuple[bytes, bytes]:
        return b"", b"OK done"

    def _capability(self, _line: bytes) -> tuple[bytes, bytes]:
        return b"* CAPABILITY " + self.capabilities + b"\r\n", b"OK done"

    def _logout(self, _line: bytes) -> tuple[bytes, bytes]:
        return b"* BYE\r\n", b"OK done"

    def _examine(self, _line: bytes) -> tuple[bytes, bytes]:
        uidnext = max(self.mails, default=0) + 1
        return (
            b"* %d EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT %d]\r\n"
            % (len(self.mails), uidnext),
            b"OK [READ-ONLY] done",
        )

    def _select(self, line: bytes) -> tuple[bytes, bytes]:
        return self._examine(line)[0], b"OK [READ-WRITE] done"

    def _search(self, _line: bytes) -> tuple[bytes, bytes]:
        return b"* SEARCH %s\r\n" % b" ".join(b"%d" % uid for uid in self.mails), b"OK done"

    def _fetch(self, line: bytes) -> tuple[bytes, bytes]:
        return b"".join(
            fetched(n, uid, mail, line) for n, (uid, mail) in self.asked(line)
        ), b"OK done"

    def asked(self, line: bytes) -> list[tuple[int, tuple[int, bytes]]]:
        uids = {int(uid) for uid in line.split()[3].split(b",")}
        return [
            (number, (uid, mail))
            for number, (uid, mail) in enumerate(self.mails.items(), start=1)
            if uid in uids
        ]


def fetched(number: int, uid: int, mail: bytes, line: bytes) -> bytes:
    """The usual answer to a FETCH of size and date, or of the body."""
    if b"BODY.PEEK" in line:
        return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (number, uid, len(mail), mail)
    size = b"* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE %s)\r\n"
    return size % (number, uid, len(mail), DATE)


class _Conversation(socketserver.StreamRequestHandler):
    server: ScriptedImap

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            self.server.lines.append(line)
            if re.match(rb"\S+ AUTHENTICATE", line):
                self.wfile.write(b"+ \r\n")
                self.server.lines.append(self.rfile.readline())
            untagged, said = self.server.answer(line)
            tag = line.split()[0]
            self.wfile.write(untagged + (tag + b" " + said + b"\r\n" if said else b""))
            if not said or re.match(rb"\S+ LOGOUT", line):
                return


@pytest.fixture
def server():
    mails = {uid: a_mail() for uid in (3, 5, 8)}
    with ScriptedImap(mails) as scripted:
        thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine)


@pytest.fixture
def box(server, tmp_path):
    (tmp_path / "secret").write_text("x")
    return a_mailbox(
        port=server.server_address[1], username="sklep", password_file=tmp_path / "secret"
    )


def stored(context):
    """UID to bytes; None for a message that has vanished."""
    with open_session(context.engine) as session:
        return {
            row.uid: row.sha256 and raw_bytes(session, context.files, row.sha256)
            for row in session.exec(select(RawMessage)).all()
        }


def test_the_scripted_server_is_read_like_any_other(context, server, box):
    assert pull(context, box) == 3
    assert stored(context) == server.mails
    assert pull(context, box) == 0


def test_a_token_is_given_as_google_and_microsoft_want_it(context, server, monkeypatch):
    """XOAUTH2: user and bearer token, separated by control A, in base64."""
    monkeypatch.setenv("ODZEW_TEST_TOKEN", "ya29.token")
    mailbox = a_mailbox(
        port=server.server_address[1],
        username="sklep@sklep.example",
        oauth="google",
        oauth_token_env="ODZEW_TEST_TOKEN",
    )
    assert pull(context, mailbox) == 3
    said = next(line for line in server.lines if b"AUTHENTICATE" in line)
    assert said.split()[1:] == [b"AUTHENTICATE", b"XOAUTH2"]
    given = base64.b64decode(server.lines[server.lines.index(said) + 1])
    assert given == b"user=sklep@sklep.example\x01auth=Bearer ya29.token\x01\x01"
    assert not any(b"LOGIN" in line for line in server.lines)


@pytest.mark.parametrize("order", ["reversed", "body first", "flags between"])
def test_items_come_in_any_order(context, server, box, order):
    """C-08"""
    forms = {
        "reversed": (
            b"* %(n)d FETCH (INTERNALDATE %(d)s RFC822.SIZE %(s)d UID %(u)d)\r\n",
            b"* %(n)d FETCH (BODY[] {%(s)d}\r\n%(m)s UID %(u)d)\r\n",
        ),
        "body first": (
            b"* %(n)d FETCH (RFC822.SIZE %(s)d UID %(u)d INTERNALDATE %(d)s)\r\n",
            b"* %(n)d FETCH (BODY[] {%(s)d}\r\n%(m)s FLAGS () UID %(u)d)\r\n",
        ),
        "flags between": (
            b"* %(n)d FETCH (UID %(u)d FLAGS (\\Seen) RFC822.SIZE %(s)d INTERNALDATE %(d)s)\r\n",
            b"* %(n)d FETCH (UID %(u)d FLAGS (\\Seen) BODY[] {%(s)d}\r\n%(m)s)\r\n",
        ),
    }

    def fetch(line):
        form = forms[order][b"BODY.PEEK" in line]
        answers = [
            form % {b"n": n, b"u": uid, b"s": len(mail), b"m": mail, b"d": DATE}
            for n, (uid, mail) in server.asked(line)
        ]
        return b"".join(answers), b"OK done"

    server.script["FETCH"] = fetch
    assert pull(context, box) == 3
    assert stored(context) == server.mails


def test_a_size_that_is_only_a_guess_costs_nothing(context, server, box):
    """C-09: Exchange says three times what it hands over."""

    def fetch(line):
        untagged, said = server._fetch(line)
        return re.sub(rb"SIZE (\d+)", lambda m: b"SIZE %d" % (int(m[1]) * 3), untagged), said

    server.script["FETCH"] = fetch
    assert pull(context, box) == 3
    assert stored(context) == server.mails


def test_answers_that_nobody_asked_for_are_ignored(context, server, box):
    """C-20: changes of flags, other UIDs, and other kinds of answers, between what was asked."""

    def fetch(line):
        untagged, said = server._fetch(line)
        noise = b"* 9 FETCH (UID 99 FLAGS (\\Seen))\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 7 RECENT\r\n"
        stranger = b"* 9 FETCH (UID 99 BODY[] {5}\r\nx\r\ny\n)\r\n"
        return noise + stranger + untagged + noise + b"* 12 EXISTS\r\n", said

    server.script["FETCH"] = fetch
    assert pull(context, box) == 3
    assert stored(context) == server.mails


@pytest.mark.parametrize("body", [b'""', b"{0}\r\n"], ids=["string", "literal"])
def test_an_empty_message_is_legal_and_kept(context, server, box, body):
    server.script["FETCH"] = bodies(server, lambda _uid: body)
    assert pull(context, box) == 3
    assert stored(context) == dict.fromkeys(server.mails, b"")


def bodies(server, body_of):
    """The answer to FETCH with other bodies than the messages'."""

    def fetch(line):
        if b"BODY.PEEK" not in line:
            return server._fetch(line)
        answers = [
            b"* %d FETCH (UID %d BODY[] %s)\r\n" % (number, uid, body_of(uid))
            for number, (uid, _) in server.asked(line)
        ]
        return b"".join(answers), b"OK done"

    return fetch


def test_a_message_that_is_listed_but_not_handed_out_holds_nothing_up(context, server, box, clock):
    """C-07, C-19: it is named, the others are stored, and it is tried again ever more seldom."""
    whole = {uid: b"{%d}\r\n%s" % (len(mail), mail) for uid, mail in server.mails.items()}
    server.script["FETCH"] = bodies(server, lambda uid: b"NIL" if uid == 5 else whole[uid])
    others = {uid: mail for uid, mail in server.mails.items() if uid != 5}
    for _ in range(2):
        with pytest.raises(MailboxUnreachable, match=r"lists 1 message\(s\) \(UID 5\) but does"):
            pull(context, box)
        assert stored(context) == others
    asked = len(server.lines)
    with pytest.raises(MailboxUnreachable):
        pull(context, box)
    assert not [line for line in server.lines[asked:] if b"BODY" in line]  # not yet time
    del server.script["FETCH"]
    clock.forward(minutes=5)
    assert pull(context, box) == 1
    assert stored(context) == server.mails
    assert pull(context, box) == 0


def test_c_19_a_message_that_the_server_refuses_with_its_whole_set(context, server, box, clock):
    """As Exchange does for one that it cannot render."""

    def fetch(line):
        if b"BODY" in line and b"5" in line.split()[3].split(b","):
            return b"", b"NO Message could not be rendered"
        return server._fetch(line)

    server.script["FETCH"] = fetch
    for attempt in range(3):
        with pytest.raises(MailboxUnreachable, match="UID 5"):
            pull(context, box)
        assert sorted(stored(context)) == [3, 8]
        clock.forward(minutes=2 ** (attempt + 1))
    server.mails[9] = a_mail()
    with pytest.raises(MailboxUnreachable, match="UID 5"):
        pull(context, box)
    assert sorted(stored(context)) == [3, 8, 9]
    clock.forward(days=2)
    server.mails.pop(5)
    assert pull(context, box) == 0
    assert stored(context)[5] is None  # somebody has deleted it: known as gone


def test_c_38_a_gap_in_the_ledger_is_found_and_closed(context, server, box, clock, caplog):
    assert pull(context, box) == 3
    with open_session(context.engine) as session:
        lost = session.exec(select(RawMessage).where(RawMessage.uid == 5)).one()
        session.delete(lost)
        session.commit()
    settings = context.settings.model_copy(update={"mailboxes": [box]})
    [comparison] = compare_all(settings, context.engine)
    assert (comparison.on_server, comparison.missing) == (3, (5,))
    assert pull(context, box) == 0  # compared a moment ago
    clock.forward(days=1)
    assert pull(context, box) == 1
    assert stored(context) == server.mails
    assert "ledger had gaps" in caplog.text
    [comparison] = compare_all(settings, context.engine)
    assert comparison.missing == ()


def test_a_message_that_is_neither_handed_out_nor_listed_any_more_has_vanished(
    context, server, box
):
    """C-16"""
    gone = server.mails[5]

    def fetch(line):
        server.mails.pop(5, None)
        return server._fetch(line)

    server.script["FETCH"] = fetch
    assert pull(context, box) == 2
    assert stored(context) == server.mails | {5: None}
    assert gone not in stored(context).values()


@pytest.mark.parametrize("answer", [b"", b"* FETCH\r\n"], ids=["nothing", "noise"])
def test_a_server_that_agrees_and_hands_out_nothing_loses_nothing(context, server, box, answer):
    server.script["FETCH"] = lambda _line: (answer, b"OK done")
    with pytest.raises(MailboxUnreachable):
        pull(context, box)
    assert stored(context) == {}
    del server.script["FETCH"]
    assert pull(context, box) == 3


@pytest.mark.parametrize("date", [b'"yesterday"', b"NIL", b'""'])
def test_a_message_without_a_usable_date_arrived_now(context, server, box, date):
    def fetch(line):
        untagged, said = server._fetch(line)
        return untagged.replace(DATE, date), said

    server.script["FETCH"] = fetch
    assert pull(context, box) == 3
    assert stored(context) == server.mails


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("SEARCH", b"NO [SERVERBUG] internal error"),
        ("FETCH", b"NO Server Unavailable. 15"),
        ("FETCH", b"BAD Command Error. 10"),
        ("EXAMINE", b"NO no such mailbox"),
    ],
)
def test_a_refusal_is_said_and_nothing_is_lost(context, server, box, verb, said):
    server.script[verb] = lambda _line: (b"", said)
    with pytest.raises(CommandRefused) as refusal:
        pull(context, box)
    assert said.split(maxsplit=1)[1].decode() in str(refusal.value)
    assert stored(context) == {}
    del server.script[verb]
    assert pull(context, box) == 3


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"NO [AUTHENTICATIONFAILED] Authentication failed.", LoginRefused),
        (b"NO LOGIN failed.", LoginRefused),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", MailboxUnreachable),
        (b"NO [INUSE] Mailbox in use", MailboxUnreachable),
        (b"NO [LIMIT] Too many connections", MailboxUnreachable),
        (b"", MailboxUnreachable),
    ],
)
def test_a_server_in_trouble_is_not_a_wrong_password(context, server, box, said, error):
    """C-27: only a wrong password makes us wait for an hour."""
    server.script["LOGIN"] = lambda _line: (b"", said)
    with pytest.raises(MailboxUnreachable) as failure:
        pull(context, box)
    assert type(failure.value) is error


def test_e_78_a_server_that_repeats_the_password_does_not_make_us_do_so(context, server, box):
    box.password_file.write_text("tajne-haslo-1")
    server.script["LOGIN"] = lambda line: (b"", b"NO cannot do: " + line.strip())
    with pytest.raises(LoginRefused) as failure:
        pull(context, box)
    shown = "".join(traceback.format_exception(failure.value))
    assert "tajne-haslo-1" not in shown
    assert "(hidden)" in str(failure.value)


@pytest.mark.parametrize("number", [200_000])
def test_an_answer_of_two_hundred_thousand_numbers_is_read(context, server, box, number):
    """C-22: that is a line of more than a million bytes."""
    uids = range(10_000_000, 10_000_000 + number)
    server.script["SEARCH"] = lambda _line: (
        b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\n",
        b"OK done",
    )
    server.script["FETCH"] = lambda _line: (b"", b"")  # enough: it hangs up
    with pytest.raises(MailboxUnreachable):
        pull(context, box)
    [fetch] = [line for line in server.lines if b"FETCH" in line]
    assert len(fetch) < 2000


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 FETCH (UID 3 RFC822.SIZE ten INTERNALDATE %s)\r\n" % DATE,
        b"* 1 FETCH (UID 3 RFC822.SIZE 10 INTERNALDATE %s\r\n" % DATE,
        b"* 1 FETCH (UID 3 RFC822.SIZE 10 INTERNALDATE {99999\r\n",
        b"* 1 FETCH UID 3\r\n",
        b"\x00\xff\xfe\r\n",
    ],
    ids=["size", "open list", "open literal", "no list", "noise"],
)
def test_an_answer_that_is_no_imap_is_the_servers_trouble(context, server, box, answer):
    server.script["FETCH"] = lambda _line: (answer, b"OK done")
    with pytest.raises(MailboxUnreachable) as failure:
        pull(context, box)
    assert "\n" not in str(failure.value)
    assert stored(context) == {}


@pytest.mark.parametrize(
    "lines", [b"* 3 EXISTS\r\n* OK [UIDNEXT 9]\r\n", b"* 3 EXISTS\r\n"], ids=["next", "nothing"]
)
def test_without_a_uidvalidity_nothing_is_read(context, server, box, lines):
    server.script["EXAMINE"] = lambda _line: (lines, b"OK done")
    with pytest.raises(MailboxUnreachable, match="gives no UIDVALIDITY"):
        pull(context, box)


def test_a_server_without_uidnext_is_read(context, server, box):
    server.script["EXAMINE"] = lambda _line: (
        b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n",
        b"OK done",
    )
    now = box.model_copy(update={"start": "now"})
    assert pull(context, now) == 0
    server.mails[12] = a_mail()
    assert pull(context, now) == 1
    assert stored(context) == {12: server.mails[12]}


def test_a_server_that_cannot_move_says_so_and_mail_is_stored(context, server, box):
    """C-13: no EXPUNGE of our own, which would remove what others have deleted."""
    moving = box.model_copy(update={"after_import": "move:Done"})
    with pytest.raises(CommandRefused, match="MOVE"):
        pull(context, moving)
    assert stored(context) == server.mails
    assert not any(b"EXPUNGE" in line or b"STORE" in line for line in server.lines)


def test_a_login_is_not_spoken_where_starttls_is_missing(context, server, box):
    """C-33"""
    protected = box.model_copy(update={"security": "starttls"})
    with pytest.raises(MailboxUnreachable, match="STARTTLS"):
        pull(context, protected)
    assert not any(b"LOGIN" in line for line in server.lines)


def test_a_message_keeps_the_moment_at_which_the_server_took_it(context, box):
    pull(context, box)
    with open_session(context.engine) as session:
        assert {row.received_at for row in session.exec(select(RawMessage))} == {NOW}
