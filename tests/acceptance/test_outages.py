"""A server that is away is one clear line, and nothing is lost when it is back."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.desk import Desk, configuration
from tests.acceptance.test_complaint import COMPLAINT

if TYPE_CHECKING:
    from tests.rigs import Dovecot, Postgres, SmtpCatcher


def events(lines: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


def numbered(number: int) -> bytes:
    """Each from a customer of its own: one in ten minutes to an address (B.7)."""
    return (
        COMPLAINT.replace(b"stluczony.wazon@", b"wazon%d@" % number)
        .replace(b"ZP-4711", b"ZP-%d" % (5000 + number))
        .replace(b"<anna@", b"<anna%d@" % number)
    )


def test_each_outage_is_one_line_and_loses_nothing(
    tmp_path: Path,
    dovecot: "Dovecot",
    make_catcher: Callable[..., "SmtpCatcher"],
    postgres: "Postgres",
    postgres_template: str,
) -> None:
    catcher = make_catcher()
    user = dovecot.new_user()
    database = postgres.new_database(template=postgres_template)
    desk = Desk(
        tmp_path / "desk",
        configuration(
            user=user,
            imap_port=dovecot.imap_port,
            smtp_port=catcher.port,
            database=postgres.url(database),
            more="[acknowledgements]\nper_address_per_day = 100",
        ),
        ODZEW_TEST_PASSWORD=dovecot.password,
    )
    dovecot.append(user, *(numbered(n) for n in range(3)))
    lines: list[str] = []
    arrived = threading.Condition()

    def said(event: str) -> list[dict[str, object]]:
        return [e for e in events("".join(lines)) if e["event"] == event]

    def seen(event: str, step: str) -> bool:
        return any(e.get("step") == step for e in said(event))

    def wait_until_handled(number: int) -> None:
        # The catcher has a message a moment before the worker has noted so: an outage in between
        # would make the outcome unknown, as it should, which another test is about.
        with arrived:
            assert arrived.wait_for(
                lambda: sum("message handled" in line for line in lines) >= number, timeout=60
            )

    def wait_for(event: str, step: str) -> None:
        with arrived:
            assert arrived.wait_for(lambda: seen(event, step), timeout=60), "".join(lines)

    with desk.start("worker") as worker:

        def listen() -> None:
            assert worker.stderr is not None
            for line in worker.stderr:
                with arrived:
                    lines.append(line)
                    arrived.notify_all()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            wait_until_handled(3)
            catcher.stop()
            dovecot.append(user, numbered(3))
            wait_for("step failed", "deliver")
            catcher.start()
            wait_for("step works again", "deliver")
            wait_until_handled(4)

            dovecot.stop()
            wait_for("step failed", "pull reklamacje")
            dovecot.start()
            dovecot.append(user, numbered(4))
            wait_until_handled(5)

            postgres.stop()
            with arrived:
                assert arrived.wait_for(
                    lambda: any(
                        "the database" in str(e.get("problem")) for e in said("step failed")
                    ),
                    timeout=60,
                )
            postgres.start()
            dovecot.append(user, numbered(5))
            wait_until_handled(6)
        finally:
            worker.terminate()
            worker.wait(timeout=12)
            listener.join()
    assert worker.returncode == 0, "".join(lines)

    outcomes = [row["outcome"] for row in desk.objects("ledger")]
    assert outcomes == ["ticket"] * 6
    assert [row["state"] for row in desk.objects("outbox")] == ["sent"] * 6
    assert len({mail.content for mail in catcher.mails}) == len(catcher.mails) == 6
    # One line when an outage begins and one when it is over, however many attempts and steps.
    assert len(said("step failed")) == 3, "".join(lines)
    assert len(said("step works again")) == 3
    assert all("Traceback" not in line for line in lines), "".join(lines)
