"""Notes that machines write for people, and people who look like machines."""

from dataclasses import dataclass, field

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import KnownAddresses, parse
from worker.parsed_message import ParsedMessage

SHOP = KnownAddresses(
    own_domains=("sklep.example",),
    own_addresses=("reklamacje@sklep.example",),
    contact_forms=("formularz@wtyczka.example",),
    relays=("allegromail.example",),
)
OURS = {
    "Subject": "Re: Potwierdzenie otrzymania wiadomości [ODZ-2026-000321]",
    "In_Reply_To": "<ack.ODZ-2026-000321.9f3c2ab4de017c55@sklep.example>",
}


@dataclass(frozen=True)
class Note:
    """A mail in the manner of one program or provider."""

    family: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    def parse(self) -> ParsedMessage:
        return parse(a_mail(self.text, **self.headers), SHOP)


NOTES = [
    Note(
        "home.pl",
        "Dzień dobry, od 3 do 14 sierpnia biuro nieczynne. Wiadomość wysłana automatycznie.",
        OURS,
    ),
    Note(
        "nazwa.pl",
        "Jesteśmy na urlopie do 15.08.2026, odpowiemy po powrocie.",
        {"Subject": "Re: Reklamacja", "Precedence": "bulk"},
    ),
    Note(
        "cPanel, its own fields removed by a gateway",
        "W dniach 2-6.03 przebywam na szkoleniu, w pilnych sprawach: 500 000 000.",
        {"Subject": "Jestem na szkoleniu", "Precedence": "bulk", "X_Loop": "anna@example.com"},
    ),
    Note(
        "Plesk",
        "Dziękujemy za wiadomość. To jest automatyczna odpowiedź, odezwiemy się jutro.",
        {"Subject": "Re: Zapytanie", "X_Auto_Response_Suppress": "All"},
    ),
    Note(
        "Sieve without Auto-Submitted",
        "Ich bin bis 24.07. im Urlaub.",
        {"Subject": "Auto: Ihre Bestellung", "Return_Path": "<>"},
    ),
    Note(
        "Lotus Notes",
        "Jestem poza biurem do 2026-07-20. To jedyne powiadomienie.",
        {"Subject": "AUTO: Jan Kos jest poza biurem", "Auto_Submitted": "auto-generated"},
    ),
    Note(
        "GroupWise",
        "Jestem na zwolnieniu lekarskim do 3 lipca. Sprawy przejął p. Nowak.",
        OURS,
    ),
    Note(
        "Zoho, its marks removed",
        "Thank you for your mail. I am on vacation until August 23.",
        {"Subject": "Out of office", "In_Reply_To": "<nm-1@sklep.example>"},
    ),
    Note("Gmail, Polish", "Jestem na urlopie do 16 sierpnia. Odpiszę po powrocie.", OURS),
    Note(
        "Gmail, German",
        "Ich bin bis zum 14. April nicht im Büro. In dringenden Fällen: zentrale@firma.example",
        OURS,
    ),
    Note(
        "Gmail, Ukrainian",
        "Я у відпустці до 24 серпня. З термінових питань звертайтеся до колеги.",
        OURS,
    ),
    Note(
        "Outlook, Czech",
        "Do 13. 7. jsem na dovolené.",
        {"Subject": "Automatická odpověď: Potvrzení přijetí zprávy"},
    ),
    Note(
        "iCloud",
        "Jestem w podróży i nie czytam poczty. Ta wiadomość została wysłana automatycznie.",
        OURS,
    ),
    Note(
        "Android Auto",
        "Prowadzę samochód, odpiszę później. To jest automatyczna odpowiedź.",
        OURS,
    ),
    Note(
        "without diacritics", "Jestem na urlopie do 3 sierpnia. Mail wyslany automatycznie.", OURS
    ),
    Note("a rule of Outlook", "Biuro jest zamknięte do 7 stycznia, prosimy dzwonić.", OURS),
    Note(
        "a rule of Thunderbird, English",
        "This is an automated message: I no longer read this address.",
        OURS,
    ),
    Note(
        "an address that nobody reads",
        "Ten adres e-mail nie jest już używany. Nowy: biuro@firma.example",
        OURS,
    ),
    Note("a person who has left", "Frau Lang ist nicht mehr bei uns beschäftigt.", OURS),
    Note(
        "osTicket",
        "Witaj, Twoje zgłoszenie zostało zarejestrowane. Odpowiemy w ciągu dwóch dni.",
        OURS,
    ),
    Note(
        "OTRS",
        "Ihre Anfrage wurde unter der Nummer 2026030210000012 aufgenommen.",
        {"Subject": "[Ticket#2026030210000012] Eingang Ihrer Mail", "Precedence": "bulk"},
    ),
    Note(
        "Freshdesk",
        "Cześć, Twoja sprawa trafiła do konsultanta.",
        {
            "Subject": "Otrzymaliśmy Twoje zgłoszenie - [#1091] Potwierdzenie [ODZ-2026-000905]",
            "Auto_Submitted": "auto-generated",
        },
    ),
    Note(
        "Zendesk",
        "Your request (90417) has been received and is being reviewed.",
        {"Subject": "[Request received] Your lamp", "X_Auto_Response_Suppress": "All"},
    ),
    Note("Zammad, Czech", "Váš požadavek č. 88 byl přijat.", OURS),
    Note("MDaemon", "Nie ma mnie w biurze.", {"X_MDaemon_AutoResponder": "yes"}),
    Note("a program of that name", "Odezwę się.", {"X_Mailer": "Prosty Autoresponder 2.1"}),
    Note("an old Exchange", "", {"Subject": "מענה 'אני לא נמצא': Invoice"}),
]


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.family)
def test_a_note_without_a_certain_mark_is_an_automatic_reply(note):
    mail = note.parse()
    assert (mail.kind, mail.is_auto_reply, mail.auto_ack_ok) == ("auto_reply", True, False)


def test_the_reason_of_a_note_without_marks_is_b_m9():
    mail = parse(a_mail("Jestem na urlopie do 16 sierpnia.", **OURS), SHOP)
    assert mail.no_ack_reason == "B-M9: the subject and text are those of an automatic reply"


PEOPLE = [
    Note("on holiday, wants something", "Jestem na urlopie do 15.03, proszę o zwrot 64 zł.", OURS),
    Note("on holiday, sends back", "Jestem na urlopie do 15.03, potem odeślę lampę.", OURS),
    Note("on holiday, asks", "Jestem na urlopie do 15.03, czy to wystarczy?", OURS),
    Note("on holiday, without an end", "Jestem na urlopie, nie odbiorę.", OURS),
    Note(
        "on holiday, first mail",
        "Jestem na urlopie do 15.03, proszę o odpowiedź na jan@example.com.",
        {"Subject": "Nieobecność"},
    ),
    Note(
        "on holiday, first mail without a wish",
        "Będę w domu 15.03, do tego dnia jestem na urlopie. Kurier zostawił awizo.",
    ),
    Note("absent from home", "Byłem nieobecny w domu 15.03, kurier odjechał z paczką.", OURS),
    Note(
        "quotes an automaton",
        'Dostałem "Ta wiadomość została wysłana automatycznie" i nic więcej.',
        OURS,
    ),
    Note("tells of one", "Kolejny raz otrzymuję wiadomość wygenerowaną automatycznie.", OURS),
    Note(
        "answers an automatic reply of the shop",
        "Lampa nadal nie świeci, czekam.",
        {
            "Subject": "Re: Automatyczna odpowiedź: Lampa",
            "In_Reply_To": "<x1@sklep.example>",
        },
    ),
    Note(
        "answers without Re:",
        "Dziękuję, odezwę się w poniedziałek.",
        {**OURS, "Subject": "Otrzymaliśmy Twoje zgłoszenie [ODZ-2026-000321]"},
    ),
    Note(
        "passes a receipt on",
        "Obiecali odpowiedź w dwa dni, minęło jedenaście.",
        {"Subject": "Fwd: Twoje zgłoszenie nr 8812 zostało przyjęte"},
    ),
    Note("tells of a mailbox", "Czy ta skrzynka w ogóle jest obsługiwana", OURS),
    Note("a form that says so", "Mój aparat jest zepsuty. Wiadomość wysłana automatycznie."),
    Note(
        "redirected by a rule of Exchange",
        "Byłam na urlopie do 15.03 i zastałam w szafie mole z Waszej herbaty.",
        {
            "Auto_Submitted": "auto-generated",
            "Resent_From": "biuro@inny.example",
        },
    ),
    Note(
        "written to a form of ours",
        "Jestem na urlopie do 15.03. Ta wiadomość została wysłana automatycznie.",
        {**OURS, "From": "formularz@wtyczka.example"},
    ),
    Note(
        "a courier, without a ticket nobody would see it",
        "Paczka czeka do 12.11. Wiadomość wygenerowana automatycznie, prosimy nie odpowiadać.",
        {"Auto_Submitted": "auto-generated", "Subject": "Twoja paczka czeka"},
    ),
    Note(
        "the post",
        "Z powodu nieobecności adresata przesyłka czeka do 27.01.2026.",
        {"X_Auto_Response_Suppress": "All", "Subject": "Awizo"},
    ),
    Note("long", "Jestem na urlopie do 15.03. " + "Opowiem po kolei, jak było. " * 80, OURS),
]


@pytest.mark.parametrize("note", PEOPLE, ids=lambda note: note.family)
def test_who_looks_like_a_machine_is_a_person(note):
    mail = note.parse()
    assert (mail.kind, mail.is_auto_reply) == ("person", False)


def test_who_attaches_a_photograph_is_a_person():
    photograph = a_part(b"\xff\xd8" + b"x" * 60_000, "image/jpeg; name=IMG_1.jpg")
    text = a_part("Jestem na urlopie do 15.03.")
    assert parse(a_multipart("mixed", text, photograph, **OURS), SHOP).kind == "person"


def test_what_a_person_quotes_is_no_sign_of_a_machine():
    quoted = "> Ta wiadomość została wysłana automatycznie.\n> Biuro nieczynne do 15.03.\n"
    assert parse(a_mail(quoted, **OURS), SHOP).kind == "person"


def test_a_newsletter_is_no_automatic_reply():
    headers = {"List_Unsubscribe": "<https://x.example>", "X_Mailer": "Super Autoresponder"}
    mail = parse(a_mail("Biuro nieczynne do 15.03.", **headers), SHOP)
    assert (mail.kind, mail.is_auto_reply) == ("list", False)


def test_the_wish_for_no_automatic_answer_is_no_automatic_answer():
    mail = parse(a_mail("Dwie szklanki pękły.", X_Auto_Response_Suppress="DR, RN"), SHOP)
    assert (mail.kind, mail.auto_ack_ok) == ("person", True)
