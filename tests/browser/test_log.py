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


@pytest.fixture
def million(home: Home) -> None:
    head = homes.header("million", total=LINES)
    sequence = np.arange(LINES, dtype=np.int64)
    evaluation = sequence % EVERY == EVERY - 1
    steps = np.flatnonzero(~evaluation)
    kinds = np.where(evaluation, KIND_CODES["evaluation"], KIND_CODES["step"]).astype(np.uint8)
    store = Store.open(home.database, writable=True)
    store.begin_run(head)
    part = 250_000
    for first in range(0, LINES, part):
        here = slice(first, first + part)
        own = steps[(steps >= first) & (steps < first + part)] - first
        evaluated = np.flatnonzero(evaluation[here])
        columns = RecordColumns(
            head.time + sequence[here],
            sequence[here],
            None,
            {
                "loss": Values(own, 3 * np.exp(-(own + first) / LINES)),
                "eval_loss": Values(evaluated, np.full(len(evaluated), 2.5)),
            },
            kind=kinds[here],
            messages={NEEDLE - first: "a needle in the hay"} if first <= NEEDLE < first + part else {},
        )
        position = store.position(head.run_id)
        store.append(head.run_id, columns, position=position + 1, since=position)
    store.end_run(head.run_id, "completed", None, head.time + LINES)
    store.close()


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

    log.get_by_role("searchbox").fill("needle")
    expect(count).to_have_text(words["found"])
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("a needle in the hay")
    # From the line to the curves, and back.
    lines.first.dblclick()
    wait_for_drawn(page, 150, 201)
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
