"""What goes on around the nodes of ``bench.chaos``: mail arrives, lines break, servers refuse."""

import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from random import Random

from bench.chaos_mails import Post, answers
from tests.rigs import Dovecot, Fault, FaultProxy, SmtpCatcher

TICK = 0.25  # seconds
ANSWERED = 0.04  # of the acknowledgements
FINAL_DOT = rb"\r\n\.\r\n"


def imap_fault(random: Random) -> Fault:
    """What happens to a connection; three of four pass."""
    if random.random() < 0.75:
        return Fault()
    kind = random.choices(
        ("cut", "rst", "stall", "refuse", "dribble", "blackhole"), (6, 6, 5, 4, 1, 1)
    )[0]
    after = int(10 ** random.uniform(1, 5.7))
    seconds = random.uniform(0.5, 8) if kind == "stall" and random.random() < 0.9 else None
    return Fault(kind, after=after, seconds=seconds)  # type: ignore[arg-type] - one of its words


def smtp_fault(random: Random) -> Fault:
    """The same before the server of acknowledgements; the most delicate moments most often."""
    if random.random() < 0.8:
        return Fault()
    broken = random.choice(("cut", "rst"))
    return random.choice(
        (
            Fault("refuse"),
            Fault(broken, after=random.randrange(1500)),
            Fault("stall", after=random.randrange(1500), seconds=random.uniform(0.5, 5)),
            Fault(broken, on=rb"(?i)\r\ndata\r\n|^data\r\n", forward=random.random() < 0.5),
            Fault(broken, on=FINAL_DOT, forward=False),
            Fault(broken, on=FINAL_DOT),
            Fault(broken, on=FINAL_DOT),
        )
    )


def plan_refusal(catcher: SmtpCatcher, random: Random) -> None:
    """One message, or one connection, for which the server has another answer."""
    refusals = {
        "mail": "451 4.3.0 later",
        "rcpt": random.choice(("450 4.2.0 greylisted",) * 3 + ("550 5.1.1 no such user",)),
        "data": "451 4.3.2 later",
        "message": random.choice(("452 4.3.1 no space",) * 3 + ("554 5.7.1 not wanted",)),
    }
    match random.choices(("refuse", "drop", "taken and dropped", "silent"), (10, 6, 6, 1))[0]:
        case "refuse":
            stage = random.choice(list(refusals))
            catcher.refuse(stage, refusals[stage])  # type: ignore[arg-type] - one of its words
        case "drop":
            catcher.drop(random.choice(("connect", "helo", "mail", "rcpt", "data", "message")))
        case "taken and dropped":
            catcher.drop("message", accepted=True)
        case _:
            catcher.fall_silent(random.choice(("helo", "rcpt")))


class World(threading.Thread):
    """Brings the mails as the run goes on, and trouble until ``calm``."""

    def __init__(
        self,
        dovecot: Dovecot,
        users: Sequence[str],
        post: Sequence[Post],
        lines: tuple[FaultProxy, FaultProxy],
        catcher: SmtpCatcher,
        *,
        seed: int,
        share: Callable[[], float],
    ) -> None:
        """share: how much of the post should have arrived by now, 0 to 1."""
        super().__init__(name="world", daemon=True)
        self.stored: list[bytes] = []  # every mail that lies in a mailbox, as often as it does
        self.answered = 0
        self.calm = threading.Event()  # no trouble any more
        self.error: Exception | None = None
        self._dovecot, self._users, self._post = dovecot, users, post
        self.imap, self.smtp = self._lines = lines
        self.catcher, self._share = catcher, share
        self._random = Random(f"{seed} world")
        self._seen = 0  # acknowledgements
        self._planned = 0  # answers that the server will give in place of the usual ones
        self._brought = 0
        for line, fault in zip(lines, (imap_fault, smtp_fault), strict=True):
            line.plan.extend(fault(self._random) for _ in range(50_000))

    def run(self) -> None:
        try:
            while self._brought < len(self._post) or not self.calm.is_set():
                self._bring(self._post[self._brought : int(self._share() * len(self._post))])
                if not self.calm.wait(TICK):
                    self._answer()
                    self._refuse()
                for line in self._lines:
                    line.transcript.clear()  # nobody reads it, and it holds every byte
        except Exception as error:
            self.error = error

    def become_calm(self) -> None:
        """All mail is there, nothing breaks any more."""
        for line in self._lines:
            line.plan.clear()
        self.calm.set()
        self.join()
        if self.error:
            raise self.error

    def _bring(self, letters: Sequence[Post]) -> None:
        for start in range(0, len(letters), 50):
            by_place = sorted(letters[start : start + 50], key=lambda letter: letter[0])
            for place, group in groupby(by_place, key=lambda letter: letter[0]):
                mails = [mail for _, mail in group]
                self._dovecot.append(self._users[place], *mails)
                self.stored += mails
        self._brought += len(letters)

    def _refuse(self) -> None:
        """Now and then, and never so many at once that no message would come through."""
        if self._random.random() < 0.1 and self._planned - self.catcher.struck.total() < 2:
            plan_refusal(self.catcher, self._random)
            self._planned += 1

    def _answer(self) -> None:
        arrived = self.catcher.mails[self._seen :]
        self._seen += len(arrived)
        chosen = [mail.content for mail in arrived if self._random.random() < ANSWERED]
        for answer in answers(chosen, self._random):
            self._dovecot.append(self._random.choice(self._users), answer)
            self.stored.append(answer)
            self.answered += 1
