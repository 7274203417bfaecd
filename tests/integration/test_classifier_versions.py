"""Versions of the classifier: trained from labels, promoted, rolled back; one is active."""

from dataclasses import replace
from pathlib import Path

import pytest

from config.errors import PermanentError
from models.artifact import write
from models.registry import (
    UnknownVersion,
    active_folder,
    default_folder,
    ensure_default,
    folder_of,
    promote,
    register,
    roll_back,
)
from storage.classifiers import active_version, all_versions
from storage.database import open_session
from storage.labels import add_label
from storage.tables import Prediction, RawMessage, Ticket
from tests.factories import a_mail, in_the_ledger
from triage.classifier import Classifier
from worker.assign import ActiveTriager, assign
from worker.context import known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine)


def tickets_from(context, *mails) -> list[int]:
    rows = in_the_ledger(context, *mails)
    parser = ParserProcess(known_addresses(context.settings))
    try:
        while ingest(context, parser):
            continue
    finally:
        parser.close()
    with open_session(context.engine) as session:
        return [session.get(RawMessage, row.id).ticket_id for row in rows]


def test_the_shipped_version_is_active_from_the_start_and_registered_once(session, now):
    ensure_default(session, now=now)
    ensure_default(session, now=now)
    [only] = all_versions(session)
    assert (only.state, only.shipped) == ("active", True)
    assert folder_of(only, Path("anywhere")) == default_folder()


def test_a_person_keeps_the_last_word_over_a_later_prediction(context):
    [number] = tickets_from(context, a_mail())
    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())
        ticket = session.get(Ticket, number)
        add_label(session, ticket, cause="question", urgency="low", author="anna", source="person")
        session.commit()
    assign(context, ActiveTriager(context.settings.storage.path, context.taxonomy))
    with open_session(context.engine) as session:
        ticket = session.get(Ticket, number)
        assert (ticket.cause, ticket.urgency, ticket.needs_review) == ("question", "low", False)
        assert session.get(Prediction, 1).ticket_id == number


def test_without_a_classifier_people_decide_and_it_is_made_good_later(context):
    """D-P8: the ticket is whole; a version that is promoted later reads it."""
    [number] = tickets_from(context, a_mail(text="Wazon przyszedł stłuczony."))
    triager = ActiveTriager(context.settings.storage.path, context.taxonomy)
    assign(context, triager)
    with open_session(context.engine) as session:
        ticket = session.get(Ticket, number)
        assert (ticket.cause, ticket.needs_review, ticket.next_attempt_at) == (None, True, None)
        assert ticket.due_at is not None
        ensure_default(session, now=context.clock())
        active = active_version(session).version
        promote(session, active, context.settings.storage.path, now=context.clock())
    assign(context, triager)
    with open_session(context.engine) as session:
        assert session.get(Ticket, number).cause is not None


def test_a_damaged_version_is_not_promoted(session, now, tmp_path):
    ensure_default(session, now=now)
    copy = replace(Classifier.load(default_folder()), version="copy")
    folder = tmp_path / "classifiers" / "copy"
    write(folder, copy, training_hash="", metrics={}, parent=None, created_at=now)
    register(session, folder)
    head = folder / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-1] + b"?")
    with pytest.raises(PermanentError, match="is not the file of the manifest"):
        promote(session, "copy", tmp_path, now=now)
    assert active_folder(session, tmp_path) == default_folder()


def test_a_version_that_nobody_knows_is_named_with_those_that_are(session, now, tmp_path):
    ensure_default(session, now=now)
    with pytest.raises(UnknownVersion, match="known: default-"):
        promote(session, "nonesuch", tmp_path, now=now)
    with pytest.raises(UnknownVersion, match="no earlier"):
        roll_back(session, tmp_path, now=now)
