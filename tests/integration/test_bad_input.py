"""The bad-input catalogue through the worker: ledger, ticket, acknowledgement (E-01 to E-80).

Every mail of ``tests.bad_input`` is read once, in batches, by one parser process, with ordinary
mails between; the tests then look at what has become of them. Real SQLite, nothing replaced.
"""

import email
import email.policy
import hashlib
import multiprocessing
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlmodel import select

from config.settings import Acknowledgements, Mail
from config.taxonomy import Taxonomy
from storage.database import Engine, open_database, open_session
from storage.files import FileStore
from storage.mail import raw_bytes
from storage.tables import Attachment, InboundMessage, OutboxMessage, RawMessage, Ticket
from tests.bad_input import BadMail, every_mail
from tests.bad_input.content import FORMULAS, INJECTIONS, TEMPLATES
from tests.bad_input.flood import STORIES
from tests.factories import Clock, a_configuration, a_mailbox, an_smtp_server, in_the_ledger
from tests.factories import a_mail as an_ordinary_mail
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

pytestmark = pytest.mark.timeout(300)  # the first test reads everything

BETWEEN = 40  # bad mails between two ordinary ones
NO_LIMIT = Acknowledgements(
    per_address_per_day=10_000, per_domain_per_hour=10_000, per_mailbox_per_hour=10_000
)
FIELDS = [
    "Date",
    "From",
    "Reply-To",
    "To",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Precedence",
    "X-Odzew-Loop",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]


@dataclass
class Desk:
    """What became of the mails of the catalogue, by their names."""

    context: Context
    rows: dict[str, RawMessage] = field(default_factory=dict)
    messages: dict[int, InboundMessage] = field(default_factory=dict)  # by row
    tickets: dict[int, Ticket] = field(default_factory=dict)
    files: dict[int, list[Attachment]] = field(default_factory=dict)  # by message
    owed: dict[int, OutboxMessage] = field(default_factory=dict)  # by ticket
    ordinary: list[RawMessage] = field(default_factory=list)
    children: set[int] = field(default_factory=set)  # parser processes that were needed


def a_context(folder: Path, template: Path, **sections: object) -> Context:
    shutil.copy(template, folder / "odzew.db")
    settings = a_configuration(
        folder, **({"smtp": an_smtp_server(), "mailboxes": [a_mailbox()]} | sections)
    )
    return Context(
        settings=settings,
        taxonomy=Taxonomy.load(),
        engine=open_database(settings.database.url),
        files=FileStore(settings.storage.path),
        clock=Clock(),
    )


def read_all(context: Context, parser: ParserProcess) -> None:
    while ingest(context, parser):
        continue


def every(engine: Engine, table: type) -> list:
    with open_session(engine) as session:
        return list(session.exec(select(table)).all())


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParserProcess]:
    settings = a_configuration(tmp_path_factory.mktemp("shop"))
    child = ParserProcess(known_addresses(settings))
    yield child
    child.close()


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, parser: ParserProcess
) -> Iterator[Desk]:
    """All mails of the catalogue, read."""
    desk = Desk(
        a_context(
            tmp_path_factory.mktemp("desk"),
            sqlite_template,
            acknowledgements=NO_LIMIT,
            mail=Mail(trusted_hosts=["mx.sklep.example"]),
        )
    )
    others = {child.pid for child in multiprocessing.active_children()}
    mails = every_mail()
    for start in range(0, len(mails), BETWEEN):
        part = mails[start : start + BETWEEN]
        first, *rows = in_the_ledger(desk.context, an_ordinary_mail(), *(mail.raw for mail in part))
        desk.ordinary.append(first)
        desk.rows |= {mail.name: row for mail, row in zip(part, rows, strict=True)}
        read_all(desk.context, parser)
        alive = {child.pid for child in multiprocessing.active_children()}
        desk.children |= {pid for pid in alive - others if pid is not None}
    engine = desk.context.engine
    now = {row.id: row for row in every(engine, RawMessage)}
    desk.rows = {name: now[row.id] for name, row in desk.rows.items()}
    desk.ordinary = [now[row.id] for row in desk.ordinary]
    desk.messages = {message.raw_message_id: message for message in every(engine, InboundMessage)}
    desk.tickets = {ticket.id: ticket for ticket in every(engine, Ticket)}
    desk.owed = {owed.ticket_id: owed for owed in every(engine, OutboxMessage)}
    for attachment in every(engine, Attachment):
        desk.files.setdefault(attachment.message_id, []).append(attachment)
    yield desk
    engine.dispose()


ITEMS = sorted({mail.id for mail in every_mail()})


def of_item(item: str) -> list[BadMail]:
    return [mail for mail in every_mail() if mail.id == item]


@pytest.mark.parametrize("item", ITEMS)
def test_every_bad_mail_has_its_outcome_and_its_bytes(desk, item):
    """D-P4: exactly one row with a visible outcome, the bytes unchanged."""
    for mail in of_item(item):
        row = desk.rows[mail.name]
        assert (row.outcome, row.next_attempt_at, row.attempts) == (mail.outcome, None, 0), (
            mail.name
        )
        assert row.problem is None, mail.name
        with open_session(desk.context.engine) as session:
            assert raw_bytes(session, desk.context.files, row.sha256) == mail.raw, mail.name
        message = desk.messages[row.id]
        if mail.outcome == "ticket":
            assert message.ticket_id == row.ticket_id, mail.name
            ticket = desk.tickets[row.ticket_id]
            assert ticket.due_at is not None, mail.name
            assert ticket.needs_review, mail.name
            assert ticket.acknowledgement_reason, mail.name
            assert len(ticket.subject) <= 500, mail.name
            assert len(ticket.order_numbers) <= 20_000, mail.name


@pytest.mark.parametrize("item", ITEMS)
def test_a_bad_mail_is_acknowledged_where_its_sender_is_sure(desk, item):
    for mail in of_item(item):
        row = desk.rows[mail.name]
        ticket = desk.tickets.get(row.ticket_id)
        reason = row.reason if ticket is None else ticket.acknowledgement_reason
        assert (row.ticket_id in desk.owed) == mail.acknowledged, f"{mail.name}: {reason}"


@pytest.mark.parametrize("item", ITEMS)
def test_what_is_stored_of_a_bad_mail_is_what_it_says(desk, item):
    for mail in of_item(item):
        message = desk.messages[desk.rows[mail.name].id]
        for words in mail.says:
            assert words in message.body, mail.name
        for words in mail.hides:
            assert words not in message.body, mail.name
            assert words not in message.subject, mail.name
        if mail.subject is not None:
            assert message.subject == mail.subject, mail.name
        if mail.sender is not None:
            assert (message.from_name, message.from_addr) == mail.sender, mail.name
        if mail.defect:
            assert any(mail.defect in defect for defect in message.defects), mail.name
        for attachment in desk.files.get(message.id, []):
            content = desk.context.files.read(attachment.sha256)
            assert hashlib.sha256(content).hexdigest() == attachment.sha256
            assert len(content) == attachment.size


def test_ordinary_mails_between_the_bad_ones_are_tickets_with_an_acknowledgement(desk):
    assert len(desk.ordinary) > 10
    assert Counter(row.outcome for row in desk.ordinary) == {"ticket": len(desk.ordinary)}
    assert all(row.ticket_id in desk.owed for row in desk.ordinary)


def test_one_parser_survives_all_of_them(desk):
    assert len(desk.children) == 1


def test_no_mail_has_two_messages_or_tickets(desk):
    rows = every(desk.context.engine, RawMessage)
    assert len(rows) == len(desk.rows) + len(desk.ordinary) == len(desk.messages)
    opened = Counter(row.ticket_id for row in rows if row.outcome == "ticket")
    assert set(opened.values()) == {1}
    assert set(opened) == set(desk.tickets)


def test_no_text_in_the_database_holds_a_nul_or_half_a_character(desk):
    """E-10, E-23, E-24: PostgreSQL would refuse it, SQLite cut it."""
    path = desk.context.settings.database.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for table in tables:
            for row in connection.execute(
                f'SELECT * FROM "{table}"'
            ):  # raises for half a character
                for value in row:
                    assert not (isinstance(value, str) and "\0" in value), table


def test_the_moment_of_receipt_is_never_what_a_stranger_claims(desk):
    """E-32, E-33: dates of the sender decide nothing."""
    claimed = [desk.rows[mail.name] for item in ("E-32", "E-33") for mail in of_item(item)]
    for row in claimed:
        ticket = desk.tickets[row.ticket_id]
        assert abs((row.received_at - ticket.received_at).total_seconds()) <= 60
        assert desk.messages[row.id].received_at == row.received_at


# The acknowledgements of all of them


def field_names(content: bytes) -> list[str]:
    """By the plainest reading: a line of the header that does not begin with a blank."""
    head = content.split(b"\r\n\r\n", 1)[0]
    return [line.split(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"]


def test_every_acknowledgement_has_exactly_the_intended_fields(desk):
    """E-09, E-31, E-56: nothing that a customer sent adds a field or an address."""
    assert len(desk.owed) > 300
    for owed in desk.owed.values():
        assert not re.sub(rb"\r\n", b"", owed.content).count(b"\n"), owed.id
        assert not re.sub(rb"\r\n", b"", owed.content).count(b"\r"), owed.id
        assert b"\0" not in owed.content
        found = field_names(owed.content)
        assert found == [name for name in FIELDS if name in found]
        assert set(FIELDS) - set(found) <= {"In-Reply-To", "References"}
        assert email.message_from_bytes(owed.content, policy=email.policy.compat32).keys() == found
        message = email.message_from_bytes(owed.content, policy=email.policy.default)
        assert message.keys() == found
        assert not message.defects
        [sender], [recipient] = message["From"].addresses, message["To"].addresses
        assert sender.addr_spec == "reklamacje@sklep.example"
        assert recipient.addr_spec == owed.recipient
        assert max(map(len, owed.content.split(b"\r\n"))) <= 998


def test_an_acknowledgement_repeats_nothing_of_a_bad_mail(desk):
    """E-50, E-54, E-56: values are values, and an order number is only a plain one."""
    armed = [*TEMPLATES, *INJECTIONS, *(formula for formula in FORMULAS if len(formula) > 6)]
    sent = {
        mail.name: email.message_from_bytes(
            desk.owed[desk.rows[mail.name].ticket_id].content, policy=email.policy.default
        )
        for item in ("E-50", "E-54", "E-56")
        for mail in of_item(item)
    }
    assert len(sent) > 20
    for name, message in sent.items():
        text = f"{message['Subject']}\n{message.get_content()}"
        assert not [words for words in armed if words.strip() in text], name
        assert "49" not in re.sub(r"ODZ-\d+-\d+", "", text), name  # 7*7


def test_no_word_in_a_mail_sets_cause_urgency_or_status(desk):
    """E-35, E-50, E-51: what a mail asks for changes nothing before a classifier has scored it."""
    ordinary = desk.tickets[desk.ordinary[0].ticket_id]
    for item in ("E-35", "E-50", "E-51"):
        for mail in of_item(item):
            ticket = desk.tickets[desk.rows[mail.name].ticket_id]
            for name in ("cause", "urgency", "priority", "status", "due_at", "due_safe"):
                assert getattr(ticket, name) == getattr(ordinary, name), mail.name


# Many mails


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_flood_is_kept_whole_and_answered_in_measure(story, tmp_path, sqlite_template, parser):
    """E-29, E-30, E-64, E-65, E-66, E-67: every mail has its row, few have an answer."""
    told = story()
    context = a_context(tmp_path, sqlite_template)
    try:
        in_the_ledger(context, *told.mails)
        read_all(context, parser)
        rows = every(context.engine, RawMessage)
        assert len(rows) == len(told.mails)
        assert {row.outcome for row in rows} <= told.outcomes
        assert len(every(context.engine, OutboxMessage)) <= told.acknowledgements
        assert len(every(context.engine, InboundMessage)) == len(told.mails)
        assert all(row.reason or row.ticket_id for row in rows)
    finally:
        context.engine.dispose()
