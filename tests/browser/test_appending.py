"""What is drawn stays where it is while a training goes on: pixels and values of the points that were there before."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stepline.app import App
from stepline.home import Home
from stepline.recording.journal import Header
from tests.browser import homes
from tests.browser.test_charts import drag, wait_for_drawn

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

LONG = 10_000
"""More than are drawn: they are thinned."""
WATCH = """(metric) => {
  const canvas = document.querySelector(`[data-testid=chart-${metric}] canvas`)
  const seen = []
  window.looks = 0
  window.seen = () => seen.length
  window.forget = () => seen.splice(0)
  const look = () => {
    const picture = canvas.toDataURL()
    if (!seen.includes(picture)) seen.push(picture)
    window.looks += 1
    requestAnimationFrame(look)
  }
  look()
}"""
"""Which pictures a chart shows, looked at in each frame that the browser draws."""


def training(home: Home, points: int) -> tuple[Header, Path]:
    head = replace(homes.header("live", total=2 * points), process=homes.Process.current(), time=time.time() - points)
    return head, homes.write(home, head, [homes.step(n, head.time, points) for n in range(1, points + 1)])


def log_on(page, head: Header, path: Path, first: int, count: int, points: int) -> None:
    """Logs further steps one by one, each waited for until the page tells of it."""
    for number in range(first, first + count):
        with path.open("ab") as journal:
            journal.write(homes.encode_record(homes.step(number, head.time, points)))
        expect(page.get_by_test_id("strip-steps")).to_contain_text(f"{number:,}")


def wait_for_frames(page) -> None:
    """A good many."""
    page.evaluate("window.looks = 0")
    page.wait_for_function("() => window.looks > 20")


def opened(open_page, points: int):
    """With all that is there drawn, and the group below the charts that the first sample of this process brings."""
    page = open_page()
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text(f"{points:,}")
    expect(page.get_by_test_id("fold-system")).to_be_visible()
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("metric", ["loss", "perplexity"])
@pytest.mark.parametrize("points", [400, LONG])
def test_no_pixel_moves_of_what_is_zoomed_into(home: Home, app: App, open_page, points: int, metric: str):
    head, path = training(home, points)
    app.take_in()
    page = opened(open_page, points)
    drag(page, 0.3, 0.6)
    expect(page.get_by_test_id("zoom-back")).to_be_visible()
    page.mouse.move(5, 5)
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH, metric)
    wait_for_frames(page)
    page.evaluate("window.forget()")
    log_on(page, head, path, points + 1, 5, points)
    wait_for_frames(page)
    assert page.evaluate("window.seen()") == 1


def test_a_live_point_appears_and_does_not_slide(home: Home, open_page):
    head, path = training(home, 60)
    page = opened(open_page, 60)
    page.evaluate(WATCH, "loss")
    wait_for_frames(page)
    page.evaluate("window.forget()")
    wait_for_frames(page)
    log_on(page, head, path, 61, 1, 60)
    wait_for_drawn(page, 61, 61)
    wait_for_frames(page)
    assert page.evaluate("window.seen()") == 2, "the picture before, the picture after, and none between them"


def test_values_of_drawn_points_stay_while_it_goes_on_and_when_it_is_opened_anew(home: Home, app: App, open_page):
    def rows() -> list[str]:
        page.get_by_test_id("export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name="Save what is seen as CSV").click()
        return Path(download.value.path()).read_text("utf-8").splitlines()[1:]

    head, path = training(home, LONG)
    app.take_in()
    page = open_page()
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text(f"{LONG:,}")
    wait_for_drawn(page, 1000, 4000)
    before = rows()
    log_on(page, head, path, LONG + 1, 20, LONG)
    after = rows()
    assert len(after) == len(before) + 20
    assert after[: len(before)] == before
    # Thinned anew, the buckets before the newest are the same ones: what lies in them has not moved.
    page.reload()
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text(re.compile("10,02\\d"))
    sequences = [int(row.split(",")[0]) for row in before]
    bucket = 2 * LONG / len(before)
    whole = [row for row, sequence in zip(before, sequences, strict=True) if sequence < LONG - 4 * bucket]
    assert rows()[: len(whole)] == whole
