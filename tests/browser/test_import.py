"""A history of another tool, brought in through the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepline.app import App
from tests.front_door import wait_for
from tests.import_files import log_history, trainer_state

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

WORDS = {
    "en": {
        "button": "Import…", "one": "Imported “mine”, 20 records.", "again": "“mine” is here already",
        "points": "20 points",
    },
    "zh": {
        "button": "导入…", "one": "已导入“mine”，共 20 条记录。", "again": "“mine”已导入过",
        "points": "20 个点",
    },
}  # fmt: skip

DROP = """
async ([path, text]) => {
  const data = new DataTransfer()
  data.items.add(new File([text], path))
  for (const type of ['dragenter', 'dragover', 'drop'])
    window.dispatchEvent(new DragEvent(type, { dataTransfer: data, cancelable: true, bubbles: true }))
}
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return trainer_state(tmp_path / "mine.json", log_history(range(5, 101, 5)))


def choose(page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_test_id("import").locator("visible=true").click()
    chooser.value.set_files(path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_chosen_file_is_a_task_with_its_points(app: App, open_page, history: Path, language: str):
    page, words = open_page(language), WORDS[language]
    expect(page.get_by_test_id("empty-home").get_by_role("button", name=words["button"])).to_be_visible()
    choose(page, history)
    expect(page.get_by_text(words["one"])).to_be_visible()
    expect(page.get_by_test_id("task-selector")).to_contain_text("mine")
    chart = page.get_by_test_id("chart-loss").get_by_role("img")
    expect(chart).to_have_accessible_name(re.compile(words["points"]))
    page.goto(f"{app.address}/#/tasks")
    choose(page, history)
    expect(page.get_by_text(words["again"])).to_be_visible()
    assert [task.records for task in app.store.tasks()] == [20]


def test_a_dropped_file_is_a_task(app: App, open_page, history: Path):
    page = open_page()
    expect(page.get_by_test_id("empty-home")).to_be_visible()
    page.evaluate(DROP, ["mine.json", history.read_text("utf-8")])
    expect(page.get_by_test_id("task-selector")).to_contain_text("mine")
    assert [task.records for task in app.store.tasks()] == [20]


def test_an_import_that_is_cancelled_leaves_nothing(app: App, open_page, tmp_path: Path):
    """While it is read, after all was sent."""
    page = open_page()
    lines = tmp_path / "long.jsonl"
    lines.write_text("".join(f'{{"step": {step}, "loss": 1.5, "note": "x"}}\n' for step in range(400_000)), "utf-8")
    choose(page, lines)
    expect(page.get_by_test_id("importing")).to_contain_text("Importing long.jsonl, ")
    expect(page.get_by_test_id("importing")).not_to_contain_text("sent")
    page.get_by_test_id("importing").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Import cancelled. Nothing was kept.")).to_be_visible()
    wait_for(lambda: not any((app.home.folder / "uploads").iterdir()))
    assert app.store.tasks() == []


def test_what_is_no_history_says_why(app: App, open_page, tmp_path: Path):
    page = open_page()
    diary = tmp_path / "diary.md"
    diary.write_text("dear diary\n", encoding="utf-8")
    choose(page, diary)
    said = page.get_by_role("status").filter(has_text="Importing diary.md failed.")
    expect(said).to_be_visible()
    expect(said).to_contain_text("The import failed: ")
    assert app.store.tasks() == []
