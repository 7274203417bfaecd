"""Which parts a message consists of: bytes to a tree of parts, in one pass and within limits.

RFC 2045 and 2046, read by finding the boundary lines in the buffer. The standard library's parser
is not used for this: it recurses once a level (RecursionError at a few hundred) and needs seconds
for ten thousand parts, while a mail may hold either. Headers are cut before anything looks at them.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from worker import charset
from worker.headers import Parameters, parameters

MAX_HEADER_BYTES = 256 * 1024
MAX_FIELD_BYTES = 16 * 1024
MAX_FIELDS = 500
MAX_DEPTH = 20
MAX_PARTS = 200

_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_WELL_KNOWN = re.compile(
    rb"^(?:from|to|subject|date|message-id|received|content-type|mime-version|return-path|"
    rb"reply-to|cc|content-transfer-encoding)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_EMPTY_LINE = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_UU_BEGIN = re.compile(rb"^begin[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{0,200})\r?\n", re.M)


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
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.fields if key == name)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)

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
        fields, body_start = self._fields(start, end)
        content_type = _content_type(fields, default)
        disposition = parameters(_first(fields, "content-disposition"))
        kind = content_type.value
        if kind.startswith("multipart/"):
            return self._multipart(fields, body_start, end, depth, content_type, disposition)
        encoding = _first(fields, "content-transfer-encoding")
        if kind in ("message/rfc822", "message/global", "message/news"):
            if depth >= MAX_DEPTH or self.parts >= MAX_PARTS:
                self.note(f"parts nested deeper than {MAX_DEPTH} levels were left unread")
                return Part(fields, self.raw[body_start:end], (), True, content_type, disposition)
            body = decode_transfer(self.raw[body_start:end], encoding)
            if body == self.raw[body_start:end]:
                inner = self.entity(body_start, end, depth + 1, "text/plain")
            else:
                reader = _Reader(body)
                reader.parts = self.parts
                inner = reader.entity(0, len(body), depth + 1, "text/plain")
                self.parts = reader.parts
                for defect in reader.defects:
                    self.note(defect)
            return Part(fields, body, (inner,), False, content_type, disposition)
        body = decode_transfer(self.raw[body_start:end], encoding)
        return Part(fields, body, (), False, content_type, disposition)

    def _multipart(
        self,
        fields: tuple[tuple[str, str], ...],
        start: int,
        end: int,
        depth: int,
        content_type: Parameters,
        disposition: Parameters,
    ) -> Part:
        boundary = content_type.parameters.get("boundary", "").rstrip()
        if depth >= MAX_DEPTH:
            self.note(f"parts nested deeper than {MAX_DEPTH} levels were left unread")
            return Part(fields, self.raw[start:end], (), True, content_type, disposition)
        marker = boundary.encode("utf-8", "replace") or self._guessed_boundary(start, end)
        spans = self._spans(marker, start, end) if marker else []
        if not spans:
            self.note("a multipart without its boundary was read as text")
            body = self.raw[start:end]
            plain = Parameters("text/plain", {})
            return Part(fields, body, (), False, plain, disposition)
        default = "message/rfc822" if content_type.value == "multipart/digest" else "text/plain"
        children: list[Part] = []
        for span_start, span_end in spans:
            if self.parts >= MAX_PARTS:
                self.note(f"only the first {MAX_PARTS} parts were read")
                break
            children.append(self.entity(span_start, span_end, depth + 1, default))
        return Part(fields, b"", tuple(children), False, content_type, disposition)

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
                used += size
                name, value = fields[-1]
                if used <= MAX_HEADER_BYTES and len(value) + size <= MAX_FIELD_BYTES:
                    fields[-1] = (name, value + b"\n" + raw[position:stop])
                else:
                    self.note("headers were cut")
            elif match := _NAME.match(raw, position, stop):
                used += size
                if len(fields) >= MAX_FIELDS or used > MAX_HEADER_BYTES:
                    self.note("headers were cut")
                else:
                    if size > MAX_FIELD_BYTES:
                        self.note("headers were cut")
                    name = match.group()[:-1].rstrip().decode("ascii").lower()
                    value = raw[match.end() : min(stop, match.end() + MAX_FIELD_BYTES)]
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
        label = ""
        if any(not value.isascii() for _, value in fields):
            raw_type = next((v for n, v in fields if n == "content-type"), b"")
            label = parameters(raw_type.decode("latin-1")).parameters.get("charset", "")
        return tuple(
            (n, v.decode("ascii") if v.isascii() else charset.decode(v, label).text)
            for n, v in fields
        )


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


def _first(fields: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for key, value in fields if key == name), "")


def _content_type(fields: tuple[tuple[str, str], ...], default: str) -> Parameters:
    found = parameters(_first(fields, "content-type"))
    if found.value.count("/") == 1 and not found.value.startswith("/"):
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
        return _base64(data)
    if name in ("quoted-printable", "quoted_printable", "qp"):
        return quopri.decodestring(data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        files = uuencoded(data)
        return files[0][1] if files else data
    return data


def _base64(data: bytes) -> bytes:
    # Padding inside the data ends a run that was encoded by itself; what follows the last one is
    # often a footer that a list server put there.
    data = data.strip()
    if 0 < data.count(b"=", 0, -2) < MAX_PARTS:
        runs = re.split(rb"=+", data)
        if all(len(_NOT_BASE64.sub(b"", run)) > 0 for run in runs[:-1]):
            return b"".join(_base64_run(run) for run in runs)
    return _base64_run(data)


def _base64_run(data: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", data)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
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
