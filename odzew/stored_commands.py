"""Commands that show and change what is stored: tickets, ledger, outbox, imports, pauses."""

import sys
from dataclasses import asdict
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
from storage.mail import count_ledger, get_ledger_row, outcome_counts, raw_bytes
from storage.mail import ledger as ledger_rows
from storage.outbox import decide_delivery, get_outbox_row
from storage.outbox import outbox as outbox_rows
from storage.tables import OutboxMessage, RawMessage, Ticket
from storage.tickets import all_tickets, message_ids_of
from storage.work import wake
from worker.context import Context
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


ledger = typer.Typer(
    help="Every message seen on a server and its one outcome. Example: odzew ledger --json",
    invoke_without_command=True,
)
outbox = typer.Typer(
    help="What is owed and what was sent to whom. Example: odzew outbox",
    invoke_without_command=True,
)


@ledger.callback()
def show_ledger(
    command: typer.Context,
    config: Config = None,
    as_json: AsJson = False,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Only what was set aside for a person.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare with every message in the folders on the servers."),
    ] = False,
) -> None:
    """Every message seen on a server and its one outcome. Example: odzew ledger --check"""
    if command.invoked_subcommand:
        return
    context = open_context(config)
    if check:
        check_ledger(context, as_json=as_json)
        return
    with open_session(context.engine) as session:
        rows = [
            (row, reference)
            for row, reference in ledger_rows(session)
            if not quarantined or row.outcome == "quarantined"
        ]
        counts = outcome_counts(session)
    if as_json:
        print_json(ledger_object(row, reference) for row, reference in rows)
        return
    print_ledger_table(rows)
    shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    say(f"{sum(counts.values())} messages: {shown or 'none'}")


def check_ledger(context: Context, *, as_json: bool) -> None:
    """Exit 1 when the ledger lacks a message that counts, or its outcomes do not add up."""
    from worker.reconcile import compare_all

    with open_session(context.engine) as session:
        rows, outcomes = count_ledger(session), sum(outcome_counts(session).values())
    found = list(compare_all(context.settings, context.engine))
    if as_json:
        print_json(asdict(one) for one in found)
    else:
        print_table(
            "Folders",
            ("mailbox", "folder", "=on the server", "=missing", "=withheld"),
            (
                (one.mailbox, one.folder, one.on_server, len(one.missing), len(one.withheld))
                for one in found
            ),
        )
        say(f"{rows} rows of the ledger, {outcomes} outcomes")
    lacking = sum(len(one.missing) + len(one.withheld) for one in found)
    if lacking or rows != outcomes:
        say(f"{lacking} messages are on a server and not in the ledger; a pull reads them")
        raise typer.Exit(1)


RowId = Annotated[int, typer.Argument(help="The id shown by the list.")]


@ledger.command("retry")
def retry_message(row_id: RowId, config: Config = None) -> None:
    """Read a message again that was set aside. Example: odzew ledger retry 17"""
    context = open_context(config)
    with open_session(context.engine) as session:
        row = get_ledger_row(session, row_id)
        if row is None or row.outcome != "quarantined":
            raise PermanentError(
                f"message {row_id} is not set aside; see odzew ledger --quarantined"
            )
        row.outcome, row.reason = "pending", None
        wake(row, now=context.clock())
        session.add(row)
        session.commit()
    say(f"Message {row_id} will be read again by the worker.")


@ledger.command("ticket")
def ticket_anyway(row_id: RowId, config: Config = None) -> None:
    """Make a ticket of a message that was set aside. Example: odzew ledger ticket 17"""
    from worker.ingest import ticket_anyway as make_ticket

    context = open_context(config)
    with open_session(context.engine) as session:
        row = get_ledger_row(session, row_id)
    if row is None or row.outcome != "quarantined":
        raise PermanentError(f"message {row_id} is not set aside; see odzew ledger --quarantined")
    say(f"Message {row_id} is ticket {make_ticket(context, row)}.")


@ledger.command("raw")
def raw_message(row_id: RowId, config: Config = None) -> None:
    """The unchanged bytes, to standard output. Example: odzew ledger raw 17 > mail.eml"""
    context = open_context(config)
    with open_session(context.engine) as session:
        row = get_ledger_row(session, row_id)
        if row is None or row.sha256 is None:
            raise PermanentError(f"there are no bytes of a message {row_id}; see odzew ledger")
        sys.stdout.buffer.write(raw_bytes(session, context.files, row.sha256))


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


@outbox.callback()
def show_outbox(command: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    """What is owed and what was sent to whom. Example: odzew outbox --json"""
    if command.invoked_subcommand:
        return
    context = open_context(config)
    with open_session(context.engine) as session:
        rows = list(outbox_rows(session))
    if as_json:
        print_json(outbox_object(row, reference) for row, reference in rows)
    else:
        print_outbox_table(rows)


@outbox.command("mark-sent")
def mark_sent(row_id: RowId, config: Config = None) -> None:
    """An acknowledgement of unknown fate did arrive. Example: odzew outbox mark-sent 5"""
    _decide(row_id, config, sent=True)


@outbox.command("send-again")
def send_again(row_id: RowId, config: Config = None) -> None:
    """Send the same bytes once more, of unknown fate or failed.

    Example: odzew outbox send-again 5
    """
    _decide(row_id, config, sent=False)


def _decide(row_id: int, config: Path | None, *, sent: bool) -> None:
    context = open_context(config)
    with open_session(context.engine) as session:
        row = get_outbox_row(session, row_id)
        if (
            row is None
            or row.state not in ("unknown", "failed")
            or (sent and row.state == "failed")
        ):
            raise PermanentError(f"message {row_id} is not undecided; see odzew outbox")
        decide_delivery(session, row, sent=sent, now=context.clock())
        session.commit()
    say(f"Message {row_id} {'counts as sent' if sent else 'will be sent again'}.")


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
    as_json: AsJson = False,
) -> None:
    """Take old mail or labelled cases into the archive: no acknowledgement, no clock.

    Importing the same path again adds nothing. Example: odzew import old-complaints.mbox
    """
    from worker.archive_import import import_path

    context = open_context(config)
    with only_worker(context), Progress(console=errors) as progress:
        task = progress.add_task(f"importing {path.name}", total=None)
        counts = import_path(context, path, on_progress=lambda done: progress.advance(task, done))
    if as_json:
        print_json([{"path": str(path)} | counts])
        return
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
        raise typer.BadParameter(f"{what!r} cannot be paused; allowed: acknowledgements, worker")
    context = open_context(config)
    with open_session(context.engine) as session:
        set_paused(session, what=what, paused=paused, now=context.clock())
        session.commit()
    say(f"{what}: {'paused' if paused else 'running'}")
