"""The command line: which command is which function.

The modules of commands import what they need when a command runs, so that ``odzew --help`` and
``odzew web`` start without the machine-learning libraries.
"""

import sys
from typing import Annotated

import typer

from config.errors import OdzewError
from odzew import (
    __version__,
    admin_commands,
    classifier_commands,
    demo_command,
    mail_commands,
    mailbox_commands,
    run_commands,
    stored_commands,
)

app = typer.Typer(
    name="odzew",
    help="A complaint desk: mail in, tickets with a clock, one correct acknowledgement out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo_command.demo)
app.command("run")(run_commands.run)
app.command("worker")(run_commands.worker)
app.command("fleet")(run_commands.fleet)
app.command("web")(run_commands.web)
app.command("parse")(mail_commands.parse)
app.command("classify")(mail_commands.classify)
app.command("acknowledge")(mail_commands.acknowledge)
app.command("tickets")(stored_commands.tickets)
app.command("import")(stored_commands.import_)
app.command("pause")(stored_commands.pause)
app.command("resume")(stored_commands.resume)
app.command("doctor")(admin_commands.doctor)
app.add_typer(stored_commands.ledger, name="ledger")
app.add_typer(stored_commands.outbox, name="outbox")
app.add_typer(mailbox_commands.app, name="mailboxes")
app.add_typer(classifier_commands.app, name="classifiers")
app.add_typer(admin_commands.users, name="users")
app.add_typer(admin_commands.db, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"odzew {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of a failure.")
    ] = False,
) -> None:
    """Options that stand before a command."""


def main() -> None:
    """Run a command; a failure that we understand is one sentence and exit status 1."""
    try:
        app()
    except OdzewError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"odzew: {error}", err=True)
        sys.exit(1)
