"""`odzew demo --once`: forty samples, each with its outcome, none answered that must not be."""

import json
from collections import Counter
from pathlib import Path

from tests.acceptance.desk import ROOT, Desk

SAMPLES = ROOT / "odzew" / "samples"


def test_the_demo_handles_every_sample_as_expected(tmp_path: Path) -> None:
    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
    objects = Desk(tmp_path, "").objects("demo", "--once")
    by_type = Counter(value["type"] for value in objects)
    ledger = sorted(
        (value for value in objects if value["type"] == "ledger"), key=lambda row: row["uid"]
    )

    assert by_type["ledger"] == 40
    assert [row["outcome"] for row in ledger] == [sample["outcome"] for sample in expected]

    tickets = {v["reference"]: v for v in objects if v["type"] == "ticket"}
    assert len(tickets) == sum(sample["outcome"] == "ticket" for sample in expected)
    opened = [
        (row, sample)
        for row, sample in zip(ledger, expected, strict=True)
        if sample["outcome"] == "ticket"
    ]
    for row, sample in opened:
        ticket = tickets[row["ticket"]]
        assert ticket["requester_addr"] == sample["requester_addr"], sample["file"]
        assert bool(ticket["acknowledged_at"]) == sample["acknowledged"], sample["file"]

    # What a first classifier must do on plain mail: most causes, and no danger overlooked.
    right = sum(tickets[row["ticket"]]["cause"] == sample["cause"] for row, sample in opened)
    assert right >= 0.7 * len(opened)
    recipients = [value["recipient"] for value in objects if value["type"] == "outbox"]
    assert not any("no-reply" in address or "daemon" in address for address in recipients)
