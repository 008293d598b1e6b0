"""The table of tasks: several into the trash and back, removed for good, in a real Chromium and both languages."""

from __future__ import annotations

import pytest

from stepline.home import Home
from tests.browser import homes
from tests.front_door import wait_for

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

WORDS = {
    "en": {"tasks": "Tasks", "select": "Select", "selected": "2 selected", "undo": "Undo", "back": "Restore stopped"},
    "zh": {"tasks": "任务", "select": "选择", "selected": "已选 2 个", "undo": "撤销", "back": "恢复 stopped"},
}  # fmt: skip

pytestmark = pytest.mark.parametrize("language", ["en", "zh"])


def test_tasks_go_to_the_trash_and_come_back(home: Home, open_page, app, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    page.get_by_role("link", name=words["tasks"], exact=True).click()
    rows = page.locator(".task-row")
    expect(rows).to_have_count(5)
    for name in ("completed one", "stopped one"):
        page.get_by_role("checkbox", name=f"{words['select']} {name}").click()
    # Selecting turns the filters into what can be done.
    expect(page.get_by_test_id("selection")).to_contain_text(words["selected"])
    expect(page.get_by_test_id("tasks-search")).to_have_count(0)
    page.get_by_test_id("delete").click()
    expect(rows).to_have_count(3)
    expect(page.get_by_test_id("tasks-search")).to_be_visible()
    wait_for(lambda: len(list(home.trash.iterdir())) == 3)  # the journals of three runs, moved after the rows
    page.get_by_role("button", name=words["undo"]).click()
    expect(rows).to_have_count(5)

    # By keyboard, one; a task that trains stays, and the page says why.
    rows.filter(has_text="stopped one").click()
    page.locator(".tasks .scroller").focus()
    page.keyboard.press("Delete")
    expect(rows).to_have_count(4)
    page.locator(".task-row").filter(has_text="running one").click()
    page.locator(".tasks .scroller").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".notice.is-error")).to_be_visible()
    expect(rows).to_have_count(4)

    page.get_by_test_id("trash").click()
    page.get_by_role("button", name=words["back"]).click()
    expect(rows).to_have_count(5)


def test_emptying_the_trash_asks_and_removes_for_good(home: Home, open_page, app, language: str):
    homes.one_of_each(home)
    page = open_page(language)
    expect(page.get_by_test_id("task-selector")).to_contain_text("one")
    app.put_in_trash([app.store.find_task("failed one").id])
    page.get_by_role("link", name=WORDS[language]["tasks"], exact=True).click()
    page.get_by_test_id("trash").click()
    expect(page.get_by_test_id("trash-sheet")).to_contain_text("failed one")
    page.get_by_test_id("empty-trash").click()
    page.get_by_test_id("remove-yes").click()
    expect(page.get_by_test_id("trash-sheet")).to_have_count(0)
    expect(page.get_by_test_id("trash")).to_have_count(0)
    assert app.store.trash() == []
    wait_for(lambda: list(home.trash.iterdir()) == [])
