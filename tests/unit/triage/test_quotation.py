"""What is newly written in a mail, apart from history, signature and footer."""

import pytest

from triage.quotation import split

NEW = "Dzień dobry,\n\nproszę o zwrot pieniędzy."
ATTRIBUTIONS = [
    "W dniu 2.03.2026 o 10:00, Sklep pisze:",
    "W dniu 2026-03-02 10:00:00 użytkownik Sklep <biuro@sklep.example> napisał:",
    "Dnia 2 marca 2026 10:00 Sklep <biuro@sklep.example> napisał(a):",
    "pon., 2 mar 2026 o 10:00 Sklep <biuro@sklep.example> napisał(a):",
    "On Mon, 2 Mar 2026 at 10:00, Shop <shop@sklep.example> wrote:",
    "On Mon, 2 Mar 2026 at 10:00, A Shop With A Very Long Name Indeed\n<shop@sklep.example> wrote:",
    "Am Mo., 2. März 2026 um 10:00 Uhr schrieb Sklep <biuro@sklep.example>:",
    "Am 02.03.2026 um 10:00 schrieb Sklep:",
    "Dne 2. 3. 2026 v 10:00 Sklep napsal(a):",
    "po 2. 3. 2026 v 10:00 odesílatel Sklep <biuro@sklep.example> napsal:",
    "пн, 2 бер. 2026 р. о 10:00 Sklep <biuro@sklep.example> пише:",
    "Le lun. 2 mars 2026 à 10:00, Sklep <biuro@sklep.example> a écrit :",
    "El lun, 2 mar 2026 a las 10:00, Sklep (<biuro@sklep.example>) escribió:",
    "Il giorno lun 2 mar 2026 alle ore 10:00 Sklep <biuro@sklep.example> ha scritto:",
    "Op ma 2 mrt 2026 om 10:00 schreef Sklep <biuro@sklep.example>:",
    "---- On Mon, 02 Mar 2026 10:00:00 +0100 Sklep <biuro@sklep.example> wrote ----",
    "-----Original Message-----\nFrom: Sklep\nSent: 2 March 2026 10:00\nTo: Anna\nSubject: x",
    "-----Oryginalna wiadomość-----",
    "Od: Sklep <biuro@sklep.example>\nWysłano: 2 marca 2026 10:00\nDo: Anna\nTemat: Zamówienie",
    "*Od:* Sklep <biuro@sklep.example>\n*Wysłano:* 2 marca 2026\n*Do:* Anna\n*Temat:* Zamówienie",
    "________________________________\nVon: Sklep <b@sklep.example>\nGesendet: 2. März\nBetreff: x",
    "##- Prosimy o odpowiedź powyżej tej linii -##",
    "## Please type your reply above this line ##",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_what_stands_under_an_attribution_is_history(attribution):
    assert split(f"{NEW}\n\n{attribution}\n\nDawna treść\nw dwóch wierszach").text == NEW


@pytest.mark.parametrize("attribution", ATTRIBUTIONS[:16])
def test_an_answer_under_a_quotation_is_kept(attribution):
    body = (
        f"{attribution}\n> Jaki jest numer?\n\nNumer 123.\n\n> Czy są zdjęcia?\nTak, w załączniku."
    )
    parted = split(body)
    assert parted.text.split() == ["Numer", "123.", "Tak,", "w", "załączniku."]
    assert parted.quoted


KEPT = [
    "Od: kiedy mam czekać?\nProszę o odpowiedź.",
    "Do: wczoraj nic nie przyszło.",
    "On Monday I called and your consultant said:\nwe will send it again.",
    "Kupiłem buty 2.03.2026 i napisali mi na czacie:\nproszę czekać.",
    "Wysłano z opóźnieniem, dotarło uszkodzone, a sklep milczy od dwóch tygodni, proszę o kontakt.",
    "Sent from my desk, is much easier then my mobile phone.",
    "Zamówienie: 123\nData: 2.03.2026\nKwota: 100 zł",
    "- buty\n- kurtka\n-- to wszystko",
    "Wiadomość oryginalna opakowania była uszkodzona.",
    "Od: Anna\nTemat: zwrot\nProszę o zwrot za zamówienie 123.",
]


@pytest.mark.parametrize("text", KEPT)
def test_a_customers_words_are_not_history(text):
    assert split(text).text == text


def test_quoted_lines_without_an_attribution_are_kept_unless_the_mail_answers():
    body = "> Regulamin: zwrot w 14 dni\n\nA u mnie minął miesiąc."
    assert "Regulamin" in split(body).text
    assert split(body, answers=True).text == "A u mnie minął miesiąc."


@pytest.mark.parametrize(
    "ending",
    [
        "-- \nAnna Nowak\ntel. 123",
        "--\nAnna",
        "Wysłane z iPhone'a",
        "Wysłano z telefonu Samsung Galaxy",
        "Wysłane z aplikacji mobilnej WP Poczta",
        "Sent from my iPhone",
        "Get Outlook for Android<https://aka.ms/x>",
        "Von meinem iPhone gesendet",
        "Надіслано з мого iPhone",
        "Ta wiadomość oraz załączniki są poufne i przeznaczone dla adresata.",
        "________________\nTreść tej wiadomości jest poufna.\nProszę ją usunąć.",
    ],
)
def test_what_marks_itself_as_an_ending_is_cut(ending):
    parted = split(f"{NEW}\n\n{ending}")
    assert parted.text == NEW
    assert parted.signature


def test_a_name_under_a_greeting_stays():
    assert split(f"{NEW}\n\nPozdrawiam\nAnna").text.endswith("Anna")


def test_a_mail_of_nothing_but_history_has_no_new_text():
    assert split("W dniu 2.03.2026 o 10:00 Sklep pisze:\n> treść").text == ""


def test_new_text_on_the_line_of_the_attribution_is_kept():
    assert split("Tak On Wed, Apr 4, 2012 at 3:59 PM, a@example.com wrote:\n> Hi").text == "Tak"


@pytest.mark.parametrize(
    "line",
    [
        ">",
        "> ",
        "On Mon, 1 Jan 2020 ",
        "W dniu 1.01.2020 pisze:\n",
        "-----a",
        "Od: a@b.pl\n",
        "-- \n",
    ],
)
def test_e48_a_repeated_form_is_read_in_linear_time(line):
    split(line * (500_000 // len(line)))
