"""The main job, end to end: a complaint becomes a triaged ticket, one acknowledgement, a row."""

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.desk import Desk, configuration

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.rigs import Dovecot, SmtpCatcher

MakeDesk = Callable[..., Desk]

COMPLAINT = """\
From: =?UTF-8?Q?Anna_Wi=C5=9Bniewska?= <anna@klientka.example.com>
To: reklamacje@sklep.test
Subject: =?UTF-8?Q?St=C5=82uczony_wazon=2C_zam=C3=B3wienie_ZP-4711?=
Message-ID: <stluczony.wazon@klientka.example.com>
Date: Fri, 20 Nov 2026 10:00:00 +0100
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-2
Content-Transfer-Encoding: 8bit

Dzień dobry,

wczoraj kurier przywiózł wazon z zamówienia ZP-4711. Karton był zgnieciony, a wazon
w środku rozbity na kawałki. Proszę o wysłanie nowego.

Anna Wiśniewska
""".replace("\n", "\r\n").encode("iso-8859-2")

OUT_OF_OFFICE = """\
From: Jan Kowal <jan@hurtownia.example.com>
To: reklamacje@sklep.test
Subject: Automatyczna odpowiedź: zapytanie
Message-ID: <urlop@hurtownia.example.com>
Date: Fri, 20 Nov 2026 10:05:00 +0100
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Jestem na urlopie do 30 listopada.
""".replace("\n", "\r\n").encode()


@pytest.fixture
def make_desk(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> Callable[..., tuple[Desk, str]]:
    def make(**changes: object) -> tuple[Desk, str]:
        user = dovecot.new_user()
        values = {"user": user, "imap_port": dovecot.imap_port, "smtp_port": catcher.port}
        text = configuration(**(values | changes))  # type: ignore[arg-type]
        return Desk(tmp_path / "desk", text, ODZEW_TEST_PASSWORD=dovecot.password), user

    return make


def test_a_complaint_is_triaged_acknowledged_once_and_seen_in_the_queue(
    make_desk: Callable[..., tuple[Desk, str]],
    dovecot: "Dovecot",
    catcher: "SmtpCatcher",
    browser_page: "Page",
) -> None:
    desk, user = make_desk(web_port=0)
    dovecot.append(user, COMPLAINT, OUT_OF_OFFICE)

    desk.run("worker", "--once")

    [ticket] = desk.objects("tickets")
    assert ticket["requester_addr"] == "anna@klientka.example.com"
    assert ticket["cause"] == "damaged_in_transit"
    assert ticket["subject"] == "Stłuczony wazon, zamówienie ZP-4711"
    assert ticket["order_numbers"] == ["ZP-4711"]
    assert ticket["language"] == "pl"
    assert ticket["due_at"]
    assert [row["outcome"] for row in desk.objects("ledger")] == ["ticket", "automatic"]

    [sent] = catcher.mails
    assert sent.recipients == ("anna@klientka.example.com",)
    reply = message_from_bytes(sent.content, policy=policy.default)
    assert ticket["reference"] in reply["Subject"]
    assert reply["Auto-Submitted"] == "auto-replied"
    assert reply["In-Reply-To"] == "<stluczony.wazon@klientka.example.com>"
    assert "Sklep Przykładny" in reply.get_content()

    # Once more over the same mailbox: nothing is created and nothing is sent (D-P3, D-P5).
    desk.run("worker", "--once")
    assert len(desk.objects("ledger")) == 2
    assert len(desk.objects("tickets")) == 1
    assert len(catcher.mails) == 1
    [owed] = desk.objects("outbox")
    assert owed["state"] == "sent"

    with desk.start("web") as page:
        assert page.stdout is not None
        link = next(
            word for line in page.stdout for word in line.split() if "/sign-in/link" in word
        )
        browser_page.goto(link)
        browser_page.get_by_role("button", name="Zaloguj się").click()
        browser_page.get_by_text(ticket["reference"]).first.wait_for()
        assert "Stłuczony wazon" in browser_page.content()
        page.terminate()
        page.communicate(timeout=15)
    assert page.returncode == 0
