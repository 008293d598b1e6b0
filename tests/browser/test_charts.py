"""What a person does with the charts, in a real Chromium: zoom, pan, read, mark, and scale them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from stepline.app import App
from stepline.home import Home
from stepline.recording.journal import Record
from tests.browser import homes

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

ALL = ("loss", "perplexity", "grad_norm", "learning_rate", "eval_loss", "samples_per_second")


def plot(page, metric: str = "loss"):
    return page.get_by_test_id(f"chart-{metric}").get_by_role("img")


def drawn(page, metric: str = "loss") -> int:
    """Points of the raw line in view."""
    return int(plot(page, metric).get_attribute("data-points"))


def wait_for_drawn(page, least: int, most: int, *metrics: str) -> None:
    for metric in metrics or ("loss",):
        page.wait_for_function(
            """([metric, least, most]) => {
              const points = Number(document.querySelector(`[data-testid=chart-${metric}] .plot`)?.dataset.points)
              return points >= least && points <= most
            }""",
            arg=[metric, least, most],
        )


def at(page, part: float, metric: str = "loss") -> tuple[float, float]:
    """Where this part of the plot's width lies in the window, at half its height."""
    box = plot(page, metric).bounding_box()
    left, right = box["x"] + 52, box["x"] + box["width"] - 60
    return left + part * (right - left), box["y"] + box["height"] / 2


def wait_for_box(page, box: dict[str, float], metric: str = "loss") -> None:
    """Until the chart lies there in the window."""
    page.wait_for_function(
        """([metric, box]) => {
          const found = document.querySelector(`[data-testid=chart-${metric}]`).getBoundingClientRect()
          return Object.keys(box).every((side) => found[side] === box[side])
        }""",
        arg=[metric, box],
    )


def drag(page, first: float, last: float) -> None:
    page.mouse.move(*at(page, first))
    page.mouse.down()
    page.mouse.move(*at(page, (first + last) / 2))
    page.mouse.move(*at(page, last))
    page.mouse.up()


BACK = {"en": "Zoom back", "zh": "缩放还原"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_brush_zooms_all_charts_together_and_two_clicks_lead_back(home: Home, open_page, language: str):
    homes.long(home, 400)
    page = open_page(language)
    wait_for_drawn(page, 400, 400, "loss", "perplexity")
    page.keyboard.press("o")
    wait_for_drawn(page, 400, 400, "grad_norm", "samples_per_second")
    drag(page, 0.25, 0.75)
    wait_for_drawn(page, 180, 220, "loss", "perplexity", "grad_norm", "samples_per_second")
    expect(page.get_by_test_id("zoom-back")).to_contain_text(BACK[language])
    drag(page, 0.25, 0.75)
    wait_for_drawn(page, 85, 115, "loss", "perplexity", "grad_norm", "samples_per_second")
    page.mouse.dblclick(*at(page, 0.5, "perplexity"))
    wait_for_drawn(page, 180, 220, "loss", "grad_norm")
    page.keyboard.press("Escape")
    wait_for_drawn(page, 400, 400, "loss", "samples_per_second")


FOLLOW = {"en": "Follow", "zh": "跟随"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_wheel_zooms_about_the_pointer_and_following_comes_back_with_one_key(home: Home, open_page, language: str):
    head = replace(homes.header("live"), process=homes.Process.current())
    homes.write(home, head, [homes.step(n, head.time, 400) for n in range(1, 401)])
    page = open_page(language)
    wait_for_drawn(page, 400, 400)
    follow = page.get_by_role("checkbox", name=FOLLOW[language]).first
    expect(follow).to_be_checked()
    page.mouse.move(*at(page, 0.5))
    page.mouse.wheel(0, -400)
    wait_for_drawn(page, 180, 220, "loss", "perplexity")
    expect(follow).not_to_be_checked()
    # What lies under the pointer stays there: the same record is read before and after a further turn.
    said = page.get_by_test_id("chart-tooltip").locator("b")
    page.mouse.move(*at(page, 0.5))
    before = int(re.sub(r"\D", "", said.inner_text()))
    page.mouse.wheel(0, -400)
    wait_for_drawn(page, 85, 115)
    page.mouse.move(*at(page, 0.501))
    assert abs(int(re.sub(r"\D", "", said.inner_text())) - before) <= 2
    page.keyboard.press("f")
    wait_for_drawn(page, 400, 400, "loss", "perplexity")
    expect(follow).to_be_checked()


def test_a_pan_shows_no_hole_and_its_window_is_three_spans_wide(home: Home, app: App, open_page):
    homes.long(home, 40_000)
    app.take_in()
    page = open_page()
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text("40,000")
    with page.expect_request(re.compile(r"/frame\?.*\bfirst=")) as asked:
        drag(page, 0.4, 0.6)
    first, last = (int(re.search(rf"\b{word}=(\d+)", asked.value.url)[1]) for word in ("first", "last"))
    assert 0.55 < (last - first) / 40_000 < 0.65, "a span on either side comes with it"
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text("≈")
    page.wait_for_load_state("networkidle")
    fine = drawn(page)
    page.evaluate(
        """() => {
          window.least = Infinity
          const look = () => {
            const { points } = document.querySelector('[data-testid=chart-loss] .plot').dataset
            window.least = Math.min(window.least, Number(points))
            requestAnimationFrame(look)
          }
          look()
        }"""
    )
    page.mouse.move(*at(page, 0.5))
    for _ in range(10):
        page.mouse.wheel(80, 0)
        page.wait_for_timeout(30)
    assert page.evaluate("window.least") > 0.8 * fine, "at each frame of the pan the line was whole and fine"


def test_raw_points_are_drawn_as_soon_as_those_in_view_fit(home: Home, app: App, open_page):
    """3,000 of 6,000 records were 1,500 points: with as many on either side, all of them did not fit."""
    homes.long(home, 6_000)
    app.take_in()
    page = open_page()
    wait_for_drawn(page, 3_000, 3_010, "loss", "perplexity")
    drag(page, 0.25, 0.75)
    wait_for_drawn(page, 2_900, 3_100, "loss", "perplexity")


def test_a_newer_window_takes_the_older_request_back(home: Home, app: App, open_page):
    homes.long(home, 40_000)
    app.take_in()
    page = open_page()
    expect(page.get_by_test_id("chart-loss").get_by_test_id("points")).to_contain_text("40,000")
    page.wait_for_load_state("networkidle")
    held: list[object] = []
    page.route(re.compile(r"/frame\?.*\bfirst="), lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(re.compile(r"/frame\?.*\bfirst=")):
        drag(page, 0.2, 0.8)
    wait_for_drawn(page, 800, 2800)  # the coarse picture of the part is there at once
    with page.expect_event("requestfailed") as failed:
        drag(page, 0.4, 0.6)
    assert failed.value.failure == "net::ERR_ABORTED"
    expect(page.get_by_test_id("error")).to_have_count(0)
    wait_for_drawn(page, 1000, 4000)


NAMES = {
    "en": ["Loss", "Perplexity", "Gradient norm", "Learning rate", "Evaluation loss", "Training speed"],
    "zh": ["损失", "困惑度", "梯度范数", "学习率", "评估损失", "训练速度"],
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_crosshair_runs_through_all_charts_and_reads_every_series(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page = open_page(language)
    wait_for_drawn(page, 7, 7)
    page.keyboard.press("o")
    for metric in ALL:
        expect(page.get_by_test_id(f"chart-{metric}")).to_be_visible()
    page.mouse.move(*at(page, 0.99))
    expect(page.locator(".crosshair")).to_have_count(len(ALL))
    tooltip = page.get_by_test_id("chart-tooltip")
    said = [name.inner_text().split(" SPL")[0].strip() for name in tooltip.locator(".name").all()]
    assert said == NAMES[language]
    expect(tooltip).to_contain_text("40")
    # And what changed before the run under the pointer.
    expect(tooltip).to_contain_text("lr 2e-4 → 1e-4")
    # On a chart of the fold the same reading, there.
    page.mouse.move(*at(page, 0.99, "grad_norm"))
    expect(page.locator(".crosshair")).to_have_count(len(ALL))
    page.mouse.move(5, 5)
    expect(page.locator(".crosshair")).to_have_count(0)


FILL = {"en": ("Full screen: Loss curve", "Leave full screen"), "zh": ("全屏：损失曲线", "退出全屏")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_chart_fills_the_window(home: Home, open_page, language: str):
    homes.long(home, 400)
    fill, leave = FILL[language]
    page = open_page(language)
    wait_for_drawn(page, 400, 400)
    chart = page.get_by_test_id("chart-loss")
    small = chart.bounding_box()
    page.get_by_role("button", name=fill).click()
    wait_for_box(page, {"x": 0, "y": 0, "width": 1440, "height": 900})
    page.wait_for_function("() => document.querySelector('[data-testid=chart-loss] canvas').clientWidth === 1440")
    page.get_by_role("button", name=leave).press("Escape")
    wait_for_box(page, small)


AXES = {"en": ("By step", "Run 1", "Run 2"), "zh": ("按步数", "第 1 次运行", "第 2 次运行")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_by_step_the_runs_lie_over_each_other(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page = open_page(language)
    wait_for_drawn(page, 7, 7)
    word, *runs = AXES[language]
    page.get_by_test_id("axis").locator("visible=true").click()
    with page.expect_response(re.compile(r"/frame\?.*axis=step")):
        page.get_by_role("menuitemradio", name=word).click()
    for run in runs:
        expect(page.get_by_test_id("chart-loss").locator(".legend")).to_contain_text(run)
    # Step 40 stands at the end, and only the second run has it.
    page.mouse.move(*at(page, 0.99))
    expect(page.get_by_test_id("chart-tooltip").locator(".head")).to_contain_text("40")
    expect(page.get_by_test_id("chart-tooltip").locator(".head")).to_contain_text(runs[1])


def spiked(home: Home) -> None:
    head = homes.header("spiked", total=400)
    steps = [homes.step(n, head.time, 400, **({"loss": 900.0} if n == 300 else {})) for n in range(1, 401)]
    homes.write(home, head, [*steps, homes.ended(head, "completed", 400)])


@pytest.mark.parametrize(
    ("language", "said", "fit"), [("en", "max 900", "Fit to 1–99%"), ("zh", "最大 900", "按 1–99% 缩放")]
)
def test_an_outlier_does_not_flatten_the_curve_and_is_told(home: Home, open_page, language: str, said: str, fit: str):
    spiked(home)
    page = open_page(language)
    wait_for_drawn(page, 400, 400)
    chart = page.get_by_test_id("chart-loss")
    beyond = chart.get_by_test_id("beyond-above")
    expect(beyond).to_contain_text(said)
    beyond.click()
    expect(beyond).to_have_count(0)
    chart.get_by_role("button", name=fit).click()
    expect(beyond).to_contain_text(said)
    page.get_by_test_id("fit").locator("visible=true").click()
    expect(beyond).to_have_count(0)


def test_a_nan_is_marked_where_it_happened_and_read_as_one(home: Home, open_page):
    head = homes.header("broken", total=400)
    values = {200: float("nan"), 201: float("inf")}
    steps = [homes.step(n, head.time, 400, **({"loss": values[n]} if n in values else {})) for n in range(1, 401)]
    homes.write(home, head, [*steps, homes.ended(head, "completed", 400)])
    page = open_page()
    wait_for_drawn(page, 400, 400)
    expect(page.get_by_test_id("chart-loss").locator(".legend")).to_contain_text(re.compile(r"NaN\s*2"))
    plot(page).focus()
    page.keyboard.press("Home")
    for _ in range(20):
        page.keyboard.press("Shift+ArrowRight")
    tooltip = page.get_by_test_id("chart-tooltip")
    page.keyboard.press("ArrowLeft")
    expect(tooltip).to_contain_text("NaN")
    page.keyboard.press("ArrowRight")
    expect(tooltip.locator(".broken").first).to_have_text("∞")


@pytest.mark.parametrize(
    ("language", "evaluation", "checkpoint"), [("en", "Evaluation", "Checkpoint"), ("zh", "评估", "检查点")]
)
def test_evaluations_and_checkpoints_stand_on_the_loss_and_the_best_is_named(
    home: Home, open_page, language: str, evaluation: str, checkpoint: str
):
    homes.seeds_example(home)
    page = open_page(language)
    wait_for_drawn(page, 7, 7)
    legend = page.get_by_test_id("chart-loss").locator(".legend")
    expect(legend).to_contain_text(evaluation)
    expect(legend).to_contain_text(checkpoint)
    expect(page.get_by_test_id("figure-eval_loss")).to_contain_text("1.9")
    expect(page.get_by_test_id("figure-eval_loss")).to_contain_text("40")


def test_a_metric_nobody_named_has_its_chart_in_a_group_by_its_prefix(home: Home, open_page):
    head = homes.header("further", total=40)
    steps = [homes.step(n, head.time, **{"rewards/accuracy": n / 40, "rewards/margin": 1.0}) for n in range(1, 41)]
    homes.write(home, head, [*steps, homes.ended(head, "completed", 40), Record("message", head.time + 99)])
    page = open_page()
    group = page.get_by_test_id("fold-rewards")
    expect(group.get_by_test_id("value-rewards/accuracy")).to_have_text("1.000")
    expect(page.get_by_test_id("chart-rewards/accuracy")).to_have_count(0)
    group.get_by_role("button").first.click()
    wait_for_drawn(page, 40, 40, "loss")
    for name in ("accuracy", "margin"):
        expect(page.get_by_test_id(f"chart-rewards/{name}").get_by_role("img")).to_have_attribute("data-points", "40")
