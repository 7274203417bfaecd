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
