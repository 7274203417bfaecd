"""Whether a machine answers on behalf of a person: vacation, driving, a help desk's receipt.

A header field that only automatic replies have decides alone. Many have none, so weak signs are
counted: what the header hints, whether the mail answers one of ours, and what it says. Two must
agree, one of them in the words. Who asks something of a shop is a person, however much the rest
looks like a machine: a note taken for a person costs a look, a person taken for a note is lost.
"""

import re

from config.addresses import wire_address
from triage.mail_words import (
    ABSENCE,
    ADDRESS_GONE,
    AUTO_MAILER,
    AUTO_SUBJECT,
    DAY,
    ELSEWHERE,
    FORWARD_PREFIXES,
    NOT_TO_BE_ANSWERED,
    OUR_MATTER,
    OUTLOOK_AUTO_PREFIX,
    RECEIPT,
    REPLY_PREFIXES,
    SAYS_AUTOMATIC,
    TELLS_OF,
    WANTS,
    any_of,
)
from triage.text import without_diacritics, without_runs
from worker.headers import first_address_in
from worker.parsed_message import KnownAddresses
from worker.structure import Part

# Autoresponders write short notes; what is longer and bears no mark is a person's.
MAX_NOTE = 1500
# A receipt says at once what it is; further down, a person quotes one or tells of it.
MAX_BEGINNING = 300
MAX_ENDING = 2000
# Bytes of a photograph that somebody took; the logos in notes are smaller.
MIN_PHOTOGRAPH = 50_000

# "X-Autoreply", "X-Mail-Autoreply", "X-Autorespond", "X-Auto-Responder"; not the wish for none.
_REPLY_FIELD = re.compile(r"x-(?:[\w-]{1,30}-)?auto-?(?:repl|respon|answer)(?!se-suppress)[\w-]*")
_VACATION_FIELDS = ("x-vacation", "x-away")
_LIST_FIELDS = ("list-id", "list-post", "list-unsubscribe", "mailing-list", "x-beenthere")
_ANSWER_PREFIX = re.compile(
    rf"\s*(?:{any_of({*REPLY_PREFIXES, *FORWARD_PREFIXES})})\s?(?:\[\d+\])?\s?[:：]", re.IGNORECASE
)
_OUR_REFERENCE = re.compile(r"\bODZ-\d{4}-\d{6,9}\b", re.IGNORECASE)
_OUR_ID = re.compile(r"<ack\.[\w.-]{1,80}\.[0-9a-f]{16}@")
# The number that a foreign help desk gives: "nr 8812", "#1091", "(90417)".
_NUMBER = re.compile(r"(?:#|\bn[ro]\.? ?|\bnumer\w* |[(\[])[A-Z]{0,4}[-/]?\d{3,}", re.IGNORECASE)
_QUOTE = re.compile("[\"„“”«»'>]")


def is_auto_reply(
    root: Part, *, known: KnownAddresses, subject: str, text: str, handed_on: bool = False
) -> bool:
    """Whether a machine answers.

    text: what is newly written, without history. handed_on: a form, a relay or a colleague says
    this about somebody else's mail, so that the words prove nothing about the sender.
    """
    title = without_runs(subject.lower())
    if header_says_so(root) or OUTLOOK_AUTO_PREFIX.match(title):
        return True
    if handed_on:
        return False
    titled = AUTO_SUBJECT.match(title) is not None
    marked = _is_marked(root)
    prefixed = _ANSWER_PREFIX.match(subject) is not None
    answers = prefixed or root.has("in-reply-to") or root.has("references")
    ours = _answers_us(root, known, subject)
    receipt_titled = not prefixed and RECEIPT.search(without_diacritics(subject)) is not None
    # A mail that has neither mark nor title and answers nothing of ours is a person's.
    if not (titled or marked or ours or receipt_titled):
        return False
    # Only a help desk gives the mail it answers a number in its subject.
    numbered = receipt_titled and _NUMBER.search(_OUR_REFERENCE.sub("", subject)) is not None
    if numbered and (ours or marked):
        return True
    note = text[: 2 * MAX_NOTE] if marked or len(text) <= MAX_NOTE else ""
    note = without_diacritics(note).replace("\u2019", "'")
    if WANTS.search(note) or _has_photograph(root):
        return False
    # Our own acknowledgement has a title like a receipt; some programs answer it without "Re:".
    receipt_titled = receipt_titled and (marked or not ours)
    # Notices of couriers and banks say that they are automatic, too; but they answer nothing.
    certain = ((answers or ours) and _says(SAYS_AUTOMATIC, note)) + _begins_as_notice(note)
    # A person mentions an absence, too; a note says when it ends, or who is there instead.
    instead = ELSEWHERE.search(note) is not None
    away = ABSENCE.search(note) is not None
    away = away and (titled or instead or DAY.search(note) is not None)
    # Who names the parcel or the invoice talks with us, on holiday or not.
    notice = certain or receipt_titled or (titled and answers) or (away and (marked or instead))
    if not notice and OUR_MATTER.search(note):
        return False
    words = titled + receipt_titled + certain + away
    return words > 0 and words + marked + (ours or (titled and answers)) >= 2


def asks_for_no_answer(text: str) -> bool:
    """Whether a mail asks not to be answered, as notices of couriers and banks do at their end.

    text: what is newly written.
    """
    return _says(NOT_TO_BE_ANSWERED, text[-MAX_ENDING:].lower())


def header_says_so(root: Part) -> bool:
    """Whether the header has what only automatic replies have."""
    for name, value in root.fields:
        if name == "auto-submitted":
            if keyword(value).startswith(("auto-replied", "auto_replied")):
                return True
        elif name == "precedence":
            if keyword(value) in ("auto_reply", "auto-reply"):
                return True
        elif name == "x-mailer":
            # Newsletters are sent by "autoresponders", too.
            if AUTO_MAILER.search(value.lower()) and not _is_listed(root):
                return True
        elif _is_reply_field(name) and keyword(value) not in ("no", "false", "0"):
            return True
    return False


def keyword(value: str) -> str:
    """The first word of a field with parameters or a comment, in lower case."""
    return value.split(";")[0].split("(")[0].strip().strip("\"'").lower()


def _is_reply_field(name: str) -> bool:
    if not name.startswith("x-"):
        return False
    return name in _VACATION_FIELDS or ("auto" in name and _REPLY_FIELD.fullmatch(name) is not None)


def _is_marked(root: Part) -> bool:
    """Whether the header says that a machine wrote it, or asks other machines not to answer."""
    for name, value in root.fields:
        if name == "x-auto-response-suppress":
            if {word.strip().lower() for word in value.split(",")} & {"all", "autoreply", "oof"}:
                return True
        elif name == "auto-submitted":
            # A rule of Exchange marks what it redirects, in the customer's own words.
            if keyword(value) not in ("", "no") and not _is_redirected(root):
                return True
        elif name == "precedence":
            if keyword(value) in ("bulk", "junk", "list") and not _is_listed(root):
                return True
        elif name == "x-loop":
            # procmail's recipes put their own address there.
            looping = first_address_in(value)
            if looping and looping in root.get("from").lower():
                return True
        elif name == "return-path" and value.replace(" ", "").strip() == "<>":
            return True
    return False


def _is_listed(root: Part) -> bool:
    return any(root.has(name) for name in _LIST_FIELDS)


def _is_redirected(root: Part) -> bool:
    return root.has("resent-from") or root.has("x-ms-exchange-generated-message-source")


def _answers_us(root: Part, known: KnownAddresses, subject: str) -> bool:
    """Whether the mail answers one that the shop sent: by its id, or by our reference."""
    if _OUR_REFERENCE.search(subject):
        return True
    ids = f"{root.get('in-reply-to')} {root.get('references')}".lower()
    if len(ids) < 4:
        return False
    return _OUR_ID.search(ids) is not None or any(
        f"@{domain}>" in ids for own in known.own_domains for domain in {own, wire_address(own)}
    )


def _begins_as_notice(note: str) -> int:
    """How much of a notice its first sentences are: a receipt, or that nobody reads the address."""
    beginning = note[:MAX_BEGINNING]
    return (RECEIPT.search(beginning) is not None) + (ADDRESS_GONE.search(beginning) is not None)


def _says(pattern: re.Pattern[str], note: str) -> bool:
    """Whether a note says it of itself, not in quotation marks and not after "I got"."""
    for match in pattern.finditer(note):
        line = note.rfind("\n", 0, match.start()) + 1
        before = note[max(line, match.start() - 60) : match.start()]
        if not (_QUOTE.search(before) or TELLS_OF.search(before)):
            return True
    return False


def _has_photograph(root: Part) -> bool:
    """Whether somebody attached a photograph, which takes a hand."""
    return any(p.type.startswith("image/") and len(p.body) > MIN_PHOTOGRAPH for p in root.walk())
