"""Mails whose parts are too many, too deep, or not where their boundaries say."""

import base64
import random
from collections.abc import Iterator

from tests.bad_input.mail import TEXT, BadMail, a_file, a_mail, a_multipart, a_part, item

TOP = "Talerz stłuczony."
ABOVE = a_part(TOP)


def _nested(levels: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(levels)
    )
    closed = b"".join(b"\r\n--b%d--" % n for n in reversed(range(levels)))
    return opened + b"Content-Type: text/plain\r\n\r\nna dnie" + closed


@item("E-01")
def nested_multiparts() -> Iterator[BadMail]:
    yield BadMail("10 levels", a_multipart(ABOVE, _nested(10)), says=(TOP, "na dnie"))
    for levels in (100, 1000, 10_000):
        yield BadMail(
            f"{levels} levels",
            a_multipart(ABOVE, _nested(levels)),
            defect="nested deeper than",
            says=(TOP,),
        )


@item("E-02")
def mails_in_mails() -> Iterator[BadMail]:
    inner = b"Content-Type: message/rfc822\r\n\r\n"
    for levels in (3, 1000, 10_000):
        raw = a_multipart(ABOVE, inner * levels + b"Subject: na dnie\r\n\r\nx")
        yield BadMail(f"{levels} levels", raw, says=(TOP,), defect="deeper" if levels > 20 else "")
    encoded = b"Subject: na dnie\r\n\r\nx"
    for _ in range(24):
        encoded = (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(encoded)
        )
    yield BadMail("each in base64", a_multipart(ABOVE, encoded), says=(TOP,), defect="deeper")


@item("E-03")
def many_parts() -> Iterator[BadMail]:
    limited = "only the first 200 parts"
    yield BadMail("10,000 parts", a_multipart(ABOVE, *[a_part("x")] * 10_000), defect=limited)
    bare = a_mail(b"--b\r\n" * 200_000, Content_Type="multipart/mixed; boundary=b")
    yield BadMail("200,000 bare boundaries", bare, defect=limited)
    files = [a_file(f"a{n}.txt", "text/plain") for n in range(1000)]
    yield BadMail("1,000 files", a_multipart(ABOVE, *files), says=(TOP,), defect=limited)


@item("E-04")
def odd_boundaries() -> Iterator[BadMail]:
    inner = a_part(
        b"--bb\r\nContent-Type: text/plain\r\n\r\nw srodku\r\n--bb--\r\n",
        "multipart/mixed; boundary=bb",
    )
    yield BadMail(
        "a prefix of the inner one",
        a_multipart(ABOVE, inner, boundary=b"b"),
        says=(TOP, "w srodku"),
    )
    yield BadMail(
        "never closed",
        a_mail(b"--b\r\n" + ABOVE, Content_Type="multipart/mixed; boundary=b"),
        says=(TOP,),
        defect="closing boundary",
    )
    empty = b"--\r\n" + ABOVE + b"\r\n----\r\n"
    yield BadMail("empty", a_mail(empty, Content_Type='multipart/mixed; boundary=""'), says=(TOP,))
    for what, boundary in {
        "1,000 letters": b"x" * 1000,
        "spaces and punctuation": b"a b '()+_,-./:=?",
        "a pattern": b".*[a-z]+(",
        "dashes only": b"--------",
        "not ASCII": "zażółć".encode(),
    }.items():
        yield BadMail(what, a_multipart(ABOVE, boundary=boundary), says=(TOP,))
    quoted = a_mail(
        b'--a"b\r\n' + ABOVE + b'\r\n--a"b--\r\n', Content_Type='multipart/mixed; boundary="a\\"b"'
    )
    yield BadMail("a quotation mark", quoted, says=(TOP,))
    folded = a_mail(
        b"--b1\r\n" + ABOVE + b"\r\n--b1--", Content_Type='multipart/mixed;\r\n\tboundary="b1"'
    )
    yield BadMail("on a folded line", folded, says=(TOP,))
    yield BadMail(
        "inside a text",
        a_multipart(a_part(f"{TOP}\r\n--granica-x\r\n --granica\r\nx--granica\r\ndalej")),
        says=(TOP, "dalej"),
    )


@item("E-05")
def contradictory_types() -> Iterator[BadMail]:
    lost = "a multipart without its boundary"
    body = b"--b\r\n" + ABOVE + b"\r\n--b--\r\n"
    yield BadMail("no boundary", a_mail(body, Content_Type="multipart/mixed"), says=(TOP,))
    yield BadMail(
        "no boundary line",
        a_mail(TEXT, Content_Type="multipart/mixed; boundary=zzz"),
        says=("talerze",),
        defect=lost,
    )
    for what, values in {
        "plain, then HTML": ("text/plain; charset=utf-8", "text/html"),
        "multipart without its boundary, then plain": ("multipart/mixed", "text/plain"),
        "the same twice": ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
    }.items():
        head = "".join(f"Content-Type: {value}\r\n" for value in values).encode()
        raw = a_mail(TEXT, head=head, Content_Type=None)
        yield BadMail(what, raw, says=("talerze",))
    for value in (
        "text",
        "",
        ";;;",
        "/",
        "text/",
        "/plain",
        "a/b/c",
        "(text/plain)",
        "=?utf-8?q?text?=",
    ):
        yield BadMail(f"the type {value!r}", a_mail(TEXT, Content_Type=value))


@item("E-11")
def line_ends() -> Iterator[BadMail]:
    whole = a_multipart(ABOVE, a_part("dalej"))
    yield BadMail("bare LF", whole.replace(b"\r\n", b"\n"), says=(TOP, "dalej"))
    whole = a_multipart(ABOVE, a_part("dalej"))
    yield BadMail("bare CR", whole.replace(b"\r\n", b"\r"), says=(TOP, "dalej"))
    ends, source = random.Random(11), a_multipart(ABOVE, a_part("dalej")).split(b"\r\n")
    mixed = b"".join(line + ends.choice([b"\r\n", b"\n", b"\r"]) for line in source)
    yield BadMail("mixed", mixed, says=(TOP, "dalej"))
    smuggled = f"{TOP}\n.\r\nMAIL FROM:<zly@evil.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"
    yield BadMail("SMTP smuggling", a_mail(smuggled), says=(TOP, "MAIL FROM"))
    yield BadMail("bare CR before the dot", a_mail(f"{TOP}\r.\r\r\n.\r\nQUIT\r\n"), says=(TOP,))


@item("E-12")
def long_lines() -> Iterator[BadMail]:
    for size in (998, 999, 5000, 1_000_000):
        yield BadMail(f"a line of {size}", a_mail(f"{TOP} " + "x" * size), says=(TOP,))
    yield BadMail("a header line of 998", a_mail(X_Long="y" * 990))


@item("E-72")
def rare_types() -> Iterator[BadMail]:
    partial = "message/partial; id=a@b; number=1; total=3"
    yield BadMail("message/partial", a_multipart(ABOVE, a_part("Subject: x\r\n\r\ny", partial)))
    external = (
        'message/external-body; access-type=URL; URL="http://evil.example/x";\r\n expiration="x"'
    )
    yield BadMail(
        "message/external-body",
        a_multipart(ABOVE, a_part("Content-Type: image/png\r\n\r\n", external)),
        says=(TOP,),
    )
    double = a_part(
        b"--d\r\nContent-Type: application/applefile\r\n\r\n\0\5\r\n--d\r\n"
        b"Content-Type: image/jpeg; name=a.jpg\r\n\r\n\xff\xd8\r\n--d--",
        "multipart/appledouble; boundary=d",
    )
    yield BadMail("multipart/appledouble", a_multipart(ABOVE, double), says=(TOP,))
    yield BadMail(
        "related without its root",
        a_multipart(ABOVE, a_file("a.png", "image/png"), kind='related; start="<nie@ma>"'),
        says=(TOP,),
        files=("a.png",),
    )
    enriched = "<bold>Talerz</bold> jest <color><param>red</param>rozbity</color>."
    yield BadMail("text/enriched", a_mail(enriched, Content_Type="text/enriched"))
    flowed = "Talerz jest \r\nrozbity.\r\n> cudze \r\n> słowa\r\n"
    yield BadMail(
        "format=flowed",
        a_mail(flowed, Content_Type="text/plain; charset=utf-8; format=flowed"),
        says=("Talerz jest rozbity.",),
    )
    yield BadMail(
        "delsp=yes",
        a_mail(
            "Tale \r\nrz rozbity.\r\n",
            Content_Type="text/plain; charset=utf-8; format=flowed; delsp=yes",
        ),
        says=("Talerz rozbity.",),
    )
    for kind in ("multipart/x-nieznany", "application/octet-stream", "video/mp4", "x/y"):
        yield BadMail(f"the whole mail is {kind}", a_mail(TEXT, Content_Type=kind))


@item("E-73")
def encoded_containers() -> Iterator[BadMail]:
    inside = b"--b\r\n" + ABOVE + b"\r\n--b--\r\n"
    for encoding, body in {
        "base64": base64.encodebytes(inside),
        "quoted-printable": inside.replace(b"=", b"=3D"),
        "8bit": inside,
    }.items():
        raw = a_mail(
            body, Content_Type="multipart/mixed; boundary=b", Content_Transfer_Encoding=encoding
        )
        yield BadMail(f"a multipart in {encoding}", raw, says=(TOP,))
    mail = base64.encodebytes(b"From: jan@obcy.example\r\nSubject: x\r\n\r\nw srodku\r\n").decode()
    part = a_part(mail, "message/rfc822", Content_Transfer_Encoding="base64")
    yield BadMail("a mail in base64", a_multipart(ABOVE, part), says=(TOP,), files=("x.eml",))
