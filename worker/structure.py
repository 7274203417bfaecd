"""Which parts a message consists of: bytes to a tree of parts, in one pass and within limits.

RFC 2045 and 2046, read by finding the boundary lines in the buffer. The standard library's parser
is not used for this: it recurses once a level (RecursionError at a few hundred) and needs seconds
for ten thousand parts, while a mail may hold either. Headers are cut before anything looks at them.
"""

import binascii
import contextlib
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import pybase64

from worker import charset, smime
from worker.headers import Parameters, parameters

MAX_HEADER_BYTES = 256 * 1024
MAX_FIELD_BYTES = 16 * 1024
MAX_FIELDS = 500
MAX_GUESSES = 20  # header fields whose charset is guessed one by one
MAX_DEPTH = 20
MAX_PARTS = 200
ENCRYPTED = "the mail is encrypted and cannot be read here"

_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
# All but those of folding: no field may hold one, and a database refuses a NUL.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TIDY_FIELD = re.compile(r"^([!-9;-~]{1,200}):[ \t]*+(.*+(?:\n[ \t].*+)*+)\n", re.M)
_TIDY_END = re.compile(rb"\r\n\r\n|\n\n")
_TYPE = re.compile(r"[\w!#$&^.+*'`|~%-]+/[\w!#$&^.+*'`|~%{}-]+", re.ASCII)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_WELL_KNOWN = re.compile(
    rb"^(?:from|to|subject|date|message-id|received|content-type|mime-version|return-path|"
    rb"reply-to|cc|content-transfer-encoding)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_NEEDED = frozenset(
    """
    from to subject date message-id in-reply-to references reply-to auto-submitted precedence
    list-id return-path content-type content-transfer-encoding content-disposition
    """.split()  # noqa: SIM905 - as a list of literals nobody could read it
)
_EMPTY_LINE = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_BASE64_LINE = re.compile(rb"^[ \t]*([A-Za-z0-9+/]{2,}={0,2})[ \t]*(?:\r?\n|\Z)", re.M)
_MAX_FOOTER = 4096
_TEXT = re.compile(rb"[^A-Za-z0-9+/=\s]|\S[ \t]+\S")
_SOFT_BREAK = re.compile(rb"=[ \t]*+(?:\r\n|\n|\r)")
_UU_BEGIN = re.compile(rb"^begin[ \t]++[0-7]{3,4}[ \t]++([^\r\n]{0,200})\r?\n", re.M)


@dataclass(frozen=True)
class Part:
    """One entity: its header fields, and either its parts or its bytes.

    fields: (lower-case name, value as text, still folded and encoded), in order.
    opaque: a multipart that was not taken apart, because it lies too deep.
    """

    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    parts: tuple["Part", ...] = ()
    opaque: bool = False
    content_type: Parameters = field(default_factory=lambda: Parameters("text/plain", {}))
    disposition: Parameters = field(default_factory=lambda: Parameters("", {}))

    @property
    def type(self) -> str:
        return self.content_type.value

    def get(self, name: str) -> str:
        """The first value of a field, or ""."""
        values = self._values.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def has(self, name: str) -> bool:
        return name in self._values

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(value)
        return values

    def walk(self) -> Iterator["Part"]:
        """This part and every part below it, in order of the mail."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.parts))


class _Reader:
    """The limits that one message uses up, and what was found wrong with it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.parts = 0
        self.defects: list[str] = []

    def note(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)

    def entity(self, start: int, end: int, depth: int, default: str) -> Part:
        self.parts += 1
        fields, body_start = _tidy_fields(self.raw, start, end) or self._fields(start, end)
        content_type = _content_type(fields, default)
        disposition = parameters(_first(fields, "content-disposition"))
        kind = content_type.value
        encoding = _first(fields, "content-transfer-encoding")
        if kind.startswith("multipart/"):
            if kind == "multipart/encrypted":
                self.note(ENCRYPTED)
            head = Part(fields, b"", (), False, content_type, disposition)
            return self._multipart(head, body_start, end, depth, encoding)
        if kind in ("message/rfc822", "message/global", "message/news"):
            if depth >= MAX_DEPTH or self.parts >= MAX_PARTS:
                self.note(f"parts nested deeper than {MAX_DEPTH} levels were left unread")
                return Part(fields, self.raw[body_start:end], (), True, content_type, disposition)
            body = decode_transfer(self.raw[body_start:end], encoding)
            if body == self.raw[body_start:end]:
                inner = self.entity(body_start, end, depth + 1, "text/plain")
            else:
                with self._inside(body) as reader:
                    inner = reader.entity(0, len(body), depth + 1, "text/plain")
            return Part(fields, body, (inner,), False, content_type, disposition)
        body = decode_transfer(self.raw[body_start:end], encoding)
        name = disposition.parameters.get("filename", "").lower()
        smime_kind = kind in _SMIME or (kind == "application/octet-stream" and name == "smime.p7m")
        if smime_kind and self.parts < MAX_PARTS and depth < MAX_DEPTH:
            return self._smime(Part(fields, body, (), False, content_type, disposition), depth)
        if kind.startswith("text/") and (rest := _after_base64(self.raw[body_start:end], encoding)):
            self.note("plain text after base64")
            body += b"\n\n" + rest
        return Part(fields, body, (), False, content_type, disposition)

    def _smime(self, part: Part, depth: int) -> Part:
        """An S/MIME message with the entity in it, where it is signed and not encrypted."""
        if smime.kind(part.body) == "encrypted":
            self.note(ENCRYPTED)
        content = smime.signed_content(part.body)
        if not content:
            return part
        with self._inside(content) as reader:
            return replace(part, parts=(reader.entity(0, len(content), depth + 1, "text/plain"),))

    @contextlib.contextmanager
    def _inside(self, body: bytes) -> Iterator["_Reader"]:
        """A reader of what was encoded as a whole; it uses up the limits of this one."""
        reader = _Reader(body)
        reader.parts = self.parts
        yield reader
        self.parts = reader.parts
        for defect in reader.defects:
            self.note(defect)

    def _multipart(self, head: Part, start: int, end: int, depth: int, encoding: str) -> Part:
        """``head`` with its parts, which lie between ``start`` and ``end``."""
        content_type = head.content_type
        boundary = content_type.parameters.get("boundary", "").rstrip()
        if depth >= MAX_DEPTH:
            self.note(f"parts nested deeper than {MAX_DEPTH} levels were left unread")
            return replace(head, body=self.raw[start:end], opaque=True)
        marker = boundary.encode("utf-8", "replace") or self._guessed_boundary(start, end)
        spans = self._spans(marker, start, end) if marker else []
        if not spans:
            body = decode_transfer(self.raw[start:end], encoding)
            if body != self.raw[start:end]:
                # Against RFC 2045 §6.4 the whole was encoded, and not each part.
                with self._inside(body) as reader:
                    return reader._multipart(head, 0, len(body), depth, "")
            self.note("a multipart without its boundary was read as text")
            return replace(head, body=body, content_type=Parameters("text/plain", {}))
        default = "message/rfc822" if content_type.value == "multipart/digest" else "text/plain"
        children: list[Part] = []
        for span_start, span_end in spans:
            if self.parts >= MAX_PARTS:
                self.note(f"only the first {MAX_PARTS} parts were read")
                break
            children.append(self.entity(span_start, span_end, depth + 1, default))
        return replace(head, parts=tuple(children))

    def _guessed_boundary(self, start: int, end: int) -> bytes:
        """The boundary of a multipart that does not name one: its first line after ``--``."""
        found = re.compile(rb"(?:^|\n|\r)--([^\s]{1,200})[ \t]*\r?\n(?=[!-9;-~]+:)").search(
            self.raw, max(start - 1, 0), min(end, start + 65536)
        )
        return found[1] if found else b""

    def _spans(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Where the parts between the boundary lines lie."""
        raw, marker = self.raw, b"--" + boundary
        spans: list[tuple[int, int]] = []
        opened: int | None = None
        position = start
        while (at := raw.find(marker, position, end)) >= 0:
            position = at + len(marker)
            if at > start and raw[at - 1] not in b"\r\n":
                continue
            closing = raw.startswith(b"--", position, end)
            after = position + 2 * closing
            while after < end and raw[after] in b" \t":
                after += 1
            if after < end and raw[after] not in b"\r\n":
                continue
            if opened is not None:
                spans.append((opened, _before_line_end(raw, opened, at)))
                opened = None
                if len(spans) > MAX_PARTS:
                    return spans
            if closing:
                return spans
            line_end = _LINE_END.match(raw, after, end)
            opened = line_end.end() if line_end else end
            position = opened
            # The line end before the next boundary may be the one that ends this one.
            position = max(at + len(marker), position - 1)
        if opened is not None:
            self.note("the closing boundary of a multipart is missing")
            spans.append((opened, end))
        return spans

    def _fields(self, start: int, end: int) -> tuple[tuple[tuple[str, str], ...], int]:
        """The header fields of the entity and where its body begins."""
        raw = self.raw
        fields: list[tuple[str, bytes]] = []
        used = 0
        kept = True  # the last field
        seen: set[str] = set()
        goes_on = 0  # a field known to begin at or after this index
        position = start
        while position < end:
            found = _LINE_END.search(raw, position, end)
            stop, following = (found.start(), found.end()) if found else (end, end)
            if stop == position:
                return self._decoded(fields), following
            first = raw[position]
            size = stop - position
            if first in b" \t" and fields:
                # A line of nothing but blanks ends the header in some broken mail, folds in other.
                name, value = fields[-1]
                if not kept:
                    pass  # the field it belongs to was one too many
                elif used <= MAX_HEADER_BYTES and len(value) + size <= MAX_FIELD_BYTES:
                    fields[-1] = (name, value + b"\n" + raw[position:stop])
                    used += size
                elif name == "references":
                    longer = value + b"\n" + raw[max(position, stop - MAX_FIELD_BYTES) : stop]
                    fields[-1] = (name, longer[-MAX_FIELD_BYTES:])
                    self.note("headers were cut")
                else:
                    self.note("headers were cut")
            elif match := _NAME.match(raw, position, stop):
                name = match.group()[:-1].rstrip().decode("ascii").lower()
                full = len(fields) >= MAX_FIELDS or used > MAX_HEADER_BYTES
                # Whose mail it is must not be lost behind what somebody piled up before it.
                kept = not full or (name in _NEEDED and name not in seen)
                if full or size > MAX_FIELD_BYTES:
                    self.note("headers were cut")
                if kept:
                    seen.add(name)
                    used += min(size, MAX_FIELD_BYTES)
                    value = raw[match.end() : min(stop, match.end() + MAX_FIELD_BYTES)]
                    if name == "references":  # its end is what is answered (RFC 5322 §3.6.4)
                        value = raw[max(match.end(), stop - MAX_FIELD_BYTES) : stop]
                    fields.append((name, value.lstrip(b" \t")))
            elif not fields and (
                first in b" \t" or raw.startswith((b"From ", b">From "), position)
            ):
                pass  # the separator line of an mbox file, or a stray first line
            elif goes_on or (goes_on := self._header_goes_on(following, end)):
                # A fold that lost its indentation, or a stray line: the header goes on below.
                self.note("a line of the header is neither field nor fold")
                if fields and len(fields[-1][1]) + size <= MAX_FIELD_BYTES:
                    fields[-1] = (fields[-1][0], fields[-1][1] + b"\n " + raw[position:stop])
                    used += size
                goes_on = following < goes_on and goes_on
            else:
                self.note("the header ends without an empty line")
                return self._decoded(fields), position
            position = following
        return self._decoded(fields), end

    def _header_goes_on(self, start: int, end: int) -> int:
        """Where a well-known field begins before the next empty line; 0 where none does."""
        found = _WELL_KNOWN.search(self.raw, start, min(end, start + MAX_HEADER_BYTES))
        if found is None:
            return 0
        empty = _EMPTY_LINE.search(self.raw, max(start - 2, 0), found.start())
        return 0 if empty else found.start()

    def _decoded(self, fields: list[tuple[str, bytes]]) -> tuple[tuple[str, str], ...]:
        label = guessed = ""
        judged: set[str] = set()

        def text(name: str, value: bytes) -> str:
            if value.isascii():
                return value.decode()
            if guessed and (name not in _NEEDED or name in judged):
                return value.decode(guessed, "replace")
            judged.add(name)
            return charset.decode(value, label).text

        if odd := [value for _, value in fields if not value.isascii()]:
            raw_type = next((v for n, v in fields if n == "content-type"), b"")
            label = parameters(raw_type.decode("latin-1")).parameters.get("charset", "")
            if label.lower().startswith(("utf-16", "utf-32", "ucs")):
                label = ""  # of the body: a header in which fields can be found is not in these
            if len(odd) > MAX_GUESSES:
                # Junk: one guess for all but the fields that matter, since each takes a while.
                guessed = charset.decode(b"\n".join(odd)[:MAX_FIELD_BYTES], label).charset
        return tuple((n, _CONTROLS.sub(" ", text(n, v))) for n, v in fields)


def read(raw: bytes) -> tuple[Part, tuple[str, ...]]:
    """The tree of a message and what was wrong with it, in English sentences."""
    start = 0
    while start < len(raw) and raw[start] in b"\r\n":
        start += 1
    if raw.startswith(b"\xef\xbb\xbf", start):
        start += 3
    reader = _Reader(raw)
    root = reader.entity(start, len(raw), 0, "text/plain")
    return root, tuple(reader.defects)


def _tidy_fields(
    raw: bytes, start: int, end: int
) -> tuple[tuple[tuple[str, str], ...], int] | None:
    """As ``_Reader._fields``, many times as fast; None where anything is odd about the header.

    Tidy is a header of ASCII in lines that all end alike, short enough to break no limit, of
    nothing but fields and folds, above an empty line.
    """
    found = _TIDY_END.search(raw, start, min(end, start + MAX_FIELD_BYTES))
    block = raw[start : found.start()] if found else b""
    if found is None or not block.isascii():
        return None
    text = block.decode().replace("\r\n", "\n") + "\n"
    if "\r" in text or _CONTROLS.search(text) or text.count("\n") > MAX_FIELDS:
        return None
    fields: list[tuple[str, str]] = []
    position = 0
    for match in _TIDY_FIELD.finditer(text):
        if match.start() != position:
            return None
        fields.append((match[1].lower(), match[2]))
        position = match.end()
    return (tuple(fields), found.end()) if position == len(text) else None


def _first(fields: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for key, value in fields if key == name), "")


def _content_type(fields: tuple[tuple[str, str], ...], default: str) -> Parameters:
    found = parameters(_first(fields, "content-type"))
    if _TYPE.fullmatch(found.value):
        return found
    if found.value in ("text", "html", "plain"):
        value = "text/html" if found.value == "html" else "text/plain"
        return Parameters(value, found.parameters)
    if found.value.startswith("multipart") and "boundary" in found.parameters:
        return Parameters("multipart/mixed", found.parameters)
    return Parameters(default, found.parameters)


def _before_line_end(raw: bytes, start: int, at: int) -> int:
    """The end of a part: the line end before a boundary belongs to the boundary (RFC 2046 §5.1)."""
    if at > start and raw[at - 1] == 0x0A:
        at -= 1
    if at > start and raw[at - 1] == 0x0D:
        at -= 1
    return max(at, start)


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """The bytes behind a Content-Transfer-Encoding, as far as they can be read."""
    name = encoding.split(";")[0].split("(")[0].strip().strip("\"'").lower()
    if name == "base64":
        return _base64(data[: _base64_ends(data)])
    if name in ("quoted-printable", "quoted_printable", "qp"):
        return _quoted_printable(data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        files = uuencoded(data)
        return files[0][1] if files else data
    return data


def _quoted_printable(data: bytes) -> bytes:
    """Also with soft line breaks to which blanks were added (RFC 2045 §6.7), and of bare CR.

    The library leaves the former as they are, and skips from the latter to the next LF.
    """
    decoded = quopri.decodestring(data)
    returns = data.count(b"\r")
    if b"= " in decoded or b"=\t" in decoded or (returns and returns > data.count(b"\r\n")):
        return quopri.decodestring(_SOFT_BREAK.sub(b"", data))
    return decoded


def _after_base64(data: bytes, encoding: str) -> bytes:
    """The plain text that was put under base64, as mailing lists and virus scanners do."""
    if not encoding.strip().lower().startswith("base64"):
        return b""
    return data[_base64_ends(data) :].strip()


def _base64_ends(data: bytes) -> int:
    """Where plain text begins after base64; the length of the data where none does.

    It begins under the last line of full length and one shorter line, if padding or an empty line
    stands between, or if it begins with a character that base64 has not.
    """
    tail = max(len(data) - _MAX_FOOTER, 0)
    if not data[tail:].translate(None, _BASE64 + b"=\r\n"):
        return len(data)
    lines = list(_BASE64_LINE.finditer(data, tail))
    if not lines:
        return len(data)
    full = max(len(line[1]) for line in lines)
    end = max(line.end() for line in lines if len(line[1]) == full)
    last = next((line for line in lines if line.start() == end), None)
    end = last.end() if last else end
    rest = data[end:]
    begins = rest[:1] not in _BASE64 or data[end - 4 : end].rstrip().endswith(b"=")
    return end if begins and _TEXT.search(rest) else len(data)


def _base64(data: bytes) -> bytes:
    # Padding inside the data ends a run that was encoded by itself; what follows the last one is
    # often a footer that a list server put there.
    data = data.strip()
    if data.find(b"=", 0, -2) < 0:
        with contextlib.suppress(binascii.Error):  # padding that is missing or one too many
            return pybase64.b64decode(data)
    elif data.count(b"=") < MAX_PARTS:
        runs = re.split(rb"=+", data)
        if all(run.translate(None, _NOT_BASE64) for run in runs[:-1]):
            return b"".join(_base64_run(run) for run in runs)
    return _base64_run(data)


def _base64_run(data: bytes) -> bytes:
    letters = data.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return pybase64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def uuencoded(data: bytes) -> list[tuple[str, bytes, int, int]]:
    """The uuencoded files in a text: (name, content, start, end) of each, in order."""
    found: list[tuple[str, bytes, int, int]] = []
    position = 0
    while len(found) < MAX_PARTS and (begin := _UU_BEGIN.search(data, position)):
        out: list[bytes] = []
        position = begin.end()
        closed = False
        while position < len(data):
            line_end = _LINE_END.search(data, position)
            stop = line_end.start() if line_end else len(data)
            line = data[position:stop]
            position = line_end.end() if line_end else len(data)
            if line.strip() == b"end":
                closed = True
                break
            if not line.strip() or line == b"`":
                continue
            decoded = _uu_line(line)
            if decoded is None:
                break
            out.append(decoded)
        if closed:
            name = charset.decode(begin[1].strip()).text
            found.append((name, b"".join(out), begin.start(), position))
    return found


def _uu_line(line: bytes) -> bytes | None:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Programs that write no trailing padding or too much of it: the length byte decides.
        count = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:count])
        except binascii.Error:
            return None
