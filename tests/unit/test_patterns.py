"""E-48: no pattern of ours takes long over any text, however long the code lets it be."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bad_input.patterns import attack, attacks, is_anchored, patterns_in
from triage.text import without_runs
from worker.headers import one_line

PATTERNS = patterns_in("triage", "worker")
LIMIT = 0.1  # seconds of processor time for one text: 50 ms on an idle machine; tests share one
STOP = 0.3  # seconds after which it is given up
LONG = 100 * 1024  # characters; what is linear there needs ten times as much for 1 MiB

# Characters at most that the code gives to a pattern, where it is less than LONG; by the beginning
# of its name, the longest counts.
LENGTHS = {
    "triage.entities.": 20_000,  # _READ
    "triage.entities._END": 64,  # one word, see products
    "triage.entities._NO_PRODUCT": 64,
    "triage.entities._NOT_WISHED": 30,
    "triage.evidence.": 4000,
    "triage.facts.": 4000,  # what triage.text.prepare leaves
    "triage.header_block.": 4000,
    "triage.header_block._DATE_WITH_TIME": 200,  # MAX_DATE
    "triage.history.": 2000,  # MAX_LINE
    "triage.history._DASHED": 500,  # no line begins with * or _ when ``unquoted`` has seen it
    "triage.language.": 20_000,  # MAX_CHARACTERS
    "triage.mail_words.": 3000,  # MAX_NOTE of worker.auto_reply, twice
    "triage.mail_words.AUTO_SUBJECT": 16_384,
    "triage.mail_words.OUTLOOK_AUTO_PREFIX": 16_384,
    "triage.mail_words.BOUNCE_SUBJECT": 16_384,
    "triage.mail_words.DELAYED_SUBJECT": 16_384,
    "triage.mail_words.BOUNCE_TEXT": 65_536,  # MAX_TEXT of worker.bounce
    "triage.mail_words.ANSWERS_BELOW": 4000,  # MAX_ANNOUNCEMENT of triage.quotation
    "triage.money.": 64,  # an amount
    "triage.redaction.": 8000,
    "triage.signature.": 2000,  # MAX_LINE of triage.history
    "triage.text.": 4000,
    "triage.thanks.": 300,  # MAX_CHARACTERS
    "triage.tracking.": 20_000,  # _READ of triage.entities
    "triage.tracking._NUMBER": 45,  # _REACH
    "triage.tracking._OTHER": 45,
    "triage.withdrawal.": 65_536,  # MAX_CHARACTERS
    "worker.acknowledgement.": 250,  # ids and references
    "worker.autoresponse.": 254,  # addresses, file names
    "worker.form_fields.": 400,  # MAX_LINE
    "worker.forward._BEFORE_NAME": 600,  # MAX_ATTRIBUTION of triage.history
    "worker.forward._PREFIX": 16_384,  # a subject
    "worker.forward._BRACKETED": 16_384,
    "worker.headers.": 16_384,  # worker.structure.MAX_FIELD_BYTES
    "worker.imap.": 1000,
    "worker.relayed._RULED": 200,
}
# Subjects and names have gone through worker.headers.one_line: no gap of 40 blanks is left.
ONE_LINE = ("SUBJECT", "PREFIX", "BRACKETED")
# What goes through triage.text.without_runs before.
WITHOUT_RUNS = (
    "triage.mail_words.AUTO_SUBJECT",
    "triage.mail_words.ANSWERS_BELOW",
    "triage.mail_words.BOUNCE_TEXT",
    "triage.withdrawal.",
    "worker.bounce.",
    "worker.forward._MAILTO",
)
# Over texts of the shop's own tickets, in training only.
NOT_AT_WORK = ("triage.redaction._SIGNED",)


def length_for(name: str) -> int:
    fitting = [beginning for beginning in LENGTHS if name.startswith(beginning)]
    return LENGTHS[max(fitting, key=len)] if fitting else LONG


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop what is inside by a TimeoutError after that much processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def seconds_for(pattern: re.Pattern, text: str, *, anchored: bool) -> float:
    given = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    started = time.process_time()
    try:
        with at_most(STOP):
            if anchored:
                pattern.match(given)
                pattern.fullmatch(given)
            else:
                for _ in pattern.finditer(given):
                    continue
    except TimeoutError:
        return STOP
    return time.process_time() - started


@pytest.mark.parametrize("name", [name for name in PATTERNS if name not in NOT_AT_WORK])
def test_a_pattern_is_done_with_any_text_in_fifty_milliseconds(name):
    assert not slowest_attack(name)


def slowest_attack(name: str) -> str:
    """The first text over which a pattern takes longer than LIMIT, in words, or ""."""
    pattern, length, anchored = PATTERNS[name], length_for(name), is_anchored(name)
    shown = one_line if any(word in name for word in ONE_LINE) else str
    shorter = without_runs if name.startswith(WITHOUT_RUNS) else str

    def seconds(length: int) -> float:
        text = shorter(shown(attack(prefix, repeated, length)))
        return seconds_for(pattern, text, anchored=anchored)

    for prefix, repeated in attacks(pattern):
        short = min(length, 5000)
        taken = seconds(short)
        if length > short and taken > LIMIT * short / length / 2:
            taken = seconds(length)
        if LIMIT < taken < STOP:  # other programs may have had the processor's caches
            taken = min(seconds(length) for _ in range(3))
        if taken > LIMIT:
            return f"{taken:.2f} s for {length} of {(prefix[:40], repeated[:40])}"
    return ""


def test_every_pattern_is_found():
    assert len(PATTERNS) > 150
    for name in ("worker.headers._MESSAGE_ID", "triage.entities._ORDER", "worker.html._MARKUP"):
        assert name in PATTERNS
