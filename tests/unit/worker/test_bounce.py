"""Notices that a mail did not arrive, and what only looks like one."""

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import parse


def a_report(status: str, report_type: str = "delivery-status", **headers: str) -> bytes:
    raw = a_multipart(
        "report",
        a_part("Your message could not be delivered."),
        a_part(f"Reporting-MTA: dns; mx.example\r\n\r\n{status}\r\n", f"message/{report_type}"),
        a_part(a_mail(), "message/rfc822"),
        **({"From": "MAILER-DAEMON@mx.example", "Subject": "Report"} | headers),
    )
    return raw.replace(
        b"multipart/report;", f"multipart/report; report-type={report_type};".encode()
    )


FAILED = "Final-Recipient: rfc822; jan@example.com\r\nAction: failed\r\nStatus: 5.1.1"


def test_a_failed_delivery_names_recipient_and_status():
    mail = parse(a_report(FAILED))
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (True, "bounce", False)
    [bounce] = mail.bounces
    assert (bounce.recipient, bounce.status, bounce.hard) == ("jan@example.com", "5.1.1", True)
    assert not mail.is_forward


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_did_not_fail_is_a_report_and_no_bounce(action):
    status = FAILED.replace("failed", action).replace("5.1.1", "4.4.1")
    mail = parse(a_report(status))
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (False, "report", False)


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_a_receipt_or_a_spam_report_is_no_bounce(kind):
    mail = parse(a_report("Disposition: displayed", kind))
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (False, "report", False)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Undelivered Mail Returned to Sender", "<jan@example.com>: host said: 550 5.1.1 unknown"),
        (
            "failure notice",
            "I'm afraid I wasn't able to deliver.\n\n<jan@example.com>:\nno such user",
        ),
        ("Niedostarczona wiadomość", "Nie można dostarczyć wiadomości:\n\njan@example.com\n"),
        ("Mail delivery failed", "The following address failed:\n\n  jan@example.com\n    full\n"),
    ],
)
def test_a_mailers_prose_is_understood(subject, text):
    mail = parse(
        a_mail(text, From="Mail Delivery System <mailer-daemon@mx.example>", Subject=subject)
    )
    assert mail.is_bounce
    assert [b.recipient for b in mail.bounces] == ["jan@example.com"]


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Niedostarczona paczka", "Kurier nie dostarczył paczki, 550 zł do zwrotu."),
        ("Delivery failed", "My parcel could not be delivered. Address not found, they say."),
        ("Zwrot wiadomości", "Proszę o zwrot pieniędzy."),
    ],
)
def test_a_customer_whose_parcel_was_not_delivered_is_a_person(subject, text):
    mail = parse(a_mail(text, Subject=subject))
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (False, "person", True)


def test_a_null_return_path_alone_makes_no_bounce_of_a_complaint():
    mail = parse(a_mail("Proszę o zwrot 550 zł, paczki nie dostarczono.", Return_Path="<>"))
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (False, "person", False)


def test_a_bounce_in_json_names_its_recipients():
    text = (
        '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"j@e.pl"}]}}'
    )
    mail = parse(a_mail(text, From="no-reply@sns.example", Subject="Notification"))
    assert (mail.is_bounce, mail.bounces[0].recipient) == (True, "j@e.pl")
