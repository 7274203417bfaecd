import pytest

from web.plain_text import (
    SHOWN,
    content_disposition,
    download_name,
    fold,
    one_line,
    plain,
    reply_link,
)


def test_characters_that_mislead_are_left_out():
    assert plain("a\x00b\x1b[31m\u202egpj.exe\u2066") == "ab[31mgpj.exe"
    assert plain("a\r\nb\rc\td") == "a\nb\nc\td"
    assert one_line(" a\r\n b\t\tc ") == "a b c"
    assert plain(None) == ""


def test_what_hides_words_or_covers_lines_is_left_out():
    """E-21"""
    assert plain("An\u200bna\u2060\U000e0069\U000e0067") == "Anna"
    assert plain("a" + "\u0301" * 1000 + "b") == "a" + "\u0301" * 8 + "b"
    assert plain("❤" + "\ufe0f" * 1000) == "❤" + "\ufe0f" * 8
    assert plain("👩\u200d👧 zażo\u0301łc\u0301") == "👩\u200d👧 zażo\u0301łc\u0301"


def test_what_follows_the_new_text_is_history():
    folded = fold("Nowe.", "Nowe.\n\n> stare")
    assert (folded.new, folded.history, folded.whole) == ("Nowe.", "> stare", False)


def test_a_message_without_history_is_not_folded():
    assert fold("Tekst", "Tekst\n").history == ""
    assert fold("", "Tekst").new == "Tekst"
    assert fold("", "").new == ""


def test_a_new_text_in_between_leaves_the_whole_message_to_unfold():
    folded = fold("Odpowiedź", "> pytanie\nOdpowiedź\n> reszta")
    assert (folded.new, folded.whole) == ("Odpowiedź", True)
    assert folded.history.startswith("> pytanie")


def test_a_huge_message_is_shown_by_its_beginning():
    folded = fold("a" * 200_000, "a" * 200_000)
    assert len(folded.new) == SHOWN
    assert folded.truncated


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("Zwrot", "Re%3A%20Zwrot%20%5BODZ-2026-000001%5D"),
        ("RE: Odp: re[2]: Zwrot", "Re%3A%20Zwrot%20%5BODZ-2026-000001%5D"),
        ("Zwrot [ODZ-2026-000001]", "Re%3A%20Zwrot%20%5BODZ-2026-000001%5D"),
        ("a\r\nBcc: x@y", "Re%3A%20a%20Bcc%3A%20x%40y%20%5BODZ-2026-000001%5D"),
    ],
)
def test_a_reply_keeps_the_conversation_together(subject, line):
    link = reply_link("jan@example.com", subject, "ODZ-2026-000001")
    assert link == f"mailto:jan@example.com?subject={line}"


def test_an_address_cannot_add_fields_to_a_reply():
    link = reply_link("a@b.example?bcc=x@y.example&body=z", "S", "ODZ-2026-000001")
    assert link.count("?") == 1
    assert "&" not in link


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\faktura.pdf", "faktura.pdf"),
        (".htaccess", "htaccess"),
        ("a\r\nb.pdf", "a b.pdf"),
        ("faktura\u202efdp.exe", "fakturafdp.exe"),
        ("a.exe. . .", "a.exe"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("kontakt.txt", "kontakt.txt"),
        ("", "attachment"),
        ("/", "attachment"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_a_file_is_saved_under_a_harmless_name(name, safe):
    assert download_name(name) == safe


def test_a_file_name_in_any_script_survives():
    assert content_disposition("żółć.pdf") == (
        "attachment; filename=\"____.pdf\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82%C4%87.pdf"
    )
