from html import escape

import pytest

from tests.unit.web.samples import Mail, a_ticket, fill

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>\u202egpj.exe\x00 \'"&'


def page_of(client, ticket) -> str:
    answer = client.get(f"/tickets/{ticket.reference}")
    assert answer.status_code == 200
    return answer.text


def test_a_hostile_mail_is_only_text(signed_in, session, files):
    ticket = a_ticket(
        session,
        Mail(
            HOSTILE,
            HOSTILE,
            sender=(HOSTILE, '"><script>x</script>@example.com'),
            quoted=HOSTILE,
            comment=HOSTILE,
            attachments=((HOSTILE, "text/html", b"<script>"),),
            columns={"order_numbers": [HOSTILE], "acknowledgement_reason": HOSTILE},
            acknowledgement="none",
        ),
        files=files,
    )
    session.commit()
    for page in (page_of(signed_in, ticket), signed_in.get("/").text):
        assert "<script>alert" not in page
        assert "<script>x" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert "\x00" not in page
        assert escape('<script>alert("x")</script>', quote=False).replace('"', "&#34;") in page


def test_every_sample_ticket_has_a_page_in_both_languages(signed_in, session, files):
    tickets = fill(session, files)
    session.commit()
    for language in ("pl", "en"):
        signed_in.cookies.set("odzew-language", language)
        for ticket in tickets:
            page_of(signed_in, ticket)


def test_a_page_shows_what_the_customer_wrote_and_folds_what_was_quoted(signed_in, session):
    ticket = a_ticket(
        session, Mail("x", "Czajnik nie działa.", quoted="W dniu 1.11 pisze:\n> Dziękujemy")
    )
    session.commit()
    page = page_of(signed_in, ticket)
    new, _, history = page.partition('<details class="history">')
    assert "Czajnik nie działa." in new
    assert "Dziękujemy" not in new
    assert "&gt; Dziękujemy" in history


def test_the_classifiers_opinion_is_shown_by_its_likeliest_causes(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", confidence=0.6, review=True))
    session.commit()
    page = page_of(signed_in, ticket)
    assert 'width="60.0%"' in page
    assert "60%" in page
    assert "22%" in page  # the second cause
    assert "81%" in page  # the urgency


@pytest.mark.parametrize(
    ("acknowledgement", "reason", "words"),
    [
        ("sent", "", "wysłano 19 lis 2026, 10:31"),
        ("waiting", "", "czeka na wysłanie"),
        ("unknown", "", "wynik nieznany"),
        ("failed", "", "nie udało się wysłać"),
        ("none", "B-49: received more than 168 hours ago", "czekała już zbyt długo"),
        ("none", "B-M4: Precedence is bulk", "automatom nie odpowiadamy"),
        ("none", "X-1: something new", '<span lang="en">X-1: something new</span>'),
    ],
)
def test_the_state_of_the_acknowledgement_is_said(
    signed_in, session, acknowledgement, reason, words
):
    mail = Mail("x", "x", acknowledgement=acknowledgement, reason=reason)
    ticket = a_ticket(session, mail)
    session.commit()
    assert words in page_of(signed_in, ticket)


def test_an_overdue_complaint_says_what_the_law_says(signed_in, session):
    late = a_ticket(session, Mail("x", "x", days_ago=20))
    refund = a_ticket(session, Mail("x", "x", cause="return_withdrawal", days_ago=20))
    closed = a_ticket(session, Mail("x", "x", days_ago=20, status="closed"))
    session.commit()
    assert "uznanie z mocy prawa" in page_of(signed_in, late)
    assert "uznanie z mocy prawa" not in page_of(signed_in, refund)
    assert "Minął termin zwrotu pieniędzy" in page_of(signed_in, refund)
    assert "To zgłoszenie jest zamknięte" in page_of(signed_in, closed)


def test_a_reply_is_written_in_the_readers_own_mail_program(signed_in, session):
    ticket = a_ticket(session, Mail("Re: Zły kolor", "x", sender=("A", "a+b@example.com")))
    session.commit()
    link = f"mailto:a%2Bb@example.com?subject=Re%3A%20Z%C5%82y%20kolor%20%5B{ticket.reference}%5D"
    assert f'href="{link}"' in page_of(signed_in, ticket)


def test_without_an_address_nobody_can_be_answered(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", sender=("", ""), requester_status="missing"))
    session.commit()
    page = page_of(signed_in, ticket)
    assert "mailto:" not in page
    assert "nie ma adresu" in page


def test_a_suggested_address_is_marked(signed_in, session):
    ticket = a_ticket(session, Mail("x", "x", requester_status="suggested"))
    session.commit()
    assert "Sprawdź go przed odpowiedzią" in page_of(signed_in, ticket)
    assert "adres niepewny" in signed_in.get("/").text


def test_other_tickets_of_the_same_customer_are_counted(signed_in, session):
    tickets = [a_ticket(session, Mail("x", "x")) for _ in range(3)]
    session.commit()
    assert "2 inne zgłoszenia" in page_of(signed_in, tickets[0])


def test_an_attachment_is_saved_and_never_shown(signed_in, session, files):
    name = 'pa"ragon\r\nX: y/../\u202eżółć.html'
    ticket = a_ticket(
        session,
        Mail("x", "x", attachments=((name, "text/html", b"<script>1</script>"),)),
        files=files,
    )
    session.commit()
    answer = signed_in.get(f"/tickets/{ticket.reference}/attachments/1")
    assert answer.content == b"<script>1</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"____.html\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82%C4%87.html"
    )


def test_an_attachment_belongs_to_its_ticket(signed_in, session, files):
    mail = Mail("x", "x", attachments=(("a.txt", "text/plain", b"abc"),))
    ticket, other = a_ticket(session, mail, files=files), a_ticket(session, Mail("y", "y"))
    session.commit()
    assert signed_in.get(f"/tickets/{ticket.reference}/attachments/1").status_code == 200
    assert signed_in.get(f"/tickets/{other.reference}/attachments/1").status_code == 404
    assert signed_in.get(f"/tickets/{ticket.reference}/attachments/99").status_code == 404
    assert signed_in.get(f"/tickets/{ticket.reference}/attachments/{2**70}").status_code == 404


def test_a_file_that_is_gone_is_not_found(signed_in, session, files):
    mail = Mail("x", "x", attachments=(("a.txt", "text/plain", b"abc"),))
    ticket = a_ticket(session, mail, files=files)
    session.commit()
    for file in files.root.glob("*/*"):
        file.unlink()
    assert signed_in.get(f"/tickets/{ticket.reference}/attachments/1").status_code == 404


def test_an_unknown_ticket_is_not_found(signed_in):
    assert signed_in.get("/tickets/ODZ-2026-999999").status_code == 404
    assert signed_in.get("/tickets/" + "x" * 5000).status_code == 404


def test_the_next_ticket_to_review_is_one_click_away(signed_in, session):
    first, second = (a_ticket(session, Mail("x", "x", review=True)) for _ in range(2))
    session.commit()
    assert f'href="/tickets/{second.reference}" data-next' in page_of(signed_in, first)
    assert f'href="/tickets/{first.reference}" data-next' in page_of(signed_in, second)
