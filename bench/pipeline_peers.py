"""The fetchers of django-helpdesk and django-mailbox, by their own commands, for bench.pipeline.

Each runs in a process of its own from ``var/bench-peers``, on SQLite in WAL on the real disk with
the settings that their manuals ask for; imports and migrations are done before its clock runs.
Both mark what they have read as deleted, so each has a mailbox of its own. django-helpdesk answers
a new ticket while it reads: once it has its texts for that, once it has none and sends nothing.
"""

import json
import logging
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "var" / "bench-peers"


@dataclass(frozen=True)
class Task:
    """Where a peer reads and writes."""

    folder: str  # its database and its files
    imap: int  # port
    user: str
    password: str
    smtp: int  # port


@dataclass(frozen=True)
class Done:
    """What became of the mails: those that it stored, seconds, and those of CPU."""

    stored: int
    seconds: float
    cpu: float


def run_peer(name: str, task: Task) -> Done:
    """Let a peer empty its mailbox, in a process of its own."""
    Path(task.folder).mkdir()
    command = [sys.executable, "-m", "bench.pipeline_peers", name, json.dumps(asdict(task))]
    environment = os.environ | {"PYTHONPATH": str(PEERS)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} did not come to its end:\n{done.stderr[-3000:]}")
    return Done(**json.loads(done.stdout.splitlines()[-1]))


# In the process of its own


def helpdesk(task: Task, *, answering: bool) -> Done:
    """`manage.py get_email` of django-helpdesk on one queue."""
    set_up_django(
        task,
        "django.contrib.sites",
        "django.contrib.humanize",
        "helpdesk",
        HELPDESK_TEAMS_MODE_ENABLED=False,
        HELPDESK_ACTIVATE_API_ENDPOINT=False,
    )
    models: Any = import_module("helpdesk.models")
    import_module("helpdesk.views.staff")  # imported for the first mail otherwise
    if not answering:
        models.EmailTemplate.objects.all().delete()
    models.Queue.objects.create(
        title="Reklamacje",
        slug="reklamacje",
        email_address="reklamacje@sklep.example",
        allow_email_submission=True,
        email_box_type="imap",
        email_box_host="127.0.0.1",
        email_box_port=task.imap,
        email_box_user=task.user,
        email_box_pass=task.password,
        email_box_imap_folder="INBOX",
    )
    times = timed("get_email")
    return Done(models.FollowUp.objects.count(), *times)


def mailbox(task: Task) -> Done:
    """`manage.py getmail` of django-mailbox on one mailbox."""
    set_up_django(task, "django_mailbox")
    models: Any = import_module("django_mailbox.models")
    user, password = quote(task.user, safe=""), quote(task.password, safe="")
    uri = f"imap://{user}:{password}@127.0.0.1:{task.imap}"
    models.Mailbox.objects.create(name="reklamacje", uri=uri)
    times = timed("getmail")
    return Done(models.Message.objects.count(), *times)


COMMANDS: dict[str, Callable[[Task], Done]] = {
    "helpdesk": lambda task: helpdesk(task, answering=False),
    "helpdesk-answering": lambda task: helpdesk(task, answering=True),
    "mailbox": mailbox,
}


def set_up_django(task: Task, *applications: str, **more: object) -> None:
    folder = Path(task.folder)
    urls: Any = types.ModuleType("bench_urls")
    sys.modules["bench_urls"] = urls
    base = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "db.sqlite3"),
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"},
    }
    templates = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.request",
            ]
        },
    }
    import_module("django.conf").settings.configure(
        DEBUG=False,
        SECRET_KEY="of no use",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bench_urls",
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in base), *applications],
        DATABASES={"default": database},
        TEMPLATES=[templates],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DEFAULT_FROM_EMAIL="reklamacje@sklep.example",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=task.smtp,
        MEDIA_ROOT=str(folder / "media"),
        MEDIA_URL="/media/",
        STATIC_URL="/static/",
        SITE_ID=1,
        USE_TZ=True,
        LANGUAGE_CODE="pl",
        **more,
    )
    import_module("django").setup()
    urls.urlpatterns = []
    if "helpdesk" in applications:
        routes: Any = import_module("django.urls")
        urls.urlpatterns = [routes.path("", routes.include("helpdesk.urls", namespace="helpdesk"))]
    call("migrate", verbosity=0)
    connection: Any = import_module("django.db").connection
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)


def call(command: str, **options: object) -> None:
    import_module("django.core.management").call_command(command, **options)


def timed(command: str) -> tuple[float, float]:
    """Seconds, and those of CPU."""
    logging.disable(logging.CRITICAL)  # a line for each mail is no part of its work
    begin, worked = time.monotonic(), time.process_time()
    call(command)
    return time.monotonic() - begin, time.process_time() - worked


def main() -> None:
    name, task = sys.argv[1:]
    done = COMMANDS[name](Task(**json.loads(task)))
    sys.stdout.write(f"\n{json.dumps(asdict(done))}\n")


if __name__ == "__main__":
    main()
