"""HTML becomes what a reader sees."""

import pytest

from worker.html import to_lines, to_quoted_text, to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Dzień dobry</p><p>Paczka</p>", "Dzień dobry\n\nPaczka"),
        ("raz<br>dwa<div>trzy</div>cztery", "raz\ndwa\ntrzy\ncztery"),
        ("a  \n b&nbsp;c &amp; d", "a b\u00a0c & d"),
        ("<tr><td>a</td><td>b</td></tr>", "ab"),
        ("<table><tr><td>Numer</td><td>123</td></tr></table>", "Numer 123"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<style>x{}</style><script>y()</script><!-- z -->tekst", "tekst"),
        ('<div style="display: none">ukryte</div>widać', "widać"),
        ('<span style="font-size:0px">ukryte</span>widać', "widać"),
        ("<p hidden>ukryte</p>widać", "widać"),
        ('<span style="font-size:0.9em">widać</span>', "widać"),
        ("", ""),
    ],
)
def test_only_what_a_browser_shows_is_read(html, text):
    assert to_text(to_lines(html)) == text


def test_a_quotation_is_marked_line_by_line():
    lines = to_lines("moje<blockquote>cudze<blockquote>dawne</blockquote></blockquote>")
    written = [line for line in to_quoted_text(lines).split("\n") if line.strip("> ")]
    assert written == ["moje", "> cudze", ">> dawne"]


def test_a_document_inside_a_quotation_as_a_whole_is_not_quoted():
    assert to_quoted_text(to_lines("<blockquote>moje<br>słowa</blockquote>")) == "moje\nsłowa"
    cited = to_quoted_text(to_lines('<blockquote type="cite">cudze</blockquote>'))
    assert cited == "> cudze"


def test_a_marked_signature_is_no_text_but_is_read():
    lines = to_lines('<p>Proszę o zwrot</p><div class="gmail_signature">Jan, Firma</div>')
    assert "Firma" in to_text(lines)
    assert "Firma" not in to_quoted_text(lines)


@pytest.mark.parametrize("tag", ["<div>", "<blockquote>", "<b><i>", "<p>x", "<table><tr><td>"])
def test_deep_markup_is_read_in_linear_time(tag):
    assert to_text(to_lines(tag * 20_000 + "koniec"))
