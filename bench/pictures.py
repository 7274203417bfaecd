"""``python -m bench.pictures``: the pictures of the README, taken from a running demo."""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "odzew", "demo", "--port", "0"],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdout=subprocess.PIPE,
            text=True,
        ) as demo,
    ):
        assert demo.stdout is not None
        link = ""
        for line in demo.stdout:
            link = next((word for word in line.split() if "/sign-in/link" in word), link)
            if line.startswith("Done:"):
                break
        _take(link)
        demo.terminate()


def _take(link: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 760}, locale="pl-PL")
        page.goto(link)
        page.get_by_role("button", name="Zaloguj się").click()
        # The reminder to set a password belongs to the first minute, not to the picture.
        page.get_by_role("link", name="Ustaw hasło").click()
        for field in page.locator("input[type=password]").all():
            field.fill("zielona herbata o świcie")
        page.get_by_role("button", name="Zapisz").first.click()
        page.get_by_role("link", name="Kolejka").first.click()
        page.screenshot(path=IMAGES / "queue.png")
        page.locator("a[href*='/tickets/ODZ']").first.click()
        page.screenshot(path=IMAGES / "ticket.png")
        browser.close()


if __name__ == "__main__":
    main()
