"""GPU and system figures on the page: a group of their own by wall time, where there are samples and nowhere else."""

from __future__ import annotations

import math

import pytest

from stepline.app import App
from stepline.home import Home
from tests.browser.conftest import Open
from tests.browser.homes import ended, header, step, write

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
    assert "97.0" in group.get_by_test_id("value-gpu.0.utilization").inner_text()
    assert "3.000" in group.get_by_test_id("value-process.memory").inner_text()
    group.get_by_role("button", name="System").click()
    charts = group.get_by_role("article")
    charts.first.wait_for()
    assert [chart.get_attribute("aria-label") for chart in charts.all()] == [
        "GPU 0 utilization",
        "GPU 0 power",
        "Memory of this run",
        "CPU",
    ]


def test_a_task_without_samples_has_no_such_group(app: App, home: Home, open_page: Open):
    head = header("plain")
    write(home, head, [step(n, head.time) for n in range(1, 20)])
    app.take_in()
    page = open_page()
    page.get_by_test_id("chart-loss").wait_for()
    assert page.get_by_test_id("fold-system").count() == 0
