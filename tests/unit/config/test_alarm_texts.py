from datetime import UTC, datetime, timedelta
from string import Template

import pytest

from config.alarm_texts import (
    FOLDER,
    LANGUAGES,
    AlarmLine,
    _words,
    alarm_kinds,
    alarm_language,
    alarm_mail,
    alarm_text,
)

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
VALUES = {
    "row": 12,
    "mailbox": "reklamacje",
    "folder": "INBOX",
    "uid": 7,
    "since": AT.isoformat(),
    "count": 3,
    "reason": "B-L5: 51 acknowledgements in an hour, more than 50",
    "ticket": "ODZ-2026-000123",
    "mib": 17,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", alarm_kinds())
def test_every_alarm_says_what_is_wrong_and_what_to_do(kind, language):
    text = alarm_text(kind, VALUES, language, timezone="Europe/Warsaw")
    assert text.what
    assert text.advice
    assert "$" not in text.what + text.advice


@pytest.mark.parametrize("kind", alarm_kinds())
def test_both_languages_tell_the_same(kind):
    names = [
        [set(Template(_words()[kind][language][part]).get_identifiers()) for part in ("what", "do")]
        for language in LANGUAGES
    ]
    assert names[0] == names[1]


def test_a_moment_is_shown_in_the_shops_time():
    [polish, english] = [
        alarm_text("mailbox_silent", VALUES, "en", timezone=zone).what
        for zone in ("Europe/Warsaw", "UTC")
    ]
    assert "2026-03-02 09:00 CET" in polish
    assert "2026-03-02 08:00 UTC" in english


def test_what_the_alarm_does_not_know_does_not_keep_it_from_being_told():
    assert "$mailbox" in alarm_text("mailbox_silent", {}, "pl", timezone="UTC").what
    assert alarm_text("of another version", {}, "pl", timezone="UTC").what == "of another version"


def test_a_name_stays_on_one_line_and_is_no_template():
    detail = VALUES | {"mailbox": "a\r\nBcc: $folder " + "x" * 500}
    text = alarm_text("mailbox_silent", detail, "en", timezone="UTC").what
    assert "\n" not in text
    assert "Bcc: $folder" in text
    assert len(text) < 400


@pytest.mark.parametrize(
    ("asked", "given"), [("pl", "pl"), ("en", "en"), ("de", "en"), ("cs", "en"), ("uk", "en")]
)
def test_who_has_no_texts_reads_english(asked, given):
    assert alarm_language(asked) == given


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_tells_new_alarms_first_and_what_to_do_about_them(language):
    later = AT + timedelta(hours=1)
    lines = [
        AlarmLine("disk_low", {"mib": 17}, later, is_open=False),
        AlarmLine("mailbox_silent", VALUES, AT, is_open=True),
    ]
    subject, body = alarm_mail(
        lines, language, shop="Sklep\nBcc: x", installation="ab12", timezone="Europe/Warsaw"
    )
    words = _words()["mail"][language]
    assert "\n" not in subject
    assert "Sklep Bcc: x" in subject
    assert body.index(words["opened"]) < body.index("reklamacje") < body.index(words["closed"])
    assert body.count(Template(words["advice"]).substitute(do="").strip()) == 1
    assert "09:00" in body
    assert "10:00" in body
    assert "ab12" in body
    assert "$" not in subject + body


def test_the_templates_begin_with_a_subject():
    for language in LANGUAGES:
        subject, blank, *_ = (FOLDER / f"mail.{language}.txt").read_text("utf-8").split("\n")
        assert subject
        assert not blank
