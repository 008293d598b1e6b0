"""The page in a real Chromium, with ten thousand tasks: first paint with data, and the selector's first opening."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from stepline.app import App
from stepline.home import Home
from stepline.store import Store
from tests.bench.timing import Row
from tests.browser import homes

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
TASKS = 10_000
POINTS = 20_000
ROUNDS = 5
FIRST_PAINT_MS = 1000.0
SELECTOR_MS = 100.0

# From the click until the frame after the options stand in the document.
OPEN_SELECTOR = """() => new Promise((done) => {
  const began = performance.now()
  const look = () => {
    if (document.querySelector('[role=option]')) requestAnimationFrame(() => done(performance.now() - began))
    else requestAnimationFrame(look)
  }
  const trigger = document.querySelector('[data-testid=task-selector]')
  trigger.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true, button: 0, pointerType: 'mouse'}))
  trigger.click()
  requestAnimationFrame(look)
})"""


def rows(sizes: Sequence[int]) -> Iterator[Row]:
    """Nothing where there is no Chromium. The sizes are the page's own."""
    if CHROMIUM is None:
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Home.open(Path(folder) / "home")
        store = Store.open(home.database, writable=True)
        with store.together() as together:
            for number in range(TASKS):
                head = homes.header(f"task {number}")
                together.begin_run(head)
                together.end_run(head.run_id, "completed", None, head.time + 1)
        store.close()
        homes.long(home, POINTS)
        app = App(home)
        app.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            app.take_in()
            app.store.set_setting("task", app.store.find_task("long").id)
            painted, opened = [], []
            for _ in range(ROUNDS):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(app.url)
                page.wait_for_selector("[data-testid=chart-loss] canvas")
                painted.append(page.evaluate("new Promise((d) => requestAnimationFrame(() => d(performance.now())))"))
                page.wait_for_timeout(500)
                opened.append(page.evaluate(OPEN_SELECTOR))
                page.close()
        finally:
            browser.close()
            app.stop()
        yield Row(
            "page: first paint with data", POINTS, statistics.median(painted), goal=FIRST_PAINT_MS, goal_is_value=True
        )
        yield Row(
            "page: selector of all tasks, first opening",
            TASKS,
            statistics.median(opened),
            goal=SELECTOR_MS,
            goal_is_value=True,
        )
