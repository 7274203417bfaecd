"""Mails with header fields that are too long, broken, doubled, forged or armed."""

from collections.abc import Iterator

from tests.bad_input.mail import (
    TEXT,
    BadMail,
    a_file,
    a_mail,
    a_multipart,
    a_part,
    an_address,
    item,
)

CUT = "headers were cut"
# What has ended a header line or a line of a log somewhere.
BREAKS = {
    "CR LF": "=0D=0A",
    "LF": "=0A",
    "CR": "=0D",
    "NEL": "=C2=85",
    "LS": "=E2=80=A8",
    "PS": "=E2=80=A9",
    "VT": "=0B",
    "FF": "=0C",
    "NUL": "=00",
}


@item("E-06")
def large_headers() -> Iterator[BadMail]:
    yield BadMail("a subject of 5 MB", a_mail(Subject="x" * 5_000_000), defect=CUT)
    folded = "x" + "\r\n ".join("y" * 900 for _ in range(5000))
    yield BadMail("a subject of 5,000 lines", a_mail(Subject=folded), defect=CUT)
    yield BadMail("100,000 fields", a_mail(head=b"X-A: b\r\n" * 100_000), defect=CUT)
    piled = b"X-A: b\r\n y\r\n" * 1000 + b"Subject: \r\n" * 1000
    yield BadMail("folded ones before all others", a_mail(head=piled), defect=CUT, subject="")
    behind = a_mail().replace(b"\r\n\r\n", b"\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n", 1)
    yield BadMail("100,000 fields behind the others", behind, defect=CUT, says=("talerze",))
    references = " ".join(f"<{n}@x.example>" for n in range(20_000))
    yield BadMail("20,000 references", a_mail(References=references), defect=CUT)
    yield BadMail("16,000 colons", a_mail(head=b":" * 16_000 + b"\r\n"))
    yield BadMail("16,000 blanks", a_mail(Subject="a" + " " * 16_000 + "b"), subject="a b")
    yield BadMail("16,000 hard blanks", a_mail(Subject="a" + "\u00a0" * 8000 + "b"), subject="a b")
    yield BadMail("a name without an end", a_mail(head=b"X" * 300_000 + b"\r\n"))


@item("E-07")
def encoded_word_bombs() -> Iterator[BadMail]:
    for count in (10_000, 20_000):
        bomb = "=?utf-8?q?a=20b?= " * count
        yield BadMail(f"{count:,} words in the subject", a_mail(Subject=bomb), defect=CUT)
        yield BadMail(
            f"{count:,} words in From",
            a_mail(From=bomb + "<jan@bomba.example>"),
            defect=CUT,
            acknowledged=False,
        )
    yield BadMail("never closed", a_mail(Subject="=?a?q?" * 2700))
    names = [a_file('"' + "=?a?q?" * 600 + '"', "application/pdf") for _ in range(100)]
    yield BadMail("in a hundred file names", a_multipart(a_part(), *names))
    folded = "\r\n ".join(["=?utf-8?b?xYLFgsWCxYLFgg==?="] * 5000)
    yield BadMail("one a line", a_mail(Subject=folded), defect=CUT)


@item("E-08")
def broken_encoded_words() -> Iterator[BadMail]:
    for sent, read in {
        "=?utf-8?b?!!!!?=": "=?utf-8?b?!!!!?=",
        "=?utf-8?q?Za=C5=BC": "Zaż",
        "=?utf-8?q?Za=C5?= =?utf-8?q?=BC?=": "Zaż",
        "=?utf-8?b?WmHF?= =?utf-8?b?vA==?=": "Zaż",
        "=??q?abc?=": "abc",
        "=?iso-8859-2?Q?Za=BF=F3=B3=E6 g=EA=B6l=B1?=": "Zażółć gęślą",
        "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=": "=?utf-8?q?x?=",
        "=?x-nieznany?q?abc?=": "abc",
        "=?utf-8?x?abc?=": "=?utf-8?x?abc?=",
        "=?utf-8*pl?q?abc?=": "abc",
        "=?UTF-8?B?xbw?=": "ż",
        "=?utf-8?q??=": "",
        "=?": "=?",
        "?=": "?=",
        "=?=?=?=": "=?=?=?=",
    }.items():
        yield BadMail(f"{sent!r}", a_mail(Subject=sent), subject=read)


@item("E-09")
def breaks_in_decoded_values() -> Iterator[BadMail]:
    for what, code in BREAKS.items():
        armed = f"=?utf-8?q?a{code}Bcc:_x=40evil.example?="
        yield BadMail(
            f"{what} in the subject", a_mail(Subject=armed), subject="a Bcc: x@evil.example"
        )
        sender = f"=?utf-8?q?Jan{code}Bcc:_x=40evil.example?= <{an_address()}>"
        yield BadMail(f"{what} in the sender's name", a_mail(From=sender))
        name = "''a" + code.replace("=", "%") + "X-Y%3A%20z.txt"
        part = a_part("x", "text/plain", Content_Disposition=f"attachment; filename*=utf-8{name}")
        yield BadMail(
            f"{what} in a file name", a_multipart(a_part(), part), files=("a X-Y: z.txt",)
        )
        broken = f"=?utf-8?q?<a{code}Bcc:_x=40evil.example>?="
        yield BadMail(f"{what} in the Message-ID", a_mail(Message_ID=broken))
    yield BadMail(
        "a break in References",
        a_mail(References="<a@b.example>\r\n =?utf-8?q?=0D=0ABcc:_x=40evil.example?="),
    )
    yield BadMail("an empty line in a field", a_mail(Subject="a\r\n \r\n b"))


@item("E-10")
def raw_control_characters() -> Iterator[BadMail]:
    for what, data in {
        "CR": b"\r",
        "NUL": b"\0",
        "ESC sequence": b"\x1b]0;evil\x07\x1b[2J\x1b[31m",
        "BEL": b"\x07",
        "C1": "\x9b31m\x85".encode(),
        "every one": bytes(range(1, 9)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f",
    }.items():
        raw = a_mail(b"przed" + data + b"po", Subject=b"przed" + data.replace(b"\r", b"") + b"po")
        yield BadMail(f"{what} in text and subject", raw, hides=("\x1b", "\x07", "\r", "\0"))
        yield BadMail(
            f"{what} in the sender's name",
            a_mail(From=b"Jan" + data.replace(b"\r", b"") + f" <{an_address()}>".encode()),
        )


@item("E-28")
def doubled_fields() -> Iterator[BadMail]:
    for name, value, acknowledged in (
        ("From", "Jan <jan@drugi.example>", False),
        ("Subject", "inny", True),
        ("Date", "Tue, 03 Mar 2026 08:00:00 +0000", True),
        ("Content-Type", "text/html", True),
        ("Message-ID", "<inny@klient.example>", True),
        ("To", "inny@sklep.example", True),
    ):
        raw = a_mail(head=f"{name}: {value}\r\n".encode())
        yield BadMail(
            f"two {name}",
            raw,
            acknowledged=acknowledged,
            defect="" if name in ("Content-Type", "To") else f"several {name} fields",
        )


@item("E-31")
def odd_message_ids() -> Iterator[BadMail]:
    for what, value in {
        "10 KB": f"<{'x' * 10_000}@klient.example>",
        "spaces": "<a b c@klient.example>",
        "markup": "<<script>alert(1)</script>@klient.example>",
        "not ASCII": "<zażółć@klient.example>",
        "no brackets": "abc@klient.example",
        "two at signs": "<a b@@c>",
        "several": "<a@b.example> <c@d.example>",
        "quotation marks": '<"a\\"b"@klient.example>',
        "no at sign": "<abc>",
        "brackets only": "<>",
        "a tilde and a percent": "<%0d%0aBcc:x@klient.example>",
    }.items():
        yield BadMail(what, a_mail(TEXT + what, Message_ID=value))


@item("E-32")
def odd_dates() -> Iterator[BadMail]:
    for value in (
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "Tue, 19 Jan 2038 03:14:08 +0000",
        "Fri, 31 Dec 99999 23:59:59 +0000",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 1 Jan 0001 00:00:00 +1400",
        "Mon, 02 Mar 2026 08:00:00 +9999",
        "Mon, 02 Mar 2026 08:00:00 -9999",
        "Mon, 02 Mar 2026 25:61:61 +0000",
        "Mon, 30 Feb 2026 08:00:00 +0000",
        "Foo, 99 Xyz",
        "Mon, 02 Mar 2036 08:00:00 +0000",
        "poniedziałek, 2 marca 2026",
        "\u0661\u0662 Mar 2026 08:00:00 +0000",
        "99999999999999999999",
        "Mon, 02 Mar 2026 08:00:00 " + "(x" * 5000,
    ):
        yield BadMail(value[:30], a_mail(TEXT + value[:40], Date=value))
    yield BadMail("none", a_mail(TEXT + "bez daty", Date=None))


@item("E-33")
def forged_traces() -> Iterator[BadMail]:
    ours = b"by mx.sklep.example with ESMTP; "
    forged = b"Received: from a " + ours + b"Thu, 01 Jan 2015 00:00:00 +0000\r\n"
    strange = b"Received: from b by mx.obcy.example; Mon, 02 Mar 2026 07:00:00 +0000\r\n"
    genuine = b"Received: from c " + ours + b"Mon, 02 Mar 2026 07:59:00 +0000\r\n"
    yield BadMail("below a stranger's", a_mail(head=genuine + strange + forged))
    yield BadMail("a date nobody can use", a_mail(head=b"Received: x " + ours + b"wczoraj\r\n"))
    yield BadMail("50 of them", a_mail(head=strange * 50))
    yield BadMail("51 of them: a loop", a_mail(head=strange * 51), acknowledged=False)


@item("E-34")
def forged_results() -> Iterator[BadMail]:
    for what, value in {
        "of our own server": "mx.sklep.example; dmarc=pass; spf=pass smtp.mailfrom=bank.example",
        "a failure": "mx.obcy.example; dmarc=fail (p=reject dis=reject) header.from=bank.example",
        "open comments": "mx.sklep.example; " + "(a" * 3000 + " dmarc=pass",
        "many results": "mx.sklep.example; " + "dkim=pass header.d=a.example; " * 400,
        "blanks": "mx.sklep.example;" + " \t" * 5000 + "dmarc=pass",
        "nothing": ";;;",
    }.items():
        head = f"Authentication-Results: {value}\r\nARC-Authentication-Results: i=1; {value}\r\n"
        yield BadMail(what, a_mail(TEXT + what, head=head.encode()))


@item("E-35")
def forged_control_fields() -> Iterator[BadMail]:
    for line in (
        "X-Odzew-Loop: v1;sklep;0000",
        "X-Odzew-Urgency: critical",
        "X-Odzew-Ticket: ODZ-2026-000001",
        "X-Zammad-Ticket-Priority: 3 high",
        "X-Priority: 1 (Highest)",
        "Importance: high",
        "X-Spam-Status: No, score=-100",
        "X-Spam-Flag: NO",
    ):
        yield BadMail(line, a_mail(TEXT + line, head=line.encode() + b"\r\n"))
    spam = a_mail(TEXT + "spam", head=b"X-Spam-Flag: YES\r\n")
    yield BadMail("X-Spam-Flag: YES", spam, acknowledged=False)


@item("E-62")
def long_keys() -> Iterator[BadMail]:
    key = "addr=a@b.example; prefer-encrypt=mutual; keydata=\r\n " + "\r\n ".join(
        ["mQGNB" * 14] * 140
    )
    yield BadMail("Autocrypt of 10 KB", a_mail(Autocrypt=key))
    inline = (
        "-----BEGIN PGP MESSAGE-----\r\n\r\n"
        + "\r\n".join(["hQEMA" * 12] * 40)
        + "\r\n-----END PGP MESSAGE-----\r\n"
    )
    yield BadMail("inline PGP", a_mail(inline), says=("BEGIN PGP MESSAGE",))
