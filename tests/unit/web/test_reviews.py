from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from storage.labels import latest_label
from storage.tables import Label, Prediction, RawMessage
from storage.tickets import events_of, store_prediction
from tests.unit.web.conftest import post
from tests.unit.web.samples import Mail, a_ticket


def label(client, ticket, **fields: str):
    return post(client, f"/tickets/{ticket.reference}/label", **fields)


def test_one_click_corrects_the_cause(signed_in, session, marta):
    ticket = a_ticket(session, Mail("x", "x", review=True))
    session.commit()
    answer = label(signed_in, ticket, cause="wrong_item")
    assert answer.headers["location"] == f"/tickets/{ticket.reference}"
    session.refresh(ticket)
    stated = latest_label(session, ticket.id)
    assert (stated.cause, stated.urgency, stated.author) == ("wrong_item", "normal", marta.email)
    assert stated.source == "person"
    assert stated.prediction_id is not None
    assert (ticket.cause, ticket.needs_review, ticket.status) == ("wrong_item", False, "assigned")
    assert ticket.cause_confidence is None  # a probability says nothing any more
    page = signed_in.get(f"/tickets/{ticket.reference}").text
    assert "Zapisano." in page
    assert "Zapisano." not in signed_in.get(f"/tickets/{ticket.reference}").text
    assert "decyzja człowieka" in signed_in.get("/").text


def test_one_click_confirms_what_the_classifier_said(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", review=True))
    session.commit()
    label(signed_in, ticket, cause="defective", urgency="normal")
    session.refresh(ticket)
    assert not ticket.needs_review
    assert "Potwierdzono" in signed_in.get(f"/tickets/{ticket.reference}").text


def test_a_10_dates_follow_from_the_original_receipt(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", cause="question", days_ago=20))
    assert ticket.due_safe is None
    session.commit()
    label(signed_in, ticket, cause="defective")
    session.refresh(ticket)
    # Received on Saturday, 31 October: day 14 is a Saturday, so the term ends with Monday.
    assert ticket.due_safe == date(2026, 11, 13)
    assert ticket.due_at == datetime(2026, 11, 16, 23, 0, tzinfo=UTC)
    assert ticket.priority == 1
    assert "po terminie" in signed_in.get("/").text
    assert "Nowy termin: pt., 13 lis" in signed_in.get(f"/tickets/{ticket.reference}").text
    label(signed_in, ticket, cause="question")
    session.refresh(ticket)
    assert (ticket.due_at, ticket.due_safe) == (None, None)


def test_urgency_alone_can_be_corrected_and_changes_the_priority(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", cause="question", urgency="low"))
    session.commit()
    label(signed_in, ticket, urgency="critical")
    session.refresh(ticket)
    assert (ticket.cause, ticket.urgency, ticket.priority) == ("question", "critical", 1)


def test_a_ticket_without_a_prediction_can_be_labelled(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", cause=None))
    session.commit()
    assert "disabled" in signed_in.get(f"/tickets/{ticket.reference}").text
    assert label(signed_in, ticket, urgency="high").status_code == 422
    label(signed_in, ticket, cause="other")
    session.refresh(ticket)
    assert (ticket.cause, ticket.urgency, ticket.due_safe) == ("other", "normal", None)


def test_archived_mail_keeps_having_no_clock(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", cause="question", status="closed"))
    for row in session.exec(select(RawMessage)):
        row.archive = True
    session.commit()
    label(signed_in, ticket, cause="defective")
    session.refresh(ticket)
    assert (ticket.due_at, ticket.status) == (None, "closed")


@pytest.mark.parametrize(
    "fields", [{"cause": "nonsense"}, {"urgency": "nonsense"}, {"cause": "x" * 9999}]
)
def test_what_is_not_in_the_taxonomy_is_refused(signed_in, session, fields):
    ticket = a_ticket(session, Mail("x", "x"))
    session.commit()
    assert label(signed_in, ticket, **fields).status_code == 422
    assert session.exec(select(Label)).all() == []


def test_a_later_label_counts(signed_in, session, clock):
    ticket = a_ticket(session, Mail("x", "x"))
    session.commit()
    label(signed_in, ticket, cause="wrong_item")
    clock.move(timedelta(minutes=1))
    label(signed_in, ticket, cause="missing_parts")
    session.refresh(ticket)
    assert ticket.cause == latest_label(session, ticket.id).cause == "missing_parts"
    assert len(session.exec(select(Label)).all()) == 2


def test_a_status_is_changed_by_one_click_and_kept_in_the_history(signed_in, session, marta, clock):
    ticket = a_ticket(session, Mail("x", "x"))
    session.commit()
    post(signed_in, f"/tickets/{ticket.reference}/status", status="resolved")
    session.refresh(ticket)
    assert (ticket.status, ticket.closed_at) == ("resolved", clock())
    event = events_of(session, ticket.id)[-1]
    assert (event.kind, event.actor) == ("status", marta.email)
    assert "Stan: nowe → rozwiązane" in signed_in.get(f"/tickets/{ticket.reference}").text
    bad = post(signed_in, f"/tickets/{ticket.reference}/status", status="gone")
    assert bad.status_code == 422


def test_the_history_tells_who_decided_what(signed_in, session, marta):
    ticket = a_ticket(session, Mail("x", "x"))
    session.commit()
    label(signed_in, ticket, cause="wrong_item", urgency="high")
    page = signed_in.get(f"/tickets/{ticket.reference}").text
    assert "Decyzja: Zły towar, rozmiar lub wariant, pilność wysoka" in page
    assert "(wcześniej: Wada / nie działa, pilność zwykła)" in page
    assert marta.email in page


def test_a_prediction_that_comes_later_does_not_overrule_a_person(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", cause=None))
    session.commit()
    label(signed_in, ticket, cause="other", urgency="low")
    session.refresh(ticket)
    late = Prediction(
        ticket_id=ticket.id,
        classifier="default-1",
        cause="defective",
        cause_confidence=0.9,
        urgency="high",
        urgency_confidence=0.9,
        needs_review=True,
        causes={"defective": 0.9},
        urgencies={"high": 0.9},
    )
    store_prediction(session, ticket, late)
    session.commit()
    assert (ticket.cause, ticket.urgency, ticket.needs_review) == ("other", "low", False)
    assert "90%" in signed_in.get(f"/tickets/{ticket.reference}").text


def confirm(client, ticket, address: str):
    return post(client, f"/tickets/{ticket.reference}/requester", address=address)


def test_b_d5_a_suggested_address_is_confirmed_by_one_click(signed_in, session, marta):
    ticket = a_ticket(session, Mail("x", "x"))
    ticket.requester_status = "suggested"
    session.commit()
    page = signed_in.get(f"/tickets/{ticket.reference}").text
    assert "Zatwierdź i wyślij potwierdzenie" in page
    confirm(signed_in, ticket, f" {ticket.requester_addr.upper()} ")
    session.refresh(ticket)
    assert ticket.requester_status == "known"
    assert ticket.acknowledgement_wanted_at is not None
    event = events_of(session, ticket.id)[-1]
    assert (event.kind, event.actor, event.detail) == (
        "requester_confirmed",
        marta.email,
        {"changed": False},
    )
    page = signed_in.get(f"/tickets/{ticket.reference}").text
    assert "Zatwierdź i wyślij potwierdzenie" not in page
    assert "Zatwierdzono adres klienta" in page


@pytest.mark.parametrize("address", ["", "ewa", "a@b.pl, c@d.pl", "ewa@x", "<ewa@klient.example>"])
def test_what_is_not_one_address_changes_nothing(signed_in, session, address):
    ticket = a_ticket(session, Mail("x", "x"))
    ticket.requester_status, ticket.requester_addr = "missing", ""
    session.commit()
    confirm(signed_in, ticket, address)
    session.refresh(ticket)
    assert (ticket.requester_status, ticket.requester_addr) == ("missing", "")
    assert "Niczego nie zmieniono" in signed_in.get(f"/tickets/{ticket.reference}").text
