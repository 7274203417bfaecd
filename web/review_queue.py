"""The queue: which ticket to answer next, and what a person has to know before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from config.alarm_texts import AlarmText, alarm_text
from storage.alarms import standing_alarms
from storage.database import Session
from storage.reports import Attention, attention
from storage.tables import STATUSES, URGENCIES, Ticket
from storage.tickets import OPEN, QueueFilter, count_tickets, queue, queue_summary
from web.formats import Due
from web.pages import SignedIn, Visit

router = APIRouter()

# Of the others the page says the same by what it reads itself: ``storage.reports.attention``.
SHOWN_ALARMS = (
    "mailbox_failing",
    "mailbox_silent",
    "ledger_gaps",
    "classifier_missing",
    "disk_low",
)
PER_PAGE = 25
LONGEST_SEARCH = 200  # characters (F-13)


@dataclass(frozen=True)
class Row:
    ticket: Ticket
    due: Due


@dataclass(frozen=True)
class Tile:
    """A figure above the queue that leads to the tickets it counts."""

    code: str
    count: int
    href: str
    is_chosen: bool


@dataclass(frozen=True)
class Choice:
    """The filter as it stands in the address of the page; what is not known counts as absent."""

    status: str = "open"
    review: bool = False
    cause: str = ""
    urgency: str = ""
    due: str = ""  # today | overdue
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Choice":
        status, urgency, due = query.get("status"), query.get("urgency"), query.get("due")
        page = query.get("page", "")
        return cls(
            status=status if status in (*STATUSES, "all") else "open",
            review=query.get("review") == "1",
            cause=query.get("cause", "")[:40],
            urgency=urgency if urgency in URGENCIES else "",
            due=due if due in ("today", "overdue") else "",
            text=query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH],
            page=max(1, int(page)) if page.isdecimal() and len(page) <= 6 else 1,
        )

    @property
    def is_narrow(self) -> bool:
        return self.href() != "/"

    def href(self, *, page: int = 1) -> str:
        """The address that shows this choice, without what is the default anyway."""
        query = {
            "status": "" if self.status == "open" else self.status,
            "review": "1" if self.review else "",
            "cause": self.cause,
            "urgency": self.urgency,
            "due": self.due,
            "q": self.text,
            "page": str(page) if page > 1 else "",
        }
        present = {name: value for name, value in query.items() if value}
        return f"/?{urlencode(present)}" if present else "/"

    def wanted(self, *, today: date) -> QueueFilter:
        return QueueFilter(
            status=None if self.status == "all" else self.status,
            needs_review=True if self.review else None,
            cause=self.cause or None,
            urgency=self.urgency or None,
            text=self.text,
            due_on=today if self.due == "today" else None,
            due_before=today if self.due == "overdue" else None,
        )


@router.get("/")
def show_queue(visit: SignedIn) -> Response:
    formats = visit.formats
    choice = Choice.read(visit.request.query_params)
    wanted = choice.wanted(today=formats.today)
    count = count_tickets(visit.db, wanted)
    pages = max(1, -(-count // PER_PAGE))
    page = min(choice.page, pages)
    tickets = queue(visit.db, wanted, offset=(page - 1) * PER_PAGE, limit=PER_PAGE)
    first = (page - 1) * PER_PAGE + 1
    known = attention(visit.db)
    return visit.page(
        "queue.html",
        rows=[
            Row(ticket, formats.due(ticket.due_safe, is_open=ticket.status in OPEN))
            for ticket in tickets
        ],
        tiles=_tiles(visit.db, choice, today=formats.today),
        choice=choice,
        statuses=STATUSES,
        causes=visit.site.taxonomy.causes,
        urgencies=URGENCIES,
        count=count,
        span=(first, first + len(tickets) - 1),
        newer=choice.href(page=page - 1) if page > 1 else "",
        older=choice.href(page=page + 1) if page < pages else "",
        attention=known,
        alarms=_other_alarms(visit, known),
        is_empty=not count and not choice.is_narrow and _has_no_ticket(visit),
    )


def _tiles(session: Session, choice: Choice, *, today: date) -> list[Tile]:
    counts = queue_summary(session, today=today)
    targets = {
        "open": Choice(),
        "today": Choice(due="today"),
        "overdue": Choice(due="overdue"),
        "critical": Choice(urgency="critical"),
        "needs_review": Choice(review=True),
    }
    return [
        Tile(code, counts[code], target.href(), target.href() == choice.href())
        for code, target in targets.items()
    ]


def _other_alarms(visit: Visit, known: Attention) -> list[AlarmText]:
    """Open alarms about what nothing else on the page says."""
    said = {(trouble.mailbox, trouble.folder) for trouble in known.mailboxes}
    return [
        alarm_text(alarm.kind, alarm.detail, visit.language, timezone=visit.formats.timezone)
        for alarm in standing_alarms(visit.db, now=visit.now, kinds=SHOWN_ALARMS)
        if alarm.kind != "mailbox_failing"
        or (alarm.detail.get("mailbox"), alarm.detail.get("folder")) not in said
    ]


def _has_no_ticket(visit: Visit) -> bool:
    return count_tickets(visit.db, QueueFilter()) == 0
