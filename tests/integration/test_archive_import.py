"""Old mail and labelled cases into the archive: once, without a clock, without an answer."""

import csv
import json
import mailbox
from collections import Counter

import pytest
from sqlmodel import select

from config.errors import PermanentError
from storage.database import open_session
from storage.labels import labels_for_training
from storage.tables import InboundMessage, Label, OutboxMessage, RawMessage, Ticket
from storage.work import claim
from tests.factories import NOW, a_mail, an_smtp_server
from worker.archive_import import import_path

CASES = [
    {"subject": "Talerze", "body": "Stłuczone!", "cause": "damaged_in_transit", "urgency": "high"},
    {"subject": "Paczka", "body": "Gdzie jest?", "cause": "late_delivery", "urgency": "normal"},
    {"subject": "Paczka", "body": "Gdzie jest?", "cause": "lost_parcel", "urgency": "low"},
]


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine, smtp=an_smtp_server())


def all_of(context, table):
    with open_session(context.engine) as session:
        return list(session.exec(select(table).order_by(table.id)).all())


def an_mbox(path, mails):
    box = mailbox.mbox(path)
    for mail in mails:
        box.add(mail)
    box.close()
    return path


def a_maildir(path, mails):
    box = mailbox.Maildir(path)
    for mail in mails:
        box.add(mail)
    box.close()
    return path


def a_folder(path, mails):
    (path / "2025" / "05").mkdir(parents=True)
    for number, mail in enumerate(mails):
        folder = path if number == 0 else path / "2025" / "05"
        (folder / f"{number}.eml").write_bytes(mail)
    (path / "notatki.txt").write_text("nie jest listem")
    return path


def one_file(path, mails):
    path = path.with_suffix(".eml")
    path.write_bytes(mails[0])
    return path


def json_lines(path, cases):
    path = path.with_suffix(".jsonl")
    lines = (json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def comma_separated(path, cases, *, delimiter=",", encoding="utf-8"):
    path = path.with_suffix(".csv")
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(cases[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(cases)
    return path


FORMS = {"mbox": an_mbox, "Maildir": a_maildir, "folder": a_folder}
CASE_FORMS = {"jsonl": json_lines, "csv": comma_separated}


# Mail


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_old_mail_is_archived(engine, make_context, tmp_path, form):
    context = make_context(engine, smtp=an_smtp_server())
    path = form(tmp_path / "stare", [a_mail(date=NOW.replace(year=2024)) for _ in range(3)])
    assert import_path(context, path) == {"new": 3, "known": 0}
    rows = all_of(context, RawMessage)
    assert Counter(row.outcome for row in rows) == {"archived": 3}
    for row in rows:
        assert (row.mailbox, row.uidvalidity, row.archive) == ("import:stare", 0, True)
        assert row.received_at == NOW.replace(year=2024)
    assert len(all_of(context, Ticket)) == 3


@pytest.mark.parametrize("form", [*FORMS.values(), one_file], ids=[*FORMS, "file"])
def test_a_second_import_adds_nothing(context, tmp_path, form):
    path = form(tmp_path / "stare", [a_mail() for _ in range(3)])
    first = import_path(context, path)
    before = all_of(context, RawMessage)
    assert import_path(context, path) == {"new": 0, "known": first["new"]}
    assert all_of(context, RawMessage) == before
    assert len(all_of(context, Ticket)) == first["new"]


@pytest.mark.parametrize("form", [*FORMS.values(), json_lines], ids=[*FORMS, "jsonl"])
def test_an_import_has_no_acknowledgement_no_clock_and_no_work(context, tmp_path, form):
    things = CASES if form is json_lines else [a_mail() for _ in range(3)]
    import_path(context, form(tmp_path / "stare", things))
    assert all_of(context, OutboxMessage) == []
    tickets = all_of(context, Ticket)
    assert len(tickets) == 3
    for ticket in tickets:
        assert (ticket.status, ticket.due_at, ticket.due_safe) == ("closed", None, None)
        assert ticket.acknowledged_at is None
    with open_session(context.engine) as session:
        assert claim(session, Ticket, now=NOW.replace(year=2099), limit=9) == []


def test_an_interrupted_import_goes_on_where_it_ended(context, tmp_path, monkeypatch):
    monkeypatch.setattr("worker.archive_import.BATCH", 2)
    path = an_mbox(tmp_path / "stare.mbox", [a_mail() for _ in range(5)])

    def pull_the_plug(_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_path(context, path, on_progress=pull_the_plug)
    assert len(all_of(context, RawMessage)) == 2
    assert import_path(context, path) == {"new": 3, "known": 2}
    assert len(all_of(context, Ticket)) == 5


def test_progress_is_told_in_messages(context, tmp_path, monkeypatch):
    monkeypatch.setattr("worker.archive_import.BATCH", 2)
    told = []
    path = an_mbox(tmp_path / "stare.mbox", [a_mail() for _ in range(5)])
    import_path(context, path, on_progress=told.append)
    assert told == [2, 2, 1]


def test_a_mail_that_came_by_import_and_then_by_imap_is_one_ticket(context, tmp_path):
    """The bytes of an mbox have other line ends than those of a server."""
    from tests.factories import in_the_ledger
    from worker.context import known_addresses
    from worker.ingest import ingest
    from worker.parser_process import ParserProcess

    mail = a_mail()
    import_path(context, an_mbox(tmp_path / "stare.mbox", [mail]))
    in_the_ledger(context, mail)
    parser = ParserProcess(known_addresses(context.settings))
    ingest(context, parser)
    parser.close()
    assert [row.outcome for row in all_of(context, RawMessage)] == ["archived", "duplicate"]
    assert len(all_of(context, Ticket)) == 1


@pytest.mark.parametrize(
    "date",
    [
        "",
        "wczoraj",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 1 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 2 Mar 2026 08:00:00",
        "Thu, 1 Jan 99999 00:00:00 +0000",
    ],
)
def test_a_date_nobody_can_use_is_the_moment_of_the_import(context, tmp_path, date):
    path = tmp_path / "stare.eml"
    path.write_bytes(a_mail(date=None, fields={"Date": date}))
    import_path(context, path)
    [row] = all_of(context, RawMessage)
    assert (row.outcome, row.received_at) == ("archived", NOW)


# Labelled cases


@pytest.mark.parametrize("form", CASE_FORMS.values(), ids=CASE_FORMS)
def test_labelled_cases_are_tickets_with_labels(engine, make_context, tmp_path, form):
    context = make_context(engine)
    path = form(tmp_path / "przypadki", CASES)
    assert import_path(context, path) == {"new": 3, "known": 0}
    with open_session(engine) as session:
        labelled = labels_for_training(session)
    assert [(case.subject, case.text, case.cause, case.urgency) for case in labelled] == [
        (case["subject"], case["body"], case["cause"], case["urgency"]) for case in CASES
    ]
    for label in all_of(context, Label):
        assert (label.source, label.author) == ("import", f"import:{path.name}")
    for ticket in all_of(context, Ticket):
        assert (ticket.requester_addr, ticket.requester_status) == ("", "missing")
        assert not ticket.needs_review


@pytest.mark.parametrize("form", CASE_FORMS.values(), ids=CASE_FORMS)
def test_cases_that_are_imported_again_have_one_label(context, tmp_path, form):
    path = form(tmp_path / "przypadki", CASES)
    import_path(context, path)
    assert import_path(context, path) == {"new": 0, "known": 3}
    assert len(all_of(context, Label)) == 3


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8"), (",", "utf-8-sig"), (";", "utf-8-sig")]
)
def test_a_table_as_a_polish_spreadsheet_writes_it_is_read(context, tmp_path, delimiter, encoding):
    path = comma_separated(tmp_path / "przypadki", CASES, delimiter=delimiter, encoding=encoding)
    assert import_path(context, path) == {"new": 3, "known": 0}
    assert all_of(context, InboundMessage)[0].subject == "Talerze"


@pytest.mark.parametrize("form", CASE_FORMS.values(), ids=CASE_FORMS)
@pytest.mark.parametrize(
    ("key", "wrong"), [("cause", "broken"), ("cause", ""), ("urgency", "very"), ("urgency", None)]
)
def test_an_unknown_word_names_its_line_and_what_came_before_is_imported(
    context, tmp_path, form, key, wrong
):
    path = form(tmp_path / "przypadki", [*CASES[:2], CASES[2] | {key: wrong}])
    line = 3 if form is json_lines else 4  # a table has a line of names
    with pytest.raises(PermanentError) as refusal:
        import_path(context, path)
    assert str(refusal.value).startswith(f"{path}, line {line}: the {key} ")
    assert "is not known; allowed: " in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(all_of(context, Label)) == 2


@pytest.mark.parametrize("line", ["{", "[1]", "7", '"text"', "null"])
def test_a_line_that_is_no_case_names_itself(context, tmp_path, line):
    path = tmp_path / "przypadki.jsonl"
    path.write_text(json.dumps(CASES[0]) + "\n" + line + "\n")
    with pytest.raises(PermanentError, match=r"przypadki\.jsonl, line 2: "):
        import_path(context, path)


def test_letters_that_are_no_text_do_no_harm(context, tmp_path):
    case = CASES[0] | {"subject": "a\ud800b\r\nBcc: x@evil.example", "body": "c\ud800d\x00e"}
    path = tmp_path / "przypadki.jsonl"
    path.write_text(json.dumps(case))
    assert import_path(context, path) == {"new": 1, "known": 0}
    [message] = all_of(context, InboundMessage)
    assert message.subject.startswith("a")


def test_a_long_case_of_a_table_is_read(context, tmp_path):
    path = comma_separated(tmp_path / "przypadki", [CASES[0] | {"body": "x" * 200_000}])
    assert import_path(context, path) == {"new": 1, "known": 0}


# What cannot be read


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("stare.mbox", b"To nie jest mbox.", "is none of: an mbox"),
        ("stare.mbox", b"", "is none of: an mbox"),
        ("a.csv", "cause;body\nwada;stłuczone".encode("cp1250"), "is not UTF-8"),
        ("a.jsonl", "{}ł".encode("cp1250"), "is not UTF-8"),
        ("stare.mbox", None, "No such file"),
        ("a.csv", None, "No such file"),
        ("a.eml", None, "No such file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(context, tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PermanentError, match=said) as refusal:
        import_path(context, path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_an_empty_folder_is_nothing(context, tmp_path):
    assert import_path(context, tmp_path) == {"new": 0, "known": 0}


def test_e_80_a_link_in_a_folder_is_not_followed(context, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("nobody's business")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.eml").symlink_to(secret)
    (folder / "mail.eml").write_bytes(a_mail())
    assert import_path(context, folder) == {"new": 1, "known": 0}
