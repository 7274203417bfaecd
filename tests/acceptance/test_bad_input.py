"""The worst of the bad-input catalogue on the real page, in a real browser.

E-09, E-10, E-20, E-21, E-22, E-41, E-43, E-44, E-46, E-47, E-56, E-75, E-76: a lead reads such
tickets and saves their files, and nothing acts: no dialog, no script, no request to another host.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from config.settings import Acknowledgements, Settings
from config.taxonomy import Taxonomy
from storage.database import Engine, open_session
from storage.files import FileStore
from storage.people import create_link
from storage.tables import RawMessage, Ticket
from tests.bad_input import BadMail, every_mail
from tests.bad_input.html import XSS
from tests.bad_input.mail import HTML, a_mail
from tests.factories import a_configuration, in_the_ledger
from tests.unit.web.samples import a_person
from web.app import create_app
from web.server import serving
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

ITEMS = ("E-09", "E-10", "E-20", "E-21", "E-22", "E-41", "E-43", "E-44", "E-46", "E-47", "E-56")
ITEMS += ("E-75", "E-76")
# In the browser E-43 is one mail of all its markup, and one of it as text; of others a few stand
# for all, since each is a page.
A_FEW = {"E-09": 4, "E-10": 12, "E-41": 30, "E-46": 2}


@dataclass(frozen=True)
class Shown:
    mail: BadMail
    reference: str


def chosen() -> list[BadMail]:
    mails = [
        mail
        for item in ITEMS
        for mail in [m for m in every_mail() if m.id == item][-A_FEW.get(item, 20) :]
        if item != "E-43" or mail.says
    ]
    every_script = a_mail("\n".join(XSS), Content_Type=HTML, Subject=XSS[3], From=XSS[5])
    return [*mails, BadMail("every script at once", every_script, id="E-43")]


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[Engine, Settings, list[Shown]]]:
    """The mails as tickets, read by the real worker."""
    from storage.database import open_database

    folder = tmp_path_factory.mktemp("desk")
    (folder / "odzew.db").write_bytes(sqlite_template.read_bytes())
    settings = a_configuration(folder, acknowledgements=Acknowledgements(enabled=False))
    engine = open_database(settings.database.url)
    files = FileStore(settings.storage.path)
    context = Context(settings, Taxonomy.load(), engine, files, lambda: datetime.now(UTC))
    parser = ParserProcess(known_addresses(settings))
    mails = chosen()
    try:
        rows = in_the_ledger(context, *(mail.raw for mail in mails))
        while ingest(context, parser):
            continue
        with open_session(engine) as session:
            tickets = {t.id: t.reference for t in session.exec(select(Ticket)).all()}
            stored = {row.id: row.ticket_id for row in session.exec(select(RawMessage)).all()}
        found = [
            Shown(mail, tickets[stored[row.id]]) for mail, row in zip(mails, rows, strict=True)
        ]
        yield engine, settings, found
    finally:
        parser.close()
        engine.dispose()


@pytest.fixture
def address(desk: tuple[Engine, Settings, list[Shown]]) -> Iterator[str]:
    engine, settings, _ = desk
    files = FileStore(settings.storage.path)
    app = create_app(settings, engine, Taxonomy.load(), files, clock=lambda: datetime.now(UTC))
    with serving(app, "127.0.0.1", 0) as address:
        yield address


@pytest.fixture
def page(
    browser_page: Page, desk: tuple[Engine, Settings, list[Shown]], address: str
) -> Iterator[Page]:
    """A signed-in lead; the console stays empty, and nothing asks or warns."""
    said: list[str] = []
    browser_page.on("console", lambda message: said.append(message.text))
    browser_page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    with open_session(desk[0]) as session:
        token = create_link(session, a_person(session), now=datetime.now(UTC))
        session.commit()
    browser_page.goto(f"{address}/sign-in/link?token={token}")
    browser_page.get_by_role("button", name="Zaloguj się").click()
    expect(browser_page.get_by_role("heading", name="Kolejka")).to_be_visible()
    yield browser_page
    assert said == []


# What must not come out of a text: elements that load, run or lead away, and handlers.
ACTIVE = """() => {
  const found = [];
  const own = new URL(location.href).origin;
  for (const e of document.querySelectorAll("*:not(img[src^='/static/'])")) {
    if (/^(img|iframe|object|embed|video|audio|source|base|style|math|template|applet|frame|x|marquee)$/i.test(e.localName)) found.push(e.localName);
    for (const a of e.attributes) {
      if (/^on|^srcdoc$|^style$/i.test(a.name)) found.push(e.localName + " " + a.name);
      if (/^(href|src|action|formaction|data|poster|background)$/i.test(a.name) && !a.value.startsWith("mailto:") && !a.value.startsWith("#") && new URL(a.value, location.href).origin !== own)
        found.push(a.name + "=" + a.value);
    }
  }
  for (const s of document.scripts) if (!s.src) found.push("script");
  for (const m of document.querySelectorAll("meta[http-equiv]")) found.push("meta");
  return found;
}"""  # noqa: E501
MISLEADING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def test_a_bad_mail_is_only_text_on_the_page(
    page: Page, address: str, desk: tuple[Engine, Settings, list[Shown]]
) -> None:
    for shown in desk[2]:
        page.goto(f"{address}/tickets/{shown.reference}")
        expect(page.get_by_role("heading", name="Historia")).to_be_visible()
        assert page.evaluate(ACTIVE) == [], shown.mail.name
        text = page.evaluate("document.body.innerText")
        assert not MISLEADING.search(text), shown.mail.name
        for words in shown.mail.says:
            assert MISLEADING.sub("", words) in text, shown.mail.name
        for words in shown.mail.hides:
            assert words not in text, shown.mail.name


def test_the_queue_of_bad_mails_is_only_text(page: Page, address: str) -> None:
    for number in range(1, 6):
        page.goto(f"{address}/?status=all&page={number}")
        assert page.evaluate(ACTIVE) == []
        assert not MISLEADING.search(page.evaluate("document.body.innerText"))
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_files_of_bad_mails_are_named_plainly_and_only_saved(
    page: Page, address: str, desk: tuple[Engine, Settings, list[Shown]]
) -> None:
    """E-22, E-41: the name that is shown is the name under which it is saved."""
    seen = 0
    for shown in desk[2]:
        if shown.mail.id not in ("E-22", "E-41"):
            continue
        page.goto(f"{address}/tickets/{shown.reference}")
        for link in page.locator(".attachments a").all():
            name = link.locator("bdi").inner_text()
            assert not re.search(r"[/\\\x00-\x1f\u202a-\u202e]", name), shown.mail.name
            assert not name.startswith(".")
            assert len(name) <= 140
            answer = page.request.get(address + str(link.get_attribute("href")))
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["content-disposition"].startswith("attachment; ")
            seen += 1
    assert seen > 20


def test_a_spoofed_extension_is_saved_as_what_it_is(
    page: Page, address: str, desk: tuple[Engine, Settings, list[Shown]]
) -> None:
    """E-22: faktura, an override, fdp.exe."""
    shown = next(s for s in desk[2] if s.mail.name == "E-22 an override")
    page.goto(f"{address}/tickets/{shown.reference}")
    link = page.locator(".attachments a")
    expect(link.locator("bdi")).to_have_text("fakturafdp.exe")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "fakturafdp.exe"
    path = download.value.path()
    assert path.read_bytes() == b"MZ"
