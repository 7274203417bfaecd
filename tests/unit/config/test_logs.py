import json
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import TemporaryError
from config.logs import FIELDS, JsonFormatter, without_addresses

ROOT = Path(__file__).parents[3]


def line(event: str = "mail stored", *, error: Exception | None = None, **extra: object) -> str:
    record = logging.LogRecord("worker.pull", logging.INFO, __file__, 1, event, (), None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    record.__dict__.update(extra)
    return JsonFormatter().format(record)


def test_a_record_is_one_json_object_on_one_line():
    before = datetime.now(UTC)
    text = line(mailbox="reklamacje", count=3)
    entry = json.loads(text)
    at = datetime.fromisoformat(entry.pop("at"))
    assert entry == {"level": "info", "event": "mail stored", "mailbox": "reklamacje", "count": 3}
    assert abs((at - before).total_seconds()) < 5
    assert at.utcoffset() == UTC.utcoffset(None)
    assert "\n" not in text


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x00b", "a\x07b"])
def test_control_characters_come_out_escaped(text):
    """E-10, E-55: nobody forges a line, and nothing drives the terminal."""
    written = line(text, problem=text)
    assert not any(ord(character) < 32 for character in written)
    entry = json.loads(written)
    assert (entry["event"], entry["problem"]) == (text, text)


@pytest.mark.parametrize("name", ["recipient", "address", "subject", "body", "text", "password"])
def test_a_field_that_is_not_listed_is_not_written(name):
    assert "anna@klient.example" not in line(**{name: "anna@klient.example"})


def test_every_listed_field_is_written():
    given = {name: f"value of {name}" for name in FIELDS}
    assert json.loads(line(**given)).items() >= given.items()


def test_a_field_without_a_value_is_left_out():
    assert "mailbox" not in json.loads(line(mailbox=None))


def test_what_is_too_long_is_cut():
    entry = json.loads(line("x" * 5000, problem="y" * 5000))
    assert (len(entry["event"]), len(entry["problem"])) == (200, 300)


def test_a_value_that_json_does_not_know_is_written_as_text():
    assert json.loads(line(reason=Path("a"), seconds=1.5)).items() >= {"seconds": 1.5}.items()


def test_an_error_comes_with_its_traceback():
    try:
        raise KeyError("x")
    except KeyError as error:
        entry = json.loads(line(error=error))
    assert entry["error"].splitlines()[-1] == "KeyError"
    assert "test_logs.py" in entry["error"]
    assert 'raise KeyError("x")' in entry["error"]


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


MAIL = "Anna Nowak <anna@klient.example> pisze: talerze się stłukły"


def test_what_a_bug_was_given_is_not_told():
    """It may be a customer's text; the type and the place find the bug."""
    error = json.loads(line(error=raised(ValueError(MAIL), KeyError(MAIL))))["error"]
    assert "Anna" not in error
    assert "talerze" not in error
    assert error.splitlines()[-1] == "ValueError"
    assert error.index("KeyError") < error.index("which led to:") < error.index("ValueError")


def test_our_own_errors_and_the_systems_say_what_they_say():
    for error in (TemporaryError("the server is busy"), OSError(28, "No space left on device")):
        assert json.loads(line(error=raised(error)))["error"].endswith(str(error))


def test_an_error_that_caused_itself_ends():
    error = raised(ValueError())
    error.__cause__ = error
    assert "ValueError" in line(error=error)


@pytest.mark.parametrize(
    "said",
    [
        "550 5.1.1 <anna@klient.example>: no such user",
        "[AUTHENTICATIONFAILED] anna@klient.example",
        "mailto:anna@klient.example, please",
        '"anna nowak"@klient.example is unknown',
        "ANNA+1=2@KLIENT.EXAMPLE",
        "łódź.anna@klient.example",
        "x" * 3000 + "anna@klient.example",
    ],
)
def test_a_servers_words_lose_their_addresses(said):
    for name in ("problem", "reason"):
        written = json.loads(line(**{name: said}))[name].lower()
        assert "klient.example" not in written
        assert "anna@" not in written
    assert "klient" not in line(error=raised(TemporaryError(said)))


def test_where_the_database_is_stays_readable():
    said = "the database postgresql+psycopg://odzew:***@db.sklep.example/odzew cannot be used"
    assert json.loads(line(problem=said))["problem"] == said


def test_a_mailbox_is_called_as_the_shop_calls_it():
    entry = json.loads(line(mailbox="reklamacje@sklep.example", step="pull a@sklep.example"))
    assert (entry["mailbox"], entry["step"]) == ("reklamacje@sklep.example", "pull a@sklep.example")


def test_no_address_makes_the_log_slow():
    began = time.monotonic()
    without_addresses("a." * 1000 + "@")
    line(error=raised(TemporaryError("a" * 1_000_000)))
    assert time.monotonic() - began < 1


def test_a_librarys_values_are_left_out():
    record = logging.LogRecord("imaplib", logging.WARNING, "", 1, "said %s", (MAIL,), None)
    assert json.loads(JsonFormatter().format(record))["event"] == "imaplib: said %s"
    written = "Task failed for anna@klient.example\nfuture: talerze"
    record = logging.LogRecord("asyncio", logging.ERROR, "", 1, written, (), None)
    assert json.loads(JsonFormatter().format(record))["event"] == (
        "asyncio: Task failed for [address]"
    )
    record = logging.LogRecord("x", logging.ERROR, "", 1, ValueError(MAIL), (), None)
    assert json.loads(JsonFormatter().format(record))["event"] == "x: ValueError"


def test_our_packages_speak_from_information_on_and_libraries_from_warnings_on():
    program = """
import logging
from config.logs import set_up_logging
set_up_logging()
set_up_logging()
logging.getLogger("worker.pull").info("ours")
logging.getLogger("worker.pull").debug("too much of ours")
logging.getLogger("imapclient").info("theirs")
logging.getLogger("imapclient").warning("their warning")
logging.getLogger("apscheduler.executors").warning("each tick")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    events = [json.loads(entry)["event"] for entry in done.stderr.splitlines()]
    assert events == ["ours", "imapclient: their warning"]
    assert done.stdout == ""
