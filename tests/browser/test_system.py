"""GPU and system figures on the page: a group of their own by wall time, where there are samples and nowhere else."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from stepline.app import App
from stepline.history import decode
from stepline.home import Home
from stepline.recording.journal import Process
from tests.browser.conftest import Open
from tests.browser.homes import ended, header, step, write
from tests.browser.test_charts import at, wait_for_drawn

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

COUNT = 400
TASK = "sampled"


@pytest.fixture
def sampled(app: App, home: Home) -> App:
    head = header(TASK, total=COUNT)
    records = [step(n, head.time, COUNT) for n in range(1, COUNT + 1)]
    write(home, head, [*records, ended(head, "completed", COUNT)])
    app.take_in()
    for place in range(COUNT // 2):
        values = {
            "system.cpu": 40 + 10 * math.sin(place / 9),
            "process.memory": 3.0 * 2**30,
            "gpu.0.utilization": 0.0 if place == 77 else 97.0,
            "gpu.0.power": 310.0 + place % 5,
        }
        app.store.add_sample(head.run_id, head.time + 2 * place, values)
    return app


def test_the_group_shows_the_newest_figures_and_opens_into_charts(sampled: App, open_page: Open):
    page = open_page()
    group = page.get_by_test_id("fold-system")
    expect(group.get_by_test_id("value-gpu.0.utilization")).to_contain_text("97.0")
    expect(group.get_by_test_id("value-process.memory")).to_contain_text(re.compile(r"3\.00(?!\d)"))
    group.get_by_role("button", name="System").click()
    charts = group.get_by_role("article")
    expect(charts).to_have_count(4)
    assert [chart.get_attribute("aria-label") for chart in charts.all()] == [
        "GPU 0 utilization",
        "GPU 0 power",
        "Memory of this run",
        "CPU",
    ]


def test_the_crosshair_of_all_charts_runs_through_the_system_charts(sampled: App, open_page: Open):
    page = open_page()
    wait_for_drawn(page, COUNT, COUNT)
    group = page.get_by_test_id("fold-system")
    group.get_by_role("button", name="System").click()
    expect(group.get_by_role("article")).to_have_count(4)
    expect(page.locator(".system-pane canvas")).to_have_count(4)
    tooltip = page.get_by_test_id("chart-tooltip")
    page.mouse.move(*at(page, 0.5))
    expect(group.locator(".crosshair")).to_have_count(4)
    for words in ("GPU 0 utilization", "97", "Memory of this run", r"3\.00(?!\d)"):
        expect(tooltip).to_contain_text(re.compile(words))
    # And the other way: pointing at a sample shows the record of its time in all charts.
    pane = group.get_by_role("article", name="GPU 0 power").locator(".plot")
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    page.mouse.move(box["x"] + 48 + (box["width"] - 100) / 4, box["y"] + 40)
    expect(page.get_by_test_id("chart-loss").locator(".crosshair")).to_have_count(1)
    step = int(re.sub(r"\D", "", tooltip.locator("b").inner_text()))
    assert abs(step - COUNT / 4) < COUNT / 20


def test_while_it_trains_only_new_samples_are_fetched(app: App, home: Home, open_page: Open):
    head = replace(header("live"), process=Process.current())
    write(home, head, [step(n, head.time) for n in range(1, 20)])
    app.take_in()
    for place in range(20):
        app.store.add_sample(head.run_id, head.time + 10 * place, {"system.cpu": 40.0})
    page = open_page()
    page.clock.install()
    page.reload()
    group = page.get_by_test_id("fold-system")
    with page.expect_response("**/system?*") as whole:
        group.get_by_role("button", name="System").click()
    assert "first=" not in whole.value.url
    expect(page.locator(".system-pane canvas")).to_have_count(1)  # it goes on from what it has taken in
    app.store.add_sample(head.run_id, head.time + 200, {"system.cpu": 60.0})
    with page.expect_response("**/system?*") as newer:
        page.clock.fast_forward(11_000)
    assert f"first={head.time + 190:.0f}" in newer.value.url
    frame = decode(newer.value.body())
    assert frame.series[0].columns["value"].tolist() == [40.0, 60.0]


def test_a_task_without_samples_has_no_such_group(app: App, home: Home, open_page: Open):
    head = header("plain")
    write(home, head, [step(n, head.time) for n in range(1, 20)])
    app.take_in()
    page = open_page()
    page.get_by_test_id("chart-loss").wait_for()
    assert page.get_by_test_id("fold-system").count() == 0
