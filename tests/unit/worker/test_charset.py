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


BODY = "Zażółć gęślą jaźń.\nProszę o wymianę.\n"
FOOTER = "Treść tej wiadomości może zawierać informacje poufne.\n"


@pytest.mark.parametrize("glued", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("declared", ["utf-8", None, "windows-1250", "iso-8859-1"])
def test_lines_in_another_charset_are_read_apart(glued, declared):
    for first, second in ((BODY, FOOTER), (FOOTER, BODY)):
        data = first.encode() + second.encode(glued)
        assert decode(data, declared).text == first + second


def test_one_broken_letter_does_not_make_its_line_another_charset():
    data = (BODY + BODY).encode().replace(b"\xc4\x99", b"\xc4", 1)
    assert decode(data, "utf-8").text == (BODY + BODY).replace("ę", "\ufffd", 1)


@pytest.mark.parametrize("real", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize(
    "text", ["SPÓŁKA", "CIĘŻKO, PÓŹNO", "KSIĘŻYC I MĘŻCZYZNA", "PÓŁ ŻYCIA SIĘ"]
)
def test_capitals_that_happen_to_be_utf8_are_read_as_declared(real, text):
    for declared in ("windows-1250", "iso-8859-2", None):
        assert decode(text.encode(real), declared).text == text


@pytest.mark.parametrize("text", ["Привет", "Добрий день", "кабель USB", "σίγμα", "שלום"])
def test_utf8_of_another_script_is_utf8_under_any_label(text):
    assert decode(text.encode(), "windows-1250").text == text


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"+ANw-bermittlung an Empf+AOQ-nger", "Übermittlung an Empfänger"),
        (b"Za+AXw-+APMBQgEH", "Zażółć"),
        (b"2 +- 2 + 3", "2 + 2 + 3"),
        (b"+ADw-script+AD4- +ACY-amp", "+ADw-script+AD4- +ACY-amp"),
        (b"+2AA-x +A", "+2AA-x +A"),
    ],
)
def test_e18_utf7_gives_letters_and_never_markup(sent, read):
    """Exchange wrote its notices in it; hidden markup has no other use than an attack."""
    assert decode(sent, "unicode-1-1-utf-7").text == read
    assert decode(sent, "utf-8").text == sent.decode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_read_by_its_zeros(codec):
    assert decode(POLISH.encode(codec), "utf-16").text == POLISH


def test_text_without_zeros_is_not_utf16_whatever_it_says():
    assert decode(POLISH.encode(), "utf-16").text == POLISH
    assert decode(b"abcd", "utf-16le").text == "abcd"


@pytest.mark.parametrize("real", ["cp932", "euc-jis-2004"])
@pytest.mark.parametrize("declared", ["shift_jis", "euc-jp", "iso-2022-jp"])
def test_japanese_under_the_label_of_another_japanese_charset(real, declared):
    text = "①こんにちは、注文の商品がまだ届きません。"
    assert decode(text.encode(real), declared).text == text


@pytest.mark.parametrize("declared", ["iso-2022-jp", "us-ascii", None])
def test_iso_2022_jp_may_hold_characters_of_nec(declared):
    """CP50220: row 13 (①㈱) and the IBM characters (髙) have no place in JIS X 0208."""
    data = b"\x1b$B-!$4Cm\x1b(B ABC\r\n\x1b$B-j|b\x1b(I1\x1b(B."
    assert decode(data, declared).text == "①ご注 ABC\r\n㈱髙ｱ."


def test_katakana_of_half_width_is_not_taken_for_a_wrong_label():
    assert decode("ﾃｽﾄ".encode("cp932"), "shift_jis").text == "ﾃｽﾄ"
