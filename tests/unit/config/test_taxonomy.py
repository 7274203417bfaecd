import hashlib
from pathlib import Path

import pytest

from config.errors import PermanentError
from config.taxonomy import SHIPPED, Taxonomy, TaxonomyError

CODES = [
    "damaged_in_transit",
    "defective",
    "late_delivery",
    "lost_parcel",
    "wrong_item",
    "missing_parts",
    "not_as_described",
    "return_withdrawal",
    "refund_payment",
    "no_response",
    "order_change",
    "question",
    "other",
]


@pytest.fixture
def shipped() -> Taxonomy:
    return Taxonomy.load()


def changed(tmp_path: Path, old: str, new: str, *, count: int = 1) -> Path:
    """A copy of the shipped file with ``old`` replaced by ``new``."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "shop.toml"
    path.write_text(text.replace(old, new, count), encoding="utf-8")
    return path


def test_the_shipped_causes_are_in_the_promised_order(shipped):
    assert [cause.code for cause in shipped.causes] == CODES
    assert shipped.active_causes == shipped.causes


@pytest.mark.parametrize("code", CODES)
def test_each_cause_has_the_clock_of_the_law(shipped, code):
    clocks = {"return_withdrawal": "withdrawal"} | dict.fromkeys(CODES[-3:], "none")
    assert shipped.cause(code).clock == clocks.get(code, "complaint")


def test_urgencies_go_from_the_least_to_the_most_urgent(shipped):
    assert [u.code for u in shipped.urgencies] == ["low", "normal", "high", "critical"]


def test_every_text_is_there_in_polish_and_english(shipped):
    for entry in (*shipped.causes, *shipped.urgencies):
        assert entry.name.pl != entry.name.en
        assert entry.description.pl != entry.description.en
        assert entry.name.in_language("pl") == entry.name.pl
        assert entry.name.in_language("uk") == entry.name.en
    for cause in shipped.causes:
        assert len(cause.examples["pl"]) >= 2
        assert len(cause.examples["en"]) >= 2


def test_the_version_is_the_hash_of_the_file(shipped, tmp_path):
    assert shipped.version == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()[:12]
    assert Taxonomy.load(changed(tmp_path, "Pytanie", "Zapytanie")).version != shipped.version


def test_an_empty_path_means_the_shipped_taxonomy(shipped):
    assert Taxonomy.load("") == shipped


def test_a_shop_renames_retires_adds_and_routes(tmp_path, shipped):
    path = changed(tmp_path, 'name.pl = "Pytanie"', 'name.pl = "Zapytanie"\nretired = true')
    added = """
[teams]
serwis = "Serwis"

[[causes]]
code = "spare_parts"
clock = "none"
team = "serwis"
name = { pl = "Części zamienne", en = "Spare parts" }
description = { pl = "Zakup części.", en = "Buying parts." }
examples = { pl = ["Gdzie kupię filtr?"], en = ["Where can I buy a filter?"] }
"""
    path.write_text(path.read_text(encoding="utf-8") + added, encoding="utf-8")
    taxonomy = Taxonomy.load(path)
    assert taxonomy.cause("question").name.pl == "Zapytanie"
    assert taxonomy.cause("question").retired
    assert taxonomy.cause("question") not in taxonomy.active_causes
    assert taxonomy.cause("spare_parts").team == "serwis"
    assert taxonomy.teams == {"serwis": "Serwis"}
    assert len(taxonomy.causes) == len(shipped.causes) + 1


def test_an_unknown_cause_is_named_with_the_known_ones(shipped):
    with pytest.raises(TaxonomyError, match=r"cause 'hail' is not in the taxonomy; known: damaged"):
        shipped.cause("hail")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'clock = "none"',
            'clock = "30 days"',
            r"causes\[order_change\]\.clock: '30 days' is none",
        ),
        ('clock = "none"\n', "", r"causes\[order_change\]\.clock: this key is missing"),
        ('clock = "none"', "clock = 14", r"causes\[order_change\]\.clock: expected text, found 14"),
        ('code = "other"', 'code = "Other!"', r"causes\[Other!\]\.code: 'Other!' must be lower"),
        ('code = "other"', 'code = "question"', r"causes: the code 'question' is there twice"),
        ('code = "other"', 'code = "misc"', r"causes: 'other' is missing; keep it and set retired"),
        ('name.pl = "Inne"', 'name.pl = " "', r"causes\[other\]\.name\.pl: expected text"),
        ('name.pl = "Inne"', 'name.de = "A"', r"causes\[other\]\.name: the key 'de' is not known"),
        ('name.pl = "Inne"\n', "", r"causes\[other\]\.name\.pl: this key is missing"),
        ('name.pl = "Inne"', "nam = 1", r"causes\[other\]: the key 'nam' is not known; allowed"),
        (
            'name.pl = "Inne"\nname.en = "Other"',
            'name = "x"',
            r"causes\[other\]\.name: expected name\.pl and name\.en",
        ),
        (
            'examples.pl = ["Czy ten',
            'examples.pl = ["", "Czy ten',
            r"causes\[question\]\.examples\.pl: expected a list of sentences",
        ),
        (
            'clock = "none"',
            'clock = "none"\nteam = "biuro"',
            r"causes\[order_change\]\.team: 'biuro' is not in \[teams\]",
        ),
        (
            'clock = "none"',
            'clock = "none"\nretired = "yes"',
            r"causes\[order_change\]\.retired: expected true or false, found 'yes'",
        ),
        ('code = "low"', 'code = "lowest"', r"urgencies: the codes must be low, normal, high"),
        (
            '[[causes]]\ncode = "damaged',
            '[[cause]]\ncode = "damaged',
            r"the key 'cause' is not known",
        ),
        (
            '[[causes]]\ncode = "damaged',
            'teams = 1\n[[causes]]\ncode = "damaged',
            r"expected a \[teams",
        ),
        ('code = "other"', "code = other", r"is not valid TOML: .*line"),
    ],
)
def test_a_wrong_file_is_explained_in_one_sentence_that_names_the_key(tmp_path, old, new, sentence):
    with pytest.raises(TaxonomyError, match=sentence) as raised:
        Taxonomy.load(changed(tmp_path, old, new))
    assert "shop.toml" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, PermanentError)


def test_retiring_every_cause_is_refused(tmp_path):
    path = changed(tmp_path, "[[causes]]\n", "[[causes]]\nretired = true\n", count=-1)
    with pytest.raises(TaxonomyError, match="causes: all are retired"):
        Taxonomy.load(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"causes: expected one \[\[causes\]\] table or more"),
        (b"causes = [1]", r"causes: expected one \[\[causes\]\] table or more"),
        (b"# \xb9", r"is not UTF-8 text: byte 2 is wrong"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, sentence):
    path = tmp_path / "shop.toml"
    path.write_bytes(content)
    with pytest.raises(TaxonomyError, match=sentence):
        Taxonomy.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TaxonomyError, match=r"nowhere\.toml cannot be read: No such file"):
        Taxonomy.load(tmp_path / "nowhere.toml")
