"""Commands about one mailbox: a person logs in for it at Google or Microsoft."""

import time
from typing import Annotated

import typer

from config.errors import PermanentError
from config.settings import Mailbox, load_settings
from odzew.options import Config
from odzew.output import say
from storage.columns import utc_now
from worker.oauth import AccessTokens
from worker.oauth_provider import (
    Grant,
    finish_device_login,
    finish_page_login,
    start_device_login,
    start_page_login,
)

app = typer.Typer(help="Mailboxes that log in by OAuth 2.", no_args_is_help=True)


@app.callback()
def mailboxes() -> None:
    """Mailboxes that log in by OAuth 2."""


@app.command("login")
def login(
    name: Annotated[str, typer.Argument(help="The name of the mailbox in odzew.toml.")],
    paste: Annotated[
        bool,
        typer.Option(
            "--paste",
            help="At Microsoft, too, by a page whose address is pasted here, not by a code.",
        ),
    ] = False,
    config: Config = None,
) -> None:
    """Log in for a mailbox at Google or Microsoft, in a browser on any machine.

    Example: odzew mailboxes login reklamacje
    """
    settings = load_settings(config)
    mailbox = settings.mailbox(name)
    if mailbox is None or not mailbox.oauth_client_id:
        raise PermanentError(
            f"no mailbox with oauth and oauth_client_id is named {name!r} in the configuration"
        )
    by_page = paste or mailbox.oauth == "google"
    grant = _by_page(mailbox) if by_page else _by_code(mailbox)
    if not grant.refresh_token:
        raise PermanentError(
            f"mailbox {name!r}: the provider gave no refresh token, so the login would end within "
            "the hour; check the application's permissions (offline_access)"
        )
    AccessTokens(settings, utc_now).keep(mailbox, grant)
    say(f"Logged in for {name}; a running worker goes on within five minutes. Try: odzew doctor")


def _by_code(mailbox: Mailbox) -> Grant:
    started = start_device_login(mailbox)
    say(f"Open {started.url} in any browser, enter the code {started.user_code},")
    say(f"and log in as {mailbox.username}. Waiting ...")
    return finish_device_login(mailbox, started, wait=time.sleep)


def _by_page(mailbox: Mailbox) -> Grant:
    started = start_page_login(mailbox)
    say(f"Open this address in any browser and log in as {mailbox.username}:")
    say(started.url)
    say("The last page cannot be shown: that is as it should be. Copy its address, all of it.")
    return finish_page_login(mailbox, started, typer.prompt("Address"))
