"""Who kills the nodes of ``bench.chaos``, when, and what of them.

A node is started again at once, as a supervisor would. Each life is drawn before it begins from
the seed; which step it is that a kill hits is left to chance.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Literal

from bench.chaos_node import Board
from bench.desk import ROOT
from tests.rigs.process import as_root

STILL_SECONDS = (22.0, 28.0)  # a lease is 20

End = Literal["group", "alone", "parser", "still"]


@dataclass(frozen=True)
class Life:
    """How long a node lives, and how that ends.

    group: the node and its parser at once. alone: the node; its parser has to notice. parser:
    the parser, and the node goes on. still: it stands still for longer than its lease, then goes
    on in the belief that nothing has happened.
    """

    early: bool  # counted from the start of the process, not from its joining of the fleet
    seconds: float
    end: End
    still: float  # seconds


def lives(random: Random) -> Iterator[Life]:
    ends: tuple[End, ...] = ("group",) * 50 + ("alone",) * 38 + ("parser",) * 10 + ("still",) * 2
    while True:
        end = random.choice(ends)
        early = end in ("group", "alone") and random.random() < 0.08
        seconds = random.uniform(0, 2.5) if early else 0.05 + random.expovariate(1 / 2.5)
        yield Life(early, seconds, end, still=random.uniform(*STILL_SECONDS))


@dataclass
class Toll:
    """What the killer has done."""

    killed: Counter[str] = field(default_factory=Counter)  # by Life.end
    at: Counter[str] = field(default_factory=Counter)  # steps that a killed node was at
    joined: int = 0  # killed nodes that had joined the fleet
    working: int = 0  # and were at a step other than alarms

    @property
    def nodes(self) -> int:
        return self.killed["group"] + self.killed["alone"]


class Place:
    """A node, and after it the next one."""

    def __init__(self, folder: Path, number: int, seed: int, arguments: Sequence[str]) -> None:
        """arguments: of bench.chaos_node, after the board."""
        self.board = Board(folder / f"board{number}")
        self.log = folder / f"node{number}.log"
        command = [sys.executable, "-m", "bench.chaos_node", str(self.board.file), *arguments]
        self._command = as_root(command)
        self._lives = lives(Random(f"{seed} {number}"))
        self._node: subprocess.Popen[bytes] | None = None
        self._ends_at: float | None = None  # None: it has not joined yet
        self._goes_on_at: float | None = None  # it stands still until then
        self._dead: list[int] = []

    def start(self) -> None:
        self.board.clear()
        with self.log.open("ab") as log:
            self._node = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._begin()

    def turn(self, toll: Toll) -> None:
        """Do what is due now."""
        assert self._node is not None
        now = monotonic()
        if self._goes_on_at is not None:
            if now > self._goes_on_at:
                self.go_on()
                self._begin()
        elif self._node.poll() is not None:
            raise SystemExit(f"a node has ended by itself:\n{self.log.read_text()[-5000:]}")
        elif self._ends_at is None:
            if self.board.read()[0]:
                self._ends_at = now + self._life.seconds
        elif now > self._ends_at:
            self._strike(toll)

    def go_on(self) -> None:
        if self._goes_on_at is not None and self._node is not None:
            self._goes_on_at = None
            os.killpg(self._node.pid, signal.SIGCONT)

    def stop(self) -> None:
        """In order."""
        self.go_on()
        if self._node is not None:
            self._node.terminate()
            self._node.wait()

    def kill(self) -> None:
        if self._node is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._node.pid, signal.SIGKILL)
            self._node.wait()

    def left_behind(self) -> int:
        """How many killed nodes have a parser that lives."""
        return sum(1 for group in self._dead if any(_parsers_of(group)))

    def _begin(self) -> None:
        self._life = next(self._lives)
        joined = self.board.read()[0]
        self._ends_at = monotonic() + self._life.seconds if self._life.early or joined else None

    def _strike(self, toll: Toll) -> None:
        assert self._node is not None
        end, pid = self._life.end, self._node.pid
        if end == "still":
            os.killpg(pid, signal.SIGSTOP)
            self._goes_on_at = monotonic() + self._life.still
        elif end == "parser":
            for parser in _parsers_of(pid):
                with suppress(ProcessLookupError):
                    os.kill(parser, signal.SIGKILL)
                    toll.killed[end] += 1
            self._begin()
            return
        else:
            (os.killpg if end == "group" else os.kill)(pid, signal.SIGKILL)
            self._node.wait()
            self._count(toll)
            self._dead.append(pid)
            self.start()
        toll.killed[end] += 1

    def _count(self, toll: Toll) -> None:
        joined, busy = self.board.read()
        toll.joined += joined
        toll.working += joined and any(step != "alarms" for step in busy)
        toll.at.update(busy if joined and busy else ["idle" if joined else "starting"])


def _parsers_of(session: int) -> Iterator[int]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.getsid(int(file.parent.name)) == session and b"spawn_main" in file.read_bytes():
                yield int(file.parent.name)


def places(
    folder: Path, count: int, seed: int, configuration: Path, classifier_ms: float
) -> list[Place]:
    return [
        Place(folder, number, seed, [str(configuration), str(classifier_ms / 1000)])
        for number in range(count)
    ]
