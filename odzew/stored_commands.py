"""Commands that show and change what is stored: tickets, ledger, outbox, imports, pauses."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from config.errors import PermanentError
from odzew.opening import open_context
from odzew.options import AsJson, Config
from odzew.output import errors, print_json, print_table, say
from odzew.shapes import ledger_object, outbox_object, ticket_object
from storage.database import open_session
from storage.instance import set_paused
from storage.mail import ledger as ledger_rows
from storage.mail import outcome_counts
from storage.outbox import outbox as outbox_rows
from storage.tables import OutboxMessage, RawMessage, Ticket
from storage.tickets import all_tickets, message_ids_of
from worker.only_worker import only_worker


def tickets(config: Config = None, as_json: AsJson = False) -> None:
    """All tickets. Example: odzew tickets --json | jq .reference"""
    context = open_context(config)
    with open_session(context.engine) as session:
        rows = list(all_tickets(session))
        if as_json:
            print_json(ticket_object(row, message_ids_of(session, row.id or 0)) for row in rows)
        else:
            print_ticket_table(rows)


def print_ticket_table(rows: list[Ticket]) -> None:
    print_table(
        "Tickets",
        ("=reference", "=cause", "=conf.", "=urgency", "requester", "=due", "review"),
        (
            (
                row.reference,
                row.cause,
                f"{row.cause_confidence:.2f}" if row.cause_confidence is not None else "",
                row.urgency,
                row.requester_addr or f"({row.requester_status})",
                row.due_safe or "none",
                "yes" if row.needs_review else "",
            )
            for row in rows
        ),
    )


def ledger(config: Config = None, as_json: AsJson = False) -> None:
    """Every message seen on a server and its one outcome. Example: odzew ledger --json"""
    context = open_context(config)
    with open_session(context.engine) as session:
        rows = list(ledger_rows(session))
        if as_json:
            print_json(ledger_object(row, reference) for row, reference in rows)
            return
        print_ledger_table(rows)
        counts = outcome_counts(session)
        shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        say(f"{sum(counts.values())} messages: {shown or 'none'}")


def print_ledger_table(rows: list[tuple[RawMessage, str | None]]) -> None:
    print_table(
        "Ledger",
        ("=id", "mailbox", "=uid", "=received", "=outcome", "=ticket", "reason"),
        (
            (
                row.id,
                row.mailbox,
                row.uid,
                f"{row.received_at:%m-%d %H:%M}",
                row.outcome,
                reference,
                row.reason,
            )
            for row, reference in rows
        ),
    )


def outbox(config: Config = None, as_json: AsJson = False) -> None:
    """What is owed and what was sent to whom. Example: odzew outbox"""
    context = open_context(config)
    with open_session(context.engine) as session:
        rows = list(outbox_rows(session))
        if as_json:
            print_json(outbox_object(row, reference) for row, reference in rows)
        else:
            print_outbox_table(rows)


def print_outbox_table(rows: list[tuple[OutboxMessage, str]]) -> None:
    print_table(
        "Outbox",
        ("=id", "=ticket", "recipient", "=state", "=attempts", "problem"),
        (
            (row.id, reference, row.recipient, row.state, row.attempts, row.problem)
            for row, reference in rows
        ),
    )


def import_(
    path: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="An mbox, a Maildir, a folder of .eml, or labelled cases (.jsonl, .csv).",
        ),
    ],
    config: Config = None,
) -> None:
    """Take old mail or labelled cases into the archive: no acknowledgement, no clock.

    Importing the same path again adds nothing. Example: odzew import old-complaints.mbox
    """
    from worker.archive_import import import_path

    context = open_context(config)
    with only_worker(context), Progress(console=errors) as progress:
        task = progress.add_task(f"importing {path.name}", total=None)
        counts = import_path(context, path, on_progress=lambda done: progress.advance(task, done))
    say(f"{path}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


What = Annotated[str, typer.Argument(help="acknowledgements or worker")]


def pause(what: What = "acknowledgements", config: Config = None) -> None:
    """Stop sending, or stop the whole worker, until resumed. Example: odzew pause worker"""
    _set(what, config, paused=True)


def resume(what: What = "acknowledgements", config: Config = None) -> None:
    """Go on after a pause. Example: odzew resume acknowledgements"""
    _set(what, config, paused=False)


def _set(what: str, config: Path | None, *, paused: bool) -> None:
    if what not in ("acknowledgements", "worker"):
        raise PermanentError(f"{what!r} cannot be paused; allowed: acknowledgements, worker")
    context = open_context(config)
    with open_session(context.engine) as session:
        set_paused(session, what=what, paused=paused)
        session.commit()
    say(f"{what}: {'paused' if paused else 'running'}")
