import re
from datetime import timedelta

import pytest

from storage.alarms import open_alarm
from storage.tables import Instance, MailboxCursor, RawMessage
from tests.unit.web.samples import NOW, Mail, a_ticket, fill


@pytest.fixture
def desk(session, files):
    tickets = fill(session, files)
    session.commit()
    return tickets


def references(page: str) -> list[str]:
    return re.findall(r'class="subject" href="/tickets/([^"]+)"', page)


@pytest.mark.usefixtures("desk")
def test_tickets_stand_in_the_order_in_which_they_should_be_answered(signed_in, session):
    late = a_ticket(session, Mail("po terminie", "x", days_ago=20))
    today = a_ticket(session, Mail("dziś", "x", days_ago=14))
    calm = a_ticket(session, Mail("pytanie", "x", cause="question", urgency="low"))
    session.commit()
    found = references(
        signed_in.get("/?status=new").text + signed_in.get("/?status=new&page=2").text
    )
    assert found.index(late.reference) < found.index(today.reference) < found.index(calm.reference)


def test_a_row_says_what_a_person_needs_to_choose(signed_in, session):
    ticket = a_ticket(
        session, Mail("Rozbity wazon", "x", sender=("Jan Nowy", "jan@example.com"), review=True)
    )
    session.commit()
    page = signed_in.get("/").text
    for part in (ticket.reference, "Rozbity wazon", "Jan Nowy", "Wada / nie działa", "93%"):
        assert part in page
    assert "do sprawdzenia" in page
    assert "za 13 dni" in page
    assert "wczoraj 10:30" in page


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 25),
        ("?status=all", 29),
        ("?status=closed", 2),
        ("?review=1", 5),
        ("?cause=lost_parcel", 2),
        ("?urgency=critical", 2),
        ("?due=today", 3),
        ("?due=overdue", 1),
        ("?q=zieliński", 1),
        ("?q=p.zielinski", 1),
        ("?q=Rozbity", 1),
        ("?q=%25", 0),
        ("?q=rozbity&urgency=critical", 0),
        ("?status=nonsense&urgency=nonsense&due=nonsense&page=-1", 25),
    ],
)
def test_filters_and_search_narrow_the_queue(signed_in, query, count):
    assert len(references(signed_in.get(f"/{query}").text)) == min(count, 25)


@pytest.mark.usefixtures("desk")
def test_each_tile_leads_to_the_tickets_it_counts(signed_in):
    page = signed_in.get("/").text
    tiles = re.findall(r'class="tile [^"]*" href="([^"]+)".*?tile-count">(\d+)<', page, re.S)
    assert len(tiles) == 5
    for path, count in tiles:
        shown = references(signed_in.get(path.replace("&amp;", "&")).text)
        assert len(shown) == int(count)


@pytest.mark.usefixtures("desk")
def test_pages_follow_one_another_without_gap(signed_in):
    first = signed_in.get("/?status=all").text
    assert "1–25 z 29 zgłoszeń" in first
    assert 'href="/?status=all&amp;page=2"' in first
    second = signed_in.get("/?status=all&page=2").text
    assert "26–29 z 29 zgłoszeń" in second
    assert len({*references(first), *references(second)}) == 29
    assert references(signed_in.get("/?status=all&page=999").text) == references(second)


def test_an_empty_queue_says_why(signed_in, session):
    assert "Nie ma jeszcze zgłoszeń" in signed_in.get("/").text
    a_ticket(session, Mail("x", "x", status="closed"))
    session.commit()
    assert "Wszystko załatwione" in signed_in.get("/").text
    assert "Nic nie pasuje" in signed_in.get("/?q=nothing").text


def test_what_is_paused_or_broken_is_said_above_the_queue(signed_in, session):
    """E-78: the words of a mail server are only text."""
    calm = signed_in.get("/").text
    assert "wstrzyman" not in calm
    instance = session.get(Instance, 1)
    instance.worker_paused = instance.acknowledgements_paused = True
    session.add(
        MailboxCursor(
            mailbox="allegro",
            folder="INBOX",
            uidvalidity=1,
            go_live_uid=1,
            go_live_at=NOW,
            problem="<b>refused</b>",
        )
    )
    for uid in (1, 2):
        session.add(
            RawMessage(
                mailbox="m",
                folder="f",
                uidvalidity=1,
                uid=uid,
                sha256="0",
                size=1,
                received_at=NOW,
                outcome="quarantined",
            )
        )
    session.commit()
    page = signed_in.get("/").text
    assert "Praca odzewu jest wstrzymana" in page
    assert "Potwierdzenia są wstrzymane" in page
    assert "Nie można odczytać skrzynki allegro (INBOX)" in page
    assert "&lt;b&gt;refused&lt;/b&gt;" in page
    assert "Nie udało się odczytać 2 wiadomości; czekają na wyjaśnienie." in page


def test_a_cause_that_left_the_taxonomy_is_shown_by_its_code(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x"))
    ticket.cause = "an_old_cause"
    session.commit()
    assert "an_old_cause" in signed_in.get("/").text
    assert signed_in.get(f"/tickets/{ticket.reference}").status_code == 200


def an_alarm(session, kind, **detail):
    open_alarm(session, kind, f"{kind} {detail}", detail, now=NOW, counts_from=NOW)
    session.commit()


def test_alarms_about_what_nothing_else_says_stand_above_the_queue(signed_in, session):
    an_alarm(session, "disk_low", mib=17)
    an_alarm(session, "mailbox_silent", mailbox="<b>box</b>", since=NOW.isoformat())
    page = signed_in.get("/").text
    assert "zostało tylko 17 MiB" in page
    assert "Skrzynka &lt;b&gt;box&lt;/b&gt;: od 2026-11-20 10:30 CET nic nie przyszło" in page
    assert "Proszę zwolnić miejsce" in page


def test_an_alarm_that_does_not_count_yet_is_not_shown(signed_in, session):
    soon = NOW + timedelta(minutes=1)
    open_alarm(session, "disk_low", "disk_low", {"mib": 17}, now=NOW, counts_from=soon)
    session.commit()
    assert "17 MiB" not in signed_in.get("/").text


def test_nothing_is_said_twice(signed_in, session):
    """A quarantined mail and a mailbox's problem are on the page already, alarm or not."""
    an_alarm(session, "message_quarantined", row=1, mailbox="b", folder="INBOX", uid=1)
    for mailbox in ("known", "unknown"):
        place = {"mailbox": mailbox, "folder": "INBOX"}
        an_alarm(session, "mailbox_failing", **place, since=NOW.isoformat())
    session.add(
        MailboxCursor(
            mailbox="known",
            folder="INBOX",
            uidvalidity=1,
            go_live_uid=1,
            go_live_at=NOW,
            problem="no answer",
        )
    )
    session.commit()
    page = signed_in.get("/").text
    assert page.count('class="notice warn"') == 2
    assert "no answer" in page
    assert "Skrzynka unknown, folder INBOX: od 2026-11-20 10:30 CET nie jest odczytywana" in page
