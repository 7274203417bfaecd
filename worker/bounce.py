"""Whether a mail says that another could not be delivered, and to whom.

First the machine-readable report (RFC 3464 in multipart/report, RFC 6522), also where its parts
were flattened into one text, then, for servers that write prose only, three signs of which two must
agree: a mailer wrote it, its subject is that of a failure notice, its text says that delivery
failed. A notice of a delay, of success or of reading is none; a mailing list that refuses a mail
reports a failure, too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.mail_words import (
    BOUNCE_SUBJECT,
    BOUNCE_TEXT,
    DELAYED_SUBJECT,
    DELAYED_TEXT,
    MAILER_NAME,
    NOT_FAILED_SUBJECT,
    REFUSED_BY_LIST,
)
from triage.text import without_runs
from worker import charset
from worker.headers import decode_words, first_address_in, strict_address
from worker.parsed_message import Bounce
from worker.structure import Part

MAX_RECIPIENTS = 500
MAX_TEXT = 65536  # characters of prose that are searched

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.])([45])\d\d[\s-]")
_MAILER = re.compile(
    r"^(?:mailer-?daemon|mail-?daemon|postmaster|mdaemon|mail delivery|mmdf|majordomo-owner|"
    r"mail\.?administrator|mailsystem|mail-system|mailadmin|double-bounce|smtp-?gateway|postmast|"
    r"mailmaster|returnmail|microsoftexchange[0-9a-f]{10,}|mail delivery (?:sub)?system)\b",
    re.IGNORECASE,
)
# Couriers and shops write from such addresses, too, about parcels that were not delivered.
_PERHAPS_MAILER = re.compile(
    r"^(?:autoresponder|bounces?|administrator|nobody|delivery|undelivered)\b", re.IGNORECASE
)
_LIST_MANAGER = re.compile(
    r"majordomo|listserv|mailman|ezmlm|.*-(?:admin|owner|bounces|request|help)", re.IGNORECASE
)
_LIST_MANAGER_FIELDS = frozenset(
    {"x-mlserver", "x-mailman-version", "x-list-administrivia", "x-ml-name"}
)
_PERMANENT = re.compile(r"\b5\.\d\.\d|\b55\d\b")
# A sending service reports in JSON (Amazon SES through SNS).
_JSON_BOUNCE = re.compile(r'"notificationType"\s*:\s*"Bounce"|"eventType"\s*:\s*"Bounce"')
_RECIPIENT_LINE = re.compile(
    r"^[ \t>]*(?:(?:to|rcpt to|recipients?|final-recipient|original-recipient"
    r"|(?:recipient )?address|e-?mail|user|failed recipient"
    r"|the following (?:recipient|address).{0,60}|.{0,20}rcpt to"
    r"|odbiorca|adresat)[ \t]*[:=][ \t]*(?:rfc822;)?)?[ \t]*"
    r"[<\[(\"']?([^\s<>\"'()\[\]:;,]{1,64}@[\w.-]{1,255})[>\])\"']?(?:[ \t:;,.(-]|$)",
    re.IGNORECASE | re.MULTILINE,
)
# Where the returned mail begins in a notice that is one text.
_ORIGINAL = re.compile(
    r"^[ \t>-]*(?:-{2,}.{0,10}(?:original|returned|unsent|this is a copy|below|included|copy of"
    r"|message header|oryginaln|kopia).{0,60}"
    r"|received: from .*|return-path: <.*|message-id: <.*"
    r"|(?:original|your) (?:message|mail) (?:follows|headers?).{0,20}|---+ ?original.*)$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class DeliveryReport:
    """What a mail says about the delivery of another."""

    failed: bool
    is_report: bool  # machine mail about another mail, failed or not
    bounces: tuple[Bounce, ...] = ()


NO_REPORT = DeliveryReport(failed=False, is_report=False)


def delivery_report(
    root: Part, *, subject: str, from_addr: str, from_name: str, return_path: str | None, body: str
) -> DeliveryReport:
    """What ``root`` reports; NO_REPORT for ordinary mail. ``body``: its readable text."""
    body = without_runs(body[:MAX_TEXT])
    statuses = [p for p in root.walk() if p.type in _STATUS_TYPES]
    report_type = root.content_type.parameters.get("report-type", "").lower()
    if report_type in ("feedback-report", "disposition-notification"):
        return DeliveryReport(failed=False, is_report=True)
    # Microsoft's complaints are no multipart/report; the mail complained about bears this field.
    if any(p.has("x-hmxmroriginalrecipient") for part in root.parts for p in part.parts):
        return DeliveryReport(failed=False, is_report=True)
    if any(
        p.type in ("message/feedback-report", "message/disposition-notification")
        for p in root.parts
    ):
        return DeliveryReport(failed=False, is_report=True)
    mailer = _is_mailer(from_addr, from_name) or return_path == ""
    enclosing = root.type == "multipart/report" or mailer
    groups: list[_Group] = []
    if (statuses and enclosing) or _direct(root, statuses):
        groups = [g for p in statuses for g in _recipient_groups(_status_text(p))]
    elif enclosing and not statuses and _STATUS_IN_TEXT.search(body):
        # Old gateways and archives flatten a report into one text.
        groups = [g for g in _recipient_groups(body) if g.bounce.recipient]
    found = [g for g in groups if g.failed is not None]
    if found:
        failed = any(g.failed for g in found)
        bounces = tuple(g.bounce for g in found if g.failed or (not failed and g.delayed))
        bounces = _with_recipients(bounces[:MAX_RECIPIENTS], root, body)
        return DeliveryReport(failed, is_report=True, bounces=bounces)
    return _from_prose(
        root,
        subject=subject,
        from_addr=from_addr,
        from_name=from_name,
        return_path=return_path,
        body=body,
    )


_STATUS_IN_TEXT = re.compile(r"^final-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})


def _direct(root: Part, statuses: Sequence[Part]) -> bool:
    """Whether a delivery status is a part of the mail itself, not of a mail attached to it."""
    return root.type in _STATUS_TYPES or any(part is s for part in root.parts for s in statuses)


def _is_mailer(from_addr: str, from_name: str) -> bool:
    local = from_addr.partition("@")[0]
    return _MAILER.match(local) is not None or MAILER_NAME.search(from_name.lower()) is not None


@dataclass(frozen=True)
class _Group:
    bounce: Bounce
    failed: bool | None  # None: the group does not say
    delayed: bool = False


def _status_text(part: Part) -> str:
    return charset.decode(part.body[:262144]).text.replace("\r\n", "\n").replace("\r", "\n")


def _recipient_groups(text: str) -> list[_Group]:
    """The per-recipient groups of a delivery status (RFC 3464 §2.3)."""
    groups: list[dict[str, str]] = [{}]
    name = ""
    for line in text.split("\n")[:20000]:
        if not line.strip():
            if groups[-1]:
                groups.append({})
            continue
        if line[0] in " \t" and name in groups[-1]:
            groups[-1][name] = f"{groups[-1][name]} {line.strip()}"[:4000]
            continue
        key, colon, value = line.partition(":")
        if not colon:
            continue
        name = key.strip().lower()
        if name == "final-recipient" and "final-recipient" in groups[-1]:
            groups.append({})
        groups[-1].setdefault(name, value.strip())
    return [_group(g) for g in groups if _about_recipient(g)][:MAX_RECIPIENTS]


def _about_recipient(group: dict[str, str]) -> bool:
    return any(
        key in group for key in ("final-recipient", "original-recipient", "action", "status")
    )


def _group(group: dict[str, str]) -> _Group:
    recipient = ""
    for key in ("original-recipient", "final-recipient", "x-actual-recipient"):
        value = group.get(key, "")
        value = decode_words(value.partition(";")[2] or value)
        addr = strict_address(value.strip(' <>"')) or first_address_in(value)
        if addr:
            recipient = addr
            if key == "final-recipient":
                break
    status = _STATUS.search(group.get("status", "")) or _STATUS.search(
        group.get("diagnostic-code", "")
    )
    code = status[1] if status else None
    action = group.get("action", "").split()[0].strip("(),;").lower() if group.get("action") else ""
    failed: bool | None
    if action in ("failed", "failure", "fail", "error", "undeliverable", "rejected"):
        failed = True
    elif action.startswith(("deliver", "relay", "expand", "success")):
        failed = False
    elif action.startswith(("delay", "deferred")):
        # Some servers call a final failure "delayed": its status is a permanent one, or says that
        # the time for delivery is over (RFC 3463 §3.5, X.4.7), and no further attempt is announced.
        expired = code is not None and code.endswith(".4.7") and "will-retry-until" not in group
        failed = expired or (code is not None and code.startswith("5"))
    elif code:
        failed = code[0] in "45"
    else:
        failed = None
    hard = code.startswith("5") if code else None
    return _Group(
        Bounce(recipient, code, hard), failed, delayed=action.startswith(("delay", "deferred"))
    )


def _with_recipients(bounces: tuple[Bounce, ...], root: Part, body: str) -> tuple[Bounce, ...]:
    if all(b.recipient for b in bounces):
        return bounces
    named = _recipients(root, body)
    missing = [b for b in bounces if not b.recipient]
    if not named or len(missing) != len(bounces):
        return tuple(b for b in bounces if b.recipient) or bounces
    return tuple(Bounce(addr, missing[0].status, missing[0].hard) for addr in named)


def _from_prose(
    root: Part, *, subject: str, from_addr: str, from_name: str, return_path: str | None, body: str
) -> DeliveryReport:
    text = body
    report = root.type == "multipart/report"
    mailer = _is_mailer(from_addr, from_name)
    title = subject.lower()
    titled = BOUNCE_SUBJECT.search(title) is not None
    declared = root.has("x-failed-recipients") or _JSON_BOUNCE.search(text) is not None
    local = from_addr.partition("@")[0]
    if _is_refused_by_list(root, local, subject, text):
        return DeliveryReport(failed=True, is_report=True, bounces=_prose_bounces(root, text))
    if not (declared or report or mailer or titled or return_path == ""):
        return NO_REPORT
    if mailer and DELAYED_SUBJECT.search(title) and not _PERMANENT.search(text):
        return DeliveryReport(failed=False, is_report=True)
    words = text.lower()
    told = BOUNCE_TEXT.search(words) is not None
    returned = any(p.type in ("message/rfc822", "text/rfc822-headers") for p in root.walk())
    if declared or report or mailer:
        failed = declared or titled or told or (report and returned)
    elif return_path == "" or _PERHAPS_MAILER.match(local):
        # Programs of other kinds send with a null return path, too: a form, an unusual server.
        failed = told and (titled or returned or _STATUS.search(text) is not None)
    else:
        # A person may write "not delivered" about a parcel; so the original mail must be there.
        failed = titled and told and returned
    if not failed:
        return DeliveryReport(failed=False, is_report=report)
    delayed = NOT_FAILED_SUBJECT.search(title) or DELAYED_TEXT.search(words)
    final = not delayed or _PERMANENT.search(text) is not None
    return DeliveryReport(final, is_report=True, bounces=_prose_bounces(root, text))


def _is_refused_by_list(root: Part, local: str, subject: str, text: str) -> bool:
    """Whether a list manager says that the sender may not write to its list."""
    manager = _LIST_MANAGER.fullmatch(local) is not None
    manager = manager or any(name in _LIST_MANAGER_FIELDS for name, _ in root.fields)
    return manager and REFUSED_BY_LIST.search(f"{subject}\n{text}".lower()) is not None


def _prose_bounces(root: Part, text: str) -> tuple[Bounce, ...]:
    status = _STATUS.search(text)
    code = status[1] if status else None
    reply = _REPLY_CODE.search(text)
    hard = code.startswith("5") if code else (reply[1] == "5" if reply else None)
    named = _recipients(root, text)
    return tuple(Bounce(addr, code, hard) for addr in named) or (Bounce("", code, hard),)


def _recipients(root: Part, text: str) -> tuple[str, ...]:
    """Addresses that stand where failure notices name the recipient, above the returned mail."""
    if _JSON_BOUNCE.search(text):
        named = re.findall(r'"emailAddress"\s*:\s*"([^"]{3,254})"', text)[:MAX_RECIPIENTS]
        return tuple(dict.fromkeys(a for a in map(strict_address, named) if a))
    header = decode_words(root.get("x-failed-recipients"))
    if header:
        named = [strict_address(a.strip(" <>")) for a in header.split(",")[:MAX_RECIPIENTS]]
        if any(named):
            return tuple(dict.fromkeys(a for a in named if a))
    original = _ORIGINAL.search(text)
    above = text[: original.start()] if original and original.start() > 0 else text
    sender = first_address_in(decode_words(root.get("from")))
    to = first_address_in(decode_words(root.get("to")))
    found = [strict_address(m[1].rstrip(".")) for m in _RECIPIENT_LINE.finditer(above[:MAX_TEXT])]
    named = [a for a in dict.fromkeys(found) if a and a not in (sender, to)]
    if not named:
        named = [a for a in (first_address_in(above),) if a and a not in (sender, to)]
    return tuple(named[:MAX_RECIPIENTS])
