import time

import pytest

from triage.withdrawal import MAX_CHARACTERS, is_withdrawal, withdrawal_statement

STATEMENTS = [
    # Polish
    "Odstępuję od umowy.",
    "odstepuje od umowy",
    "ODSTĘPUJĘ OD UMOWY!!!",
    "Niniejszym odstępuję od umowy sprzedaży zawartej dnia 12.05.2026 r.",
    "Odstępujemy od zawartej w dniu 5 maja umowy kupna ekspresu.",
    "Dzień dobry,\nodstępuję od\numowy nr 1234567\nJan Kowalski",
    "Oświadczam, że odstępuję od umowy.",
    "Oświadczam że niniejszym odstępuję.",
    "Oświadczamy, iż odstępujemy od umowy sprzedaży.",
    "Niniejszym informuję o moim odstąpieniu od umowy sprzedaży następujących rzeczy: lampa",
    "Ja/My(*) niniejszym informuję/informujemy(*) o moim/naszym odstąpieniu od umowy sprzedaży",
    "W załączeniu przesyłam oświadczenie o odstąpieniu od umowy.",
    "Składam oświadczenie o odstąpieniu od umowy zawartej na odległość.",
    "Korzystam z przysługującego mi prawa odstąpienia od umowy.",
    "Towar nie spełnia oczekiwań, odstępuję od umowy.",
    "Ponieważ towar nie działa odstępuję od umowy.",
    "Gdy otrzymałem towar, okazał się za mały, więc odstępuję od umowy.",
    "Odstępuję od umowy. Kiedy dostanę zwrot pieniędzy?",
    "Odstępuję od umowy, kiedy dostanę zwrot?",
    "Odstępuję od umowy i proszę o informację, czy mam odesłać towar.",
    "Towar jest za mały, odstępuje od umowy.",
    "Niniejszym odstępuje od umowy.",
    "ja, niżej podpisany, niniejszym informuję o odstąpieniu od umowy sprzedaży rzeczy: puzzle",
    "ten mail niech bedzie oswiadczeniem ze odstepuje",
    "Jako konsument odstępuję od umowy.",
    "na podstawie art. 27 ustawy odstępuję od umowy",
    "W związku z powyższym odstępuję od zakupu.",
    # German
    "Hiermit widerrufe ich den Vertrag.",
    "Hiermit widerrufe(n) ich/wir (*) den von mir/uns (*) abgeschlossenen Vertrag",
    "hiermit widerrufen wir unsere Bestellung vom 3. Mai",
    "Ich widerrufe den Kaufvertrag vom 12.05.2026.",
    "Hiermit widerrufe ich den Vertrag, da mir die Ware nicht gefällt.",
    "Hiermit widerrufe ich den Kauf weil er nicht passt",
    "Ich mache hiermit von meinem gesetzlichen Widerrufsrecht Gebrauch.",
    # English
    "I hereby withdraw from my contract.",
    "I hereby cancel my contract of sale for the following goods.",
    "I/We (*) hereby give notice that I/We (*) withdraw from my/our (*) contract of sale",
    "I hereby give notice that I cancel my contract of sale.",
    "We withdraw from the purchase agreement.",
    "I am exercising my right to cancel.",
    "I hereby exercise my right of withdrawal.",
    # Czech
    "Odstupuji od smlouvy.",
    "Tímto odstupuji od kupní smlouvy ze dne 3. 5.",
    "Oznamuji, že tímto odstupuji od smlouvy o nákupu tohoto zboží: lampa",
    "odstupujeme od smlouvy",
    # Ukrainian
    "Відмовляюся від договору.",
    "Цим я відмовляюсь від договору купівлі-продажу.",
    "Повідомляю, що відмовляюся від договору.",
    "Ми відмовляємося від договору.",
]

OTHERS = {
    "negated": [
        "Nie odstępuję od umowy, proszę o naprawę.",
        "Oświadczam, że nie odstępuję od umowy.",
        "Nie znaczy to, że odstępuję od umowy.",
        "Hiermit widerrufe ich nicht den Vertrag.",
        "Ich widerrufe den Vertrag nicht.",
        "I do not withdraw from the contract.",
        "I am not saying that I withdraw from the contract.",
        "Neodstupuji od smlouvy.",
        "Я не відмовляюся від договору.",
    ],
    "a question": [
        "Czy odstępuję od umowy mailem czy listem?",
        "Jak odstępuję od umowy?",
        "Co się stanie gdy odstępuję od umowy?",
        "czy wystarczy że napiszę że odstępuję od umowy",
        "Can I withdraw from the contract?",
        "How do I withdraw from the contract",
        "Ich widerrufe den Vertrag?",
        "Reicht es, wenn ich schreibe: hiermit widerrufe ich den Vertrag?",
        "Odstupuji od smlouvy?",
        "Чи я відмовляюся від договору листом?",
    ],
    "conditional": [
        "Jeśli paczka nie przyjdzie do piątku, odstępuję od umowy.",
        "Odstępuję od umowy, jeżeli nie wyślecie towaru do jutra.",
        "Proszę o wymianę albo odstępuję od umowy.",
        "W przeciwnym razie odstępuję od umowy.",
        "W razie braku odpowiedzi odstępuję od umowy.",
        "Wenn nichts kommt, widerrufe ich den Vertrag. Falls nicht, widerrufen wir den Vertrag.",
        "If it does not come, I withdraw from the contract.",
        "I hereby cancel my contract unless you ship today.",
        "Pokud nedorazí, odstupuji od smlouvy.",
        "Якщо не прийде, відмовляюся від договору.",
    ],
    "quoted": [
        "Proszę o informację.\n> Odstępuję od umowy.",
        "Dziękuję.\n\nW dniu 3.05.2026 o 12:00 Jan <j@x.example> napisał(a):\nOdstępuję od umowy.",
        "W regulaminie jest wzór „Odstępuję od umowy” i nie wiem, gdzie go wysłać.",
        'Ihr Muster "Hiermit widerrufe ich den Vertrag" fehlt.',
        "Ve vzoru stojí „odstupuji od smlouvy“, co tam doplnit.",
        "У зразку «відмовляюся від договору», що далі.",
    ],
    "of somebody else": [
        "Sklep odstępuje od umowy bez powodu.",
        "Sklep odstepuje od umowy bez powodu.",
        "Klient odstępuje od umowy.",
        "Pytam o to, ile osób odstępuje od umowy.",
        "Moja siostra odstępuje od umowy.",
        "Informujecie o odstąpieniu od umowy za późno.",
        "Sklep informuje o odstąpieniu od umowy w regulaminie.",
        "Konsument może odstąpić od umowy w ciągu 14 dni.",
    ],
    "of an earlier letter": [
        "Dwa tygodnie temu napisałam, że odstępuję od umowy, i cisza.",
        "I wrote to you that I withdraw from the contract.",
        "Psala jsem, že odstupuji od smlouvy.",
        "Я писала, що відмовляюся від договору.",
        "Odstąpiłem od umowy 3 maja.",
    ],
    "something else": [
        "Oświadczam, że odstępuję od reklamacji.",
        "Odstępuję od roszczeń z umowy.",
        "Hiermit widerrufe ich meine Einwilligung zum Newsletter.",
        "Chciałbym zwrócić towar.",
        "Proszę o formularz oświadczenia o odstąpieniu od umowy.",
        "Please cancel my order.",
        "Oświadczam, że towar jest wadliwy.",
        "",
        " \n\t",
    ],
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_formal_statement_is_recognised(text):
    assert is_withdrawal(text)


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in OTHERS.items() for text in texts]
)
def test_what_is_no_statement_is_left_to_the_ordinary_reply(kind, text):
    assert withdrawal_statement(text) is None, kind


def test_the_sentence_that_states_it_is_given_back():
    text = "Dzień dobry. W związku z tym odstępuję\nod umowy nr 12. Proszę o zwrot na konto."
    assert withdrawal_statement(text) == "W związku z tym odstępuję od umowy nr 12."


def test_a_question_before_the_statement_does_not_hide_it():
    assert is_withdrawal("Czy paczka dotarła? Odstępuję od umowy.")


def test_decomposed_letters_are_the_same_letters():
    assert is_withdrawal("Odste\u0328puje\u0328 od umowy.")


def test_what_stands_beyond_the_limit_is_not_read():
    assert not is_withdrawal("a. " * (MAX_CHARACTERS // 3 + 1) + "Odstępuję od umowy.")


@pytest.mark.parametrize(
    "text",
    [
        "odstępuję " * 100_000,
        "odstępuję od " * 80_000,
        "„" * 1_000_000,
        '" ' * 500_000,
        "w dniu " * 150_000,
        " " * 1_000_000 + "x",
        "?" * 1_000_000,
        "oświadczam, że " * 70_000,
        "in widerrufe ich " * 60_000,
        "ich widerrufe " * 70_000,
        "> " * 500_000,
        "Odstępuję od umowy. e" + "\u0301\u0323" * 100_000,
        "Odstępuję od umowy. ש" + "\u05b0\u05b1" * 100_000,
        "Odstępuję od umowy. a" + "\u0f73" * 100_000,
    ],
)
def test_hostile_text_takes_no_time(text):
    started = time.process_time()
    withdrawal_statement(text)
    assert time.process_time() - started < 2
