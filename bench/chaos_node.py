"""One node of ``bench.chaos``: `odzew fleet` with a simulated classifier, and a board that tells.

The board is a small file in memory: whatever the moment of its death, one sees what the node was
doing. Nothing is imported above, for the parser's process imports this module again.
"""

import mmap
import sys
from pathlib import Path
from typing import Any

STEPS = ("ingest", "assign", "deliver", "alarms", "pull")  # after 0: whether it has joined
SIZE = 256


class Board:
    """A byte for each step: 1 while it runs. Pulls of several mailboxes run side by side."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def clear(self) -> None:
        self.file.write_bytes(bytes(SIZE))

    def read(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the node has joined the fleet, and the steps at which it is."""
        said = self.file.read_bytes()
        busy = [name for number, name in enumerate(STEPS, 1) if said[number]]
        if any(said[len(STEPS) :]) and "pull" not in busy:
            busy.append("pull")
        return bool(said[0]), tuple(busy)

    def opened(self) -> mmap.mmap:
        with self.file.open("r+b") as file:
            return mmap.mmap(file.fileno(), SIZE)


def noting(steps: list[Any], board: mmap.mmap) -> list[Any]:
    """The same steps, which say on the board that they run."""
    from dataclasses import replace

    def noted(step: Any, place: int) -> Any:
        def run() -> int:
            board[place] = 1
            try:
                return int(step.run())
            finally:
                board[place] = 0

        return replace(step, run=run)

    pulls = iter(range(len(STEPS), SIZE))
    return [
        noted(step, next(pulls) if kind == "pull" else STEPS.index(kind) + 1)
        for step in steps
        for kind in [step.name.split()[0]]
    ]


def main(board: Board, configuration: Path, classifier_seconds: float) -> None:
    import os

    from bench.desk import Simulated
    from config.logs import set_up_logging
    from odzew.opening import open_context
    from odzew.run_commands import prepare_classifier, stop_on_signal
    from worker import fleet
    from worker.context import known_addresses
    from worker.parser_process import ParserProcess
    from worker.pipeline import build_steps

    set_up_logging()
    context = open_context(configuration)
    with stop_on_signal(context.stopping):
        prepare_classifier(context)
        parser = ParserProcess(known_addresses(context.settings))
        steps = build_steps(context, parser, only=STEPS, active=Simulated(classifier_seconds))
        shown = board.opened()
        node = fleet.start(noting(steps, shown), context)
        shown[0] = 1
        context.stopping.wait()
        if not fleet.stop(node, context):
            os._exit(0)
        parser.close()


if __name__ == "__main__":
    main(Board(Path(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3]))
