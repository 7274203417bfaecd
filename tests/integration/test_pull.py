"""Mailbox to ledger, against a real Dovecot: nothing is lost, nothing changed, nothing half."""

import logging
import random
import ssl
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import NoneType

import pytest
from imapclient import imap_utf7
from sqlmodel import select

from config.settings import ConfigurationError, Storage
from storage.database import open_session
from storage.mail import INLINE_LIMIT, find_cursor, raw_bytes
from storage.reports import attention
from storage.tables import MailboxCursor, RawMessage
from tests.factories import NOW, a_mail, a_mailbox
from tests.rigs import Fault
from tests.rigs.process import listens
from worker import imap
from worker.imap import HEAD_BYTES, KEYWORD, CommandRefused, LoginRefused, MailboxUnreachable
from worker.pipeline import Runner, Step, Troubles
from worker.pull import pull


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine)


@pytest.fixture
def user(dovecot):
    return dovecot.new_user()


@pytest.fixture
def box(dovecot, user, tmp_path):
    """A mailbox of its own on the real server; keys may be changed."""
    secret = tmp_path / "imap-password"
    secret.write_text(dovecot.password)

    def make(**keys):
        every = {"port": dovecot.imap_port, "username": user, "password_file": secret}
        return a_mailbox(**(every | keys))

    return make


def ledger(context, **columns):
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage).filter_by(**columns).order_by(RawMessage.id)).all()
    return list(rows)


def contents(context, **columns):
    """The stored bytes, in the order of the ledger."""
    with open_session(context.engine) as session:
        return [
            raw_bytes(session, context.files, row.sha256)
            for row in ledger(context, **columns)
            if row.sha256
        ]


def cursor(context, mailbox="reklamacje", folder="INBOX"):
    with open_session(context.engine) as session:
        return find_cursor(session, mailbox, folder)


def flags(dovecot, user, folder="INBOX"):
    """UID to flags, as another client sees them; without ``\\Recent``, which every look changes."""
    with dovecot.connect(user) as connection:
        connection.select(f'"{folder}"', readonly=True)
        _, lines = connection.uid("FETCH", "1:*", "(FLAGS)")
    found = {}
    for line in lines:
        if line:
            uid = int(line.split(b"UID ")[1].split()[0].rstrip(b")"))
            names = line.split(b"FLAGS (")[1].split(b")")[0].decode().split()
            found[uid] = set(names) - {"\\Recent"}
    return found


# Every message, once, unchanged


def test_messages_are_stored_as_they_are(engine, make_context, dovecot, user, box):
    context = make_context(engine)
    mails = [a_mail() for _ in range(3)]
    dovecot.append(user, *mails, received_at=NOW - timedelta(hours=2))
    assert pull(context, box()) == 3
    assert contents(context) == mails
    for uid, (row, mail) in enumerate(zip(ledger(context), mails, strict=True), start=1):
        assert (row.mailbox, row.folder, row.uid) == ("reklamacje", "INBOX", uid)
        assert row.sha256 == sha256(mail).hexdigest()
        assert (row.size, row.truncated, row.archive) == (len(mail), False, False)
        assert (row.outcome, row.attempts) == ("pending", 0)
        assert row.received_at == NOW - timedelta(hours=2)
        assert row.fetched_at == row.next_attempt_at == NOW


def test_a_second_pull_stores_nothing(engine, make_context, dovecot, user, box):
    context = make_context(engine)
    dovecot.append(user, a_mail(), a_mail())
    assert pull(context, box()) == 2
    before = ledger(context)
    assert pull(context, box()) == 0
    assert ledger(context) == before


def test_what_arrives_between_two_pulls_is_stored_by_the_second(context, dovecot, user, box):
    for _ in range(3):
        mail = a_mail()
        dovecot.append(user, mail)
        assert pull(context, box()) == 1
        assert contents(context)[-1] == mail


def test_an_empty_mailbox_is_a_success(context, box, clock):
    assert pull(context, box()) == 0
    assert cursor(context).last_success_at == clock.now


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_the_line_is_protected_as_configured(context, dovecot, user, box, make_proxy, security):
    mail = a_mail(subject="Tajemnica")
    dovecot.append(user, mail)
    proxy = make_proxy(dovecot.imaps_port if security == "tls" else dovecot.imap_port)
    assert pull(context, box(port=proxy.port, security=security, ca_file=dovecot.authority)) == 1
    assert contents(context) == [mail]
    on_the_wire = proxy.sent_by_client() + proxy.sent_by_server()
    assert (b"Tajemnica" in on_the_wire) is (security == "none")
    assert (dovecot.password.encode() in on_the_wire) is (security == "none")


def test_a_large_mail_is_stored_in_the_file_store(context, dovecot, user, box):
    mail = a_mail(text="A" * 70 + ("\n" + "ż" * 35) * 420_000)
    assert len(mail) > 30_000_000
    small = a_mail()
    dovecot.append(user, mail, small)
    assert pull(context, box()) == 2
    assert contents(context) == [mail, small]
    assert context.files.path(sha256(mail).hexdigest()).stat().st_size == len(mail)
    assert not ledger(context)[0].truncated


@pytest.mark.parametrize("size", [INLINE_LIMIT, INLINE_LIMIT + 1], ids=["in a row", "in a file"])
def test_a_mail_around_the_limit_of_a_row_is_whole(context, dovecot, user, box, size):
    mail = a_mail(text="")
    mail += b"x" * (size - len(mail) - 2) + b"\r\n"
    dovecot.append(user, mail)
    pull(context, box())
    assert contents(context) == [mail]
    assert context.files.path(sha256(mail).hexdigest()).exists() is (size > INLINE_LIMIT)


def test_a_mail_that_is_too_large_is_kept_in_part_and_says_so(
    sqlite_engine, make_context, dovecot, user, box
):
    """C-21"""
    context = make_context(sqlite_engine, storage=Storage(path=Path("unused"), max_bytes=300_000))
    huge, fits = a_mail(text="x" * 400_000), a_mail(text="x" * 290_000)
    dovecot.append(user, huge, fits)
    assert pull(context, box()) == 2
    first, second = ledger(context)
    assert contents(context) == [huge[:HEAD_BYTES], fits]
    assert (first.truncated, first.size) == (True, len(huge))
    assert (second.truncated, second.size) == (False, len(fits))


def test_many_mails_come_in_several_batches(context, dovecot, user, box, make_proxy):
    mails = [a_mail() for _ in range(160)]
    dovecot.append(user, *mails)
    proxy = make_proxy(dovecot.imap_port)
    assert pull(context, box(port=proxy.port)) == 160
    assert contents(context) == mails
    commands = [line for line in proxy.sent_by_client().splitlines() if b" UID FETCH " in line]
    assert len(commands) == 4
    assert all(len(line) < 2000 for line in commands)


def test_two_mailboxes_with_the_same_uids_are_two(context, dovecot, box):
    mails = {}
    for name in ("reklamacje", "zwroty"):
        user = dovecot.new_user()
        mails[name] = a_mail()
        dovecot.append(user, mails[name])
        pull(context, box(name=name, username=user))
    for name, mail in mails.items():
        assert contents(context, mailbox=name) == [mail]


def test_every_folder_of_a_mailbox_is_read(context, dovecot, user, box):
    """C-31: also those with a Polish name."""
    mails = {name: a_mail() for name in ("INBOX", "Zażalenia/Śmieci", "Sprawy w toku")}
    for name, mail in mails.items():
        folder = name if name == "INBOX" else f'"{imap_utf7.encode(name).decode()}"'
        dovecot.append(user, mail, folder=folder)
    assert pull(context, box(folders=list(mails))) == 3
    for name, mail in mails.items():
        assert contents(context, folder=name) == [mail]


def test_the_same_bytes_in_two_folders_are_two_rows_and_one_content(context, dovecot, user, box):
    """C-17, C-18"""
    mail = a_mail()
    dovecot.append(user, mail, mail)
    dovecot.append(user, mail, folder="Kopie")
    assert pull(context, box(folders=["INBOX", "Kopie"])) == 3
    assert len({row.sha256 for row in ledger(context)}) == 1


# The server is left as it was


@pytest.mark.parametrize("rule", ["C-02", "C-03"])
def test_flags_are_neither_changed_nor_looked_at(context, dovecot, user, box, rule):
    dovecot.append(user, a_mail(), a_mail(), flags="(\\Flagged)")
    if rule == "C-03":
        with dovecot.connect(user) as phone:
            phone.select()
            phone.uid("STORE", "1:2", "+FLAGS", "(\\Seen \\Answered)")
    before = flags(dovecot, user)
    assert pull(context, box()) == 2
    assert flags(dovecot, user) == before


def test_only_uids_and_peeks_are_sent(context, dovecot, user, box, make_proxy):
    """C-02, C-04, C-29"""
    dovecot.append(user, a_mail())
    proxy = make_proxy(dovecot.imap_port)
    pull(context, box(port=proxy.port))
    sent = proxy.sent_by_client().upper()
    assert b"BODY.PEEK[]" in sent
    assert b"BODY[" not in sent.replace(b"BODY.PEEK[", b"")
    assert b"EXAMINE" in sent
    assert not any(word in sent for word in (b"STORE", b"EXPUNGE", b"MOVE", b"SELECT"))
    for line in sent.splitlines():
        if b"FETCH" in line or b"SEARCH" in line:
            assert b" UID " in line


@pytest.mark.parametrize(("how", "flag"), [("keyword", KEYWORD), ("seen", "\\Seen")])
def test_what_is_stored_is_marked_on_request(context, dovecot, user, box, how, flag):
    dovecot.append(user, a_mail(), a_mail())
    pull(context, box(after_import=how))
    assert flags(dovecot, user) == {1: {flag}, 2: {flag}}


def test_what_is_stored_is_moved_on_request_and_others_stay(context, dovecot, user, box):
    dovecot.append(user, a_mail())
    pull(context, box(start="now", after_import="move:Załatwione"))
    dovecot.append(user, a_mail(), a_mail())
    assert pull(context, box(start="now", after_import="move:Załatwione")) == 2
    assert list(flags(dovecot, user)) == [1]
    assert len(flags(dovecot, user, "Za&AUI-atwione")) == 2


def test_a_mark_that_was_lost_with_the_connection_is_made_good(
    context, dovecot, user, box, make_proxy
):
    """CP-10, CP-27: stored, not marked, and the connection gone."""
    dovecot.append(user, a_mail())
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("cut", on=rb"UID STORE", forward=False))
    mailbox = box(port=proxy.port, after_import="keyword")
    with pytest.raises(MailboxUnreachable):
        pull(context, mailbox)
    assert len(ledger(context)) == 1
    assert flags(dovecot, user) == {1: set()}
    pull(context, mailbox)
    assert flags(dovecot, user) == {1: {KEYWORD}}
    assert len(ledger(context)) == 1


@pytest.mark.parametrize("forward", [True, False], ids=["done", "not done"])
def test_an_interrupted_move_leaves_one_copy_and_one_row(
    context, dovecot, user, box, make_proxy, forward
):
    """C-15, CP-29"""
    dovecot.append(user, a_mail())
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("cut", on=rb"UID MOVE", forward=forward))
    mailbox = box(port=proxy.port, after_import="move:Done")
    with pytest.raises(MailboxUnreachable):
        pull(context, mailbox)
    pull(context, mailbox)
    assert flags(dovecot, user) == {}
    assert len(flags(dovecot, user, "Done")) == 1
    assert [row.outcome for row in ledger(context)] == ["pending"]


def test_a_refused_mark_does_not_keep_mail_from_being_stored(context, dovecot, user, box):
    mailbox = box(after_import="move:" + "x" * 300)
    for _ in range(2):
        dovecot.append(user, a_mail())
        with pytest.raises(CommandRefused, match=r"^mailbox 'reklamacje' at "):
            pull(context, mailbox)
    assert len(ledger(context)) == 2
    assert "reklamacje" in cursor(context).problem


# Which mail counts on the first run


def test_start_now_leaves_what_was_there_and_takes_what_comes(context, dovecot, user, box):
    dovecot.append(user, a_mail())
    assert pull(context, box(start="now")) == 0
    new = a_mail()
    dovecot.append(user, new, received_at=NOW - timedelta(days=400))
    assert pull(context, box(start="now")) == 1
    assert contents(context) == [new]


@pytest.mark.parametrize("start", ["all", "archive"])
def test_start_all_and_archive_take_everything(context, dovecot, user, box, start):
    dovecot.append(user, a_mail())
    assert pull(context, box(start=start)) == 1
    dovecot.append(user, a_mail())
    assert pull(context, box(start=start)) == 1
    assert [row.archive for row in ledger(context)] == [start == "archive", False]


def test_start_on_a_date_takes_what_arrived_on_that_day_of_the_shop_or_later(
    context, dovecot, user, box
):
    days = [
        datetime(2026, 2, 28, 22, 59, tzinfo=UTC),  # 23:59 in Warsaw
        datetime(2026, 2, 28, 23, 0, tzinfo=UTC),  # 1 March in Warsaw
        datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    ]
    for day in days:
        dovecot.append(user, a_mail(), received_at=day)
    mailbox = box(start=date(2026, 3, 1))
    assert pull(context, mailbox) == 2
    assert [row.uid for row in ledger(context)] == [2, 3]
    # What somebody moves here later has arrived now, however old it is.
    dovecot.append(user, a_mail(), received_at=days[0])
    assert pull(context, mailbox) == 1


# The folder changes under our hands


class Asked(threading.Event):
    """Does something when the worker asks whether to stop: between a search and a fetch."""

    def __init__(self, meanwhile):
        super().__init__()
        self.meanwhile = meanwhile

    def is_set(self):
        self.meanwhile()
        return super().is_set()


def test_a_message_that_was_expunged_between_search_and_fetch_is_vanished(
    context, dovecot, user, box
):
    """C-16: another client is quicker."""

    def expunge_the_second():
        with dovecot.connect(user) as phone:
            phone.select()
            phone.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            phone.expunge()

    mails = [a_mail(), a_mail(), a_mail()]
    dovecot.append(user, *mails)
    assert pull(replace(context, stopping=Asked(expunge_the_second)), box()) == 2
    assert contents(context) == [mails[0], mails[2]]
    [gone] = ledger(context, uid=2)
    assert (gone.outcome, gone.sha256, gone.next_attempt_at) == ("vanished", None, None)
    assert gone.reason == "C-07: gone before it could be fetched"
    assert pull(context, box()) == 0


def test_a_message_whose_file_is_gone_is_vanished_and_never_an_empty_mail(
    context, dovecot, user, box
):
    """C-07: the server says OK and gives NIL."""

    def remove_the_second():
        _, second = sorted((dovecot.folder / "home" / user / "Maildir").glob("*/*.*"))
        second.unlink()

    mail = a_mail()
    dovecot.append(user, mail, a_mail())
    assert pull(replace(context, stopping=Asked(remove_the_second)), box()) == 1
    assert contents(context) == [mail]
    assert Counter(row.outcome for row in ledger(context)) == {"pending": 1, "vanished": 1}


def renumber(dovecot, user):
    """The server loses its index: the same mail under a new UIDVALIDITY (C-05)."""
    dovecot.stop()
    for file in (dovecot.folder / "home" / user / "Maildir").glob("dovecot*"):
        if "uidvalidity" not in file.name:  # so that the same second does not give the same number
            file.unlink()
    dovecot.start()


@pytest.mark.parametrize("start", ["all", "now", "archive"])
def test_a_renumbered_folder_loses_nothing(context, dovecot, user, box, caplog, start):
    """C-05: every message is a row again, to be found by its bytes; what is new is new."""
    mailbox = box(start=start)
    pull(context, mailbox)
    known = [a_mail(), a_mail()]
    dovecot.append(user, *known, received_at=NOW)
    assert pull(context, mailbox) == 2
    missed = a_mail()
    dovecot.append(user, missed, received_at=NOW)
    renumber(dovecot, user)
    caplog.set_level(logging.WARNING, "worker")
    assert pull(context, mailbox) == 3
    assert sorted(contents(context)) == sorted([*known, *known, missed])
    assert len({row.uidvalidity for row in ledger(context)}) == 2
    assert not any(row.archive for row in ledger(context))
    assert [record.message for record in caplog.records] == ["folder renumbered by the server"]
    assert pull(context, mailbox) == 0


def test_old_mail_of_a_renumbered_folder_stays_outside(context, dovecot, user, box):
    dovecot.append(user, a_mail(), received_at=NOW - timedelta(days=30))
    pull(context, box(start="now"))
    new = a_mail()
    dovecot.append(user, new, received_at=NOW)
    renumber(dovecot, user)
    assert pull(context, box(start="now")) == 1
    assert contents(context) == [new]


def test_a_folder_that_was_deleted_and_made_again_is_another_folder(context, dovecot, user, box):
    mailbox = box(folders=["Sprawy"])
    first, second = a_mail(), a_mail()
    dovecot.append(user, first, folder="Sprawy")
    pull(context, mailbox)
    with dovecot.connect(user) as connection:
        connection.delete("Sprawy")
    dovecot.append(user, second, folder="Sprawy")
    pull(context, mailbox)
    assert contents(context) == [first, second]
    assert [row.uid for row in ledger(context)] == [1, 1]


def test_the_last_message_is_not_fetched_again_and_again(context, dovecot, user, box, make_proxy):
    """C-11: a range beyond the last UID names the last message."""
    dovecot.append(user, a_mail())
    pull(context, box())
    proxy = make_proxy(dovecot.imap_port)
    pull(context, box(port=proxy.port))
    assert b"FETCH" not in proxy.sent_by_client()


# Faults


def problem_of_pull(context, mailbox):
    try:
        pull(context, mailbox)
    except MailboxUnreachable as error:
        return error


def test_a_connection_cut_anywhere_stores_a_message_whole_or_not_at_all(
    context, dovecot, user, box, make_proxy
):
    """C-10: every 79 bytes of a whole session, by an end and by a reset."""
    mail = a_mail(text="Paczka przyszła rozbita.\n" * 60)
    dovecot.append(user, mail)
    proxy = make_proxy(dovecot.imap_port)
    pull(context, box(name="whole", port=proxy.port))
    length = len(proxy.sent_by_server())
    assert length > len(mail)
    outcomes = Counter()
    for offset in range(0, length, 79):
        name = f"cut at {offset}"
        proxy.plan.append(Fault("rst" if offset % 2 else "cut", after=offset))
        mailbox = box(name=name, port=proxy.port)
        outcomes[type(problem_of_pull(context, mailbox))] += 1
        assert contents(context, mailbox=name) in ([], [mail])
        pull(context, mailbox)
        assert contents(context, mailbox=name) == [mail]
    assert set(outcomes) == {MailboxUnreachable, NoneType}
    assert outcomes[MailboxUnreachable] > 20


def test_a_large_mail_is_never_half(context, dovecot, user, box, make_proxy):
    """C-10 with what does not fit one packet."""
    mails = [a_mail(text="Paczka przyszła rozbita.\n" * 60_000), a_mail()]
    dovecot.append(user, *mails)
    proxy = make_proxy(dovecot.imap_port)
    offsets = random.Random(10).sample(range(2000, len(mails[0])), 8)
    for offset in offsets:
        name = f"cut at {offset}"
        proxy.plan.append(Fault("cut", after=offset))
        mailbox = box(name=name, port=proxy.port)
        with pytest.raises(MailboxUnreachable):
            pull(context, mailbox)
        assert contents(context, mailbox=name) == []
        pull(context, mailbox)
        assert contents(context, mailbox=name) == mails


def test_what_was_stored_before_the_connection_was_lost_stays(
    context, dovecot, user, box, make_proxy, monkeypatch
):
    monkeypatch.setattr("worker.pull.BATCH_MAILS", 2)
    mails = [a_mail(text="x" * 20_000) for _ in range(6)]
    dovecot.append(user, *mails)
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("cut", after=90_000))
    with pytest.raises(MailboxUnreachable):
        pull(context, box(port=proxy.port))
    assert contents(context) == mails[:4]
    assert pull(context, box(port=proxy.port)) == 2
    assert contents(context) == mails


@pytest.mark.parametrize("kind", ["blackhole", "stall"])
def test_a_server_that_falls_silent_is_given_up_in_time(
    context, dovecot, user, box, make_proxy, monkeypatch, kind
):
    """C-26"""
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(imap, "COMMAND_SECONDS", 0.2)
    dovecot.append(user, a_mail())
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault(kind, after=400))
    with pytest.raises(MailboxUnreachable, match="no answer in time"):
        pull(context, box(port=proxy.port))
    assert pull(context, box(port=proxy.port)) == 1


def test_a_slow_server_is_waited_for(context, dovecot, user, box, make_proxy):
    mail = a_mail()
    dovecot.append(user, mail)
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("dribble"))
    pull(context, box(port=proxy.port))
    assert contents(context) == [mail]


def test_a_server_that_is_down_and_comes_back_costs_nothing(context, dovecot, user, box, clock):
    first, second = a_mail(), a_mail()
    dovecot.append(user, first)
    pull(context, box())
    dovecot.append(user, second)
    dovecot.stop()
    with pytest.raises(MailboxUnreachable, match=r"^mailbox 'reklamacje' at 127.0.0.1:\d+: "):
        pull(context, box())
    with open_session(context.engine) as session:
        [shown] = attention(session).mailboxes
    assert (shown.mailbox, shown.folder) == ("reklamacje", "INBOX")
    assert "Connection refused" in shown.problem
    dovecot.start()
    clock.forward(minutes=1)
    assert pull(context, box()) == 1
    assert contents(context) == [first, second]
    assert (cursor(context).problem, cursor(context).last_success_at) == (None, clock.now)


@pytest.mark.parametrize("password", ["wrong", "zażółć gęślą jaźń", 'quo"te\\d', ""])
def test_a_wrong_password_is_said_in_a_sentence(context, box, tmp_path, password):
    secret = tmp_path / "wrong"
    secret.write_text(password, encoding="utf-8")
    with pytest.raises(LoginRefused) as refusal:
        pull(context, box(password_file=secret))
    said = str(refusal.value)
    assert "the server refused the user name or password" in said
    assert "\n" not in said
    assert not password or password not in said.replace("password", "")


def test_a_connection_lost_at_login_is_no_refused_password(context, dovecot, box, make_proxy):
    """C-27: a refusal makes us wait for an hour, a lost connection for seconds."""
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("cut", on=rb"LOGIN", forward=False))
    with pytest.raises(MailboxUnreachable) as failure:
        pull(context, box(port=proxy.port))
    assert not isinstance(failure.value, LoginRefused)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted_is_said_in_a_sentence(
    context, dovecot, box, certificates, security
):
    port = dovecot.imaps_port if security == "tls" else dovecot.imap_port
    with pytest.raises(MailboxUnreachable, match="its certificate is not trusted") as failure:
        pull(context, box(port=port, security=security, ca_file=certificates.authority))
    assert isinstance(failure.value.__cause__, ssl.SSLCertVerificationError)
    assert "ca_file" in str(failure.value)


def test_a_certificate_that_expires_is_said_and_nothing_is_lost(context, dovecot, user, box):
    mailbox = box(port=dovecot.imaps_port, security="tls", ca_file=dovecot.authority)
    dovecot.append(user, a_mail())
    assert pull(context, mailbox) == 1
    try:
        dovecot.restart_with_certificate(days=-1)
        dovecot.append(user, a_mail())
        with pytest.raises(MailboxUnreachable, match=r"not trusted .*has expired"):
            pull(context, mailbox)
        assert "has expired" in cursor(context).problem
    finally:
        dovecot.restart_with_certificate(days=2)
    assert pull(context, mailbox) == 1
    assert cursor(context).problem is None


def test_plain_text_is_not_spoken_where_tls_was_asked_for(context, dovecot, box, make_proxy):
    """C-33: no password goes out when STARTTLS does not work."""
    proxy = make_proxy(dovecot.imap_port)
    proxy.plan.append(Fault("cut", on=rb"STARTTLS", forward=False))
    with pytest.raises(MailboxUnreachable):
        pull(context, box(port=proxy.port, security="starttls", ca_file=dovecot.authority))
    assert b"LOGIN" not in proxy.sent_by_client()


def test_a_folder_that_does_not_exist_does_not_hide_the_others(context, dovecot, user, box):
    dovecot.append(user, a_mail())
    with pytest.raises(CommandRefused, match="Nic takiego"):
        pull(context, box(folders=["Nic takiego", "INBOX"]))
    assert len(ledger(context)) == 1
    assert cursor(context).problem is None


def test_a_missing_secret_is_shown_beside_the_mailbox(context, dovecot, user, box):
    dovecot.append(user, a_mail())
    pull(context, box())
    with pytest.raises(ConfigurationError, match="ODZEW_NOT_SET"):
        pull(context, box(password_file=None, password_env="ODZEW_NOT_SET"))
    assert "ODZEW_NOT_SET" in cursor(context).problem


def test_a_stop_ends_between_two_batches(context, dovecot, user, box, monkeypatch):
    monkeypatch.setattr("worker.pull.BATCH_MAILS", 2)
    dovecot.append(user, *(a_mail() for _ in range(6)))

    def stop_after_the_first():
        if ledger(context):
            stopping.set()

    stopping = Asked(stop_after_the_first)
    assert pull(replace(context, stopping=stopping), box()) == 2
    assert pull(context, box()) == 4


def test_one_cursor_belongs_to_a_folder(context, box):
    pull(context, box())
    pull(context, box())
    with open_session(context.engine) as session:
        assert len(session.exec(select(MailboxCursor)).all()) == 1


# The step on its schedule


def messages(caplog):
    return [record.message for record in caplog.records if record.name == "worker.pipeline"]


def a_runner(context, mailbox):
    step = Step("pull", partial(pull, context, mailbox), 60, again_at_once=False)
    return Runner(step, context, Troubles())


def test_an_outage_is_one_line_in_the_log_when_it_begins_and_one_when_it_ends(
    context, dovecot, user, box, clock, caplog
):
    caplog.set_level(logging.INFO, "worker.pipeline")
    runner = a_runner(context, box())
    mails = [a_mail(), a_mail()]
    dovecot.append(user, mails[0])
    runner()
    dovecot.append(user, mails[1])
    dovecot.kill()
    while listens(dovecot.imap_port):  # its children end a moment later
        continue
    for _ in range(20):
        runner()
        clock.forward(minutes=1)
    assert messages(caplog) == ["step failed"]
    dovecot.start()
    clock.forward(minutes=5)
    runner()
    assert messages(caplog) == ["step failed", "step works again"]
    assert contents(context) == mails
    assert runner.problem is None


def test_a_failing_server_is_asked_less_and_less_often_but_every_five_minutes(
    context, box, make_proxy, clock, caplog
):
    """C-27"""
    caplog.set_level(logging.INFO, "worker.pipeline")
    proxy = make_proxy(1)
    proxy.plan.extend([Fault("refuse")] * 10_000)
    runner = a_runner(context, box(port=proxy.port))
    for _ in range(10):
        clock.forward(seconds=1)
        runner()
    assert 2 <= proxy.connections <= 5
    before = proxy.connections
    for _ in range(60):
        clock.forward(minutes=1)
        runner()
    assert 10 <= proxy.connections - before <= 30
    assert messages(caplog) == ["step failed"]


def test_a_refused_password_is_tried_three_times_and_then_once_an_hour(
    context, box, dovecot, make_proxy, clock, tmp_path
):
    """C-27: servers lock an account that is hammered."""
    secret = tmp_path / "wrong"
    secret.write_text("wrong")
    proxy = make_proxy(dovecot.imap_port)
    runner = a_runner(context, box(port=proxy.port, password_file=secret))
    for _ in range(29):
        clock.forward(minutes=1)
        runner()
    assert proxy.connections == 3
    clock.forward(hours=1)
    runner()
    assert proxy.connections == 4
