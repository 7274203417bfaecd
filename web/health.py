"""For load balancers and supervisors: is the process alive, can it work."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from config.settings import Mailbox
from storage.database import DATABASE_DOWN, Session, is_schema_current, open_session
from storage.reports import is_reachable
from storage.troubles import all_cursors, last_reading
from web.site import Site

router = APIRouter()

MISSED_POLLS = 5
LEAST_PATIENCE = timedelta(minutes=1)


@router.get("/healthz")
def alive() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(request: Request) -> PlainTextResponse:
    """Database, schema and worker are as they should be; else the one word that is not."""
    wrong = what_is_wrong(request.app.state.site)
    return PlainTextResponse(f"{wrong or 'ok'}\n", status_code=503 if wrong else 200)


def what_is_wrong(site: Site) -> str:
    """``database``: no answer; ``schema``: another version's; ``worker``: it reads nothing.

    A mailbox that fails alone is an alarm, and no reason to call odzew not ready.
    """
    try:
        if not is_schema_current(site.engine):
            return "schema"
        if not is_reachable(site.engine):
            return "database"
        with open_session(site.engine) as session:
            mailboxes = site.settings.mailboxes
            is_at_work = not mailboxes or _reads(session, mailboxes, now=site.clock())
    except DATABASE_DOWN:
        return "database"
    return "" if is_at_work else "worker"


def _reads(session: Session, mailboxes: list[Mailbox], *, now: datetime) -> bool:
    """Whether some mailbox was read within five of its polls, or mail comes in just now."""
    cursors = all_cursors(session)
    for mailbox in mailboxes:
        patience = max(MISSED_POLLS * timedelta(seconds=mailbox.poll_seconds), LEAST_PATIENCE)
        for cursor in cursors:
            if cursor.mailbox == mailbox.name:
                last = last_reading(session, cursor)
                if last is not None and now - last <= patience:
                    return True
    return False
