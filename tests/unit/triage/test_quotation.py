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
    "2026-03-02 10:00 GMT+01:00 Jan Kowalski",
    "2011/4/7 Sklep <biuro@sklep.example>",
    "W dniu 2.03.2026 o 10:00 sklep@sklep.example pisze:",
    "Den 2. mar. 2026 kl. 10.00 skrev Sklep Nord:",
    "Wiadomość napisana przez Sklep <biuro@sklep.example> w dniu 2 mar 2026, o godz. 10:00:",
    "Cytowanie Sklep <biuro@sklep.example>:",
    "On Mon, Mar 2, 2026 at 10:00 AM Jan Kowalski\n\n<\nmailto:Jan <jan@sklep.example>\n> wrote:",
    "---- Jan Kowalski napisał(a) ----",
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


NARRATIVES = [
    "W dniu 3 marca o 10:12 kupiłem buty, a na pudełku producent pisze:",
    "Dnia 5.03.2026 o 14:30 kurier napisał:",
    "W dniu 5.03.2026 o 14:30 Pani Anna z obsługi napisała:",
    "Dnia 3 marca wysłałem maila na biuro@sklep.example i konsultant napisał:",
    "Na czacie 5.03.2026 o 14:30 napisano:",
    "On March 3, 2026 at 10:12 AM the courier wrote:",
    "I wrote to shop@sklep.example:",
    "Am 3. März 2026 um 10:12 schrieb mir Ihr Kollege:",
    "Dne 3. 3. 2026 v 10:12 mi kurýr napsal:",
    "3 березня о 10:12 я купив чайник, а виробник пише:",
]


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("sentence", NARRATIVES)
def test_a_sentence_of_the_customer_is_no_attribution(sentence, answers):
    text = f'{sentence}\n"Wszystko w porządku."\nTo nieprawda, proszę o zwrot.'
    assert split(text, answers=answers).text == text


def test_what_a_customer_quotes_in_a_first_mail_is_kept():
    text = "Kurier w SMS-ie napisał:\n> będę o 14\nNie było go."
    assert split(text).text == text
    assert "będę" not in split(text, answers=True).text


def test_citations_above_an_attribution_are_kept_unless_the_mail_answers():
    body = "> Zwrot w 14 dni\nMinęło 30.\n\nOn Mon, 2 Mar 2026, Sklep <s@a.example> wrote:\n> x"
    assert split(body).text == "> Zwrot w 14 dni\nMinęło 30."
    assert split(body, answers=True).text == "Minęło 30."


LISTS = [
    "Od: 16 lutego czekam na lampę\nDo: dziś nic\nData: obiecana 20.02\nTemat: zamknięty",
    "Od: 16.02.2026 czekam\nDo: 6.03.2026 nic\nTemat: lampa",
    "Data: 2.03.2026\nOd: kuriera\nDo: paczkomatu\nTemat: uszkodzona paczka",
    "From: the very first day I waited\nTo: this day nothing\nSubject: my lamp",
]


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("own", LISTS)
def test_a_list_of_the_customer_is_no_copied_header(own, answers):
    text = f"Streszczam.\n\n{own}\n\nProszę o zwrot 100 zł."
    assert split(text, answers=answers).text == text


BLOCK = "Od: Sklep <s@a.example>\nWysłano: 2 marca 2026 10:00\nDo: Anna\nTemat: Zwrot"


def test_a_mail_that_a_sentence_introduces_is_a_citation_unless_the_mail_answers():
    body = f"Dostałam takiego maila:\n\n{BLOCK}\n\nZwrot jutro.\n\nNie ma go do dziś."
    assert split(body).text == body
    assert split(body, answers=True).text == "Dostałam takiego maila:"


def test_a_heading_like_original_message_is_kept():
    text = "Wiadomość oryginalna:\nprosiłem o zwrot.\n\nDziś proszę znowu."
    assert split(text).text == text


def test_words_about_forwarding_are_kept():
    text = "Pokazano mi napis\n---------- Forwarded message ----------\na pod nim nic."
    assert split(text).text == text


def test_below_a_request_to_reply_above_is_the_message_where_nothing_stands_above():
    text = "##- Please type your reply above this line -##\n\nYour request was received."
    assert split(text).text == text


@pytest.mark.parametrize(
    "announcement",
    [
        "Odpowiedzi poniżej na niebiesko.",
        "Odpowiadam w treści:",
        "Na czerwono naniosłem odpowiedzi.",
        "Dopisałam na zielono.",
        "See my answers below in red.",
        "My comments are inline.",
        "Meine Antworten stehen unten in Rot.",
        "Odpovědi níže červeně.",
        "Відповіді нижче червоним кольором.",
        "Witam, patrz poniżej.",
    ],
)
def test_announced_answers_inside_unmarked_history_are_kept(announcement):
    body = f"{announcement}\n\n{BLOCK}\n\nCzy działa?\nnie działa"
    assert split(body, answers=True).text == f"{announcement}\n\nCzy działa?\nnie działa"


@pytest.mark.parametrize(
    "text",
    [
        "W odpowiedzi na Państwa wiadomość poniżej proszę o zwrot.",
        "I have had no answers to my email below.",
        "Zamówiłam buty na czerwono, przyszły niebieskie.",
        "Proszę zobaczyć korespondencję poniżej.",
        "Paczka leży pod drzwiami, a piętro niżej stoi Państwa kurier i mówi, że nic nie wie.",
    ],
)
def test_nothing_is_announced_by_words_about_the_mail_or_the_goods(text):
    assert split(f"{text}\n\n{BLOCK}\n\nDawna treść", answers=True).text == text


def test_unmarked_history_with_nothing_above_holds_the_answer():
    body = "W dniu 2.03.2026 o 10:00 Sklep <s@a.example> napisał(a):\n\nCzy działa?\n\nNie działa."
    assert split(body, answers=True).text == "Czy działa?\n\nNie działa."


@pytest.mark.parametrize(
    "attribution",
    [
        "  W dniu wt., mar 3, 2026 o 22:10 Sklep<s@a.example> napisał(a):   Dzień dobry",
        "  On Tue, Mar 3, 2026 at 22:10, Shop<s@a.example> wrote:   Hello",
        "  Am Di., März 3, 2026 at 22:10 schrieb Shop<s@a.example>:   Guten Tag",
        "Dnia Wtorek, 3 Marca 2026 22:10 Sklep <s@a.example> napisał(a)",
    ],
)
def test_an_attribution_may_go_on_or_lack_its_colon(attribution):
    assert split(f"{NEW}\n\n{attribution}\nDawna treść").text == NEW


def test_a_line_of_the_customer_above_a_wrapped_attribution_is_kept():
    body = "Am heutigen Tage\nAm So., 1. Jan. 2026 um 17:22 schrieb Jan <\njan@a.example>:\n\nalt"
    assert split(body).text == "Am heutigen Tage"


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


@pytest.mark.parametrize(
    "text",
    [
        "Sprawa pierwsza.\n--\nSprawa druga, ocet wyciekł i zalał etykiety innych butelek.",
        "Sprawa pierwsza.\n--\nDrugi też pęknięty.\nAnna",
        "Reklamacja butów\n--\nLewy but pęknięty\nPrawy bez sznurówki\nAnna",
        "Dzień dobry\n—\nkupiłem telewizor i po tygodniu przestał działać cały ekran",
    ],
)
def test_dashes_may_part_two_paragraphs(text):
    assert split(text).text == text


def test_only_the_last_dashes_begin_a_signature_when_a_sentence_stands_between():
    text = "Sprawa pierwsza.\n--\nSprawa druga jest ważniejsza niż ta pierwsza sprawa."
    assert split(f"{text}\n\n-- \nAnna\nagroturystyka Pod Gruszką").text == text


def test_advertising_under_a_signed_mail_is_cut():
    text = "Odwołuję się od decyzji w sprawie moich butów zimowych.\n\nStefan Kozera"
    assert split(f"{text}\n\n--\nSzukasz auta? Sprawdź oferty naszego partnera.").text == text
    asked = f"{text}\n\n--\nJeszcze jedno, proszę o fakturę."
    assert split(asked).text == asked


def test_a_postscript_under_a_signature_is_kept():
    parted = split(f"{NEW}\n\n-- \nAnna\ntel. 123\n\nPS. Numer zamówienia 55.")
    assert parted.text == f"{NEW}\n\nPS. Numer zamówienia 55."
    assert parted.signature == "-- \nAnna\ntel. 123"


def test_a_signature_above_history_does_not_take_the_answers_below():
    body = (
        "Odpowiadam pod pytaniami.\n-- \nAnna\n\nW dniu 2.03.2026 o 10:00, Sklep pisze:\n"
        "> Czy działa?\nNie.\n> Od kiedy?\nOd soboty."
    )
    assert split(body).text == "Odpowiadam pod pytaniami.\n\nNie.\n\nOd soboty."


def test_a_device_line_above_history_is_cut_though_words_follow_it():
    above = "Nie działa.\n\nSent from my iPhone"
    body = f"{above}\n\n> On 2 Mar 2026, Jan <j@a.example> wrote:\n> x\n\nPS nowe"
    assert split(body).text == "Nie działa.\n\nPS nowe"


@pytest.mark.parametrize(
    "text",
    [
        "Niniejsza wiadomość stanowi wezwanie do zapłaty.\n\nKonrad",
        "Żądam zwrotu.\n\nNiniejsza wiadomość jest dla działu reklamacji.\n\nKonrad",
        "Kupiłem lampę.\n\nInformacje zawarte w opisie są nieprawdziwe.\n\nProszę o zwrot.",
        "Witam,\n\nadministratorem danych osobowych jest Państwa firma, a dane wyciekły.\n\nJan",
        "Hello,\n\nThis message is my third attempt to reach you.\n\nJohn",
        "Anna\n\nJeśli nie jesteś adresatem, przekaż, że reklamacja nadal czeka.",
        "Guten Tag,\n\ndiese Nachricht ist meine letzte Mahnung an den Empfänger.\n\nHans",
    ],
)
def test_what_a_customer_begins_like_a_legal_footer_is_kept(text):
    assert split(text).text == text


def test_a_warning_of_the_mail_server_above_the_text_is_cut():
    body = f"CAUTION: This email originated from outside of the company.\n\n{NEW}"
    assert split(body).text == NEW


@pytest.mark.parametrize(
    "glued",
    [
        "Proszę czekać.Wysłano z mojego smartfona Galaxy.",
        "Proszę czekaćWysłane z telefonu HUAWEI",
        "Proszę czekać. Wysłane z iPhone'a",
        "Proszę czekać.\nGet BlueMail for Android \u200b",
        "Proszę czekać.\nSent from Wiko Ridge",
    ],
)
def test_a_device_line_may_be_glued_to_the_last_word(glued):
    assert split(glued).text.rstrip(".") == "Proszę czekać"


@pytest.mark.parametrize(
    "sentence",
    [
        "Wysłane z opóźnieniem trzech tygodni",
        "Vom Kundendienst keine Antwort",
        "Wysłane z telefonu szefa bo mój się zepsuł",
        "Paczka niekompletna. Wysłano z telefonem ładowarkę",
    ],
)
def test_a_last_sentence_that_begins_like_a_device_line_is_kept(sentence):
    assert split(f"{NEW}\n\n{sentence}").text == f"{NEW}\n\n{sentence}"


def test_what_pgp_writes_around_a_signed_text_is_cut():
    body = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nProszę o zwrot.\n- - raz\n\n"
        "- -- \nAnna\n-----BEGIN PGP SIGNATURE-----\n\nQUHl\n=Qz8d\n-----END PGP SIGNATURE-----"
    )
    assert split(body).text == "Proszę o zwrot.\n- raz"
    unfinished = "Proszę.\n-----BEGIN PGP SIGNATURE-----\n\ni reszta"
    assert split(unfinished).text == unfinished


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
        "--\n",
        "Anna\n\nTa wiadomość jest poufna adresat\n\n",
        "W dniu 1.01.2020 <a@b.pl> napisał ",
        "odpowiedzi a b c d ",
        "x.Wysłano z ",
        "-----BEGIN PGP SIGNATURE-----\n",
    ],
)
def test_e48_a_repeated_form_is_read_in_linear_time(line):
    split(line * (500_000 // len(line)))
