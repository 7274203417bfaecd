"""Two desks that write to each other: each acknowledges once, and then there is silence."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.desk import Desk, configuration

if TYPE_CHECKING:
    from tests.rigs import Dovecot, SmtpCatcher

ROUNDS = 3


def a_desk(
    folder: Path, dovecot: "Dovecot", catcher: "SmtpCatcher", *, domain: str
) -> tuple[Desk, str]:
    user = dovecot.new_user()
    text = configuration(user="USER", imap_port=dovecot.imap_port, smtp_port=catcher.port)
    text = text.replace("sklep.test", domain).replace("USER", user)
    return Desk(folder / domain, text, ODZEW_TEST_PASSWORD=dovecot.password), user


def a_letter(sender: str, recipient: str) -> bytes:
    text = (
        f"From: <{sender}>\nTo: <{recipient}>\nSubject: Reklamacja hurtowa\n"
        f"Message-ID: <pierwszy.{sender}>\nDate: Fri, 20 Nov 2026 10:00:00 +0100\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        "Dwie palety przyszły uszkodzone, prosimy o wymianę.\n"
    )
    return text.replace("\n", "\r\n").encode()


def test_b_l6_two_desks_wired_back_to_back_stop_after_one_acknowledgement_each(
    tmp_path: Path, dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    ours, theirs = "reklamacje@sklep.test", "reklamacje@inny.test"
    desk, user = a_desk(tmp_path, dovecot, catcher, domain="sklep.test")
    other, other_user = a_desk(tmp_path, dovecot, catcher, domain="inny.test")
    inbox = {ours: user, theirs: other_user}
    dovecot.append(user, a_letter(theirs, ours))
    dovecot.append(other_user, a_letter(ours, theirs))
    delivered = 0
    for _ in range(ROUNDS):
        desk.run("worker", "--once", "--steps", "pull,ingest,deliver")
        other.run("worker", "--once", "--steps", "pull,ingest,deliver")
        for mail in catcher.mails[delivered:]:
            [recipient] = mail.recipients
            dovecot.append(inbox[recipient], mail.content)
            delivered += 1

    assert sorted(to for mail in catcher.mails for to in mail.recipients) == [theirs, ours]
    for each in (desk, other):
        assert [row["outcome"] for row in each.objects("ledger")] == ["ticket", "automatic"]
        assert len(each.objects("outbox")) == 1
