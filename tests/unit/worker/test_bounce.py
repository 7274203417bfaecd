"""Notices that a mail did not arrive, and what only looks like one."""

from dataclasses import dataclass, field

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import parse
from worker.parsed_message import ParsedMessage


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


@dataclass(frozen=True)
class Notice:
    """A notice in the manner of one server."""

    family: str
    subject: str
    text: str
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.example>"
    headers: dict[str, str] = field(default_factory=dict)
    recipient: str = "jan@firma.example"

    def parse(self) -> ParsedMessage:
        return parse(a_mail(self.text, From=self.sender, Subject=self.subject, **self.headers))


FAILURES = [
    Notice(
        "OVH",
        "Undelivered Mail Returned to Sender",
        "<jan@firma.example>: host mx1.mail.ovh.net said: 550 5.1.1 User unknown (RCPT TO)",
    ),
    Notice(
        "home.pl",
        "Delivery failure notice",
        "Wiadomość nie mogła zostać dostarczona do:\n\n<jan@firma.example>:\nNo such user here\n",
    ),
    Notice(
        "o2",
        "Wiadomość nie została dostarczona",
        "List wrócił: adres nie istnieje.\n\nAdresat: jan@firma.example\n",
        sender="Poczta o2 <mailer-daemon@o2.example>",
    ),
    Notice(
        "Onet",
        "Zwrot: Potwierdzenie",
        "Nie udało się doręczyć listu.\n\n<jan@firma.example>: skrzynka jest przepełniona\n",
    ),
    Notice(
        "Interia",
        "Nie można dostarczyć: zdjęcia",
        "Odbiorca: jan@firma.example\nKomunikat serwera: 552 5.3.4 Message too large\n",
    ),
    Notice(
        "Yandex",
        "Недоставленное сообщение",
        "Ваше письмо не может быть доставлено следующему адресату:\n\n<jan@firma.example>:\n",
        sender="mailer-daemon@yandex.example",
    ),
    Notice(
        "Mimecast",
        "[Postmaster] Email Delivery Failure",
        "This is a delivery failure notification message.\n\nTo: jan@firma.example\n"
        "550 Administrative prohibition\n",
        sender="postmaster@mimecast.example",
    ),
    Notice(
        "Proofpoint",
        "Delivery Status Notification (Failure)",
        "The following message to <jan@firma.example> was undeliverable.\n"
        "The reason for the problem:\n5.1.0 - Unknown address error 550",
    ),
    Notice(
        "Barracuda",
        "**Message you sent blocked by our bulk email filter**",
        "Your message to: jan@firma.example\nwas blocked by our Spam Firewall. The email you sent "
        "has NOT BEEN DELIVERED.",
    ),
    Notice(
        "Exim, Polish",
        "Niedostarczona poczta: zwrot do nadawcy",
        "Wiadomości nie można doręczyć. To błąd trwały:\n\n  jan@firma.example\n    Unrouteable\n",
    ),
    Notice(
        "Exchange, Polish",
        "Niedostarczalne: Potwierdzenie",
        "Dostarczenie do następujących adresatów lub grup nie powiodło się:\n\njan@firma.example\n",
        sender="postmaster@firma.example",
    ),
    Notice(
        "Exchange, German",
        "Unzustellbar: Bestätigung",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\n"
        "jan@firma.example\n",
        sender="Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc3@firma.example>",
    ),
    Notice(
        "Exchange, Czech",
        "Nedoručitelné: Potvrzení",
        "Doručení následujícím příjemcům nebo skupinám se nezdařilo:\n\njan@firma.example\n",
        sender="postmaster@firma.example",
    ),
    Notice(
        "Exchange, Ukrainian",
        "Не доставлено: Підтвердження",
        "Не вдалося доставити повідомлення таким одержувачам або групам:\n\njan@firma.example\n",
        sender="postmaster@firma.example",
    ),
    Notice(
        "Gmail, Polish",
        "Delivery Status Notification (Failure)",
        "** Adres nie został znaleziony **\n\nWiadomość nie została dostarczona do adresata "
        "jan@firma.example, bo taki adres nie istnieje.",
        headers={"X_Failed_Recipients": "jan@firma.example"},
    ),
    Notice(
        "a report flattened into one text",
        "Returned mail: see transcript for details",
        "The original message was received from ewa@sklep.example\n\njan... Deferred\n\n"
        "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: RFC822; jan@firma.example\n"
        "Action: failed\nStatus: 4.4.7\n",
    ),
    Notice(
        "a list that members write to",
        "You are not member (dzial ML)",
        "You are not a member of this mailing list <jan@firma.example>.",
        sender="dzial-admin@firma.example",
    ),
    Notice(
        "a list that is moderated",
        "Your message to dzial",
        "You are not allowed to post to this mailing list <jan@firma.example>.",
        headers={"X_Mailman_Version": "2.1.39", "List_Id": "<dzial.firma.example>"},
    ),
]


@pytest.mark.parametrize("notice", FAILURES, ids=lambda notice: notice.family)
def test_a_failure_is_understood_in_the_words_of(notice):
    mail = notice.parse()
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (True, "bounce", False)
    assert [bounce.recipient for bounce in mail.bounces] == [notice.recipient]


DELAYS = [
    Notice(
        "Gmail",
        "Delivery Status Notification (Delay)",
        "THIS IS A WARNING MESSAGE ONLY.\n\nDelivery to the following recipient has been delayed:"
        "\n\n  jan@firma.example\n\nMessage will be retried for 2 more day(s)\n",
    ),
    Notice(
        "sendmail",
        "Warning: could not send message for past 4 hours",
        "<jan@firma.example>... Deferred: 421\nWill keep trying until message is 5 days old",
    ),
    Notice(
        "Exchange, Polish",
        "Opóźniono dostarczanie: Potwierdzenie",
        "Dostarczanie do tych adresatów opóźnia się:\n\njan@firma.example\n",
        sender="postmaster@firma.example",
    ),
    Notice(
        "Exchange, German",
        "Zustellung verzögert: Bestätigung",
        "Es wird weiterhin versucht, die Nachricht zuzustellen:\n\njan@firma.example\n",
        sender="postmaster@firma.example",
    ),
]


@pytest.mark.parametrize("notice", DELAYS, ids=lambda notice: notice.family)
def test_a_delay_is_a_report_and_no_bounce(notice):
    mail = notice.parse()
    assert (mail.is_bounce, mail.kind, mail.auto_ack_ok) == (False, "report", False)


def test_a_delay_whose_time_is_over_is_a_failure():
    status = "Final-Recipient: rfc822; jan@example.com\r\nAction: delayed\r\nStatus: 4.4.7"
    assert parse(a_report(status)).is_bounce
    assert not parse(
        a_report(f"{status}\r\nWill-Retry-Until: Fri, 6 Mar 2026 10:00:00 +0100")
    ).is_bounce


def test_a_delayed_recipient_beside_a_failed_one_is_no_bounce():
    delayed = "Final-Recipient: rfc822; ewa@example.com\r\nAction: delayed\r\nStatus: 4.0.0"
    mail = parse(a_report(f"{FAILED}\r\n\r\n{delayed}"))
    assert [bounce.recipient for bounce in mail.bounces] == ["jan@example.com"]


@pytest.mark.parametrize("local", ["delivery", "administrator", "bounce", "nobody"])
def test_a_courier_whose_parcel_was_not_delivered_is_no_mailer(local):
    mail = parse(
        a_mail(
            "Your parcel could not be delivered, the recipient was not at home.",
            From=f"{local}@kurier.example",
            Subject="Parcel 0000",
        )
    )
    assert (mail.is_bounce, mail.kind) == (False, "person")


def test_a_customer_who_forwards_a_bounce_is_a_person():
    text = (
        "Wysłałam reklamację i wróciła:\n\n---------- Forwarded message ---------\n"
        "From: Mail Delivery System <mailer-daemon@mx.example>\nDate: Mon, 2 Mar 2026\n"
        "Subject: Undelivered Mail\nTo: <anna@example.com>\n\n550 5.1.1 User unknown\n"
    )
    mail = parse(a_mail(text, Subject="Fwd: Undelivered Mail Returned to Sender"))
    assert (mail.is_bounce, mail.kind) == (False, "person")


def test_a_subscriber_who_is_told_of_a_list_gets_no_bounce():
    mail = parse(a_mail("You are now a member of this list.", From="dzial-request@firma.example"))
    assert not mail.is_bounce
