"""An address that a colleague's mail only suggests: a person confirms it, then the mail goes."""

import pytest
from sqlmodel import select

from storage.database import open_session
from storage.tables import OutboxMessage, RawContent, RawMessage, Ticket
from storage.tickets import confirm_requester
from tests.factories import NOW, a_mail, a_mailbox, an_smtp_server, in_the_ledger
from worker.context import known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess, Unparsable
from worker.release import AGAIN_AFTER

HALF_A_HEADER = (
    "Klientka dzwoniła, pisze też mailem.\n\n---------- Wiadomość przekazana dalej ---------\n"
    "Od: Ewa Lis <ewa@klient.example>\nTemat: Pęknięty wazon\n\n"
    "Wazon przyszedł pęknięty, proszę o zwrot.\n"
)


@pytest.fixture
def context(engine, make_context):
    return make_context(engine, smtp=an_smtp_server(), mailboxes=[a_mailbox()])


@pytest.fixture
def parser(context):
    child = ParserProcess(known_addresses(context.settings))
    yield child
    child.close()


def read(context, parser, mail: bytes) -> Ticket:
    [row] = in_the_ledger(context, mail)
    ingest(context, parser)
    with open_session(context.engine) as session:
        return session.get(Ticket, session.get(RawMessage, row.id).ticket_id)


def owed(context) -> list[OutboxMessage]:
    with open_session(context.engine) as session:
        return list(session.exec(select(OutboxMessage)).all())


def confirm(context, parser, ticket: Ticket, address: str) -> Ticket:
    with open_session(context.engine) as session:
        row = session.get(Ticket, ticket.id)
        confirm_requester(session, row, address, actor="lead@sklep.example", now=NOW)
        session.commit()
    ingest(context, parser)
    with open_session(context.engine) as session:
        return session.get(Ticket, ticket.id)


def test_b_f6_one_click_confirms_the_address_and_releases_the_acknowledgement(context, parser):
    mail = a_mail(sender="Ola <ola@sklep.example>", subject="Fwd: Wazon", text=HALF_A_HEADER)
    ticket = read(context, parser, mail)
    assert (ticket.requester_addr, ticket.requester_status) == ("ewa@klient.example", "suggested")
    assert owed(context) == []
    received = ticket.received_at
    ticket = confirm(context, parser, ticket, "ewa@klient.example")
    [message] = owed(context)
    assert message.recipient == "ewa@klient.example"
    assert ticket.acknowledgement_reason.startswith("B.1: ")
    assert (ticket.received_at, ticket.acknowledgement_wanted_at) == (received, None)
    # Confirmed twice, it goes out once.
    confirm(context, parser, ticket, "ewa@klient.example")
    assert len(owed(context)) == 1


def test_an_address_that_a_person_found_is_used(context, parser):
    ticket = read(context, parser, a_mail(sender="Klientka bez adresu", fields={"From": "Ewa Lis"}))
    assert ticket.requester_status == "missing"
    confirm(context, parser, ticket, "ewa.lis@poczta.example")
    assert [message.recipient for message in owed(context)] == ["ewa.lis@poczta.example"]


def test_machine_mail_is_not_acknowledged_whoever_confirms_it(context, parser):
    mail = a_mail(
        sender="Ola <ola@sklep.example>",
        subject="Fwd: Wazon",
        text=HALF_A_HEADER,
        fields={"Auto-Submitted": "auto-generated"},
    )
    ticket = confirm(context, parser, read(context, parser, mail), "ewa@klient.example")
    assert owed(context) == []
    assert ticket.acknowledgement_reason.startswith("B-M2: ")


def test_an_address_that_cannot_be_written_to_is_refused_with_its_reason(context, parser):
    ticket = read(context, parser, a_mail(sender="x", fields={"From": "Ewa Lis"}))
    ticket = confirm(context, parser, ticket, "ewa@nigdzie")
    assert owed(context) == []
    assert ticket.acknowledgement_reason.startswith("B-D2: ")


def test_a_mail_that_cannot_be_read_again_keeps_no_other_waiting(context, parser, clock):
    """It is tried once more; then a person sees why, and may confirm the address again."""
    mail = a_mail(sender="Ola <ola@sklep.example>", subject="Fwd: Wazon", text=HALF_A_HEADER)
    ticket = read(context, parser, mail)
    with open_session(context.engine) as session:
        row = session.exec(select(RawMessage).where(RawMessage.ticket_id == ticket.id)).one()
        session.delete(session.get(RawContent, row.sha256))
        session.commit()
    [other] = in_the_ledger(context, a_mail())
    ticket = confirm(context, parser, ticket, "ewa@klient.example")
    assert ticket.acknowledgement_wanted_at == clock.now + AGAIN_AFTER
    with open_session(context.engine) as session:
        assert session.get(RawMessage, other.id).outcome == "ticket"
    clock.forward(minutes=6)
    ingest(context, parser)
    with open_session(context.engine) as session:
        ticket = session.get(Ticket, ticket.id)
    assert ticket.acknowledgement_wanted_at is None
    assert ticket.requester_status == "suggested"
    assert ticket.acknowledgement_reason.startswith("the mail could not be read again: ")


@pytest.mark.parametrize("error", [Unparsable("the parser did not survive"), RecursionError()])
def test_a_parser_that_died_by_chance_costs_no_acknowledgement(context, parser, clock, error):
    mail = a_mail(sender="Ola <ola@sklep.example>", subject="Fwd: Wazon", text=HALF_A_HEADER)
    ticket = read(context, parser, mail)
    confirm(context, FailsOnce(parser, error), ticket, "ewa@klient.example")
    assert owed(context) == []
    clock.forward(minutes=6)
    ingest(context, parser)
    assert [message.recipient for message in owed(context)] == ["ewa@klient.example"]


class FailsOnce:
    """A parser that the machine has killed once, for lack of memory."""

    def __init__(self, parser, error):
        self._parser, self._error = parser, error

    def read_all(self, contents):
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._parser.read_all(contents)
