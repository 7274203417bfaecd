"""The readable text of a mail and the files in it: from parts to what people see.

Of alternatives that say the same one is read; text that was sent as a file is a file; HTML becomes
text; format=flowed is joined (RFC 3676); uuencoded files inside a text are taken out of it, and
the files inside a ``winmail.dat`` stand in its place.
"""

import re
import unicodedata
from dataclasses import dataclass

from triage.mail_words import STUB
from triage.text import fewer_accents
from worker import charset, html, tnef
from worker.headers import decode_words, one_line
from worker.parsed_message import Attachment
from worker.structure import Part, uuencoded

MAX_BODY = 1024 * 1024  # characters of readable text
MAX_TEXT_PART = 8 * 1024 * 1024  # bytes of a part that are read as text
MAX_CHARACTERS = html.MAX_HTML  # of a part that are looked at
MAX_STUB = 300  # characters of a plain part that may say nothing but "use an HTML client"
MAX_STUB_HTML = 256 * 1024  # characters of the HTML that is compared with it

_LINK = re.compile(r"https?://\S+")

_UNNAMED = {
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "text/calendar": "calendar.ics",
    "text/x-vcard": "card.vcf",
    "text/vcard": "card.vcf",
    "application/ms-tnef": "winmail.dat",
    "application/pgp-encrypted": "pgp-encrypted.asc",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "message/delivery-status": "delivery-status.txt",
    "message/feedback-report": "feedback-report.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "text/rfc822-headers": "headers.txt",
    "image/jpeg": "image.jpg",
    "image/png": "image.png",
    "image/gif": "image.gif",
    "application/pdf": "document.pdf",
    "text/html": "page.html",
    "text/plain": "text.txt",
}
_READABLE = frozenset(
    {"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"}
)
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
MAILS = frozenset({"message/rfc822", "message/global", "message/news"})
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160))) | {
    0x00: "\u2400",
    0x85: "\n",  # the line end of EBCDIC
}
_SURROGATES = dict.fromkeys(range(55296, 57344), 65533)
_CLEANED = _CONTROLS | _SURROGATES
_UNCLEAN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Text:
    """A readable part: as it is read, and with ``>`` before quoted lines."""

    plain: str
    quoted: str
    cites: bool = False  # a mail program marked a part of it as the mail that is answered


def content(root: Part, notes: list[str]) -> tuple[Text, tuple[Attachment, ...]]:
    """The readable text of a mail and everything else in it, both in order of the mail."""
    texts: list[Text] = []
    attachments: list[Attachment] = []
    packed: list[Attachment] = []  # those of which the files are listed instead
    waiting = [root]
    chosen: set[int] = set()  # parts of an alternative that are read
    dropped: set[int] = set()  # their counterparts, which say the same
    says: dict[int, bool] = {}  # which parts were found to say something
    while waiting:
        part = waiting.pop()
        if id(part) in dropped:
            continue
        if part.type == "multipart/alternative":
            best = _best_alternative(part, says)
            for other in part.parts:
                if other is best:
                    chosen.add(id(other))
                elif other.type in _READABLE and not _is_named(other):
                    dropped.add(id(other))
                elif other.type.startswith("multipart/"):
                    dropped.update(
                        id(p) for p in other.walk() if p.type in _READABLE and not _is_named(p)
                    )
        if part.type in MAILS and part.parts:
            attachments.append(_attachment(part))
        elif part.parts:
            waiting.extend(reversed(part.parts))
        elif _is_text(part):
            text, files = _readable(part, notes)
            texts.append(text)
            attachments.extend(files)
        elif unpacked := _unpacked(part):
            attachments.extend(unpacked)
            packed.append(_attachment(part))
        elif not part.type.startswith("multipart/") or part.opaque:
            attachments.append(_attachment(part))
    plain = "\n\n".join(t.plain for t in texts if t.plain.strip())
    if not plain:
        attachments.extend(packed)  # what there is to read is in there
    quoted = "\n\n".join(t.quoted for t in texts if t.quoted.strip())
    if len(plain) > MAX_BODY and "the text was cut" not in notes:
        notes.append("the text was cut")
    cites = any(t.cites for t in texts)
    return Text(plain[:MAX_BODY], quoted[:MAX_BODY], cites), tuple(attachments)


def _best_alternative(part: Part, says: dict[int, bool]) -> Part | None:
    """The alternative that is read: plain text that says something, else HTML, else the last.

    says: what is known already, since alternatives may lie in alternatives.
    """
    readable = [p for p in part.parts if any(_is_text(below) for below in p.walk())]
    for candidate in readable:
        leaf = next(below for below in candidate.walk() if _is_text(below))
        if leaf.type == "text/html":
            continue
        if id(leaf) not in says:
            text = _decoded(leaf).strip("\n\r\t \u00a0\ufeff\u200b")
            says[id(leaf)] = bool(text) and not _points_to_html(text, part)
        if says[id(leaf)]:
            return candidate
    with_html = [p for p in readable if any(below.type == "text/html" for below in p.walk())]
    return with_html[0] if with_html else (readable[-1] if readable else None)


def _points_to_html(text: str, part: Part) -> bool:
    """Whether plain text is a short sentence that only sends the reader to the HTML beside it.

    It mentions HTML, a browser or a mail program, and the HTML says something else, at length.
    """
    if len(text) > MAX_STUB or not STUB.search(text):
        return False
    said = " ".join(_LINK.sub(" ", text).split())
    page = next((p for p in part.walk() if p.type == "text/html" and _is_text(p)), None)
    if page is None:
        return False
    lines = html.to_lines(_decoded(page)[:MAX_STUB_HTML])
    shown = " ".join(html.to_text(lines).split())
    return len(shown) > 3 * len(said) and said not in shown


def _is_named(part: Part) -> bool:
    return bool(_name(part))


def _is_text(part: Part) -> bool:
    """Whether a part is to be read: text, and not sent as a file."""
    if part.parts or part.opaque or part.type not in _READABLE:
        return False
    if part.disposition.value == "attachment":
        return False
    return not _is_named(part) or (part.disposition.value == "inline" and part.type == "text/html")


def _decoded(part: Part) -> str:
    declared = part.content_type.parameters.get("charset")
    return clean(charset.decode(part.body[:MAX_TEXT_PART], declared).text[:MAX_CHARACTERS])


def clean(text: str) -> str:
    """Line ends as LF; no control characters, no lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Hardly a text has one, and to look is ten times as fast.
    return text.translate(_CLEANED) if _UNCLEAN.search(text) else text


def _readable(part: Part, notes: list[str]) -> tuple[Text, list[Attachment]]:
    decoded = charset.decode(part.body[:MAX_TEXT_PART], part.content_type.parameters.get("charset"))
    if not decoded.certain:
        notes.append(f"characters were guessed as {decoded.charset}")
    if len(decoded.text) > MAX_CHARACTERS:
        notes.append("the text was cut")
    text = clean(decoded.text[:MAX_CHARACTERS])
    if part.type == "text/html":
        lines = html.to_lines(text)
        cites = any(line.cited for line in lines)
        return Text(html.to_text(lines), html.to_quoted_text(lines), cites), []
    files: list[Attachment] = []
    if b"begin " in part.body:
        text, files = _without_uuencoded(part)
    if part.content_type.parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, delsp=part.content_type.parameters.get("delsp", "").lower() == "yes")
    return Text(text, text), files


def _without_uuencoded(part: Part) -> tuple[str, list[Attachment]]:
    files: list[Attachment] = []
    kept: list[bytes] = []
    end = 0
    for name, content, start, stop in uuencoded(part.body[:MAX_TEXT_PART]):
        kept.append(part.body[end:start])
        end = stop
        files.append(
            Attachment(one_line(name), "application/octet-stream", len(content), False, content)
        )
    kept.append(part.body[end:MAX_TEXT_PART])
    declared = part.content_type.parameters.get("charset")
    return clean(charset.decode(b"".join(kept), declared).text[:MAX_CHARACTERS]), files


def _unflowed(text: str, *, delsp: bool) -> str:
    """Paragraphs of format=flowed on one line each, with their quote depth kept (RFC 3676 §4)."""
    paragraphs: list[list[str]] = []
    open_depth = -1  # of the paragraph that the last line left open
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        body = line[depth:]
        body = body[1:] if body.startswith(" ") else body
        if open_depth == depth and body != "-- ":
            paragraphs[-1].append(body)
        else:
            paragraphs.append([">" * depth + (" " if depth else ""), body])
        flows = body.endswith(" ") and body != "-- "
        open_depth = depth if flows else -1
        if flows and delsp:
            paragraphs[-1][-1] = body[:-1]
    return "\n".join("".join(pieces) for pieces in paragraphs)


def _unpacked(part: Part) -> list[Attachment]:
    """The files in a ``winmail.dat``; none where there are none or it is broken."""
    if part.type not in _TNEF and _name(part).lower() != "winmail.dat":
        return []
    return [
        Attachment(_clean_name(file.name) or "attachment", file.type, len(content), False, content)
        for file in tnef.files(part.body)
        if (content := file.content) is not None
    ]


def _clean_name(name: str) -> str:
    return unicodedata.normalize("NFC", fewer_accents(one_line(name.translate(_SURROGATES))))


def _name(part: Part) -> str:
    return (
        part.disposition.parameters.get("filename")
        or part.content_type.parameters.get("name")
        or ""
    )


def _attachment(part: Part) -> Attachment:
    name = _clean_name(_name(part))
    inline = part.disposition.value == "inline" or (
        part.disposition.value != "attachment" and part.has("content-id")
    )
    if not name:
        inner = decode_words(part.parts[0].get("subject")) if part.parts else ""
        name = f"{inner}.eml" if inner else _UNNAMED.get(part.type, "attachment")
    return Attachment(name, part.type, len(part.body), inline, part.body)
