"""What goes wrong at the start is one sentence and exit status 1, never a traceback."""

import json
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.desk import Desk, configuration, objects_in

if TYPE_CHECKING:
    from tests.rigs import Dovecot, SmtpCatcher


@pytest.fixture
def desk(tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher") -> Desk:
    text = configuration(
        user=dovecot.new_user(), imap_port=dovecot.imap_port, smtp_port=catcher.port
    )
    return Desk(tmp_path / "desk", text, ODZEW_TEST_PASSWORD=dovecot.password)


def change(desk: Desk, before: str, after: str) -> None:
    path = desk.folder / "odzew.toml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def complaint_of(desk: Desk, *arguments: str) -> str:
    """The one line that a failing command says on standard error, log lines apart."""
    lines = desk.run(*arguments, status=1).stderr.splitlines()
    [sentence] = [line for line in lines if not line.startswith("{")]
    assert sentence.startswith("odzew: ")
    return sentence


def test_a_wrong_key_is_named(desk: Desk) -> None:
    change(desk, "own_domains", "own_domain")
    assert "shop.own_domain:" in complaint_of(desk, "worker", "--once")


def test_a_missing_configuration_says_what_to_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", "")
    (desk.folder / "odzew.toml").unlink()
    assert "odzew.example.toml" in complaint_of(desk, "run")


def test_a_wrong_password_is_said_and_the_rest_goes_on(desk: Desk) -> None:
    desk.environment["ODZEW_TEST_PASSWORD"] = "wrong"
    assert "refused the user name or password" in complaint_of(desk, "worker", "--once")


def test_a_certificate_of_nobody_we_know_is_refused(
    desk: Desk, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    text = configuration(
        user=dovecot.new_user(),
        imap_host="localhost",
        imap_port=dovecot.imaps_port,
        imap_security="tls",
        smtp_port=catcher.port,
    )
    (desk.folder / "odzew.toml").write_text(text, encoding="utf-8")
    assert "certificate is not trusted" in complaint_of(desk, "worker", "--once")
    change(desk, 'start = "all"', f'start = "all"\nca_file = "{dovecot.authority}"')
    desk.run("worker", "--once")


def test_a_port_in_use_is_named(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        change(desk, "[web]\nport = 8080", f"[web]\nport = {port}")
        for command in ("web", "run"):
            assert f"port {port} is in use" in complaint_of(desk, command)


def test_a_place_that_cannot_be_written_is_named(desk: Desk) -> None:
    # A file where the folder should be: the superuser, whom no permission stops, cannot either.
    (desk.folder / "var").write_text("in the way")
    assert "cannot be used" in complaint_of(desk, "worker", "--once")


def test_a_newer_database_is_left_alone(desk: Desk) -> None:
    desk.run("db", "upgrade")
    file = desk.folder / "var" / "odzew.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = file.read_bytes()
    assert "written by a newer one" in complaint_of(desk, "worker", "--once")
    assert file.read_bytes() == before


def test_a_second_worker_on_the_same_file_is_refused(desk: Desk) -> None:
    with desk.start("worker") as first:
        assert first.stderr is not None
        assert "worker started" in first.stderr.readline()
        assert "another worker is running" in complaint_of(desk, "worker", "--once")
        first.terminate()
        first.communicate(timeout=15)
    assert first.returncode == 0


def test_doctor_finds_each_fault_and_says_what_to_do(desk: Desk, catcher: "SmtpCatcher") -> None:
    well = desk.objects("doctor")
    assert {finding["check"] for finding in well} >= {
        "configuration",
        "database",
        "disk",
        "mailbox reklamacje",
        "smtp",
        "classifier",
        "clock",
    }
    assert all(finding["ok"] for finding in well), well
    catcher.stop()
    desk.environment["ODZEW_TEST_PASSWORD"] = "wrong"
    said = objects_in(desk.run("doctor", "--json", status=1).stdout)
    ill = {finding["check"]: finding for finding in said if not finding["ok"]}
    assert set(ill) == {"mailbox reklamacje", "smtp"}
    assert all(finding["advice"] for finding in ill.values())


def test_a_secret_never_shows(desk: Desk) -> None:
    secret = "kanarek-7f3a9"
    desk.environment["ODZEW_TEST_PASSWORD"] = secret
    for arguments in (("worker", "--once"), ("--debug", "worker", "--once"), ("doctor",)):
        done = desk.run(*arguments, status=1)
        assert secret not in done.stdout + done.stderr


def test_classify_answers_line_by_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", "")
    lines = [
        json.dumps({"id": 1, "subject": "", "body": "Gdzie moja paczka??", "kept": True}),
        "no json",
        json.dumps({"id": 3, "subject": "Zwrot", "body": "Jak odesłać buty, są za małe?"}),
    ]
    out = objects_in(desk.run("classify", "-", text="\n".join(lines), status=1).stdout)
    assert [value["id"] for value in out] == [1, None, 3]
    assert out[1]["error"].startswith("line 2: ")
    assert out[0]["kept"] is True
    for value in (out[0], out[2]):
        assert abs(sum(value["causes"].values()) - 1) < 1e-4
        assert abs(sum(value["urgencies"].values()) - 1) < 1e-4
        assert value["cause"] in value["causes"]
