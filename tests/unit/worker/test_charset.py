"""Bytes become the letters that were meant, whatever the label says."""

import pytest

from worker.charset import codec_for, decode

POLISH = "Zażółć gęślą jaźń, proszę o zwrot pieniędzy"


@pytest.mark.parametrize("real", ["utf-8", "cp1250", "iso8859-2"])
@pytest.mark.parametrize(
    "declared",
    [
        None,
        "",
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "windows-1250",
        "iso-8859-2",
        "x-unknown",
        "rot13",
    ],
)
def test_polish_is_read_right_under_any_label(real, declared):
    assert decode(POLISH.encode(real), declared).text == POLISH


@pytest.mark.parametrize("real", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("declared", [None, "us-ascii", "utf-8", "x-unknown"])
@pytest.mark.parametrize("text", ["Zażółć gęślą jaźń", "Proszę o zwrot pieniędzy", "Żądam zwrotu"])
def test_a_few_polish_words_are_enough(real, declared, text):
    """E-18: 8 bits under a 7-bit label are as good as no label; nor is it Cyrillic."""
    assert decode(text.encode(real), declared).text == text


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        ("Příliš žluťoučký kůň", "iso8859-2", "iso-8859-2"),
        ("Příliš žluťoučký kůň", "cp1250", "windows-1250"),
        ("Köln, Straße, Grüße", "cp1252", "iso-8859-1"),
        ("Où est mon colis, déjà payé à Paris?", "cp1252", "iso-8859-1"),
        ("Добрий день, де моя посилка", "cp1251", "windows-1251"),
        ("Добрый день", "koi8-r", "koi8-r"),
        ("こんにちは", "iso2022_jp", "iso-2022-jp"),
        ("10 m³ w cenie 5 £", "cp1252", "windows-1252"),
    ],
)
def test_a_right_label_is_believed(text, codec, label):
    assert decode(text.encode(codec), label).text == text


@pytest.mark.parametrize("label", ["unicode_escape", "idna", "utf-7", "base64", "zip\0", "x" * 500])
def test_a_codec_that_is_no_charset_is_not_used(label):
    assert codec_for(label) is None
    assert decode(b"\\u003cscript\\ud800 +ADw-", label).text == "\\u003cscript\\ud800 +ADw-"


def test_a_text_cut_inside_a_letter_keeps_the_rest():
    assert decode("zażółć".encode()[:-1], "utf-8").text == "zażół\ufffd"


def test_a_byte_order_mark_decides():
    assert decode("zażółć".encode("utf-16"), "utf-8").text == "zażółć"
    assert decode(b"\xef\xbb\xbfabc", "windows-1250").text == "abc"


def test_cyrillic_without_a_label_is_not_read_as_polish():
    assert decode("Добрий день, де моя посилка".encode("cp1251")).charset == "cp1251"
