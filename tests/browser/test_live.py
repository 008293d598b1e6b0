"""A training watched while it goes: its figures against what they should do, before its first step, and at its end."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stepline.home import Home
from stepline.recording.journal import Header, Record
from tests.browser import homes
from tests.browser.test_charts import wait_for_drawn

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

STEPS = 60
WORDS = {
    "en": {
        "live": "Live", "review": "Review", "running": "Running", "completed": "Completed", "duration": "Duration",
        "remaining": "Time remaining", "secs": "s", "said": "Training Completed.", "end": "Run 1 completed at step 60",
        "loss": ("Loss", "falling", "falls step by step"),
        "learning_rate": ("Learning rate", "by schedule", "changes as the schedule says"),
        "samples_per_second": ("Training speed", "steady", "steady"),
        "raw": "raw",
        "pending": "This task has not started yet", "not_logged": "The training has started",
        "first_line": "The first line appears",
    },
    "zh": {
        "live": "实时监控", "review": "历史回顾", "running": "运行中", "completed": "已完成", "duration": "用时",
        "remaining": "预计剩余时间", "secs": "秒", "said": "训练已完成。", "end": "第 1 次运行完成于第 60 步",
        "loss": ("当前损失", "下降", "逐步下降"),
        "learning_rate": ("学习率", "按调度", "按调度策略变化"),
        "samples_per_second": ("训练速度", "平稳", "稳定"),
        "raw": "原始",
        "pending": "此任务尚未开始", "not_logged": "训练已开始", "first_line": "第一行就会出现",
    },
}  # fmt: skip

pytestmark = pytest.mark.parametrize("language", ["en", "zh"])


def running(home: Home, total: int = STEPS) -> tuple[Header, Path]:
    """One that logs a step a second, until now."""
    head = replace(homes.header("live", total=total), process=homes.Process.current(), time=time.time() - STEPS)
    return head, homes.write(home, head, [homes.step(n, head.time, STEPS) for n in range(1, STEPS + 1)])


def test_each_figure_goes_against_its_ideal_and_has_its_line(home: Home, open_page, language: str):
    running(home, 2 * STEPS)
    page, words = open_page(language), WORDS[language]
    expect(page.get_by_test_id("strip-remaining")).to_have_text(
        re.compile(rf"{words['remaining']}\s*\d+.*{words['secs']}")
    )
    for metric in ("loss", "learning_rate", "samples_per_second"):
        label, trend, ideal = words[metric]
        figure = page.get_by_test_id(f"figure-{metric}")
        expect(figure.locator(".label")).to_have_text(re.compile(rf"{label}\s*{trend}"))
        expect(figure).to_have_attribute("title", re.compile(ideal))
        expect(figure.locator("svg path[d^=M]").last).to_be_visible()
        expect(figure.locator(".number")).to_have_text(re.compile(r"\d"))
    expect(page.get_by_test_id("figure-samples_per_second")).to_contain_text("SPL/s")
    # Smoothed, with the latest step's own value below; a learning rate is what it is.
    latest = homes.step(STEPS, 0, STEPS).metrics["loss"]
    expect(page.get_by_test_id("figure-loss")).to_contain_text(f"{words['raw']} {latest:.3f}")
    expect(page.get_by_test_id("figure-loss").locator(".number")).not_to_have_text(f"{latest:.3f}")
    expect(page.get_by_test_id("figure-learning_rate")).not_to_contain_text(words["raw"])


def test_a_training_that_ends_well_turns_into_its_review(home: Home, open_page, language: str):
    head, path = running(home)
    page, words = open_page(language), WORDS[language]
    wait_for_drawn(page, STEPS, STEPS)
    expect(page.get_by_test_id("mode")).to_have_text(words["live"])
    expect(page.locator(".strip")).to_contain_text(words["remaining"])
    with path.open("ab") as journal:
        journal.write(homes.encode_record(replace(homes.ended(head, "completed", STEPS), message=None)))
    expect(page.get_by_test_id("mode")).to_have_text(words["review"])
    expect(page.get_by_test_id("task-selector")).to_contain_text(words["completed"])
    expect(page.locator(".strip")).to_contain_text(words["duration"])
    expect(page.get_by_test_id("strip-progress")).to_contain_text("100")
    expect(page.get_by_test_id("log").get_by_text(words["end"])).to_be_visible()
    expect(page.locator(".unseen[aria-live=polite]")).to_have_text(words["said"])
    wait_for_drawn(page, STEPS, STEPS)


def test_what_has_logged_nothing_yet_says_so(home: Home, open_page, language: str):
    process = homes.Process.current()
    head = replace(homes.header("task"), process=process)
    path = homes.write(home, head, [])
    page, words = open_page(language), WORDS[language]
    expect(page.get_by_test_id("state").filter(has_text=words["pending"])).to_be_visible()
    with path.open("ab") as journal:
        journal.write(homes.encode_record(Record("train_start", head.time, 0)))
    expect(page.get_by_test_id("state").filter(has_text=words["not_logged"])).to_be_visible()
    with path.open("ab") as journal:
        journal.write(homes.encode_record(homes.step(1, head.time)))
    wait_for_drawn(page, 1, 1)
    expect(page.get_by_test_id("state")).to_have_count(0)
