import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.logs import FIELDS, JsonFormatter

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
    assert "KeyError: 'x'" in entry["error"]
    assert "test_logs.py" in entry["error"]


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
    assert events == ["ours", "their warning"]
    assert done.stdout == ""
