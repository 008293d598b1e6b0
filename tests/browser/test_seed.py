"""The seed's page, row by row, in a real Chromium and in both languages where a row is words."""

from __future__ import annotations

import re

import pytest

from stepline.home import Home
from tests.browser import homes
from tests.browser.test_charts import drag, drawn, wait_for_drawn
from tests.browser.test_exports import saved

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

WORDS = {
    "en": {
        "running": "Running", "completed": "Completed", "pending": "Pending", "failed": "Failed", "stopped": "Stopped",
        "review": "Review", "live": "Live", "search": "Search tasks",
        "step": "Current step", "total": "Total steps", "progress": "Progress", "remaining": "Time remaining",
        "loss": "Loss curve", "perplexity": "Perplexity curve", "other": "Other charts", "log": "Training log",
        "grad_norm": "Gradient norm", "learning_rate": "Learning rate", "eval_loss": "Evaluation loss",
        "samples_per_second": "Training speed", "about": "About Loss curve",
        "latest": "Latest 4,000", "whole": "Whole", "points": "points",
        "monitor": "Monitor", "tasks": "Tasks",
        "train_start": "Training start", "kind_step": "Step", "evaluation": "Evaluation",
        "checkpoint": "Checkpoint", "train_end": "Training end", "evaluations": "Evaluations",
        "message": "Message", "error": "Error", "svg": "Save as SVG", "runs": ["Run 1", "Run 2"],
    },
    "zh": {
        "running": "运行中", "completed": "已完成", "pending": "等待中", "failed": "失败", "stopped": "已停止",
        "review": "历史回顾", "live": "实时监控", "search": "搜索任务",
        "step": "当前步数", "total": "总步数", "progress": "训练进度", "remaining": "预计剩余时间",
        "loss": "损失曲线", "perplexity": "困惑度曲线", "other": "其他图表", "log": "训练日志",
        "grad_norm": "梯度范数", "learning_rate": "学习率", "eval_loss": "评估损失",
        "samples_per_second": "训练速度", "about": "损失曲线",
        "latest": "最近 4,000", "whole": "全部", "points": "点",
        "monitor": "监控", "tasks": "任务",
        "train_start": "训练开始", "kind_step": "训练步骤", "evaluation": "评估事件",
        "checkpoint": "检查点保存", "train_end": "训练结束", "evaluations": "评估事件",
        "message": "消息", "error": "错误", "svg": "存为 SVG", "runs": ["第 1 次运行", "第 2 次运行"],
    },
}  # fmt: skip

# The seed's colours, by the hue a person names (degrees); grey has no hue.
HUES = {"running": (90, 160), "completed": (200, 230), "pending": (30, 50), "failed": (340, 370)}

pytestmark = pytest.mark.parametrize("language", ["en", "zh"])


def choose(page, name: str) -> None:
    page.get_by_test_id("task-selector").click()
    page.get_by_role("option").filter(has_text=name).first.click()
    expect(page.get_by_test_id("task-selector")).to_contain_text(name)


def color_of(element) -> str:
    """The colour of a word or mark; asked again where the list was just drawn anew, for what is gone has none."""
    for _ in range(100):
        if found := element.evaluate("element => element.isConnected ? getComputedStyle(element).color : ''"):
            return str(found)
        element.page.wait_for_timeout(50)
    raise AssertionError("what was to have a colour is not there")


def hue(color: str) -> float | None:
    """Degrees of a CSS rgb() colour; None where it is grey."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    high, low = max(red, green, blue), min(red, green, blue)
    if high - low < 0.15:
        return None
    if high == red:
        degrees = 60 * ((green - blue) / (high - low))
    elif high == green:
        degrees = 60 * ((blue - red) / (high - low)) + 120
    else:
        degrees = 60 * ((red - green) / (high - low)) + 240
    return degrees + 360 if degrees < 0 else degrees


def has_hue(color: str, status: str) -> bool:
    found = hue(color)
    if status not in HUES:
        return found is None
    first, last = HUES[status]
    return found is not None and (first <= found <= last or first <= found + 360 <= last)


def test_the_selector_lists_all_tasks_with_the_seeds_five_colours(home: Home, open_page, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    page.get_by_test_id("task-selector").click()
    for status in ("running", "completed", "pending", "failed", "stopped"):
        option = page.get_by_role("option").filter(has_text=f"{status} one")
        label = option.get_by_text(words[status], exact=True)
        expect(label).to_be_visible()
        assert has_hue(color_of(label), status), status


def test_the_mode_follows_the_status(home: Home, open_page, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    choose(page, "running one")
    expect(page.locator(".strip")).to_have_class(re.compile("is-live"))
    expect(page.get_by_text(words["live"], exact=True)).to_be_visible()
    for name in ("completed one", "stopped one"):
        choose(page, name)
        expect(page.locator(".strip")).to_have_class(re.compile("is-review"))
        expect(page.get_by_text(words["review"], exact=True)).to_be_visible()


def test_status_and_figures_of_a_running_task(home: Home, open_page, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    choose(page, "running one")
    strip = page.locator(".strip")
    for name in ("step", "total", "progress", "remaining", "learning_rate", "samples_per_second"):
        expect(strip).to_contain_text(words[name])
    expect(page.get_by_test_id("strip-steps")).to_contain_text(re.compile(r"20\s*/\s*40"))
    expect(page.get_by_test_id("strip-progress")).to_contain_text("50")
    expect(strip).to_contain_text("SPL/s")


def test_loss_and_perplexity_are_shown_and_the_others_are_folded(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page, words = open_page(language), WORDS[language]
    for metric in ("loss", "perplexity"):
        expect(page.get_by_test_id(f"chart-{metric}")).to_be_visible()
        expect(page.get_by_role("heading", name=words[metric])).to_be_visible()
    others = ("grad_norm", "learning_rate", "eval_loss", "samples_per_second")
    # A folded chart costs nothing: it is not there.
    for metric in others:
        expect(page.get_by_test_id(f"chart-{metric}")).to_have_count(0)
    page.get_by_role("button", name=words["other"]).click()
    for metric in others:
        expect(page.get_by_test_id(f"chart-{metric}")).to_be_visible()
        expect(page.get_by_test_id(f"chart-{metric}")).to_contain_text(words[metric])


def test_a_second_run_goes_on_along_the_axis(home: Home, open_page, language: str):
    """10 20 30, then 10 20 30 40: seven points in a row, their steps as the trainer counted them."""
    homes.seeds_example(home)
    page = open_page(language)
    image = page.get_by_test_id("chart-loss").get_by_role("img")
    expect(image).to_have_attribute("aria-label", re.compile("7"))
    image.focus()
    page.keyboard.press("Home")
    steps = []
    for _ in range(7):
        heading = page.get_by_test_id("chart-tooltip").locator(".head").inner_text()
        steps.append(tuple(int(number) for number in re.findall(r"\d+", heading)[:2]))
        page.keyboard.press("ArrowRight")
    runs = [max(pair, key=lambda number: number < 10) for pair in steps]
    assert [max(pair) for pair in steps] == [10, 20, 30, 10, 20, 30, 40]
    assert runs == [1, 1, 1, 2, 2, 2, 2]


def test_a_line_parts_the_runs_and_says_what_changed(home: Home, open_page, language: str):
    """Drawn, not written into the page: read from the chart's picture."""
    homes.seeds_example(home)
    page, words = open_page(language), WORDS[language]
    wait_for_drawn(page, 7, 7)
    picture = saved(page, words["svg"], words["loss"]).read_text("utf-8").replace("\u2009", " ")
    assert "lr 2e-4 → 1e-4" in picture
    for run in words["runs"]:
        assert f">{run}</text>" in picture
    assert picture.count('stroke-dasharray="3,3"') == 1, "one line, where the second run begins"


def test_the_log_has_the_seeds_types_and_colours(home: Home, open_page, language: str):
    homes.one_of_each(home)
    page, words = open_page(language), WORDS[language]
    choose(page, "completed one")
    log = page.get_by_test_id("log")
    expect(page.get_by_test_id("log-count")).to_contain_text("15")
    for kind, status in (
        ("train_start", "running"),
        ("evaluation", "pending"),
        ("checkpoint", "completed"),
        ("train_end", "running"),
    ):
        cell = log.get_by_role("row").filter(has_text=words[kind]).first.get_by_text(words[kind]).first
        assert has_hue(color_of(cell), status), kind
    # An ordinary step's word is quiet; its dot is the seed's blue.
    dot = log.locator("[data-kind=step] .log-type").first
    assert has_hue(color_of(dot), "completed")
    expect(log.get_by_role("row").filter(has_text="a word from the script")).to_contain_text(words["message"])
    choose(page, "failed one")
    failure = log.get_by_role("row").filter(has_text="Ended at step 10").get_by_text(words["error"])
    expect(failure).to_be_visible()
    assert has_hue(color_of(failure), "failed")


def test_the_log_is_filtered_and_searched(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page, words = open_page(language), WORDS[language]
    log = page.get_by_test_id("log")
    expect(log.get_by_role("row")).to_have_count(16)
    log.get_by_role("button", name=words["evaluations"]).click()
    expect(log.get_by_role("row")).to_have_count(3)
    log.get_by_role("button", name=words["evaluations"]).click()
    log.get_by_role("searchbox").fill("a word")
    expect(log.get_by_role("row")).to_have_count(2)


def test_the_whole_history_is_thinned_to_the_budget_and_the_latest_4000_are_a_switch(
    home: Home, open_page, language: str
):
    homes.long(home, 6000)
    page = open_page(language)
    badge = page.get_by_test_id("chart-loss").get_by_test_id("points")
    expect(badge).to_contain_text("6,000")
    page.get_by_test_id("range-latest").click()
    # The latest 4,000 records; the closing one is no point of the loss.
    expect(badge).to_contain_text("3,999")
    page.get_by_test_id("range-whole").click()
    expect(badge).to_contain_text("6,000")


def test_another_page_and_back_finds_everything_as_it_was(home: Home, open_page, language: str):
    """Zoom, folds and the log's scroll, at once: nothing of it is asked for again."""
    homes.long(home, 6000)
    page, words = open_page(language), WORDS[language]
    wait_for_drawn(page, 2000, 4000)
    page.get_by_role("button", name=words["other"]).click()
    wait_for_drawn(page, 2000, 4000, "grad_norm", "samples_per_second")
    drag(page, 0.25, 0.75)
    wait_for_drawn(page, 1400, 1600, "loss", "grad_norm")
    lines, scroller = page.get_by_test_id("log").locator(".log-record"), page.get_by_test_id("log").locator(".scroller")
    scroller.evaluate("element => { element.scrollTop = element.scrollHeight / 2 }")
    expect(lines.filter(has_text="3,000")).to_be_visible()
    page.wait_for_load_state("networkidle")
    scrolled, zoomed = scroller.evaluate("element => element.scrollTop"), drawn(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if re.search("/frame|/log", request.url) else None)
    page.evaluate(
        """() => {
          window.blanked = 0
          for (const plot of document.querySelectorAll('.plot')) {
            const look = () => { if (plot.dataset.points === '0') window.blanked += 1 }
            new MutationObserver(look).observe(plot, { attributeFilter: ['data-points'] })
          }
        }"""
    )
    page.get_by_role("link", name=words["tasks"], exact=True).click()
    expect(page.locator(".task-row")).to_be_visible()
    expect(page.get_by_test_id("chart-loss")).to_be_hidden()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.get_by_role("link", name=words["monitor"], exact=True).click()
    expect(page.get_by_test_id("chart-grad_norm")).to_be_visible()
    expect(lines.filter(has_text="3,000")).to_be_visible()
    assert scroller.evaluate("element => element.scrollTop") == scrolled
    assert (drawn(page), drawn(page, "grad_norm")) == (zoomed, zoomed)
    assert page.evaluate("window.blanked") == 0, "no chart was empty on the way"
    expect(page.get_by_test_id("zoom-back")).to_be_visible()
    assert asked == [], "all of it came back from the page's own memory"


def test_smoothing_can_be_set_and_switched_off(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page = open_page(language)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    for name in ("EMA", "MA"):
        box = page.get_by_role("checkbox", name=name, exact=True)
        expect(box).to_be_checked()
        with page.expect_request(re.compile(rf"/frame\?.*\b{name.lower()}=0")):
            box.click()
        expect(box).not_to_be_checked()
