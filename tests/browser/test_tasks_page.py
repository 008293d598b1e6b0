"""The table of tasks: several into the trash and back, removed for good, in a real Chromium and both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepline.home import Home
from tests.browser import homes
from tests.front_door import wait_for

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

WORDS = {
    "en": {"tasks": "Tasks", "select": "Select", "selected": "2 selected", "undo": "Undo", "back": "Restore stopped",
           "edit": "Tags and notes", "tags": "Tags", "notes": "Notes", "save": "Save", "name": "Rename",
           "renamed": "Renamed to “better”", "actions": "Actions for better"},
    "zh": {"tasks": "任务", "select": "选择", "selected": "已选 2 个", "undo": "撤销", "back": "恢复 stopped",
           "edit": "标签与备注", "tags": "标签", "notes": "备注", "save": "保存", "name": "重命名",
           "renamed": "已重命名为“better”", "actions": "better 的操作"},
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


def test_a_task_is_renamed_tagged_noted_and_found_by_it(home: Home, open_page, app, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    page.get_by_role("link", name=words["tasks"], exact=True).click()
    rows = page.locator(".task-row")
    rows.filter(has_text="stopped one").click(position={"x": 400, "y": 20})
    page.locator(".tasks .scroller").focus()
    page.keyboard.press("F2")
    field = rows.get_by_role("textbox", name=words["name"])
    expect(field).to_have_value("stopped one")
    field.fill("better")
    field.press("Enter")
    expect(page.get_by_text(words["renamed"])).to_be_visible()
    expect(rows.filter(has_text="better")).to_be_visible()

    page.get_by_role("button", name=words["actions"]).click()
    page.get_by_role("menuitem", name=words["edit"]).click()
    # Commas of both widths part tags.
    page.get_by_role("dialog").get_by_label(words["tags"]).fill("baseline，v2, v2")
    page.get_by_role("dialog").get_by_label(words["notes"]).fill("a lower rate")
    page.get_by_role("button", name=words["save"], exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(rows.filter(has_text="better").locator(".tag")).to_have_text(["baseline", "v2"])
    page.get_by_test_id("tasks-search").fill("LOWER rate")
    expect(rows).to_have_count(1)
    page.get_by_test_id("tasks-search").fill("baseline")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("better")
    task = app.store.find_task("better")
    assert (task.tags, task.notes) == (("baseline", "v2"), "a lower rate")


def test_the_keys_stay_with_their_task_though_others_move(home: Home, open_page, language: str):
    heads = [replace(homes.header(name), process=homes.Process.current()) for name in ("first", "second")]
    paths = [homes.write(home, head, [homes.step(10, head.time + at)]) for at, head in enumerate(heads)]
    page = open_page(language)
    page.get_by_role("link", name=WORDS[language]["tasks"], exact=True).click()
    rows, table = page.locator(".task-row"), page.locator(".tasks .scroller")
    names = rows.locator(".name")
    expect(names).to_have_text(["second", "first"])
    table.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".task-row.is-chosen")).to_contain_text("second")
    # Pointed at, the rows stay where they are.
    rows.first.hover()
    with paths[0].open("ab") as journal:
        journal.write(homes.encode_record(homes.step(20, heads[0].time + 100)))
    expect(rows.filter(has_text="first").locator(".is-steps")).to_contain_text("20")
    expect(names).to_have_text(["second", "first"])
    page.mouse.move(600, 20)
    expect(names).to_have_text(["first", "second"])
    expect(page.locator(".task-row.is-chosen")).to_contain_text("second")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("task-selector")).to_contain_text("second")
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
