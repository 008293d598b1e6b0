"""The page in a real Chromium: first paint with data beside ten thousand tasks and of ten million records, and the
selector's first opening."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stepline.home import Home
from stepline.store import Store
from tests.bench.browser import chromium, remember
from tests.bench.ground import GOAL_SIZE, Ground
from tests.bench.processes import Serving
from tests.bench.table import Row
from tests.browser import homes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TASKS = 10_000
POINTS = 20_000
ROUNDS = 5

# Also true where it was drawn before we asked; counted from the page's request.
PAINTED = """new Promise((done) => {
  const look = () => {
    if (document.querySelector('[data-testid=chart-loss] canvas')) requestAnimationFrame(() => done(performance.now()))
    else requestAnimationFrame(look)
  }
  look()
})"""

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


def rows(ground: Ground) -> Iterator[Row]:
    painted, opened = [], []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        home = Home.open(Path(folder) / "home")
        _fill(home)
        with Serving(home.path) as serving:
            for _ in range(ROUNDS):
                with _painted(browser, serving.url) as (page, took):
                    painted.append(took)
                    page.wait_for_timeout(500)
                    opened.append(page.evaluate(OPEN_SELECTOR))
    yield Row(f"page: first paint with data, {TASKS:,} tasks", POINTS, statistics.median(painted), most=1000.0)
    yield Row("page: selector of all tasks, first opening", TASKS, statistics.median(opened), most=100.0)
    painted.clear()
    with chromium() as browser:
        for _ in range(ROUNDS):
            # A new process each time: nothing is smoothed yet.
            with Serving(ground.home(GOAL_SIZE).path) as serving, _painted(browser, serving.url) as (_, took):
                painted.append(took)
    yield Row("page: first paint with data of a stored history", GOAL_SIZE, statistics.median(painted), most=1000.0)


@contextmanager
def _painted(browser: Browser, url: str) -> Iterator[tuple[Page, float]]:
    """A new page, and the milliseconds from its request until the first chart was painted."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        page.goto(url, wait_until="commit")
        yield page, page.evaluate(PAINTED)
    finally:
        page.close()


def _fill(home: Home) -> None:
    store = Store.open(home.database, writable=True)
    with store.together() as together:
        for number in range(TASKS):
            head = homes.header(f"task {number}")
            together.begin_run(head)
            together.end_run(head.run_id, "completed", None, head.time + 1)
    task = homes.header("long").task_id
    store.close()
    homes.long(home, POINTS)
    remember(home, task=task)
