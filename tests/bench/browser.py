"""A real Chromium on `stepline serve`, and a probe in the page that says when charts were painted."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stepline.app import App
from stepline.home import Home
from tests.bench.processes import installed
from tests.bench.table import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1", "--enable-precise-memory-info"]
CHARTS = ("loss", "perplexity", "grad_norm", "learning_rate", "eval_loss", "samples_per_second")
VIEWPORT = {"width": 1440, "height": 1400}
"""High enough for all six charts at once."""

# A canvas is cleared once each time it is drawn anew; the message comes after the frame in which that happened. A frame
# of the socket begins with four letters, the length of its head, and a head in JSON.
PROBE = """(() => {
  const now = () => performance.timeOrigin + performance.now()
  // first, last: when each chart was painted for the first time since these were cleared, and for the last time.
  const probe = { first: new Map(), last: new Map(), draws: 0, painted: [], long: [], frames: [], cursor: 0 }
  window.probe = probe
  const clear = CanvasRenderingContext2D.prototype.clearRect
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    const chart = this.canvas.closest('[data-testid^="chart-"]')
    if (chart !== null) {
      const name = chart.dataset.testid.slice(6)
      const cursor = probe.cursor
      probe.draws += 1
      const after = new MessageChannel()
      after.port1.onmessage = () => {
        after.port1.close()
        probe.last.set(name, now())
        if (!probe.first.has(name)) probe.first.set(name, now())
        probe.onpaint?.()
        if (name === 'loss') probe.painted.push([cursor, now()])
      }
      after.port2.postMessage(0)
    }
    return clear.apply(this, box)
  }
  window.WebSocket = class extends WebSocket {
    constructor(...words) {
      super(...words)
      this.addEventListener('message', ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return
        const length = new DataView(data).getUint32(4, true)
        probe.cursor = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 8, length))).cursor
      })
    }
  }
  addEventListener('wheel', (event) => (probe.turned = performance.timeOrigin + event.timeStamp), { capture: true })
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) probe.long.push(each.duration)
  }).observe({ type: 'longtask' })
  const frame = (at) => {
    probe.frames.push(at)
    requestAnimationFrame(frame)
  }
  probe.watchFrames = () => requestAnimationFrame(frame)
})()"""


def rows_of(part: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of a part that takes a browser; one that says so where there is none."""
    if CHROMIUM is None:
        yield Row(part, 0, None, note="no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    elif not installed("playwright"):
        yield Row(part, 0, None, note="no Playwright: make setup")
    else:
        yield from rows


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def remember(home: Home, **settings: object) -> None:
    """Keep settings of the page in a home, as a page that was open there before."""
    app = App(home)
    app.start()
    try:
        app.take_in()
        for name, value in settings.items():
            app.store.set_setting(name, value)
    finally:
        app.stop()


@contextmanager
def charts(browser: Browser, url: str) -> Iterator[Page]:
    """A page with the probe in it, whose six charts are drawn."""
    page = browser.new_page(viewport=VIEWPORT)
    page.add_init_script(PROBE)
    page.goto(url)
    for name in CHARTS:
        page.wait_for_selector(f"[data-testid=chart-{name}] canvas")
    page.wait_for_function(f"probe.last.size >= {len(CHARTS)}")
    try:
        yield page
    finally:
        page.close()


def settled(page: Page, quiet_secs: float = 0.25) -> None:
    """Wait until nothing was drawn for a while."""
    seen = -1
    while (draws := page.evaluate("probe.draws")) != seen:
        seen = draws
        time.sleep(quiet_secs)
