"""What came of a run of ``bench.chaos``: its figures, and what is wrong beside the oracle."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlmodel import select

from bench.chaos_killer import Place, Toll
from bench.chaos_world import World
from storage.database import open_session
from storage.tables import OutboxMessage, RawMessage, Ticket, TicketEvent
from worker.context import Context

BUGS = ("unexpected error", "bug in a step")  # log events that no fault explains


@dataclass(frozen=True)
class Times:
    trouble: float  # seconds
    settling: float  # seconds after that until nothing was left to do
    set_aside: Counter[str]  # why mails were, which a person has had read once more


def broken_besides(
    nodes: Sequence[Place], context: Context, arrived: Collection[bytes]
) -> Iterator[str]:
    """What must not be either, and is not the oracle's: it knows no processes and no logs."""
    if left := sum(node.left_behind() for node in nodes):
        yield f"{left} parsers outlived their node"
    for event in BUGS:
        if count := events_of(nodes)[event]:
            yield f"{count} times {event!r} in the logs"
    with open_session(context.engine) as session:
        owed = {row.content: row for row in session.exec(select(OutboxMessage)).all()}
    tickets = Counter(
        owed[content].ticket_id
        for content in set(arrived)
        if content in owed and owed[content].kind == "acknowledgement"
    )
    if doubled := sum(count > 1 for count in tickets.values()):
        yield f"D-P5: {doubled} tickets were acknowledged by two different messages"


def events_of(nodes: Sequence[Place]) -> Counter[str]:
    """How often each warning or error is in the logs; a kill may have cut a line."""
    counts: Counter[str] = Counter()
    for node in nodes:
        for line in node.log.read_text(errors="replace").splitlines():
            # What else stands there is Python's own farewell to a child that lost its parent.
            with suppress(ValueError):
                said = json.loads(line)
                counts[said["event"]] += said["level"] != "info"
    return counts


def figures(
    context: Context,
    toll: Toll,
    world: World,
    nodes: Sequence[Place],
    arrived: Collection[bytes],
    times: Times,
) -> Iterator[tuple[str, str]]:
    """The rows of the table: what, and how much of it."""
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage.outcome, RawMessage.attempts)).all()
        owed = session.exec(
            select(OutboxMessage.state, OutboxMessage.mandatory, OutboxMessage.content)
        ).all()
        classifiers = session.exec(select(Ticket.classifier)).all()
        events = Counter(session.exec(select(TicketEvent.kind)).all())
    yield "seconds of trouble; until all was done", f"{times.trouble:.0f}; {times.settling:.0f}"
    yield "nodes killed", f"{toll.nodes}: {_said(toll.killed)}"
    yield "of these had joined; were at work", f"{toll.joined}; {toll.working}"
    yield "at what (some at several steps)", _said(toll.at)
    for name, line in (("IMAP", world.imap), ("SMTP", world.smtp)):
        struck = f"{line.struck.total()} of {line.connections} connections"
        yield f"faults of the line, {name}", f"{struck}: {_said(line.struck)}"
    struck_there = world.catcher.struck
    yield "faults of the SMTP server", f"{struck_there.total()}: {_said(struck_there)}"
    yield "mails in the mailboxes", f"{len(world.stored)}, {world.answered} of them to odzew's own"
    yield "outcomes", _said(Counter(outcome for outcome, _ in rows))
    yield "mails taken over from dead nodes", str(sum(attempts > 0 for _, attempts in rows))
    yield "set aside, read once more", _said(times.set_aside)
    classified = sum(name is not None for name in classifiers)
    yield "tickets; classified", f"{len(classifiers)}; {classified}"
    yield "acknowledgements", _said(Counter(state for state, *_ in owed))
    again = Counter(arrived) - Counter(set(arrived))
    mandatory = {content for _, by_law, content in owed if by_law}
    by_law = sum(count for content, count in again.items() if content in mandatory)
    yield "arrived at the customers' server", str(len(arrived))
    yield "doubled there", str(again.total() - by_law)
    sent_again = events["acknowledgement_sent_again"]
    said = f"{len(mandatory)}, {sent_again} sent again, {by_law} came twice"
    yield "confirmations that the law asks for", said
    yield "warnings in the logs", _said(events_of(nodes))


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common() if count) or "none"
