"""Score the parser on folders of mails with expected facts.

    python -m bench.score CORPORA [--misses FILE] [--source NAME] [--field NAME]

A folder of CORPORA holds ``expected.jsonl`` (one object a mail: file, input, expect) beside the
mails. Prints field, right, total and per cent: over all sources, apart by what the expected value
rests on (a peer's own test suite, or a reading of the raw header), then by source; then every wrong
one by name. A list of strings counts one a string. There is no total over fields.

Each mail goes through what ``odzew parse --json`` prints of it; ``known`` beside ``expect`` is what
a shop would have configured.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from worker.mime import parse
from worker.parsed_json import to_json
from worker.parsed_message import KnownAddresses

Judgement = tuple[str, bool, object]  # field, right, what was found
Scores = dict[str, list[int]]  # field: right, total

_GONE = re.compile("[\\s\u00a0\u200b\u200c\u200d\ufeff\u00ad\u2060]+")
_EQUAL_TEXT = ("subject", "from_name")
_EQUAL_ADDRESS = ("from_addr", "reply_to_addr", "requester_addr")
_FLAGS = ("is_auto_reply", "is_bounce", "auto_ack_ok", "is_forward")


def squash(text: object) -> str:
    """Text as it is compared: composed, without white space and invisible characters."""
    return _GONE.sub("", unicodedata.normalize("NFC", str(text or "")))


def as_mail(record: Mapping[str, Any], data: bytes) -> bytes:
    """The data of a record as a whole mail; a mere body gets a plain header."""
    if record["input"] == "eml":
        return data
    kind = "html" if record["file"].endswith((".html", ".htm")) else "plain"
    subject = record.get("input_subject") or ""
    encoded = f"=?utf-8?b?{base64.b64encode(subject.encode()).decode()}?=" if subject else ""
    name = hashlib.sha256(record["file"].encode()).hexdigest()[:24]
    header = (
        "From: Sender <sender@example.org>",
        "To: support@shop.example",
        "Date: Mon, 02 Mar 2026 10:00:00 +0100",
        f"Message-ID: <{name}@wrap.example>",
        f"Subject: {encoded}",
        "MIME-Version: 1.0",
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        "",
    )
    return "\r\n".join(header).encode() + base64.encodebytes(data)


def judge(expected: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[Judgement]:
    """Compare the facts of one mail, field by field."""
    forwarded = got.get("forwarded") or {}
    for field, want in expected.items():
        if field.startswith("forwarded_"):
            inner = {"body": got.get("body")} | {k: v for k, v in forwarded.items() if v}
            yield from _judge_forwarded(field, want, inner)
        elif field == "parses":
            yield field, not got.get("error"), got.get("error")
        elif field in _EQUAL_TEXT:
            yield field, squash(got.get(field)) == squash(want), got.get(field)
        elif field in _EQUAL_ADDRESS:
            yield field, _address(got.get(field)) == _address(want), got.get(field)
        elif field in ("to_addrs", "cc_addrs"):
            yield field, _addresses(got.get(field)) == _addresses(want), got.get(field)
        elif field in _FLAGS:
            right = bool(got.get(field)) == bool(want)
            yield field, right, got.get(field)
            if not want:
                yield f"{field} (false ones)", right, got.get(field)
        elif field == "kind":
            yield field, got.get(field) == want, got.get(field)
        elif field == "no_ack_rule":
            reason = got.get("no_ack_reason") or ""
            yield field, reason.partition(":")[0] == want, reason
        elif field == "message_id":
            right = bool(got.get(field)) if want == "" else _ids(got.get(field)) == _ids(want)
            yield field, right, got.get(field)
        elif field in ("in_reply_to", "references"):
            yield field, _ids(got.get(field)) == _ids(want), got.get(field)
        elif field == "in_reply_to_first":
            yield field, _ids(got.get("in_reply_to"))[:1] == _ids(want)[:1], got.get("in_reply_to")
        elif field == "references_includes":
            yield field, set(_ids(want)) <= set(_ids(got.get("references"))), got.get("references")
        else:
            yield from _judge_content(field, want, got)


def _judge_content(field: str, want: Any, got: Mapping[str, Any]) -> Iterator[Judgement]:
    attachments = got.get("attachments") or []
    if field == "body_contains":
        for text in want:
            yield field, squash(text) in squash(got.get("body")), text
    elif field in ("text_contains", "text_lacks", "signature_lacks"):
        for text in want:
            inside = squash(text) in squash(got.get("text"))
            yield field, inside == (field == "text_contains"), text
    elif field == "reply_text":
        yield field, squash(got.get("text")) == squash(want), got.get("text")
    elif field == "attachments":
        for one in want:
            right = any(_same_attachment(one, have) for have in attachments)
            yield field, right, [(a["name"], a["type"], a["size"]) for a in attachments]
    elif field == "attachments_count":
        yield field, len(attachments) == want, [a["name"] for a in attachments]
    elif field == "bounce_recipients":
        found = {_address(b.get("recipient")) for b in got.get("bounces") or []}
        yield field, found == {_address(a) for a in want}, sorted(found)


def _judge_forwarded(field: str, want: Any, inner: Mapping[str, Any]) -> Iterator[Judgement]:
    key = field.removeprefix("forwarded_")
    if key == "from_addr":
        yield field, _address(inner.get(key)) == _address(want), inner.get(key)
    elif key in ("from_name", "subject"):
        yield field, squash(inner.get(key)) == squash(want), inner.get(key)
    elif key in ("to", "cc"):
        yield field, _addresses(inner.get(key)) == _addresses(want), inner.get(key)
    elif key == "body_contains":
        for text in want:
            yield field, squash(text) in squash(inner.get("body")), text


def _address(value: object) -> str:
    return str(value or "").strip().lower()


def _addresses(values: Any) -> list[str]:
    return sorted(_address(v["addr"] if isinstance(v, dict) else v) for v in values or [])


def _ids(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value] if value else []
    return [squash(v).strip("<>") for v in values]


def _same_attachment(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    return (
        ("name" not in want or squash(have["name"]) == squash(want["name"]))
        and ("type" not in want or _address(have["type"]) == _address(want["type"]))
        and ("size" not in want or have["size"] == want["size"])
    )


def records(root: Path, source: str = "") -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Name, record and bytes of each mail in the folders below ``root``."""
    for listing in sorted(root.glob("*/expected.jsonl")):
        if source and source not in listing.parent.name:
            continue
        for line in listing.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            data = (listing.parent / record["file"]).read_bytes()
            yield f"{listing.parent.name}/{record['file']}", record, as_mail(record, data)


def parsed(name: str, record: Mapping[str, Any], raw: bytes) -> dict[str, Any]:
    """What ``odzew parse --json`` prints of a mail, with the configuration that it asks for."""
    known = {key: tuple(values) for key, values in record.get("known", {}).items()}
    return to_json(name, parse(raw, KnownAddresses(**known)))


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    arguments.add_argument("corpora", type=Path)
    arguments.add_argument("--misses", type=Path, help="write every wrong one to this file")
    arguments.add_argument("--source", default="", help="only folders whose name holds this")
    arguments.add_argument("--field", default="", help="print the misses of this field alone")
    options = arguments.parse_args()
    whole: Scores = {}
    apart: dict[str, Scores] = {}
    misses: list[str] = []
    slowest = (0.0, "")
    spent = 0.0
    mails = 0
    for name, record, raw in records(options.corpora, options.source):
        start = time.perf_counter()
        got = parsed(name, record, raw)
        took = time.perf_counter() - start
        spent, mails, slowest = spent + took, mails + 1, max(slowest, (took, name))
        for field, right, found in judge(record["expect"], got):
            key = field.split(" ")[0]
            basis = record.get("basis", {}).get(key, "own")
            for scores in (
                whole,
                apart.setdefault(f"basis: {basis}", {}),
                apart.setdefault(f"source: {name.split('/')[0]}", {}),
            ):
                score = scores.setdefault(field, [0, 0])
                score[0] += right
                score[1] += 1
            if not right and field == key:
                want = str(record["expect"].get(key))[:160]
                misses.append(f"{name}: {field}: expected {want!r} got {str(found)[:160]!r}")
    for title, scores in sorted(apart.items(), key=lambda item: item[0].startswith("basis")):
        sys.stdout.write(f"\n{title}\n{_table(scores)}")
    sys.stdout.write(f"\nall\n{_table(whole)}")
    if spent:
        sys.stdout.write(
            f"{mails} mails, {mails / spent:.0f} mails/s; slowest {slowest[0]:.3f} s {slowest[1]}\n"
        )
    if options.misses:
        options.misses.write_text("".join(f"{line}\n" for line in misses), encoding="utf-8")
    else:
        field = f": {options.field}:" if options.field else ""
        sys.stdout.writelines(f"{line}\n" for line in misses if field in line)


def _table(scores: Scores) -> str:
    return "".join(
        f"{field:32s} {right:5d} {total:5d} {100 * right / total:6.1f}\n"
        for field, (right, total) in sorted(scores.items())
    )


if __name__ == "__main__":
    main()
