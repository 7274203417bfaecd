"""Headers that mail programs copy into a body."""

import pytest

from triage.header_block import inline_block, read_block


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("Od: Jan\nDo: Ewa\nTemat: x", {"from": "Jan", "to": "Ewa", "subject": "x"}),
        ("> *From:* Jan\n> *Sent:* today", {"from": "Jan", "date": "today"}),
        ("Von: Jan\n\nBetreff: x\n\nText", {"from": "Jan", "subject": "x"}),
        (
            "From: Jan\nTo: a@example.com,\n b@example.com\nText",
            {"from": "Jan", "to": "a@example.com, b@example.com"},
        ),
        ("From: Jan\n<jan@example.com>\nTo: Ewa", {"from": "Jan <jan@example.com>", "to": "Ewa"}),
        ("Від кого: Jan\nКому: Ewa", {"from": "Jan", "to": "Ewa"}),
        (
            'Od "Jan" <jan@example.com>\nDo a@example.com\nData 2.03.2026 10:00\nTemat Buty',
            {
                "from": '"Jan" <jan@example.com>',
                "to": "a@example.com",
                "date": "2.03.2026 10:00",
                "subject": "Buty",
            },
        ),
        (
            f"Od: Jan\nTemat: {'słowo ' * 11}\ngoes on\nDo: Ewa",
            {"from": "Jan", "subject": f"{'słowo ' * 11}goes on", "to": "Ewa"},
        ),
        (
            "Od: Jan\nEtykieta: pilne\nDo: Ewa\nUwaga: to już treść",
            {"from": "Jan", "other": "Etykieta: pilne", "to": "Ewa"},
        ),
    ],
)
def test_a_block_is_read_to_its_end(text, fields):
    block = read_block(text.split("\n"), 0)
    assert block is not None
    assert block.fields == fields


@pytest.mark.parametrize(
    "text",
    [
        "Od: kiedy mam czekać?",
        "Temat: buty\nDo: jutra",
        "Zdanie.",
        "Od:",
        "Od jutra mam urlop\nDo a@example.com już pisałam\nTemat bez odpowiedzi",
        "Od jan@example.com nic\n\nDo a@example.com pisałam 2.03 o 10:00\nTemat pilny",
    ],
)
def test_a_sentence_is_no_block(text):
    assert read_block(text.split("\n"), 0) is None


@pytest.mark.parametrize(
    "text",
    [
        f"Od: Jan\nDo: Ewa\nTemat: {'słowo ' * 11}\nDzień dobry,\n\nbuty są uszkodzone.",
        "Od: Jan\nTemat: Buty\nDzień dobry,\nDo: jutra",
        "Od: Jan\nTemat: Buty\nUwaga: zdanie\nDzień dobry",
    ],
)
def test_the_first_sentence_of_the_mail_is_no_part_of_the_block(text):
    block = read_block(text.split("\n"), 0)
    assert block is not None
    assert "Dzień" not in str(block.fields)
    assert "Uwaga" not in str(block.fields)


def test_the_next_sender_begins_the_next_block():
    block = read_block(["Od: A", "Do: B", "Od: C", "Do: D"], 0)
    assert block is not None
    assert (block.fields["from"], block.end) == ("A", 2)


def test_labels_without_line_ends_are_told_apart():
    fields = inline_block('Od: Jan <jan@example.com>Do: "x" <x@example.com>Temat: Buty')
    assert fields == {
        "from": "Jan <jan@example.com>",
        "to": '"x" <x@example.com>',
        "subject": "Buty",
    }
