import os
from datetime import date
from pathlib import Path

import pytest

from config.settings import (
    ConfigurationError,
    Mailbox,
    Settings,
    Smtp,
    Web,
    is_loopback,
    load_settings,
    read_secret,
)

MAILBOX = """
[[mailboxes]]
name = "reklamacje"
host = "imap.sklep.example"
"""
SMTP = """
[smtp]
host = "smtp.sklep.example"
sender = "Sklep <reklamacje@sklep.example>"
"""


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("ODZEW_"):
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path):
    def from_text(text: str) -> Settings:
        path = tmp_path / "odzew.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return from_text


def refusal(load, text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(text)
    said = str(error.value)
    assert "\n" not in said
    return said


# What is right


def test_an_empty_file_is_a_whole_configuration(load):
    settings = load("")
    assert settings.shop.language == "pl"
    assert settings.database.url == "sqlite:///var/odzew.db"
    assert settings.mailboxes == []
    assert settings.smtp is None
    assert settings.acknowledgements.per_address_per_day == 3
    assert settings.web.port == 8080


def test_a_mailbox_and_a_server_need_little(load):
    settings = load(MAILBOX + SMTP)
    [mailbox] = settings.mailboxes
    assert (mailbox.port, mailbox.security, mailbox.folders) == (993, "tls", ["INBOX"])
    assert (mailbox.start, mailbox.after_import) == ("now", "leave")
    assert settings.smtp is not None
    assert (settings.smtp.port, settings.smtp.security) == (587, "starttls")
    assert settings.smtp.retry_seconds == [60, 900, 3600, 14400, 43200]
    assert settings.mailbox("reklamacje") == mailbox
    assert settings.mailbox("another") is None


def test_a_byte_order_mark_of_a_windows_editor_does_no_harm(load):
    assert load('\ufeff[shop]\nname = "Sklep"').shop.name == "Sklep"


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ('"now"', "now"),
        ('"all"', "all"),
        ('"archive"', "archive"),
        ('"2026-11-01"', date(2026, 11, 1)),
        ("2026-11-01", date(2026, 11, 1)),
    ],
)
def test_the_first_run_starts_where_it_is_told(load, written, start):
    assert load(f"{MAILBOX}start = {written}").mailboxes[0].start == start


@pytest.mark.parametrize(
    "how", ["leave", "keyword", "seen", "move:Archiwum", "move: Sprawy w toku"]
)
def test_what_is_stored_can_be_left_marked_or_moved(load, how):
    assert load(f'{MAILBOX}after_import = "{how}"').mailboxes[0].after_import == how


def test_addresses_and_domains_are_compared_in_lower_case(load):
    settings = load(
        '[shop]\nown_domains = [" Sklep.Example "]\n'
        '[acknowledgements]\nnever = ["Anna@Klient.Example"]'
    )
    assert settings.shop.own_domains == ["sklep.example"]
    assert settings.acknowledgements.never == ["anna@klient.example"]


def test_settings_cannot_be_changed_by_accident(load):
    with pytest.raises(ValueError, match="frozen"):
        load("").shop.name = "Inny"


# What is wrong: one sentence that names key, found, allowed


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        (MAILBOX + "port = 99999", "mailboxes.0.port", "99999", "less than or equal to 65535"),
        (MAILBOX + "port = 0", "mailboxes.0.port", "0", "greater than or equal to 1"),
        (MAILBOX + 'port = "imap"', "mailboxes.0.port", "imap", "valid integer"),
        (
            MAILBOX + 'security = "ssl"',
            "mailboxes.0.security",
            "ssl",
            "'starttls' or 'none'",
        ),
        (MAILBOX + 'start = "tomorrow"', "mailboxes.0.start", "tomorrow", "'archive' or a date"),
        (MAILBOX + "start = 7", "mailboxes.0.start", "7", "'archive' or a date"),
        (MAILBOX + 'after_import = "delete"', "mailboxes.0.after_import", "delete", "'keyword'"),
        (MAILBOX + 'after_import = "move:"', "mailboxes.0.after_import", "move:", "move:<folder>"),
        (MAILBOX + "poll_seconds = 0", "mailboxes.0.poll_seconds", "0", "greater than or equal"),
        (MAILBOX + "folders = []", "mailboxes.0.folders", "[]", "at least 1 item"),
        (MAILBOX + 'folders = "INBOX"', "mailboxes.0.folders", "INBOX", "valid list"),
        (
            MAILBOX + 'oauth_tenant = "../x"',
            "mailboxes.0.oauth_tenant",
            "../x",
            "[A-Za-z0-9.-]",
        ),
        (
            MAILBOX + 'oauth_endpoint = "http://login.example"',
            "mailboxes.0.oauth_endpoint",
            "http://login.example",
            "an https address",
        ),
        (MAILBOX + 'oauth = "yahoo"', "mailboxes.0.oauth", "yahoo", "'google' or 'microsoft'"),
        (
            MAILBOX + 'language = "fr"',
            "mailboxes.0.language",
            "fr",
            "'cs' or 'uk'",
        ),
        (MAILBOX + 'sender = "sklep"', "mailboxes.0.sender", "sklep", "<biuro@sklep.example>"),
        (SMTP + "retry_seconds = []", "smtp.retry_seconds", "[]", "at least 1 item"),
        (SMTP + "retry_seconds = [-5]", "smtp.retry_seconds.0", "-5", "greater than or equal to 1"),
        ('[smtp]\nhost = "h"\nsender = "Sklep"', "smtp.sender", "Sklep", "<biuro@sklep.example>"),
        ('[smtp]\nhost = "h"\nsender = ""', "smtp.sender", "", "at least 1 character"),
        (
            '[shop]\nlanguage = "polski"',
            "shop.language",
            "polski",
            "'cs' or 'uk'",
        ),
        ('[shop]\ntimezone = "Warsaw"', "shop.timezone", "Warsaw", "'Europe/Warsaw'"),
        ('[shop]\ntimezone = "../x"', "shop.timezone", "../x", "'Europe/Warsaw'"),
        ('[shop]\ncountry = "Polska"', "shop.country", "Polska", "ISO 3166"),
        ('[shop]\nown_domains = "sklep.pl"', "shop.own_domains", "sklep.pl", "valid list"),
        (
            "[storage]\nmax_bytes = 1000",
            "storage.max_bytes",
            "1000",
            "or equal to 65536",
        ),
        ("[web]\nport = 70000", "web.port", "70000", "less than or equal to 65535"),
        ("[database]\nurl = 7", "database.url", "7", "valid string"),
        (
            '[acknowledgements]\nenabled = "perhaps"',
            "acknowledgements.enabled",
            "perhaps",
            "valid boolean",
        ),
        (
            "[acknowledgements]\nper_address_per_day = -1",
            "acknowledgements.per_address_per_day",
            "-1",
            "greater than or equal to 0",
        ),
    ],
    ids=lambda value: value.strip().splitlines()[-1] if "\n" in value else "",
)
def test_a_wrong_value_is_a_sentence_with_key_found_and_allowed(load, text, key, found, allowed):
    said = refusal(load, text)
    assert f"odzew.toml: {key}: " in said
    assert f"(found {found!r})" in said
    assert allowed in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[[mailboxes]]\nname = "a"', "mailboxes.0.host"),
        ('[[mailboxes]]\nhost = "h"', "mailboxes.0.name"),
        ('[smtp]\nhost = "h"', "smtp.sender"),
        ("[[relays]]", "relays.0.domain"),
        ("[[groups]]", "groups.0.address"),
        ("[[contact_forms]]", "contact_forms.0.sender"),
    ],
)
def test_a_missing_key_is_named(load, text, key):
    assert refusal(load, text).endswith(f"odzew.toml: {key}: this key is missing")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[databse]", "databse"),
        ('[database]\nulr = "x"', "database.ulr"),
        (MAILBOX + 'usrname = "x"', "mailboxes.0.usrname"),
        ("colour = 1", "colour"),
    ],
)
def test_an_unknown_key_is_named_and_where_the_known_ones_are(load, text, key):
    said = refusal(load, text)
    assert said.endswith(f"odzew.toml: {key}: this key is not known; see odzew.example.toml")


def test_every_wrong_thing_is_said_at_once(load):
    said = refusal(load, MAILBOX + 'port = 0\nsecurity = "ssl"\n[web]\nport = -1')
    assert [part.split(": ")[1] for part in said.split("; ") if "odzew.toml" in part] == [
        "mailboxes.0.port",
        "mailboxes.0.security",
        "web.port",
    ]


def test_two_mailboxes_of_one_name_are_refused(load):
    said = refusal(load, MAILBOX + MAILBOX)
    assert "two mailboxes are named 'reklamacje'; each needs its own name" in said


def test_a_mailbox_does_not_read_the_folder_that_it_moves_mail_into(load):
    said = refusal(load, MAILBOX + 'folders = ["INBOX", "Gotowe"]\nafter_import = "move:Gotowe"')
    assert "mailboxes.0: after_import moves mail into 'Gotowe', which is one of folders" in said


def test_a_table_in_place_of_a_list_of_tables_is_refused(load):
    assert "mailboxes: Input should be a valid list" in refusal(load, '[mailboxes]\nname = "a"')
    assert "shop: " in refusal(load, "[[shop]]")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[shop", "is not valid TOML"),
        (b'[shop]\nname = "Sklep', "is not valid TOML"),
        ('[shop]\nname = "Sklep Przykładny"'.encode("cp1250"), "cannot be read"),
    ],
)
def test_a_file_that_is_no_toml_is_one_sentence(tmp_path, content, said):
    path = tmp_path / "odzew.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as error:
        load_settings(path)
    assert str(error.value).startswith(str(path))


def test_a_missing_file_is_one_sentence_with_a_way_out(tmp_path):
    with pytest.raises(ConfigurationError, match=r"does not exist; copy odzew\.example\.toml"):
        load_settings(tmp_path / "odzew.toml")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path)


# Lines and secrets


@pytest.mark.parametrize("section", ["mailbox", "smtp"])
def test_plain_text_is_spoken_only_with_this_machine(load, section):
    text = MAILBOX if section == "mailbox" else SMTP
    said = refusal(load, text + 'security = "none"')
    assert "security = 'none' is allowed only on this machine" in said
    assert "use 'tls' or 'starttls'" in said
    assert load(
        text.replace("imap.sklep.example", "127.0.0.1").replace("smtp.sklep.example", "localhost")
        + 'security = "none"'
    )


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        ("192.168.1.5", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_what_can_only_be_this_machine(host, here):
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    "text",
    [
        MAILBOX + 'password = "hunter2"',
        MAILBOX + 'oauth_token = "hunter2"',
        SMTP + 'password = "hunter2"',
        '[alerts]\nwebhook_secret = "hunter2"',
        '[database]\nurl = "postgresql://odzew:hunter2@localhost/odzew"',
    ],
    ids=["mailbox", "token", "smtp", "alerts", "database"],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(load, text):
    said = refusal(load, text)
    assert "secrets are never in this file" in said
    assert "hunter2" not in said


def test_a_database_url_without_a_password_is_no_secret(load):
    url = "postgresql+psycopg://odzew@localhost/odzew"
    assert load(f'[database]\nurl = "{url}"').database.url == url


def test_a_secret_comes_from_the_environment_or_from_a_file(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("z pliku\n", encoding="utf-8")
    monkeypatch.setenv("SKLEP_PASSWORD", "ze środowiska")
    by_file = Smtp(host="h", sender="a@b.pl", password_file=file)
    by_variable = Smtp(host="h", sender="a@b.pl", password_env="SKLEP_PASSWORD")
    both = Smtp(host="h", sender="a@b.pl", password_env="SKLEP_PASSWORD", password_file=file)
    assert by_file.secret() == "z pliku"
    assert by_variable.secret() == both.secret() == "ze środowiska"


def test_a_secret_is_read_when_it_is_used_and_never_printed(tmp_path):
    file = tmp_path / "password"
    server = Smtp(host="h", sender="a@b.pl", password_file=file)
    file.write_text("hunter2", encoding="utf-8")
    assert server.secret() == "hunter2"
    assert "hunter2" not in repr(server) + server.model_dump_json()


@pytest.mark.parametrize(
    ("env", "file", "said"),
    [
        (
            "SKLEP_NOT_SET",
            None,
            "the environment variable SKLEP_NOT_SET with the secret of the shop",
        ),
        ("", Path("/nonexistent/password"), "cannot be read: No such file or directory"),
        ("", None, "no secret is configured for the shop; set password_env or password_file"),
    ],
)
def test_a_missing_secret_is_one_sentence(env, file, said):
    with pytest.raises(ConfigurationError) as error:
        read_secret(env, file, owner="the shop")
    assert said in str(error.value)


def test_the_secret_of_an_oauth_mailbox_is_its_access_token(monkeypatch):
    monkeypatch.setenv("SKLEP_TOKEN", "ya29")
    mailbox = Mailbox(name="a", host="h", oauth="google", oauth_token_env="SKLEP_TOKEN")
    assert mailbox.secret() == "ya29"


def test_oauth_needs_a_token(load):
    said = refusal(load, MAILBOX + 'oauth = "google"')
    assert "oauth needs oauth_token_env" in said


def test_a_login_by_a_person_needs_no_token_in_the_environment(load):
    [mailbox] = load(MAILBOX + 'oauth = "google"\noauth_client_id = "1"').mailboxes
    assert mailbox.oauth_token_env == ""


def test_the_endpoint_of_a_national_cloud_may_end_in_a_slash(load):
    [mailbox] = load(MAILBOX + 'oauth_endpoint = "https://login.microsoftonline.us/"').mailboxes
    assert mailbox.oauth_endpoint == "https://login.microsoftonline.us"


@pytest.mark.parametrize("name", ["druga", "reklamacje"], ids=["unknown", "without oauth"])
def test_smtp_can_only_borrow_a_token_that_there_is(load, name):
    said = refusal(load, MAILBOX + SMTP + f'oauth_mailbox = "{name}"')
    assert f"smtp.oauth_mailbox is '{name}'; allowed: the name of a mailbox that has oauth" in said


def test_the_page_is_plain_http_only_at_home(load):
    said = refusal(load, '[web]\nhost = "0.0.0.0"')
    assert "web: host '0.0.0.0' is reachable by others over plain HTTP" in said
    assert load('[web]\nhost = "0.0.0.0"\ntrusted_proxy = "10.0.0.1"').web == Web(
        host="0.0.0.0", trusted_proxy="10.0.0.1"
    )


# The environment


@pytest.mark.parametrize(
    ("name", "value", "section", "key", "expected"),
    [
        ("ODZEW_DATABASE__URL", "sqlite:///x.db", "database", "url", "sqlite:///x.db"),
        ("odzew_database__url", "sqlite:///x.db", "database", "url", "sqlite:///x.db"),
        ("ODZEW_WEB__PORT", "9000", "web", "port", 9000),
        ("ODZEW_SHOP__OWN_DOMAINS", '["B.example"]', "shop", "own_domains", ["b.example"]),
        ("ODZEW_ACKNOWLEDGEMENTS__ENABLED", "false", "acknowledgements", "enabled", False),
    ],
)
def test_the_environment_overrides_the_file(load, monkeypatch, name, value, section, key, expected):
    monkeypatch.setenv(name, value)
    settings = load(
        '[shop]\nname = "Z pliku"\nown_domains = ["a.example"]\n'
        '[database]\nurl = "sqlite:///a.db"\n[web]\nport = 1'
    )
    assert getattr(getattr(settings, section), key) == expected
    assert settings.shop.name == "Z pliku"


def test_a_list_of_mailboxes_can_come_from_the_environment(load, monkeypatch):
    monkeypatch.setenv("ODZEW_MAILBOXES", '[{"name": "inna", "host": "h"}]')
    assert [mailbox.name for mailbox in load(MAILBOX).mailboxes] == ["inna"]


def test_a_password_in_the_url_may_come_from_the_environment(load, monkeypatch):
    url = "postgresql://odzew:hunter2@localhost/odzew"
    monkeypatch.setenv("ODZEW_DATABASE__URL", url)
    assert load("").database.url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [("ODZEW_SHOP__OWN_DOMAINS", "sklep.example"), ("ODZEW_MAILBOXES", "hunter2")],
)
def test_a_list_that_is_not_json_is_said_in_a_sentence(load, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    said = refusal(load, "")
    assert f"the environment variable {name} is not valid JSON" in said
    assert value not in said.replace('["sklep.example"]', "")


def test_a_wrong_value_in_the_environment_is_a_sentence_too(load, monkeypatch):
    monkeypatch.setenv("ODZEW_WEB__PORT", "many")
    assert "web.port: Input should be a valid integer" in refusal(load, "")


def test_variables_that_hold_secrets_are_not_taken_for_settings(load, monkeypatch):
    monkeypatch.setenv("ODZEW_IMAP_PASSWORD", "hunter2")
    monkeypatch.setenv("ODZEW_SMTP_PASSWORD", "hunter2")
    assert load("") == Settings()


def test_the_file_is_found_by_a_variable_or_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odzew.toml").write_text('[shop]\nname = "Tutaj"', encoding="utf-8")
    (tmp_path / "inny.toml").write_text('[shop]\nname = "Tam"', encoding="utf-8")
    assert load_settings().shop.name == "Tutaj"
    monkeypatch.setenv("ODZEW_CONFIG", str(tmp_path / "inny.toml"))
    assert load_settings().shop.name == "Tam"
    assert load_settings(tmp_path / "odzew.toml").shop.name == "Tutaj"


def test_settings_with_changes_leave_the_first_ones_alone(load):
    settings = load("")
    changed = settings.with_changes(web=Web(port=1))
    assert (settings.web.port, changed.web.port) == (8080, 1)


# Who is told of alarms


ALERTS = """
[alerts]
to = ["szef@sklep.example"]
[alerts.smtp]
host = "mail.example"
sender = "odzew@alarm.example"
"""


def test_alarms_have_a_mail_server_of_their_own(load):
    alerts = load(ALERTS + 'password_env = "X"').alerts
    assert alerts.smtp is not None
    assert (alerts.smtp.port, alerts.smtp.security) == (587, "starttls")
    assert alerts.to == ["szef@sklep.example"]
    assert load("").alerts.smtp is None


@pytest.mark.parametrize(
    "text",
    [
        '[alerts]\nto = ["szef@sklep.example"]',
        '[alerts.smtp]\nhost = "mail.example"\nsender = "odzew@alarm.example"',
        ALERTS.replace("szef@sklep.example", "Szef <szef@sklep.example>"),
        ALERTS.replace("szef@sklep.example", "szef@sklep.example, b@sklep.example"),
        ALERTS.replace("szef@sklep.example", "szef@sklep.example\\r\\nBcc: b@sklep.example"),
        ALERTS.replace("szef@sklep.example", "szef"),
        ALERTS + "retry_seconds = [1]",
        ALERTS + 'password = "x"',
    ],
)
def test_mail_about_alarms_needs_bare_addresses_and_a_server(load, text):
    assert "alerts" in refusal(load, text)
