"""What header fields say: words, addresses, ids, dates and parameters, from values as sent.

RFC 5322, 2047 and 2231, and the broken forms of them that real mail programs write. Every function
takes the value as text (bytes already decoded by ``worker.charset``), looks at each character a
bounded number of times, and returns something for any input. Control characters never survive:
a decoded subject may hold CR LF and would otherwise end a header of our own mail.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from config.addresses import plain_address
from worker import charset

MAX_ADDRESSES = 1000
MAX_IDS = 200
MAX_ENCODED_WORDS = 2000

# The text of a Q word may hold spaces in broken mail, and its charset a language (RFC 2231 §5).
_WORD_BEGINS = re.compile(r"=\?([^?=\s]{0,60})\?([bBqQ])\?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Nobody means so much white space; patterns that meet it later would look at it over and over.
_GAP = re.compile(r"\s{40,}")
_LONG_GAP = 40 * " "
_FOLD = re.compile(r"\r\n|\r|\n")
_SPACES = re.compile(r"[ \t]+")
_BLANK = re.compile(r"\s")
_PLAIN = re.compile(r"[^;=\"]+")
_QUOTED = re.compile(r"[^\"\\]+")
_MESSAGE_ID = re.compile(r"<([^<>]{1,996})>")
_ATOM = r"[^\s\x00-\x20\"(),:;<>@\[\]\\\x7f]"
_DOMAIN_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_LOCAL = re.compile(_ATOM + r"{1,64}")
_BARE_ADDRESS = re.compile(r"[^\s\"(),:;<>@\[\]\\]{1,64}@[\w.-]{1,255}")


@dataclass(frozen=True)
class Address:
    """A mailbox of an address field; ``addr`` is lower case, "" where only a name is there."""

    name: str
    addr: str


@dataclass(frozen=True)
class Parameters:
    """A value with parameters: ``text/plain; charset=utf-8``."""

    value: str  # lower case, no parameters
    parameters: dict[str, str]


def one_line(text: str) -> str:
    """The text without folding and without control characters, each run of them one space.

    So is a gap of 40 blanks and more.
    """
    if text.isprintable() and _LONG_GAP not in text:
        return text.strip()  # nearly all text, and to see that is much faster
    return _GAP.sub(" ", _CONTROLS.sub(" ", text)).strip()


def unfold(text: str) -> str:
    """A folded value on one line (RFC 5322 §2.2.3)."""
    return _FOLD.sub("", text).strip() if "\n" in text or "\r" in text else text.strip()


def decode_words(text: str) -> str:
    """Text with its RFC 2047 encoded words decoded, on one line.

    Adjacent words of one charset are joined as bytes first, because many programs split a
    character between two words. What cannot be decoded stays as it was sent.
    """
    text = unfold(text)
    if "=?" not in text:
        return one_line(text)
    pieces: list[str] = []
    pending = b""
    pending_charset = ""
    end = 0
    following = _WORD_BEGINS.search(text)
    for _ in range(MAX_ENCODED_WORDS):
        word = following
        if word is None:
            break
        label = word[1].split("*")[0].lower()
        stop = text.find("?=", word.end())
        position = stop + 2
        following = _WORD_BEGINS.search(text, word.end())
        if stop < 0 or (following and following.start() < stop):
            # A word that lacks its end reaches to the next one or to the end, if no blank is in it.
            stop = position = following.start() if following else len(text)
            inside = text[word.end() : stop].rstrip().removesuffix("?")
            if not inside or _BLANK.search(inside) or not charset.codec_for(label):
                continue
        else:
            inside = text[word.end() : stop]
            if following and following.start() < position:
                following = _WORD_BEGINS.search(text, position)
        between = text[end : word.start()]
        data = _word_bytes(word[2], inside)
        if data is None:
            continue
        # White space between two encoded words belongs to the folding (RFC 2047 §6.2).
        adjacent = end > 0 and not between.strip()
        if not (adjacent and label == pending_charset):
            pieces.append(charset.decode(pending, pending_charset).text if pending else "")
            pending = b""
        if not adjacent:
            pieces.append(between)
        pending += data
        pending_charset = label
        end = position
    pieces.append(charset.decode(pending, pending_charset).text if pending else "")
    pieces.append(text[end:])
    return one_line("".join(pieces))


def _word_bytes(encoding: str, text: str) -> bytes | None:
    if encoding in "qQ":
        text = text.replace("_", " ")
        data = text.encode("utf-8", "replace")
        return binascii.a2b_qp(data, header=False)
    letters = re.sub(r"[^A-Za-z0-9+/]", "", text)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    if not letters and text.strip("= "):
        return None
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        return None


# --- addresses ---------------------------------------------------------------------------------


@lru_cache(maxsize=128)  # one mail names the same people in several fields, asked several times
def addresses(value: str) -> tuple[Address, ...]:
    """The mailboxes of an address field, in order; group names are left out, members kept.

    An address is taken only where the grammar leaves no doubt: ``a@b.example)c@d.example`` or an
    address inside a quoted display name gives none (CVE-2023-27043).
    """
    found = _mailboxes(unfold(value))
    if not any(a.addr for a in found) and "=?" in value:
        # Some programs encode the whole mailbox, angle brackets and all.
        decoded = _mailboxes(decode_words(value))
        if any(a.addr for a in decoded):
            return decoded
    return found


def _mailboxes(value: str) -> tuple[Address, ...]:
    result: list[Address] = []
    name = ""  # the phrase before an angle bracket, or a bare address
    comment = ""
    angle: str | None = None
    spoiled = False
    comments_close = True  # a "(" that is never closed is no comment, nor is any after it
    i, length = 0, min(len(value), 65536)

    def close() -> None:
        nonlocal name, comment, angle, spoiled
        mailbox = _mailbox(name, comment, angle, spoiled=spoiled)
        if mailbox is not None:
            result.append(mailbox)
        name, comment, angle, spoiled = "", "", None, False

    while i < length and len(result) < MAX_ADDRESSES:
        c = value[i]
        if c == '"':
            text, i = _quoted(value, i, length)
            name += f'"{text}"' if value[i : i + 1] == "@" else text
        elif c == "'" and not name.strip() and (stop := value.find("'", i + 1, i + 200)) > 0:
            # No quotation mark to the standard, but one to many programs: 'Kowalski, Jan' <...>.
            name, i = name + value[i : stop + 1], stop + 1
        elif c == "(" and comments_close:
            text, after = _comment(value, i, length)
            comments_close = after > 0
            comment, i = comment or text, after or i + 1
        elif c == "<" and angle is None:
            stop = value.find(">", i)
            if stop < 0:
                angle, i = value[i + 1 : length], length
            else:
                angle, i = value[i + 1 : stop], stop + 1
                # "<<a@b>>": the inner pair is the address.
                angle = angle.lstrip("<")
        elif c in ",;":
            close()
            i += 1
        elif c == ":" and angle is None and "@" not in name and "[" not in name:
            name = ""  # the name of a group (RFC 5322 §3.4); "undisclosed-recipients:;"
            i += 1
        else:
            if angle is not None and c not in " \t>)":
                spoiled = spoiled or c == "@"
            elif c == ")":
                spoiled = True
            elif angle is None:
                name += c
            i += 1
    close()
    return tuple(result)


def _quoted(value: str, start: int, length: int) -> tuple[str, int]:
    """The text of a quoted string and the index after it; an unclosed quote ends at ``<``."""
    out: list[str] = []
    i = start + 1
    while i < length:
        c = value[i]
        if c == "\\" and i + 1 < length:
            out.append(value[i + 1])
            i += 2
        elif c == '"':
            return "".join(out), i + 1
        else:
            out.append(c)
            i += 1
    stop = value.find("<", start)
    stop = length if stop < 0 else stop
    return value[start + 1 : stop], stop


def _comment(value: str, start: int, length: int) -> tuple[str, int]:
    """The text of a comment and the index after it, 0 where it is never closed."""
    depth, i = 0, start
    out: list[str] = []
    while i < length:
        c = value[i]
        if c == "\\":
            out.append(value[i + 1 : i + 2])
            i += 2
            continue
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return "".join(out), i + 1
        if not (c == "(" and depth == 1):
            out.append(c)
        i += 1
    return "", 0


def _mailbox(name: str, comment: str, angle: str | None, *, spoiled: bool) -> Address | None:
    if angle is None:
        candidate = decode_words(name)
        if "@" not in candidate:
            # A name without an address; nothing at all is no mailbox.
            display = candidate or decode_words(comment)
            return Address(display, "") if display else None
        addr = "" if spoiled else strict_address(candidate)
        if addr:
            return Address(decode_words(comment), addr)
        # "Jan Kowalski jan@example.com": no brackets, one address at the end.
        words = candidate.split()
        addr = strict_address(words[-1].strip("[]")) if words and not spoiled else ""
        one = addr and sum("@" in w for w in words) == 1
        return Address(" ".join(words[:-1]), addr) if one else Address(candidate, "")
    addr = "" if spoiled else strict_address(decode_words(angle))
    display = decode_words(name) or decode_words(comment)
    if not addr and angle.strip() == "" and "@" in display:
        addr, display = strict_address(display), ""
    if len(display) > 1 and display[0] == display[-1] and display[0] in "'\"":
        display = display[1:-1].strip()
    if not addr and not display:
        display = one_line(angle)
        return Address(display, "") if display else None
    return Address(display, addr)


def strict_address(text: str) -> str:
    """The one address that ``text`` is, or "" where it is not exactly one; see plain_address.

    A domain without a dot passes (mail within a host); control characters, spaces, more than
    254 octets and address literals do not. A local part in quotes loses them where it can.
    """
    text = text.strip()
    if text.lower().startswith("mailto:"):
        text = text[7:]
    # A source route is obsolete and never needed: "@relay.example:jan@example.com".
    if text.startswith("@") and ":" in text:
        text = text.split(":", 1)[1]
    local, at, domain = text.rpartition("@")
    local, domain = local.strip(), domain.strip().rstrip(".")
    if len(local) > 2 and local[0] == local[-1] == '"':
        local = local[1:-1]
    if not at or len(text.encode("utf-8", "replace")) > 254:
        return ""
    if not _LOCAL.fullmatch(local) or not domain:
        return ""
    if not all(_DOMAIN_LABEL.fullmatch(label) for label in domain.split(".")):
        return ""
    return plain_address(f"{local}@{domain}")


def first_address_in(text: str) -> str:
    """The first thing in running text that is an address, in lower case, or ""."""
    for match in _BARE_ADDRESS.finditer(text):
        addr = strict_address(match.group().strip(".-'"))
        if addr:
            return addr
    return ""


# --- ids, dates, parameters --------------------------------------------------------------------


def message_ids(value: str) -> tuple[str, ...]:
    """The message ids of a References or In-Reply-To field, without angle brackets.

    Without brackets the words that hold an ``@`` are ids. The last MAX_IDS are kept: the end of
    References is the near end (RFC 5322 §3.6.4).
    """
    value = unfold(value)
    found = [_SPACES.sub("", one_line(i)) for i in _MESSAGE_ID.findall(value)]
    if not found:
        found = [w.strip("<>,;") for w in one_line(value).split() if "@" in w and len(w) < 998]
    return tuple(i for i in found if i)[-MAX_IDS:]


def message_id(value: str) -> str:
    """The id of a Message-ID field without angle brackets, or ""."""
    value = one_line(decode_words(value))
    bracketed = _MESSAGE_ID.search(value)
    if bracketed:
        return bracketed[1].strip()
    return value.strip("<> ")[:998]


def date(value: str) -> datetime | None:
    """The moment of a Date field in UTC, or None where it cannot be read."""
    value = one_line(unfold(value))[:200]
    for text in (value, _SPACES.sub(" ", value).replace(".", ":")):
        try:
            moment = parsedate_to_datetime(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


@lru_cache(maxsize=128)  # "text/plain; charset=utf-8" is in nearly every mail
def parameters(value: str) -> Parameters:
    """A structured value (Content-Type, Content-Disposition) and its decoded parameters.

    RFC 2231 continuations and charsets are put together; RFC 2047 words inside a parameter, which
    no standard allows and many programs write, are decoded too.
    """
    value = unfold(value)[:16384]
    plain: dict[str, str] = {}
    extended: dict[str, list[tuple[int, bool, str]]] = {}
    pieces = _split_parameters(value)
    for name, text in pieces[1:]:
        base, star, rest = name.partition("*")
        if not star:
            plain.setdefault(base, text)
            continue
        number = rest.rstrip("*")
        index = int(number) if number.isdecimal() and len(number) < 4 else 0
        if len(extended.setdefault(base, [])) < 1000:
            extended[base].append((index, name.endswith("*"), text))
    result = {name: decode_words(text) for name, text in plain.items()}
    for name, segments in extended.items():
        result[name] = _joined(segments)
    return Parameters(one_line(pieces[0][1]).strip().lower(), result)


def _split_parameters(value: str) -> list[tuple[str, str]]:
    """``("", value)`` first, then each ``(name, text)`` in order; quotes are removed."""
    pieces: list[tuple[str, str]] = []
    i, length = 0, len(value)
    while i < length and len(pieces) < 2000:
        stop = i
        name = ""
        out: list[str] = []
        while stop < length and value[stop] != ";":
            c = value[stop]
            if c == "=" and not name and pieces:
                name = "".join(out).strip().lower()
                out = []
                stop += 1
            elif c == '"':
                text, stop = _quoted_parameter(value, stop, length)
                out.append(text)
            else:
                run = _PLAIN.match(value, stop + 1)
                out.append(c + (run[0] if run else ""))
                stop += len(out[-1])
        text = "".join(out).strip()
        if not pieces:
            pieces.append(("", text))
        elif name:
            pieces.append((name, text))
        i = stop + 1
    return pieces or [("", "")]


def _quoted_parameter(value: str, start: int, length: int) -> tuple[str, int]:
    out: list[str] = []
    i = start + 1
    while i < length:
        c = value[i]
        # Windows paths have single backslashes; only quotes and backslashes are escaped.
        if c == "\\" and value[i + 1 : i + 2] in ('"', "\\"):
            out.append(value[i + 1])
            i += 2
        elif c == '"':
            return "".join(out), i + 1
        else:
            run = _QUOTED.match(value, i + 1)
            out.append(c + (run[0] if run else ""))
            i += len(out[-1])
    # Never closed: up to the next parameter.
    text, _, _ = value[start + 1 : length].partition(";")
    return text, start + 1 + len(text)


def _joined(segments: list[tuple[int, bool, str]]) -> str:
    segments.sort(key=lambda s: s[0])
    label = ""
    data = b""
    for position, (_, encoded, text) in enumerate(segments):
        if position == 0 and encoded and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    text = charset.decode(data, label).text
    return decode_words(text) if "=?" in text else one_line(text)
