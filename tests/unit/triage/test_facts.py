import pytest

from triage.facts import STATED, Fact, facts_in, fold, lift

URGENCIES = {"low": 0.1, "normal": 0.6, "high": 0.2, "critical": 0.1}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Córka poparzyła sobie rękę.", "injury"),
        ("CORKA POPARZYLA SOBIE REKE", "injury"),
        ("My son was taken to the hospital", "injury"),
        ("Meine Frau hat sich verletzt", "injury"),
        ("Syna odvezla záchranka", "injury"),
        ("У дружини опік руки", "injury"),
        ("Сина забрали в лікарню", "injury"),
        ("Пішов дим", "fire"),
        ("Звернувся до поліції", "institution"),
        ("Якщо не повернете до п'ятниці, подам позов", "institution"),
        ("Po kremie mam reakcję alergiczną", "allergy"),
        ("She had an allergic reaction", "allergy"),
        ("Z ładowarki poszedł dym", "fire"),
        ("The charger caught fire", "fire"),
        ("Das Gerät hat Feuer gefangen", "fire"),
        ("Nabíječka začala hořet", "fire"),
        ("Зарядка загорілась", "fire"),
        ("Poraził mnie prąd", "electric_shock"),
        ("Ich bekam einen Stromschlag", "electric_shock"),
        ("W kuchni czuć gaz", "gas"),
        ("There is a smell of gas", "gas"),
        ("Synek połknął magnes", "choking"),
        ("He swallowed a battery", "choking"),
        ("Jeśli do piątku nie oddacie, idę do UOKiK", "institution"),
        ("Złożyłam wniosek do rzecznika konsumentów", "institution"),
        ("I have filed a claim with the county court", "institution"),
        ("Letzte Frist bis Freitag, dann Klage", "institution"),
        ("Podala jsem podnět České obchodní inspekci", "institution"),
        ("Ustawowe 14 dni minęło", "statutory_term"),
        ("the 14 days have passed", "statutory_term"),
        ("Die Frist von 14 Tagen ist abgelaufen", "statutory_term"),
        ("Lhůta 30 dnů uplynula", "statutory_term"),
        ("14 днів минуло", "statutory_term"),
    ],
)
def test_a_plainly_stated_fact_is_found(text, name):
    assert name in [fact.name for fact in facts_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Kiedy wyślecie moje zamówienie?",
        "Pójdę do UOKiK, jeśli tak dalej będzie.",  # without a deadline: high, not critical
        "Czy macie 14 dni na zwrot?",
        "Chcę zwrócić czujnik dymu.",
        "W zestawie Straż pożarna brakuje drabiny.",
        "Czy ten krem może uczulać?",
        "Warning label says choking hazard, is it for adults?",
    ],
)
def test_calm_words_are_no_fact(text):
    assert facts_in(text) == ()


def test_a_fact_makes_critical_the_likeliest_and_keeps_the_sum():
    lifted = lift(URGENCIES, [Fact("fire", "dym")])
    assert lifted["critical"] == STATED
    assert sum(lifted.values()) == pytest.approx(1)
    assert lifted["normal"] / lifted["high"] == pytest.approx(3)


def test_without_a_fact_nothing_changes():
    assert lift(URGENCIES, []) == URGENCIES


def test_a_classifier_that_is_surer_than_the_fact_is_left_alone():
    sure = {"low": 0.0, "critical": 1.0}
    assert lift(sure, [Fact("fire", "dym")]) == sure


def test_folding_takes_case_and_diacritics_away():
    assert fold("Żółć ŁÓDŹ Straße Příliš їжак don't") == "zolc lodz strasse prilis іжак dont"


@pytest.mark.parametrize(
    "text",
    [
        "Telewizor za 3 899 zł ma pękniętą matrycę.",
        "Der Plattenspieler für 620 EUR ist verschwunden.",
        "The amplifier (£1,150) has lost a channel.",
        "Notebook za 11 990 Kč nepřišel.",
        "Підсилювач за 21 400 грн",
        "Wartość: 2.499,00 zł",
        "Ślub jest w sobotę, a sukienki nie ma.",
        "Jutro są urodziny córki.",
        "The wedding is on Saturday.",
        "Die Taufe ist am Samstag.",
    ],
)
def test_an_expensive_thing_or_a_near_occasion_makes_high(text):
    assert {fact.urgency for fact in facts_in(text)} == {"high"}
    lifted = lift({"low": 0.1, "normal": 0.6, "high": 0.25, "critical": 0.05}, facts_in(text))
    assert max(lifted, key=lifted.__getitem__) == "high"
    assert sum(lifted.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    [
        "Kubek za 49,90 zł jest pęknięty.",
        "Zamówienie 1500, nr klienta 35000.",
        "Kupiłam na ślub, który był w maju.",
        "Paczka przyjdzie w sobotę.",
        "350 Kč za dopravu",
    ],
)
def test_a_cheap_thing_and_a_day_without_an_occasion_state_nothing(text):
    assert facts_in(text) == ()


def test_a_price_never_hides_a_critical_mail():
    before = {"low": 0.0, "normal": 0.1, "high": 0.2, "critical": 0.7}
    lifted = lift(before, facts_in("Toster za 2000 zł"))
    assert lifted["critical"] == pytest.approx(0.7)
    assert lifted["high"] > 0.28
