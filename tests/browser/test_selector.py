"""The task selector: by keyboard alone, with more tasks than anybody scrolls through, and still while tasks move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepline.home import Home
from stepline.store import Store
from tests.browser import homes

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

MANY = 1000
COUNT = {"en": "1,000 tasks", "zh": "共 1,000 个任务"}
FOUND = {"en": "1 of 1,000 tasks", "zh": "1,000 个任务中的 1 个"}
SEARCH = {"en": "Search tasks", "zh": "搜索任务"}
NONE = {"en": "No task matches “nowhere”", "zh": "没有与“nowhere”相符的任务"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_keyboard_is_enough(home: Home, open_page, language: str):
    homes.one_of_each(home)
    page = open_page(language)
    selector = page.get_by_test_id("task-selector")
    expect(selector).to_contain_text("running one")
    options = page.get_by_role("option")
    highlighted = page.locator("[role=option][data-highlighted]")
    page.keyboard.press("t")
    expect(options).to_have_count(5)
    expect(highlighted).to_contain_text("running one")
    page.keyboard.press("ArrowDown")
    expect(highlighted).not_to_contain_text("running one")
    name = highlighted.locator(".title").inner_text()
    page.keyboard.press("Enter")
    expect(options).to_have_count(0)
    expect(selector).to_contain_text(name)
    # Searched for in full-width letters, as Chinese input methods type them; Escape leaves what was shown.
    page.keyboard.press("t")
    field = page.get_by_placeholder(SEARCH[language])
    expect(field).to_be_focused()
    page.keyboard.insert_text("ｆａｉｌｅｄ")
    expect(options).to_have_count(1)
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(selector).to_contain_text(name)
    page.keyboard.press("t")
    expect(field).to_be_focused()
    expect(options).to_have_count(5)
    page.keyboard.insert_text("nowhere")
    expect(page.get_by_text(NONE[language])).to_be_visible()


@pytest.fixture
def thousand(home: Home) -> None:
    """Before anything else opens the home: it writes."""
    store = Store.open(home.database, writable=True)
    for number in range(MANY):
        head = homes.header(f"task {number:04}")
        head = replace(head, time=head.time + number)
        store.begin_run(head)
        position = store.position(head.run_id)
        store.append(head.run_id, [homes.ended(head, "completed", 1)], position=position + 1, since=position)
    store.close()


@pytest.mark.usefixtures("thousand")
def test_of_a_thousand_only_those_in_view_are_there(open_page):
    for language in COUNT:
        page = open_page(language)
        expect(page.get_by_test_id("task-selector")).to_contain_text("task")
        page.get_by_test_id("task-selector").click()
        expect(page.get_by_text(COUNT[language], exact=True)).to_be_visible()
        options = page.get_by_role("option")
        expect(options.first).to_be_visible()
        assert options.count() < 40
        page.keyboard.press("End")
        expect(options.filter(has_text="task 0000")).to_be_visible()
        assert options.count() < 40
        page.keyboard.insert_text("0777")
        expect(options).to_have_count(1)
        expect(page.get_by_text(FOUND[language], exact=True)).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.usefixtures("thousand")
def test_the_list_opens_around_the_task_shown(open_page, language: str):
    page = open_page(language)
    selector = page.get_by_test_id("task-selector")
    options = page.get_by_role("option")
    current = page.locator("[role=option][data-state=checked]")
    below_top = """(row) => {
      const list = row.closest('.list')
      return [row.getBoundingClientRect().top - list.getBoundingClientRect().top, list.clientHeight, list.scrollTop]
    }"""
    # The newest is shown: nothing lies above it.
    selector.click()
    expect(current).to_contain_text("task 0999")
    assert current.evaluate(below_top)[::2] == [0, 0]
    for name in ("task 0500", "task 0001"):
        page.keyboard.insert_text(name[-4:])
        expect(options).to_have_count(1)
        page.keyboard.press("Enter")
        expect(selector).to_contain_text(name)
        selector.click()
        expect(page.locator("[role=option][data-highlighted]")).to_contain_text(name)
        # With as many newer ones above it as older ones below; at the end of the list, as far up as it goes.
        page.wait_for_function(f"""() => {{
          const row = document.querySelector('[role=option][data-state=checked]')
          const [below, height, scrolled] = ({below_top})(row)
          const middle = (height - row.clientHeight) / 2
          const list = row.closest('.list')
          const atEnd = list.scrollHeight - height - scrolled < 1
          return Math.abs(below - middle) < 4 || (atEnd && below > middle)
        }}""")
        page.keyboard.press("ArrowUp")
        above = f"task {int(name[-4:]) + 1:04}"
        expect(page.locator("[role=option][data-highlighted]")).to_contain_text(above)
    page.keyboard.press("Home")
    expect(options.filter(has_text="task 0999")).to_be_in_viewport(ratio=1)


def test_a_task_that_logs_takes_no_highlight_away(home: Home, open_page):
    head = replace(homes.header("live"), process=homes.Process.current())
    path = homes.write(home, head, [homes.step(10, head.time)])
    other = replace(homes.header("other"), time=homes.BEGIN)
    homes.write(home, other, [homes.step(10, other.time), homes.ended(other, "completed", 10)])
    page = open_page()
    expect(page.get_by_test_id("task-selector")).to_contain_text("live")
    page.get_by_test_id("task-selector").click()
    highlighted = page.locator("[role=option][data-highlighted]")
    expect(highlighted).to_contain_text("live")
    page.keyboard.press("ArrowDown")
    expect(highlighted).to_contain_text("other")
    with path.open("ab") as journal:
        journal.write(homes.encode_record(homes.step(20, head.time)))
    expect(page.get_by_role("option").filter(has_text="live")).to_contain_text("20 / 40")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(highlighted).to_contain_text("other")


def test_an_open_list_does_not_move_under_the_pointer(home: Home, open_page):
    old = [replace(homes.header(name), time=homes.BEGIN + at) for at, name in enumerate(("older", "newer"))]
    for head in old:
        homes.write(home, head, [homes.step(10, head.time), homes.ended(head, "completed", 10)])
    page = open_page()
    names = page.get_by_role("option").locator(".title")
    page.get_by_test_id("task-selector").click()
    expect(names).to_have_text(["newer", "older"])
    # One is trained again, and another begins: told where they stand, and in their order when the list is opened anew.
    for head in (homes.header("older", 2), homes.header("new", 3)):
        homes.write(home, head, [homes.step(20, head.time), homes.ended(head, "stopped", 20)])
    expect(names).to_have_text(["newer", "older", "new"])
    expect(page.get_by_role("option").nth(1)).to_contain_text("2 runs")
    page.keyboard.press("Escape")
    page.get_by_test_id("task-selector").click()
    expect(names).to_have_text(["new", "newer", "older"])
