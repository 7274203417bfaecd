"""What benches with a whole installation share: its configuration, and a classifier of sleep."""

import time
from collections.abc import Sequence
from pathlib import Path

from config.settings import load_settings
from config.taxonomy import Taxonomy
from storage.database import migrate, open_database
from storage.files import FileStore
from storage.reports import WorkLeft
from triage.triager import Triage
from worker.assign import ActiveTriager
from worker.context import Context

ROOT = Path(__file__).parents[1]
PASSWORD_VARIABLE = "ODZEW_BENCH_PASSWORD"
SHOP = """
[shop]
name = "Sklep Przykładny"
own_domains = ["sklep.test", "sklep.example"]
[database]
url = "{database}"
[storage]
path = "{storage}"
[acknowledgements]
per_domain_per_hour = 1000000
per_mailbox_per_hour = 1000000
breaker_factor = 0
[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
sender = "Sklep Przykładny <reklamacje@sklep.test>"
"""
MAILBOX = """
[[mailboxes]]
name = "{name}"
host = "127.0.0.1"
port = {imap}
security = "none"
username = "{user}"
password_env = "ODZEW_BENCH_PASSWORD"
start = "all"
idle = false
"""


def opened(configuration: Path) -> Context:
    settings = load_settings(configuration)
    engine = open_database(settings.database.url)
    migrate(engine)
    return Context(
        settings=settings,
        taxonomy=Taxonomy.load(),
        engine=engine,
        files=FileStore(settings.storage.path),
    )


def is_done(left: WorkLeft, mails: int) -> bool:
    return left.mails == mails and left.is_nothing


class Simulated(ActiveTriager):
    """A classifier that takes its time and nothing else."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get(self, _session: object) -> "Simulated":  # type: ignore[override]
        return self

    def triage(self, texts: Sequence[object]) -> list[Triage]:
        time.sleep(self._seconds * len(texts))
        return [SAID] * len(texts)


SAID = Triage(
    cause="damaged_in_transit",
    cause_confidence=0.9,
    urgency="normal",
    urgency_confidence=0.9,
    needs_review=False,
    level="automatic",
    causes={"damaged_in_transit": 0.9},
    urgencies={"normal": 0.9},
    secondary=(),
    facts=(),
    classifier="simulated",
)
