"""What a machine must not decide: a person does, by one command."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.desk import Desk, configuration
from tests.acceptance.test_complaint import COMPLAINT
from tests.acceptance.test_outages import numbered

if TYPE_CHECKING:
    from tests.rigs import Dovecot, SmtpCatcher


def a_desk(folder: Path, dovecot: "Dovecot", catcher: "SmtpCatcher") -> tuple[Desk, str]:
    user = dovecot.new_user()
    text = configuration(user=user, imap_port=dovecot.imap_port, smtp_port=catcher.port)
    return Desk(folder / "desk", text, ODZEW_TEST_PASSWORD=dovecot.password), user


def test_an_unknown_delivery_is_decided_by_a_person(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    desk, user = a_desk(tmp_path, dovecot, catcher)
    dovecot.append(user, numbered(1), numbered(2))
    catcher.drop("message", accepted=True, times=2)
    desk.run("worker", "--once")
    assert [row["state"] for row in desk.objects("outbox")] == ["unknown", "unknown"]

    desk.run("outbox", "mark-sent", "1")
    desk.run("outbox", "send-again", "2")
    desk.run("worker", "--once")

    assert [row["state"] for row in desk.objects("outbox")] == ["sent", "sent"]
    assert len(catcher.mails) == 3
    assert catcher.mails[1].content == catcher.mails[2].content
    assert "not undecided" in desk.run("outbox", "send-again", "1", status=1).stderr


def test_the_unchanged_bytes_can_be_had_back(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    desk, user = a_desk(tmp_path, dovecot, catcher)
    plain = COMPLAINT.decode("iso-8859-2").encode("ascii", "replace")
    dovecot.append(user, plain)
    desk.run("worker", "--once", "--steps", "pull,ingest")
    raw = desk.run("ledger", "raw", "1").stdout
    assert raw.splitlines() == plain.decode().splitlines()
    assert desk.objects("ledger", "--quarantined") == []
    assert "is not set aside" in desk.run("ledger", "retry", "1", status=1).stderr


def test_a_message_that_was_set_aside_is_read_again_when_a_person_says_so(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    desk, user = a_desk(tmp_path, dovecot, catcher)
    dovecot.append(user, COMPLAINT)
    desk.run("worker", "--once", "--steps", "pull")
    with closing(sqlite3.connect(desk.folder / "var" / "odzew.db")) as connection, connection:
        connection.execute(
            "UPDATE raw_message SET outcome = 'quarantined', next_attempt_at = NULL, attempts = 3"
        )
    [aside] = desk.objects("ledger", "--quarantined")
    desk.run("ledger", "retry", str(aside["id"]))
    desk.run("worker", "--once")
    assert desk.objects("ledger", "--quarantined") == []
    assert [row["outcome"] for row in desk.objects("ledger")] == ["ticket"]


def test_a_message_that_cannot_be_read_becomes_a_ticket_when_a_person_says_so(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    desk, user = a_desk(tmp_path, dovecot, catcher)
    dovecot.append(user, COMPLAINT)
    desk.run("worker", "--once", "--steps", "pull")
    with closing(sqlite3.connect(desk.folder / "var" / "odzew.db")) as connection, connection:
        connection.execute(
            "UPDATE raw_message SET outcome = 'quarantined', next_attempt_at = NULL, attempts = 3,"
            " reason = 'the parser died'"
        )
    assert "ODZ-" in desk.run("ledger", "ticket", "1").stdout
    [ticket] = desk.objects("tickets")
    assert (ticket["requester_status"], ticket["acknowledged_at"]) == ("missing", None)
    assert ticket["due_at"] is not None
    assert [row["outcome"] for row in desk.objects("ledger")] == ["ticket"]
    assert "is not set aside" in desk.run("ledger", "ticket", "1", status=1).stderr
    desk.run("ledger", "--check")


def test_a_backup_is_made_and_restored_by_two_commands(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    desk, user = a_desk(tmp_path, dovecot, catcher)
    dovecot.append(user, numbered(1), numbered(2))
    desk.run("worker", "--once", "--steps", "pull,ingest")
    desk.run("db", "backup", "backups")
    [copy] = (desk.folder / "backups").iterdir()
    assert "not empty" in desk.run("db", "restore", str(copy), status=1).stderr
    (desk.folder / "var").rename(desk.folder / "lost")
    assert "2 acknowledgements of unknown fate" in desk.run("db", "restore", str(copy)).stdout
    assert len(desk.objects("tickets")) == 2
    assert [row["state"] for row in desk.objects("outbox")] == ["unknown", "unknown"]
