"""A batch is taken in by parts, one transaction each: what happens to one touches no other."""

import os
import signal
import time

import pytest
from sqlmodel import select

import worker.ingest
import worker.parser_process
from storage.database import open_session
from storage.files import StorageFull
from storage.tables import OutboxMessage, RawContent, RawMessage, Ticket
from storage.tickets import set_status
from tests.factories import a_mail, a_mailbox, an_smtp_server, in_the_ledger
from tests.integration.test_ingest import a_bounce_of
from worker.context import known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

ANNA = "Anna Nowak <anna@klient.example>"


class Interrupted(ParserProcess):
    """Something happens before the mails of a part are read; which part it is, is given."""

    def __init__(self, known, happens=lambda part: None):
        super().__init__(known)
        self._happens, self._part = happens, 0

    def read_all(self, contents):
        self._part += 1
        self._happens(self._part)
        return super().read_all(contents)


class Dies(ParserProcess):
    """The child dies over whatever it is given ahead."""

    def begin(self, contents):
        super().begin(contents)
        for process in list(self._pool._processes.values()):
            os.kill(process.pid, signal.SIGKILL)
        while not self._begun[1].done():
            time.sleep(0.05)


@pytest.fixture
def context(engine, make_context):
    return make_context(engine, smtp=an_smtp_server(), mailboxes=[a_mailbox()])


@pytest.fixture
def one_a_part(monkeypatch):
    monkeypatch.setattr(worker.ingest, "AT_ONCE", 1)


@pytest.fixture
def make_parser(context):
    made = []

    def make(kind=Interrupted, *arguments):
        made.append(kind(known_addresses(context.settings), *arguments))
        return made[-1]

    yield make
    for parser in made:
        parser.close()


def rows_of(context, table):
    with open_session(context.engine) as session:
        return list(session.exec(select(table).order_by(table.id)).all())


@pytest.mark.usefixtures("one_a_part")
def test_a_file_that_is_gone_is_no_fault_of_the_part_before(context, make_parser, clock):
    _, gone = in_the_ledger(context, a_mail(), a_mail())
    with open_session(context.engine) as session:
        session.delete(session.get(RawContent, gone.sha256))
        session.commit()
    parser = make_parser()
    for _ in range(3):
        ingest(context, parser)
        clock.forward(minutes=2)
    assert [(row.outcome, row.attempts) for row in rows_of(context, RawMessage)] == [
        ("ticket", 0),
        ("quarantined", 3),
    ]


@pytest.mark.usefixtures("one_a_part")
def test_what_a_person_changes_between_two_parts_is_seen(context, make_parser):
    """A reply to what was resolved a moment ago opens it again."""
    first = a_mail(sender=ANNA, fields={"Message-ID": "<one@klient.example>"})
    reply = a_mail(
        sender=ANNA,
        text="Dosyłam zdjęcia i proszę o pilną odpowiedź.",
        fields={"In-Reply-To": "<one@klient.example>"},
    )
    in_the_ledger(context, first, reply)

    def resolve(part):
        if part == 2:
            with open_session(context.engine) as session:
                [ticket] = session.exec(select(Ticket)).all()
                set_status(session, ticket, "resolved", now=context.clock())
                session.commit()

    ingest(context, make_parser(Interrupted, resolve))
    [ticket] = rows_of(context, Ticket)
    assert (ticket.status, ticket.closed_at) == ("new", None)


@pytest.mark.usefixtures("one_a_part")
def test_an_outage_gives_back_all_parts_untouched(context, make_parser):
    in_the_ledger(context, *[a_mail() for _ in range(4)])

    def full(part):
        if part == 2:
            raise StorageFull("the disk is full")

    with pytest.raises(StorageFull):
        ingest(context, make_parser(Interrupted, full))
    rows = rows_of(context, RawMessage)
    assert [row.outcome for row in rows] == ["ticket", "pending", "pending", "pending"]
    assert {(row.claimed_until, row.attempts) for row in rows} == {(None, 0)}
    assert ingest(context, make_parser()) == 3


def test_a_child_that_dies_over_the_next_part_is_not_charged_to_this_one(
    context, make_parser, monkeypatch
):
    monkeypatch.setattr(worker.ingest, "AT_ONCE", 2)
    harmless, _, _, _ = in_the_ledger(
        context, a_mail(), a_mail(fields={"X-Odd": "1"}), a_mail(), a_mail()
    )
    real = worker.ingest.trusted_received

    def bug(content, hosts):
        if b"X-Odd" in content:
            raise ValueError("a bug over this mail")
        return real(content, hosts)

    monkeypatch.setattr(worker.ingest, "trusted_received", bug)
    ingest(context, make_parser(Dies))
    [first, *_] = rows_of(context, RawMessage)
    assert (first.id, first.outcome, first.attempts) == (harmless.id, "ticket", 0)


def test_an_address_that_bounced_is_not_written_to_by_the_same_batch(context, make_parser, clock):
    in_the_ledger(context, a_mail(sender=ANNA))
    parser = make_parser()
    ingest(context, parser)
    [owed] = rows_of(context, OutboxMessage)
    now = clock.forward(hours=1)
    another = a_mail(sender=ANNA, text="Druga sprawa: wazon jest pęknięty.", date=now)
    in_the_ledger(
        context,
        a_bounce_of(owed.message_id),
        another,
        next_attempt_at=now,
        received_at=now,
        fetched_at=now,
    )
    ingest(context, parser)
    assert rows_of(context, Ticket)[-1].acknowledgement_reason.startswith("B-47")
    assert len(rows_of(context, OutboxMessage)) == 1


def test_the_start_of_a_child_counts_against_no_mail(make_parser, monkeypatch):
    monkeypatch.setattr(worker.parser_process, "SECONDS_PER_MAIL", 0.5)
    parser = make_parser()
    parser.close()  # as after a mail that killed it
    assert len(parser.read_all([a_mail()])) == 1
