"""The log of a million lines: only what is in view is there; found, filtered, and led to the curves and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stepline.app import App
from stepline.home import Home
from stepline.store import KIND_CODES, RecordColumns, Store, Values
from tests.browser import homes
from tests.browser.test_charts import at, wait_for_drawn

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

LINES = 1_000_000
EVERY = 1000
"""An evaluation stands after so many steps."""
NEEDLE = 654_321
LATEST = 200
WORDS = {
    "en": {"count": "1,000,000 records", "found": "1 record", "evaluations": "1,000 records", "latest": "latest 200"},
    "zh": {"count": "1,000,000 条", "found": "1 条", "evaluations": "1,000 条", "latest": "最近 200 条"},
}


MORE_LINES = 5_000_000
"""Three times as many as fit into the height that a browser gives an element."""


def fill(home: Home, count: int) -> None:
    head = homes.header("long", total=count)
    sequence = np.arange(count, dtype=np.int64)
    evaluation = sequence % EVERY == EVERY - 1
    steps = np.flatnonzero(~evaluation)
    kinds = np.where(evaluation, KIND_CODES["evaluation"], KIND_CODES["step"]).astype(np.uint8)
    store = Store.open(home.database, writable=True)
    store.begin_run(head)
    part = 250_000
    for first in range(0, count, part):
        here = slice(first, first + part)
        own = steps[(steps >= first) & (steps < first + part)] - first
        evaluated = np.flatnonzero(evaluation[here])
        columns = RecordColumns(
            head.time + sequence[here],
            sequence[here],
            None,
            {
                "loss": Values(own, 3 * np.exp(-(own + first) / count)),
                "eval_loss": Values(evaluated, np.full(len(evaluated), 2.5)),
            },
            kind=kinds[here],
            messages={NEEDLE - first: "a needle in the hay"} if first <= NEEDLE < first + part else {},
        )
        position = store.position(head.run_id)
        store.append(head.run_id, columns, position=position + 1, since=position)
    store.end_run(head.run_id, "completed", None, head.time + count)
    store.close()


@pytest.fixture
def million(home: Home) -> None:
    """Before anything else opens the home: it writes."""
    fill(home, LINES)


@pytest.fixture
def millions(home: Home) -> None:
    fill(home, MORE_LINES)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.usefixtures("million")
def test_a_million_lines(open_page, language: str):
    page, words = open_page(language), WORDS[language]
    log = page.get_by_test_id("log")
    count = page.get_by_test_id("log-count")
    expect(count).to_have_text(words["count"])
    lines = log.locator(".log-record")
    expect(lines.first).to_contain_text(f"{LINES - 1:,}")

    # Half way down: its lines are there, the others are not in the document.
    log.locator(".scroller").evaluate("element => { element.scrollTop = element.scrollHeight / 2 }")
    expect(lines.filter(has_text=f"{LINES // 2 - 2:,}")).to_be_visible()
    assert lines.count() < 60

    searches: list[str] = []
    page.on("request", lambda request: searches.append(request.url) if "search=needle" in request.url else None)
    log.get_by_role("searchbox").fill("needle")
    expect(count).to_have_text(words["found"])
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("a needle in the hay")
    # From the line to the curves, and back.
    lines.first.dblclick()
    wait_for_drawn(page, 150, 201)
    assert len(searches) == 1, "facts that tell nothing new ask for nothing"
    expect(page.get_by_test_id("zoom-back")).to_be_visible()
    log.get_by_role("searchbox").fill("")
    expect(count).to_have_text(words["count"])
    page.mouse.click(*at(page, 0.5))
    expect(lines.filter(has_text=f"{NEEDLE:,}")).to_be_visible()
    page.mouse.move(*at(page, 0.5))
    expect(log.locator(".is-pointed")).to_have_count(1)

    log.get_by_test_id("log-evaluation").click()
    expect(count).to_have_text(words["evaluations"])
    expect(lines.first).to_contain_text(f"{LINES - 1:,}")


def wait_for_top(page, step: int) -> None:
    """Until the line of this step is the first that is seen whole."""
    page.locator(".log-table .scroller").wait_for()
    page.wait_for_function(
        """(step) => {
          const top = document.querySelector('.log-table .scroller').getBoundingClientRect().top
          const whole = [...document.querySelectorAll('.log-record')]
            .filter((line) => line.getBoundingClientRect().top > top - 1)
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
          return whole[0]?.children[2]?.textContent.replaceAll(',', '') === String(step)
        }""",
        arg=step,
    )


@pytest.mark.usefixtures("millions")
def test_the_first_of_millions_of_lines_is_reached_by_bar_keys_and_wheel(open_page):
    page = open_page()
    log = page.get_by_test_id("log")
    newest = MORE_LINES - 1
    wait_for_top(page, newest)
    scroller = log.locator(".scroller")
    oldest = log.get_by_role("gridcell", name="0", exact=True)
    pointed = log.locator(".is-pointed")

    # The bar's end is the log's, and its middle the log's middle.
    scroller.evaluate("element => { element.scrollTop = element.scrollHeight }")
    expect(oldest).to_be_in_viewport(ratio=1)
    scroller.evaluate("element => { element.scrollTop = (element.scrollHeight - element.clientHeight) / 2 }")
    expect(log.get_by_text(f"{MORE_LINES // 2:,}")).to_be_visible()
    assert log.locator(".log-record").count() < 60
    scroller.evaluate("element => { element.scrollTop = 0 }")
    wait_for_top(page, newest)

    # Keys go by lines and pages, and to both ends.
    scroller.focus()
    page.keyboard.press("End")
    expect(oldest).to_be_in_viewport(ratio=1)
    expect(pointed).to_have_attribute("aria-rowindex", str(MORE_LINES + 1))
    page.keyboard.press("ArrowUp")
    expect(pointed).to_have_attribute("aria-rowindex", str(MORE_LINES))
    seen = int(scroller.evaluate("element => Math.floor(element.clientHeight / 22)"))
    page.keyboard.press("PageUp")
    expect(pointed).to_have_attribute("aria-rowindex", str(MORE_LINES - seen + 1))
    page.keyboard.press("PageDown")
    expect(pointed).to_have_attribute("aria-rowindex", str(MORE_LINES))
    page.keyboard.press("Home")
    wait_for_top(page, newest)
    expect(pointed).to_have_attribute("aria-rowindex", "2")

    # The wheel moves by as many lines in the middle of five millions as in a short log, however often it is turned.
    scroller.evaluate("element => { element.scrollTop = element.scrollHeight / 3 }")
    place = """() => {
      const top = document.querySelector('.log-table .scroller').getBoundingClientRect().top
      const lines = [...document.querySelectorAll('.log-record')]
      const line = lines.find((one) => one.getBoundingClientRect().top > top - 1)
      return Number(line.getAttribute('aria-rowindex')) + (top - line.getBoundingClientRect().top) / 22
    }"""
    box = scroller.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    before = page.evaluate(place)
    assert before > MORE_LINES / 4
    for turns in range(1, 4):
        page.mouse.wheel(0, 220)
        page.wait_for_function(f"() => Math.abs(({place})() - {before + 10 * turns}) < 0.1")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_running_task_shows_the_latest_200(home: Home, app: App, open_page, language: str):
    head = replace(homes.header("live"), process=homes.Process.current())
    path = homes.write(home, head, [homes.step(n, head.time, 400) for n in range(1, 301)])
    page = open_page(language)
    log = page.get_by_test_id("log")
    expect(page.get_by_test_id("log-count")).to_have_text(WORDS[language]["latest"])
    expect(log.get_by_role("grid")).to_have_attribute("aria-rowcount", str(LATEST + 1))
    # What is logged appears at the top while it is followed.
    with path.open("ab") as journal:
        journal.write(homes.encode_record(homes.step(301, head.time, 400)))
    expect(log.locator(".log-record").first).to_contain_text("301")
    expect(log.get_by_role("grid")).to_have_attribute("aria-rowcount", str(LATEST + 1))
