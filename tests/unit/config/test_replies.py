from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import PermanentError
from config.replies import KINDS, LANGUAGES, ReplyError, ReplyValues, lint, problems, render
from config.reply_templates import SHIPPED

VALUES = ReplyValues(
    shop_name="Sklep Przykładny sp. z o.o.",
    shop_contact="ul. Prosta 1, 00-001 Warszawa\nreklamacje@sklep.example",
    reference="ODZ-2026-000123",
    received_at=datetime(2026, 4, 17, 21, 30, tzinfo=UTC),
    privacy_link="https://sklep.example/rodo",
)
ASKING = replace(VALUES, asks_order_number=True, asks_photos=True, asks_wish=True)
EVERY = list(product(KINDS, LANGUAGES))

SUBJECTS = {
    ("received", "pl"): "Potwierdzenie otrzymania wiadomości [ODZ-2026-000123]",
    ("received", "en"): "Confirmation of receipt of your message [ODZ-2026-000123]",
    ("received", "de"): "Bestätigung des Eingangs Ihrer Nachricht [ODZ-2026-000123]",
    ("received", "cs"): "Potvrzení o přijetí Vaší zprávy [ODZ-2026-000123]",
    ("received", "uk"): "Підтвердження отримання Вашого повідомлення [ODZ-2026-000123]",
}
DATES = {
    "pl": "w dniu 17.04.2026 o godz. 23:30",
    "en": "on 17 April 2026 at 23:30",
    "de": "am 17.04.2026 um 23:30 Uhr",
    "cs": "dne 17. 4. 2026 (23:30 hod.",
    "uk": "17.04.2026 (час: 23:30",
}
TERMS = {
    "pl": "odpowiemy nie później niż w ciągu 14 dni od dnia jej otrzymania.",
    "en": "we will reply no later than 14 days after the day on which we received it.",
    "de": "antworten wir Ihnen spätestens 14 Tage nach dem Tag ihres Eingangs.",
    "cs": "odpovíme Vám nejpozději do 14 dnů ode dne jejího přijetí.",
    "uk": "ми відповімо не пізніше ніж через 14 днів від дня його отримання.",
}


@pytest.mark.parametrize(("key", "subject"), list(SUBJECTS.items()), ids=map("-".join, SUBJECTS))
def test_the_subject_carries_the_reference(key, subject):
    assert render(*key, VALUES).subject == subject


@pytest.mark.parametrize(("kind", "language"), EVERY)
@pytest.mark.parametrize("values", [VALUES, ASKING], ids=["plain", "asking"])
def test_every_reply_says_what_it_must(kind, language, values):
    reply = render(kind, language, values)
    assert "[ODZ-2026-000123]" in reply.subject
    assert "\n" not in reply.subject
    assert reply.language == language
    for part in (VALUES.reference, VALUES.shop_name, VALUES.shop_contact, VALUES.privacy_link):
        assert part in reply.body
    assert DATES[language] in reply.body
    assert reply.body.count(TERMS[language]) == 1
    assert lint(f"{reply.subject}\n\n{reply.body}", language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_withdrawal_is_confirmed_with_the_time_zone_and_the_order(language):
    reply = render("withdrawal", language, replace(VALUES, order_numbers=("1234567", "A/12")))
    assert "CEST, UTC+02:00" in reply.body
    assert ": 1234567, A/12)" in reply.body
    assert "CEST" not in render("received", language, VALUES).body


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Warsaw", "CEST, UTC+02:00"),
        ("Europe/London", "BST, UTC+01:00"),
        ("America/Sao_Paulo", "(UTC-03:00)"),
        ("Asia/Kolkata", "IST, UTC+05:30"),
    ],
)
def test_the_moment_is_shown_in_the_zone_of_the_shop(zone, shown):
    body = render("withdrawal", "pl", replace(VALUES, timezone=zone)).body
    assert shown.strip("()") in body


def test_the_local_date_counts_not_the_utc_date():
    late = replace(VALUES, received_at=datetime(2026, 12, 31, 23, 5, tzinfo=UTC))
    assert "w dniu 01.01.2027 o godz. 00:05" in render("received", "pl", late).body
    assert "on 1 January 2027 at 00:05" in render("received", "en", late).body


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_missing_is_asked_for_and_nothing_else(language):
    plain = render("received", language, VALUES).body
    for ask in ("asks_order_number", "asks_photos", "asks_wish"):
        body = render("received", language, replace(VALUES, **{ask: True})).body
        [added] = [p for p in body.split("\n\n") if p not in plain.split("\n\n")]
        assert added.count(".") == 2  # the question and the note
    everything = render("received", language, ASKING).body
    [added] = [p for p in everything.split("\n\n") if p not in plain.split("\n\n")]
    assert added.count(".") == 4


def test_photos_and_wishes_are_not_asked_for_after_a_withdrawal():
    asking = replace(VALUES, asks_photos=True, asks_wish=True)
    assert render("withdrawal", "pl", asking) == render("withdrawal", "pl", VALUES)
    assert "numeru zamówienia" in render("withdrawal", "pl", ASKING).body


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_without_a_privacy_link_the_controller_is_still_named(kind, language):
    body = render(kind, language, replace(VALUES, privacy_link="")).body
    assert body.endswith(f": {VALUES.shop_name}\n")
    assert "http" not in body


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_an_empty_placeholder_leaves_no_hole(kind, language):
    body = render(kind, language, VALUES).body
    assert "\n\n\n" not in body
    assert "$" not in body
    assert all(line == line.rstrip() for line in body.split("\n"))


@pytest.mark.parametrize(
    "number",
    [
        "https://evil.example/1",
        "evil.example",
        "zamówienie",
        "1\r\nBcc: x@evil.example",
        "12 34",
        "$shop_name1",
        "{reference}1",
        "<b>1</b>",
        "1" * 33,
        "brak",
        "",
    ],
)
def test_what_is_no_plain_order_number_is_not_repeated(number):
    assert render("received", "pl", replace(VALUES, order_numbers=(number,))) == render(
        "received", "pl", VALUES
    )


def test_only_a_few_order_numbers_are_repeated_each_once():
    numbers = ("1", "1", *(str(n) for n in range(2, 50)))
    body = render("received", "pl", replace(VALUES, order_numbers=numbers)).body
    assert "wiadomości: 1, 2, 3, 4, 5." in body


@pytest.mark.parametrize("number", ["14", "uznajemy-1", "30-dni"])
def test_an_order_number_never_stops_a_reply(number):
    assert number in render("received", "pl", replace(VALUES, order_numbers=(number,))).body


def test_values_are_never_templates_and_never_break_lines():
    shop = replace(VALUES, shop_name="A\r\nBcc: x@y.example $reference {0} \u202e%s\x00 S.A.")
    body = render("received", "pl", shop).body
    assert "A Bcc: x@y.example $reference {0} %s S.A.\n" in body
    assert not any(c in body for c in "\r\x00\u202e")


@settings(deadline=None)  # other work may run beside
@given(st.text(max_size=60), st.text(max_size=60), st.lists(st.text(max_size=40), max_size=4))
def test_no_value_can_add_a_line_to_the_subject_or_a_control_character(name, contact, numbers):
    values = replace(VALUES, shop_name=name, shop_contact=contact, order_numbers=tuple(numbers))
    try:
        reply = render("received", "pl", values)
    except ReplyError:
        return  # an empty name, or a link of nobody's
    assert reply.subject == SUBJECTS["received", "pl"]
    assert not [c for c in reply.body if c != "\n" and ord(c) < 32]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reference": "ODZ\r\nBcc: a"}, "is no reference like ODZ-2026-000123"),
        ({"privacy_link": "javascript:alert(1)"}, "is no http or https address"),
        ({"privacy_link": "https://a.example/ b"}, "is no http or https address"),
        ({"shop_name": " \x00"}, "shop_name and shop_contact must say"),
        ({"shop_contact": "\n"}, "shop_name and shop_contact must say"),
        ({"shop_contact": "A" * 5000}, "has more than 3840 bytes"),
    ],
)
def test_a_value_that_cannot_be_shown_is_refused(change, sentence):
    with pytest.raises(ReplyError, match=sentence):
        render("received", "pl", replace(VALUES, **change))


@pytest.mark.parametrize(
    ("kind", "language"), [("received", "fr"), ("closed", "pl"), ("../x", "pl")]
)
def test_an_unknown_kind_or_language_is_refused(kind, language):
    with pytest.raises(ReplyError, match=r"there is no reply .*kinds: received, withdrawal"):
        render(kind, language, VALUES)


def test_a_moment_without_a_time_zone_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="has no time zone"):
        render("received", "pl", replace(VALUES, received_at=datetime(2026, 1, 1)))  # noqa: DTZ001


# --- A shop's own folder ------------------------------------------------------------------------


def own_template(folder: Path, old: str, new: str, *, name: str = "received.pl.txt") -> Path:
    text = (SHIPPED / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_a_template_of_the_shop_comes_before_the_shipped_one(tmp_path):
    folder = own_template(tmp_path, "Dzień dobry,", "Szanowni Państwo,")
    assert render("received", "pl", VALUES, folder=folder).body.startswith("Szanowni Państwo,")
    assert render("received", "en", VALUES, folder=folder) == render("received", "en", VALUES)


def test_a_phrase_of_the_shop_comes_before_the_shipped_one(tmp_path):
    (tmp_path / "phrases.toml").write_text('[pl.received]\nnote = "Dziękujemy."', encoding="utf-8")
    body = render("received", "pl", ASKING, folder=tmp_path).body
    assert "prosimy o tym napisać. Dziękujemy.\n" in body
    assert render("received", "de", ASKING, folder=tmp_path) == render("received", "de", ASKING)


def test_a_file_from_notepad_is_read_like_any_other(tmp_path):
    text = (SHIPPED / "received.pl.txt").read_text(encoding="utf-8")
    (tmp_path / "received.pl.txt").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert render("received", "pl", VALUES, folder=tmp_path) == render("received", "pl", VALUES)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Z poważaniem", "Naprawimy to.", 'the reply says "naprawimy", which promises a remedy'),
        ("Z poważaniem", "Zob. https://evil.example", "links to"),
        ("Z poważaniem", "$customer", r"unknown placeholder \$customer; allowed: \$asks"),
        ("Z poważaniem", "100 $ rabatu", r"has a \$ that begins no placeholder; write \$\$"),
        ("$shop_contact", "", r"the body lacks \$shop_contact"),
        ("[$reference]", "", r"the subject lacks \$reference"),
        ("[$reference]", "[$reference] $asks", r"the subject has the unknown placeholder \$asks"),
        ("\n\nDzień", "\nDzień", "expected the subject, a blank line, and the body"),
    ],
)
def test_a_template_of_the_shop_that_breaks_a_rule_is_refused(tmp_path, old, new, sentence):
    folder = own_template(tmp_path, old, new)
    with pytest.raises(PermanentError, match=sentence) as raised:
        render("received", "pl", VALUES, folder=folder)
    assert "received.pl.txt" in str(raised.value)


def test_a_withdrawal_template_must_show_the_zone(tmp_path):
    folder = own_template(tmp_path, " ($zone)", "", name="withdrawal.pl.txt")
    with pytest.raises(ReplyError, match=r"the body lacks \$zone"):
        render("withdrawal", "pl", VALUES, folder=folder)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[pl]\nhello = 'x'", r"pl\.hello: this phrase is not known; known: date, time"),
        (b"[pl]\ndate = 3", r"pl\.date: this phrase is empty"),
        (b"[pl.received]\nnote = ' '", r"pl\.received\.note: this phrase is empty"),
        (b"[pl]\ndate = '$day'", r"pl\.date has the unknown placeholder \$day; allowed: \$dd"),
        (b"pl = 1", r"phrases\.toml: pl\.: this phrase is not known"),
        (b"[pl", "is not valid TOML"),
        (b"# \xb9", "is not UTF-8 text: byte 2 is wrong"),
    ],
)
def test_phrases_of_the_shop_are_checked(tmp_path, content, sentence):
    (tmp_path / "phrases.toml").write_bytes(content)
    with pytest.raises(ReplyError, match=sentence):
        render("received", "pl", VALUES, folder=tmp_path)


def test_an_unreadable_template_is_named(tmp_path):
    (tmp_path / "received.pl.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ReplyError, match=r"received\.pl\.txt is not UTF-8 text"):
        render("received", "pl", VALUES, folder=tmp_path)


def test_problems_lists_every_reply_that_cannot_be_rendered(tmp_path):
    assert problems(ASKING) == []
    folder = own_template(tmp_path, "Z poważaniem", "Naprawimy to.")
    [sentence] = problems(ASKING, folder=folder)
    assert "received.pl.txt" in sentence
    assert len(problems(replace(VALUES, shop_name=""))) == len(EVERY)
