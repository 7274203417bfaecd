"""The promise of the page: a team lead decides a ticket by one click, in a real browser."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from config.settings import Settings, Shop, Storage
from config.taxonomy import Taxonomy
from storage.database import Engine, open_session
from storage.files import FileStore
from storage.labels import latest_label
from storage.people import create_link
from storage.tickets import find_ticket
from tests.unit.web.samples import a_person, fill
from web.app import create_app
from web.server import serving


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """SQLite alone: what is tried here is the page."""
    path = tmp_path / "odzew.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def address(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """The page of a shop with a day's tickets."""
    files = FileStore(tmp_path)
    with open_session(engine) as session:
        fill(session, files, now=datetime.now(UTC))
        session.commit()
    settings = Settings(shop=Shop(name="Sklep Przykładny"), storage=Storage(path=tmp_path))
    app = create_app(settings, engine, Taxonomy.load(), files, clock=lambda: datetime.now(UTC))
    with serving(app, "127.0.0.1", 0) as address:
        yield address


@pytest.fixture
def link(engine: Engine, address: str) -> str:
    """A one-time link, as the administrator gets it at the first start."""
    with open_session(engine) as session:
        token = create_link(session, a_person(session), now=datetime.now(UTC))
        session.commit()
    return f"{address}/sign-in/link?token={token}"


@pytest.fixture
def page(browser_page: Page) -> Iterator[Page]:
    """A browser whose console stays empty."""
    said: list[str] = []
    browser_page.on("console", lambda message: said.append(message.text))
    yield browser_page
    assert said == []


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_a_lead_signs_in_by_link_and_corrects_a_cause_by_one_click(
    page: Page, link: str, engine: Engine
) -> None:
    page.goto(link)
    page.get_by_role("button", name="Zaloguj się").click()
    expect(page.get_by_role("heading", name="Kolejka")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(26)  # 25 open tickets and the heads

    page.get_by_role("link", name="Kolor inny niż na zdjęciu").click()
    expect(page.get_by_text("Zasłony na zdjęciu są granatowe")).to_be_visible()
    reference = page.url.rpartition("/")[2]
    page.get_by_role("button", name="Zły towar, rozmiar lub wariant").click()

    expect(page.get_by_role("status")).to_have_text(re.compile("Zapisano"))
    chosen = page.get_by_role("button", name="Zły towar, rozmiar lub wariant")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    with open_session(engine) as session:
        ticket = find_ticket(session, reference)
        assert ticket is not None
        assert ticket.id is not None
        label = latest_label(session, ticket.id)
        assert label is not None
        assert (ticket.cause, label.cause, ticket.needs_review) == (
            "wrong_item",
            "wrong_item",
            False,
        )


def test_the_keyboard_is_enough(page: Page, link: str) -> None:
    page.goto(link)
    page.keyboard.press("Enter")  # the one button has the focus
    expect(page.get_by_role("heading", name="Kolejka")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Przejdź do treści")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("[data-row] a").first
    expect(first).to_be_focused()
    subject = first.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(subject)

    page.keyboard.press("1")
    low = page.get_by_role("button", name="Niska")
    expect(low).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Kolejka")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("kj1")  # letters in a field are letters
    expect(page.get_by_role("searchbox")).to_have_value("kj1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nic nie pasuje")).to_be_visible()


def test_every_control_can_be_reached_and_shows_its_focus(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Zaloguj się").click()
    page.locator("[data-row] a").first.click()
    expect(page.get_by_role("heading", name="Historia")).to_be_visible()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const e = document.activeElement;
                const style = getComputedStyle(e);
                if (e === document.body) return ["", ""];  // between the last and the first
                return [e.innerText.trim().split("\\n")[0], style.outlineStyle];
            }"""
        )
        if focused[0]:
            assert focused[1] != "none", focused[0]
            reached.add(focused[0])
    for name in ("Wada / nie działa", "Krytyczna", "zamknięte", "English"):
        assert name in reached


def test_the_page_works_without_a_script(browser: Browser, link: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Szukaj").fill("wazon")
    page.get_by_role("button", name="Filtruj").click()
    page.get_by_role("link", name="Rozbity wazon").click()
    page.get_by_role("button", name="rozwiązane").click()
    expect(page.get_by_role("status")).to_have_text("Zmieniono stan zgłoszenia.")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="resolved")).to_have_attribute("aria-pressed", "true")
    context.close()


def test_nothing_is_cut_off_on_a_phone(page: Page, link: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(link)
    assert overflow(page) <= 0
    page.get_by_role("button", name="Zaloguj się").click()
    expect(page.get_by_role("heading", name="Kolejka")).to_be_visible()
    assert overflow(page) <= 0
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.get_by_role("link", name=re.compile("Zmywarka po tygodniu")).click()
    expect(page.get_by_role("heading", name="Historia")).to_be_visible()
    assert overflow(page) <= 0


def test_text_is_readable_in_light_and_dark(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Zaloguj się").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("/", "/tickets/" + page.locator(".reference").first.inner_text()):
            page.goto(page.url.partition("/tickets")[0].rstrip("/") + path)
            assert page.evaluate(CONTRAST) == [], (scheme, path)
        page.get_by_role("link", name="Kolejka").first.click()


# WCAG 2.2, 1.4.3: the contrast of every text with what is painted behind it.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => {
    const a = top[3] / 255;
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(255);
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 255]);
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled")) continue;
    const ground = behind(element);
    const ink = over(rgba(getComputedStyle(element).color), ground);
    const [dark, bright] = [light(ink), light(ground)].sort((a, b) => a - b);
    if ((bright + 0.05) / (dark + 0.05) < 4.5) poor.add(element.className + ": " + walker.currentNode.data.trim());
  }
  return [...poor];
}"""  # noqa: E501
