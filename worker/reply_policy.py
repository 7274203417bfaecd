"""Whether a new ticket is acknowledged: one decision with a stored reason.

``worker.autoresponse`` judges the mail alone. This module adds what is known beside the mail: its
age, the shop's settings, the limits (B-L5, B.7) and earlier refusals. The first "no" wins (B.1).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from config.settings import Acknowledgements
from triage.mail_words import AUTHORITIES, AUTHORITY_LOCAL
from worker.parsed_message import in_domains

# Providers where many unrelated people have their address; B.7 allows them ten times as much.
LARGE_PROVIDERS = frozenset(
    """
    gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com me.com
    proton.me protonmail.com
    wp.pl o2.pl onet.pl op.pl vp.pl interia.pl interia.eu poczta.fm tlen.pl gazeta.pl
    gmx.de gmx.net web.de t-online.de
    seznam.cz email.cz centrum.cz
    ukr.net i.ua
    """.split()  # noqa: SIM905 - as a list of literals nobody could read it
)


@dataclass(frozen=True)
class Circumstances:
    """What is known beside the mail when its acknowledgement is decided."""

    mail_reason: str | None  # why the mail alone forbids it: rule and sentence
    sender_addr: str  # From
    requester_addr: str
    requester_status: str  # known | suggested | missing
    received_at: datetime
    now: datetime
    archive: bool
    before_restore: bool  # arrived before a backup was restored, read after it
    suppressed: bool
    can_send: bool  # an SMTP server is configured
    same_mail_before: bool  # the same Message-ID from the same sender in the last 24 hours
    just_written_to: bool  # something went to this address in the last ten minutes
    recent_to_address: int  # in the last 24 hours
    recent_to_domain: int  # in the last hour
    recent_from_mailbox: int  # in the last hour
    withdrawal: bool  # a formal statement, whose confirmation the law asks for


@dataclass(frozen=True)
class ReplyDecision:
    acknowledge: bool
    reason: str  # rule id and sentence


def decide_reply(facts: Circumstances, limits: Acknowledgements) -> ReplyDecision:
    """Acknowledge, or say why not."""
    refusal = facts.mail_reason or _refusal(facts, limits)
    if refusal is not None:
        return ReplyDecision(False, refusal)
    return ReplyDecision(True, "B.1: a person's mail with one safe address")


def _refusal(facts: Circumstances, limits: Acknowledgements) -> str | None:
    if in_domains(facts.sender_addr, AUTHORITIES) or AUTHORITY_LOCAL.match(facts.sender_addr):
        return "B.8 row 52: an authority or a court is answered by a person"
    if facts.archive:
        return "B-50: older than the go-live of this mailbox"
    if facts.before_restore:
        return "D-P11: arrived before a backup was restored; it may have been acknowledged then"
    if facts.requester_status == "missing":
        return "B-D2: no single valid address to answer"
    if facts.requester_status == "suggested":
        return "B-D5: the address is only suggested; a person confirms it"
    if not limits.enabled:
        return "acknowledgements.enabled: switched off"
    if not facts.can_send:
        return "smtp: no server is configured"
    age = facts.now - facts.received_at
    if age > timedelta(hours=limits.max_age_hours):
        return f"B-49: received more than {limits.max_age_hours} hours ago"
    domain = facts.requester_addr.rpartition("@")[2]
    if facts.requester_addr in limits.never or domain in limits.never:
        return "acknowledgements.never: this address is never answered"
    if facts.suppressed:
        return "B-47: a server has refused this address for good"
    if facts.same_mail_before:
        return "B-H4: a mail with this Message-ID opened a ticket in the last 24 hours"
    if facts.withdrawal:
        return None  # a mandatory confirmation is not subject to the limits below
    if facts.just_written_to:
        return "B.7: one in ten minutes to this address"
    if facts.recent_to_address >= limits.per_address_per_day:
        return f"B.7: {limits.per_address_per_day} in a day to this address already"
    per_domain = limits.per_domain_per_hour * (10 if domain in LARGE_PROVIDERS else 1)
    if facts.recent_to_domain >= per_domain:
        return f"B.7: {per_domain} in an hour to this domain already"
    if facts.recent_from_mailbox >= limits.per_mailbox_per_hour:
        return f"B.7: {limits.per_mailbox_per_hour} in an hour from this mailbox already"
    return None
