"""`odzew demo`: the whole product on sample mails, with nothing to configure."""

import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from config.errors import PermanentError
from config.logs import set_up_logging
from odzew.demo_progress import progress_shown
from odzew.opening import context_for
from odzew.output import print_json, say
from odzew.run_commands import page_of, stop_on_signal, work, work_once
from odzew.shapes import ledger_object, outbox_object, ticket_object
from odzew.stored_commands import print_ledger_table, print_outbox_table, print_ticket_table
from storage.database import open_session
from storage.mail import ledger
from storage.outbox import outbox
from storage.tickets import all_tickets, message_ids_of
from worker.context import Context

FOLDER = Path("var/demo")


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Handle the samples, show what came of it, exit.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0 takes a free one.")
    ] = 8080,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: one JSON object a line.")
    ] = False,
) -> None:
    """Everything on sample mails: IMAP, SMTP, database, classifier, page. Example: odzew demo"""
    if as_json and not once:
        raise typer.BadParameter("--json goes with --once")
    try:
        import aiosmtpd  # noqa: F401
        import pymap  # noqa: F401
    except ImportError as error:
        raise PermanentError(
            f"the demo needs the package {error.name}: pip install -e '.[demo]'"
        ) from None
    if once:
        with tempfile.TemporaryDirectory(prefix="odzew-demo-") as folder:
            _demo_once(Path(folder), as_json=as_json)
    else:
        _demo(port)


def _demo(port: int) -> None:
    from odzew.demo_world import demo_settings

    say(f"This is odzew on sample mails. Everything stays on this machine, in {FOLDER}/.")
    with demo_settings(FOLDER, port=port, tell=say) as settings:
        context = context_for(settings)
        # What goes well is shown by the bars; the log says only what does not.
        set_up_logging(level=logging.WARNING)
        with (
            page_of(context),
            stop_on_signal(context.stopping),
            progress_shown(context),
        ):
            say("The worker looks for new mail every 2 seconds. Ctrl+C stops.")
            say(
                "A real mailbox: copy odzew.example.toml to odzew.toml, edit it, then "
                "`odzew doctor` and `odzew run`."
            )
            work(context)


def _demo_once(folder: Path, *, as_json: bool) -> None:
    from odzew.demo_world import demo_settings

    set_up_logging(level=logging.WARNING)
    tell = _say_nothing if as_json else say
    with demo_settings(folder, port=0, tell=tell) as settings:
        context = context_for(settings)
        if as_json:
            problems = work_once(context)
        else:
            with progress_shown(context):
                problems = work_once(context)
        _show(context, as_json=as_json)
    if problems:
        sys.exit(1)


def _say_nothing(_line: str) -> None:
    """Programs read only the objects."""


def _show(context: Context, *, as_json: bool) -> None:
    with open_session(context.engine) as session:
        seen, tickets, sent = (
            list(ledger(session)),
            list(all_tickets(session)),
            list(outbox(session)),
        )
        if as_json:
            print_json({"type": "ledger"} | ledger_object(row, ref) for row, ref in seen)
            print_json(
                {"type": "ticket"} | ticket_object(row, message_ids_of(session, row.id or 0))
                for row in tickets
            )
            print_json({"type": "outbox"} | outbox_object(row, ref) for row, ref in sent)
            return
    print_ledger_table(seen)
    print_ticket_table(tickets)
    print_outbox_table(sent)
    acknowledged = {reference for _, reference in sent}
    for ticket in tickets:
        if ticket.reference not in acknowledged:
            say(f"{ticket.reference} was not acknowledged: {ticket.acknowledgement_reason}")
