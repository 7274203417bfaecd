"""Mails whose letters are not what their label says."""

from collections.abc import Iterator

from tests.bad_input.mail import TEXT, BadMail, a_mail, a_multipart, a_part, an_address, item

POLISH = "Zażółć gęślą jaźń, proszę o źródło świeżej łąki."
GUESSED = "characters were guessed"


def _plain(charset: str) -> str:
    return f"text/plain; charset={charset}"


@item("E-13")
def raw_letters_in_headers() -> Iterator[BadMail]:
    for codec in ("utf-8", "cp1250", "iso8859-2"):
        for declared in dict.fromkeys(("utf-8", codec, "us-ascii")):
            raw = a_mail(
                POLISH.encode(codec),
                Subject=POLISH.encode(codec),
                From=f"Zażółć Gęśla <{an_address()}>".encode(codec),
                Content_Type=_plain(declared),
            )
            yield BadMail(f"{codec} under {declared}", raw, subject=POLISH, says=(POLISH,))


@item(
    "E-14",
)
def windows_under_an_iso_label() -> Iterator[BadMail]:
    for label in ("iso-8859-2", "ISO-8859-1", "latin1", "iso-8859-15"):
        raw = a_mail(POLISH.encode("cp1250"), Content_Type=_plain(label))
        yield BadMail(
            f"cp1250 under {label}", raw, says=(POLISH,) if label != "iso-8859-15" else ()
        )
    quotes = "Napisali „nie” – i tyle… Proszę o zwrot."
    raw = a_mail(quotes.encode("cp1250"), Content_Type=_plain("iso-8859-2"))
    yield BadMail("quotation marks of Windows", raw, says=(quotes,))


@item("E-15")
def utf8_under_another_label() -> Iterator[BadMail]:
    for label in ("windows-1250", "iso-8859-2", "iso-8859-1", "koi8-r", "gb2312", "us-ascii"):
        raw = a_mail(POLISH, Content_Type=_plain(label))
        yield BadMail(f"under {label}", raw, says=(POLISH,))


@item("E-16")
def broken_utf8() -> Iterator[BadMail]:
    raw = a_mail(POLISH.encode("cp1250"))
    yield BadMail("cp1250 under utf-8", raw, says=(POLISH,), defect=GUESSED)
    cut = f"{POLISH} {POLISH} ż".encode()[:-1]
    yield BadMail("cut in its last letter", a_mail(cut), says=(POLISH, "\ufffd"), defect=GUESSED)
    holes = (POLISH * 20).encode().replace(b"\xc5\xbc\xc3\xb3", b"\xc5\xc3\xb3", 1)
    yield BadMail("one broken letter", a_mail(holes), says=(POLISH,), defect=GUESSED)
    for what, data in {
        "overlong": b"a\xc0\xafb \xe0\x80\xaf",
        "five bytes": b"a \xf8\x88\x80\x80\x80",
        "beyond Unicode": b"a \xf4\x90\x80\x80",
        "continuations only": b"\x80\xbf" * 500,
        "every byte": bytes(range(256)) * 40,
    }.items():
        yield BadMail(what, a_mail(data + what.encode()), defect=GUESSED)


@item("E-17")
def double_encoding() -> Iterator[BadMail]:
    twice = POLISH.encode().decode("cp1252", "replace")
    yield BadMail("UTF-8 as Windows-1252", a_mail(twice), says=(twice,))
    twice = POLISH.encode().decode("cp1250", "replace")
    yield BadMail("UTF-8 as Windows-1250", a_mail(twice), says=(twice,))


@item("E-18")
def forbidden_charsets() -> Iterator[BadMail]:
    yield BadMail(
        "us-ascii with eight bits", a_mail(POLISH, Content_Type=_plain("us-ascii")), says=(POLISH,)
    )
    for label in (
        "x-unknown",
        "unicode-1-1-utf-7",
        "utf-7",
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "rot13",
        "base64",
        "hex",
        "zlib",
        "bz2",
        "undefined",
        "mbcs",
        "utf-8\\0x",
        "a" * 5000,
        "../../etc/passwd",
        "",
        '"utf-8"; charset="rot13"',
        "=?utf-8?q?utf-8?=",
    ):
        text = "+ADw-script+AD4- \\u0041\\ud800 =?x?= " + POLISH
        raw = a_mail(text, Content_Type=_plain(label))
        yield BadMail(f"the label {label[:30]!r}", raw, says=(POLISH, "+ADw-script", "\\ud800"))
    nul = a_mail(POLISH, Content_Type=b"text/plain; charset=utf-8\0x")
    yield BadMail("a NUL in the label", nul, says=(POLISH,))
    for codec, label in (
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"),
        ("utf-32", "utf-32"),
        ("utf-8-sig", "us-ascii"),
        ("utf-16", "iso-8859-2"),
    ):
        part = a_part(POLISH.encode(codec), _plain(label), Content_Transfer_Encoding="binary")
        yield BadMail(f"{codec} under {label}", a_multipart(part), says=(POLISH,))
    odd = a_part(POLISH.encode("utf-16")[:-1], _plain("utf-16"))
    yield BadMail("half a character of utf-16", a_multipart(odd))


@item("E-19")
def combining_letters() -> Iterator[BadMail]:
    apart = "Zaz\u0307o\u0301łc\u0301"
    yield BadMail("decomposed", a_mail(apart, Subject=apart.encode()), says=(apart,), subject=apart)


@item("E-23")
def lone_surrogates() -> Iterator[BadMail]:
    for what, data in {
        "WTF-8": b"a\xed\xa0\x80b",
        "CESU-8": b"a\xed\xa0\xbd\xed\xb8\x80b",
        "low half": b"a\xed\xbf\xbfb",
    }.items():
        raw = a_mail(
            TEXT.encode() + data,
            Subject=b"Reklamacja " + data,
            From=b"Jan " + data + f" <{an_address()}>".encode(),
        )
        yield BadMail(f"{what} in text, subject and name", raw, says=("talerze",))
        name = f"attachment; filename*=utf-8''{''.join(f'%{byte:02X}' for byte in data)}.txt"
        part = a_part("x", "text/plain", Content_Disposition=name)
        yield BadMail(f"{what} in a file name", a_multipart(a_part(), part))
        word = "=?utf-8?q?" + "".join(f"={byte:02X}" for byte in data) + "?="
        yield BadMail(f"{what} in an encoded word", a_mail(Subject=word))


@item("E-24")
def nul() -> Iterator[BadMail]:
    yield BadMail("in the text", a_mail("przed\0po"), says=("przed\u2400po",), hides=("\0",))
    yield BadMail("a text of them", a_mail(b"\0" * 10_000), hides=("\0",))
    html = a_mail("<p>prz\0ed</p>&#0;", Content_Type="text/html; charset=utf-8")
    yield BadMail("in HTML", html, hides=("\0",))
    name = a_part("x", "text/plain", Content_Disposition="attachment; filename*=utf-8''a%00b.txt")
    yield BadMail("in a file name", a_multipart(a_part(), name), files=("a b.txt",))
    yield BadMail("in every field", a_mail(From=b"J\0n <jan@nul.example>", Subject=b"a\0b"))
