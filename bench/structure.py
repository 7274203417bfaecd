"""``python -m bench.structure``: taking a mail apart into fields and parts, and nothing more.

Three readers on the mails of ``bench.parse``, one core, in turns: odzew's own, the standard
library with ``compat32``, and fast-mail-parser, which is written in Rust (``var/bench-peers``).
Beside the speed: over how many mails of ``tests/corpus`` each raises an error, and in how many of
those about charsets and broken MIME the text is not what was written.
"""

import email
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from email import policy
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.parse import MAILS, PEERS, ROUNDS, cpu_model, made
from worker.structure import read

CORPUS = Path("tests/corpus")
Reader = Callable[[bytes], object]


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.path.append(str(PEERS))
    readers: dict[str, Reader] = {"odzew": read, "standard library, compat32": compat32}
    if PEERS.exists():
        readers["fast-mail-parser"] = import_module("fast_mail_parser").parse_email
    mails = [mail.raw for mail in made()]
    took: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, reader in readers.items():
            took[name].append(seconds(reader, mails))
    table = Table(title=f"{MAILS} mails, {cpu_model()}, load {os.getloadavg()[0]:.1f} at the end")
    for column in ("reader", "mails/s", "ms a mail", "raises on", "wrong words"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for name, reader in readers.items():
        middle = statistics.median(took[name]) / len(mails)
        raised, total = failures(reader)
        wrong = wrong_words(reader) if name == "fast-mail-parser" else ""
        table.add_row(
            name, f"{1 / middle:.0f}", f"{1000 * middle:.2f}", f"{raised} of {total}", wrong
        )
    Console().print(table)


def compat32(raw: bytes) -> object:
    message = email.message_from_bytes(raw, policy=policy.compat32)
    for part in message.walk():
        if not part.is_multipart():
            part.get_payload(decode=True)
    return message


def seconds(reader: Reader, mails: Sequence[bytes]) -> float:
    begin = time.process_time()
    for raw in mails:
        reader(raw)
    return time.process_time() - begin


def failures(reader: Reader) -> tuple[int, int]:
    files = sorted(CORPUS.rglob("*.eml"))
    raised = 0
    for file in files:
        try:
            reader(file.read_bytes())
        except Exception:
            raised += 1
    return raised, len(files)


def wrong_words(reader: Callable[[bytes], Any]) -> str:
    """Of the mails about charsets, those of whose words it does not give one that was written."""
    wrong = asked = 0
    folder = CORPUS / "charsets"
    for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines():
        expected = json.loads(line)
        words = expected["expect"].get("body_contains", [])
        asked += 1
        try:
            mail = reader((folder / expected["file"]).read_bytes())
            text = " ".join("\n".join([*mail.text_plain, *mail.text_html]).split())
        except Exception:
            text = ""
        wrong += not all(" ".join(word.split()) in text for word in words)
    return f"in {wrong} of {asked}"


if __name__ == "__main__":
    main()
