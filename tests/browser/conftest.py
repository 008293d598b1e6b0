"""A real Chromium on a real App. Skipped, with how to get it, where there is no browser or no built page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepline.app import App
from stepline.home import Home

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PAGE = Path(__file__).parents[2] / "backend" / "stepline" / "web_dist" / "index.html"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
]
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
PATIENCE_MS = 30_000
playwright_api.expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., "playwright_api.Page"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[playwright_api.Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    if not PAGE.exists():
        pytest.skip("the page is not built: make setup")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def app(home: Home) -> Iterator[App]:
    running = App(home)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def open_page(chromium: playwright_api.Browser, app: App) -> Iterator[Open]:
    """Opens the app's page as a person with that language would; a page that throws fails the test."""
    contexts = []
    problems: list[str] = []

    def open_it(language: str = "en", width: int = 1440, height: int = 900, **options: object) -> playwright_api.Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, locale=LOCALES[language], **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(app.url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == [], "the page threw"
