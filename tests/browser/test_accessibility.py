"""axe-core finds nothing, on every page and state, in both themes and languages; and all is there without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepline.home import Home
from tests.browser import homes

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = {"en": {"tasks": "Tasks", "settings": "Settings"}, "zh": {"tasks": "任务", "settings": "设置"}}


def faults(page) -> list[str]:
    if not AXE.exists():
        pytest.skip("axe-core is missing: make setup")
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing(home: Home, open_page, language: str, theme: str):
    homes.one_of_each(home)
    page = open_page(language, color_scheme=theme, reduced_motion="reduce")
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    found = {"monitor": faults(page)}
    page.keyboard.press("o")
    expect(page.get_by_test_id("chart-grad_norm")).to_be_visible()
    found["other charts"] = faults(page)
    page.get_by_test_id("task-selector").click()
    expect(page.get_by_role("option")).to_have_count(5)
    found["selector"] = faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_test_id("help-sheet")).to_be_visible()
    found["help"] = faults(page)
    page.keyboard.press("Escape")
    page.get_by_role("link", name=NAMES[language]["tasks"], exact=True).click()
    expect(page.locator(".task-row")).to_have_count(5)
    found["tasks"] = faults(page)
    page.locator(".task-row").filter(has_text="stopped one").get_by_role("checkbox").click()
    found["selected"] = faults(page)
    page.get_by_test_id("delete").click()
    expect(page.locator(".task-row")).to_have_count(4)
    page.get_by_test_id("trash").click()
    expect(page.get_by_test_id("trash-sheet")).to_be_visible()
    found["trash"] = faults(page)
    page.keyboard.press("Escape")
    page.get_by_role("link", name=NAMES[language]["settings"], exact=True).click()
    expect(page.get_by_test_id("home")).to_be_visible()
    found["settings"] = faults(page)
    assert {state: those for state, those in found.items() if those} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_an_empty_home_and_after_the_connection_was_lost(open_page, app, theme: str):
    page = open_page("zh", width=360, height=740, color_scheme=theme)
    expect(page.get_by_test_id("begin-lines")).to_be_visible()
    assert faults(page) == []
    app.stop()
    expect(page.get_by_test_id("disconnected")).to_be_visible()
    assert faults(page) == []


# What a person could press but not reach: beyond the page's edge, where the page itself does not scroll.
BEYOND = """(width) => [...document.querySelectorAll('button, a, input')]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > width)
  .map((element) => element.ariaLabel ?? element.innerText)"""


# What lies under something else where it would be pressed.
COVERED = """() => [...document.querySelectorAll('header button, .strip button, .controls button, .tools button')]
  .filter((element) => {
    const { x, y, width, height } = element.getBoundingClientRect()
    const hit = document.elementFromPoint(x + width / 2, y + height / 2)
    return element.checkVisibility() && hit !== null && !element.contains(hit)
  })
  .map((element) => element.ariaLabel ?? element.innerText)"""


# What does not stand in the middle of its own row of a table, or runs out of it.
ASTRAY = """() => [...document.querySelectorAll('.task-row > *, .log-record > *')]
  .filter((cell) => {
    const [inner, outer] = [cell, cell.parentElement].map((element) => element.getBoundingClientRect())
    const off = Math.abs(inner.top + inner.bottom - outer.top - outer.bottom) / 2
    return cell.checkVisibility() && (off > 4 || inner.right > outer.right + 1)
  })
  .map((cell) => cell.className)"""


@pytest.mark.parametrize(
    ("language", "width"),
    [("en", 360), ("zh", 360), ("en", 900), ("zh", 1024), ("en", 1240), ("zh", 2560), ("en", 3840)],
)
def test_nothing_runs_out_of_the_page_at_any_width(home: Home, open_page, language: str, width: int):
    homes.one_of_each(home)
    page = open_page(language, width=width, height=900)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    for place, there in (("1", ".monitor .plot"), ("2", ".task-row"), ("3", ".settings")):
        page.keyboard.press(place)
        expect(page.locator(there).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert page.evaluate(BEYOND, width) == [], place
        assert page.evaluate(COVERED) == [], place
        assert page.evaluate(ASTRAY) == [], place
