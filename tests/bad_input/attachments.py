"""Mails with files whose name, encoding or content is meant to do harm."""

import base64
import random
import struct
import zlib
from collections.abc import Iterator

from tests.bad_input.mail import TEXT, BadMail, a_file, a_mail, a_multipart, a_part, item

# Percent signs of RFC 2231, so that any character can stand in the name.
SPOOFED = "utf-8''faktura%E2%80%AEfdp.exe"


def _with(*files: bytes) -> bytes:
    return a_multipart(a_part(), *files)


def _in_base64(data: bytes, name: str, content_type: str = "application/octet-stream") -> bytes:
    return a_file(name, content_type, base64.encodebytes(data), Content_Transfer_Encoding="base64")


@item("E-22")
def spoofed_extensions() -> Iterator[BadMail]:
    part = a_part("MZ", "application/pdf", Content_Disposition=f"attachment; filename*={SPOOFED}")
    yield BadMail("an override", _with(part), files=("faktura\u202efdp.exe",))
    word = '"=?utf-8?q?faktura=E2=80=AEfdp=2Eexe?="'
    yield BadMail("in an encoded word", _with(a_file(word, "application/pdf")))
    blanks = '"faktura.pdf' + " " * 200 + '.exe"'
    yield BadMail("200 blanks before the extension", _with(a_file(blanks, "application/pdf")))


@item("E-36")
def broken_encodings() -> Iterator[BadMail]:
    for what, data, size in (
        ("no padding", b"YWJjZA", 4),
        ("too much padding", b"YWJj====", 3),
        ("padding in the middle", b"YWI=\r\nYWI=\r\n", 4),
        ("junk between", b"YW!@#Jj\x00\xff ZA==", 4),
        ("one letter too many", b"YWJjZ", 3),
        ("nothing but junk", b"!!!!\r\n????", 0),
        ("empty", b"", 0),
    ):
        part = a_file("a.bin", "application/x", data, Content_Transfer_Encoding="base64")
        yield BadMail(f"base64: {what}", _with(part), sizes=(size,))
    yield BadMail(
        "8 MB of zeros", _with(_in_base64(b"\0" * 6_000_000, "zera.bin")), sizes=(6_000_000,)
    )
    padding = a_mail(b"A=" * 300_000, Content_Transfer_Encoding="base64")
    yield BadMail("padding after each letter", padding)
    soft = a_mail(b"=\n" * 1_000_000, Content_Transfer_Encoding="quoted-printable")
    yield BadMail("a million soft line breaks", soft)
    broken = a_mail("Talerz =G1 =C5 =\r\n=C5=82 =", Content_Transfer_Encoding="quoted-printable")
    yield BadMail("broken quoted-printable", broken, says=("Talerz =G1",))
    uu = "Opis\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n"
    yield BadMail("uuencoded", a_mail(uu), says=("Opis",), files=("a.txt",))
    yield BadMail("uuencoded, never ended", a_mail(uu.replace("end", "")), says=("Opis",))
    yield BadMail("100,000 beginnings", a_mail("begin 644 a\r\n" * 100_000))
    yield BadMail("a beginning and blanks", a_mail(b"begin 644" + b" " * 2_000_000 + b"x\r\n"))
    yenc = b"=ybegin line=128 size=9 name=a.bin\r\n" + bytes(range(128, 256)) + b"\r\n=yend size=9"
    yield BadMail("yEnc", a_mail(yenc))
    noise = random.Random(36).randbytes(50_000)
    for name in ("binary", "x-nieznane", "8bit (komentarz)", "", "base64, base64", "7bit"):
        part = a_file("a.bin", "application/x", noise, Content_Transfer_Encoding=name)
        yield BadMail(f"noise in {name!r}", _with(part))


def _zip_of_zeros(megabytes: int) -> bytes:
    """One entry, packed about a thousand times."""
    data = b"\0" * (megabytes * 1024 * 1024)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    crc, name = zlib.crc32(data), b"zera.txt"
    sizes = struct.pack("<III", crc, len(packed), len(data))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes
    local += struct.pack("<HH", len(name), 0) + name + packed
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + b"PK\x05\x06" + end


@item("E-37")
def archives() -> Iterator[BadMail]:
    bomb = _zip_of_zeros(64)
    yield BadMail(
        "a bomb", _with(_in_base64(bomb, "bomba.zip", "application/zip")), sizes=(len(bomb),)
    )
    twice = b"PK\x03\x04" + bomb * 3
    yield BadMail("bombs in a zip", _with(_in_base64(twice, "bomby.zip", "application/zip")))
    entries = b"PK\x01\x02" + b"\0" * 42
    many = entries * 20_000 + b"PK\x05\x06" + b"\xff" * 18
    yield BadMail("a directory of many entries", _with(_in_base64(many, "duzo.zip")))
    for name in ("haslo.zip", "a.tar.gz", "b.7z", "c.rar"):
        yield BadMail(f"noise as {name}", _with(_in_base64(b"PK\3\4\x14\0\1\0" * 50, name)))


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@item("E-38", "E-59")
def pictures() -> Iterator[BadMail]:
    flood = _in_base64(_png(50_000, 50_000), "zdjecie.png", "image/png")
    yield BadMail("50,000 by 50,000", _with(flood), files=("zdjecie.png",))
    yield BadMail("a picture and nothing else", a_multipart(flood), files=("zdjecie.png",))
    alone = a_mail(
        base64.encodebytes(_png(9, 9)),
        Content_Type="image/png",
        Content_Transfer_Encoding="base64",
    )
    yield BadMail("the whole mail is a picture", alone, files=("image.png",))
    both = b"\xff\xd8\xff\xe0<html><script>alert(1)</script></html>\xff\xd9"
    yield BadMail("JPEG and HTML at once", _with(_in_base64(both, "a.jpg", "image/jpeg")))
    gif = b"GIF89a\1\0\1\0\x80\0\0" + b"!\xf9\4\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0" * 10_000
    yield BadMail("10,000 frames", _with(_in_base64(gif, "a.gif", "image/gif")))
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    yield BadMail("SVG", _with(_in_base64(svg, "a.svg", "image/svg+xml")))
    for name, kind in (("a.heic", "image/heic"), ("a.jp2", "image/jp2"), ("a.tif", "image/tiff")):
        yield BadMail(kind, _with(_in_base64(b"II*\0" * 99, name, kind)), files=(name,))
    for name, kind in (("glos.m4a", "audio/mp4"), ("film.mp4", "video/mp4")):
        raw = a_multipart(_in_base64(b"\0\0\0\x18ftyp" * 99, name, kind))
        yield BadMail(f"nothing but {kind}", raw, files=(name,))


@item("E-39", "E-40")
def documents_and_programs() -> Iterator[BadMail]:
    pdf = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
    yield BadMail("PDF with a script", _with(_in_base64(pdf, "a.pdf", "application/pdf")))
    loop = pdf + b"xref\n0 1\ntrailer<</Prev 9/Root 1 0 R>>\nstartxref\n9\n%%EOF"
    yield BadMail("PDF with a loop", _with(_in_base64(loop, "b.pdf", "application/pdf")))
    pages = pdf + b"2 0 obj<</Type/Page>>endobj\n" * 10_000
    yield BadMail("PDF of 10,000 pages", _with(_in_base64(pages, "c.pdf", "application/pdf")))
    names = ("a.docm", "a.exe", "a.js", "a.lnk", "a.iso", "a.one", "a.pdf.exe", "a.scr", "a.vbs")
    files = [_in_base64(b"MZ\x90\0", name) for name in names]
    yield BadMail("programs", _with(*files), files=names)


@item("E-41")
def file_names() -> Iterator[BadMail]:
    for what, name in {
        "a path upwards": '"../../etc/passwd"',
        "a path of Windows": r'"C:\Windows\system32\x.exe"',
        "a share": r'"\\srv\share\x.exe"',
        "a device": '"con.txt"',
        "a hidden file": '".htaccess"',
        "nothing": '""',
        "10 KB": f'"{"x" * 10_000}.pdf"',
        "dots at the end": '"a.exe..."',
        "a command": '"a;rm -rf /"',
        "markup": '"<img src=x onerror=alert(1)>.png"',
        "an escaped NUL": '"a%00.exe"',
        "a line end": '"a\r\n b.txt"',
        "quotation marks": '"a\\"b\\"; filename=\\"c.txt"',
    }.items():
        yield BadMail(what, _with(a_file(name, "application/octet-stream")))
    for what, more in {
        "an encoded path": "filename*=utf-8''..%2F..%2Fx%00.exe",
        "continuations": "filename*0=a; filename*1=b; filename*2*=%63.txt",
        "a huge continuation": "filename*999999999=a.txt",
        "continuations in disorder": "filename*2=c; filename*0=a; filename*1=b",
        "2,000 continuations": "; ".join(f"filename*{n}=x" for n in range(2000)),
        "an unknown charset": "filename*=x-nieznany'pl'a.txt",
        "not a name": "filename",
        "the same twice": "filename=a.txt; filename=b.exe",
    }.items():
        part = a_part("x", "application/octet-stream", Content_Disposition=f"attachment; {more}")
        yield BadMail(what, _with(part))
    twice = [a_file("a.txt", "text/plain"), a_file("a.txt", "text/plain", b"inna")]
    yield BadMail("one name twice", _with(*twice), files=("a.txt", "a.txt"))
    alike = [a_file('"ŻÓŁĆ.txt"', "text/plain"), a_file('"żółć.txt"', "text/plain")]
    apart = a_file('"z\u0307o\u0301łc\u0301.txt"', "text/plain")
    yield BadMail(
        "names that differ in case and form",
        _with(*alike, apart),
        files=("ŻÓŁĆ.txt", "żółć.txt", "żółć.txt"),
    )


@item("E-42")
def markup_as_files() -> Iterator[BadMail]:
    entities = "".join(f"<!ENTITY a{n} '&a{n - 1};&a{n - 1};'>" for n in range(1, 30))
    for name, kind, body in (
        ("a.html", "text/html", "<script>alert(1)</script>"),
        ("a.svg", "image/svg+xml", "<svg onload='alert(1)'/>"),
        ("a.xhtml", "application/xhtml+xml", "<html><script>alert(1)</script></html>"),
        ("a.xml", "text/xml", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"),
        ("b.xml", "application/xml", f"<!DOCTYPE x [{entities}]><x>&a29;</x>"),
    ):
        yield BadMail(f"{kind} {name}", _with(a_file(name, kind, body.encode())), files=(name,))


@item("E-60")
def tnef() -> Iterator[BadMail]:
    valid = struct.pack("<IH", 0x223E9F78, 1)
    for what, data in {
        "empty": valid,
        "cut": valid[:3],
        "nested": (valid + b"\2") * 1000,
        "large": valid + random.Random(60).randbytes(2_000_000),
    }.items():
        raw = _with(_in_base64(data, "winmail.dat", "application/ms-tnef"))
        yield BadMail(f"{what} winmail.dat", raw, says=("talerze",), files=("winmail.dat",))


@item("E-61", "E-62")
def signed_and_encrypted() -> Iterator[BadMail]:
    smime = "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
    whole = a_mail("MIAGCSqG", Content_Type=smime, Content_Transfer_Encoding="base64")
    yield BadMail("encrypted by S/MIME", whole, files=("smime.p7m",))
    signature = a_file("smime.p7s", "application/pkcs7-signature")
    signed = a_multipart(a_part(), signature, kind="signed; protocol=x; micalg=sha-256")
    yield BadMail("signed by S/MIME", signed, says=("talerze",), files=("smime.p7s",))
    version = a_part("Version: 1", "application/pgp-encrypted")
    content = a_part("-----BEGIN PGP MESSAGE-----", "application/octet-stream")
    yield BadMail("encrypted by PGP", a_multipart(version, content, kind="encrypted"))
    key = a_file("key.asc", "application/pgp-keys")
    yield BadMail("with a key", _with(key), says=("talerze",), files=("key.asc",))


@item("E-63")
def calendars() -> Iterator[BadMail]:
    for method, outcome in (("REQUEST", "ticket"), ("REPLY", "automatic"), ("CANCEL", "ticket")):
        text = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nURL:file://srv/x\r\nEND:VCALENDAR\r\n"
        part = a_part(text, f"text/calendar; method={method}; charset=utf-8")
        yield BadMail(
            method,
            _with(part),
            outcome=outcome,
            acknowledged=False,
            files=("calendar.ics",),
        )
    card = a_part("BEGIN:VCARD\r\nFN:<script>alert(1)</script>\r\nEND:VCARD\r\n", "text/vcard")
    yield BadMail("a card", _with(card), files=("card.vcf",))


@item("E-68")
def large_mails() -> Iterator[BadMail]:
    photo = random.Random(68).randbytes(12_000_000)
    yield BadMail("a photo of 12 MB", _with(_in_base64(photo, "a.jpg", "image/jpeg")))
    yield BadMail("a text of 9 MB", a_mail(TEXT * 150_000), defect="the text was cut")


@item("E-74")
def two_names() -> Iterator[BadMail]:
    for kind, disposition in (
        ("image/jpeg; name=a.jpg", "attachment; filename=a.exe"),
        ("application/x-msdownload; name=a.exe", "attachment; filename=a.jpg"),
        ("image/jpeg", "inline; filename=x.exe"),
        ("text/plain; name=a.txt", "inline; filename=a.js"),
    ):
        part = a_part("MZ", kind, Content_Disposition=disposition)
        yield BadMail(f"{kind}, {disposition}", _with(part))
