"""Zoom and pan in a real Chromium: from the turn of the wheel until six charts of 4,000 points are painted anew."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stepline.home import Home
from stepline.recording.journal import Header, Process
from stepline.store import RecordColumns, Store
from stepline.store.content import Values
from tests.bench.browser import CHARTS, charts, chromium, remember, settled
from tests.bench.processes import Serving
from tests.bench.table import Row
from tests.bench.timing import part

POINTS = 10**6
TURNS = 60
ALL_PAINTED = f"""new Promise((done) => {{
  probe.onpaint = () => {{
    if (probe.first.size < {len(CHARTS)}) return
    probe.onpaint = null
    done(Math.max(...probe.first.values()) - probe.turned)
  }}
  probe.onpaint()
}})"""


def rows() -> Iterator[Row]:
    first, fine, script = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        _fill(home)
        remember(home, task="t", othersOpen=True)
        with Serving(home.path) as serving, chromium() as browser, charts(browser, serving.url) as page:
            settled(page)
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

            def spent() -> float:
                found = devtools.send("Performance.getMetrics")["metrics"]
                return float(next(each["value"] for each in found if each["name"] == "ScriptDuration")) * 1000

            box = page.locator("[data-testid=chart-loss] canvas").bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            settled(page)
            for turn in range(TURNS):
                page.evaluate("probe.first.clear()")
                before = spent()
                across, down = _turn(turn)
                page.mouse.wheel(across, down)
                first.append(page.evaluate(ALL_PAINTED))
                script.append(spent() - before)
                settled(page)
                fine.append(page.evaluate("Math.max(...probe.last.values()) - probe.turned"))
    yield Row("zoom or pan → six charts painted, p95", POINTS, part(first, 0.95), most=50.0)
    yield Row("zoom or pan → six charts painted, median", POINTS, statistics.median(first))
    yield Row("its JavaScript, all six charts, p95", POINTS, part(script, 0.95), most=16.0)
    yield Row("its JavaScript, all six charts, median", POINTS, statistics.median(script))
    yield Row("zoom or pan → finer points fetched and painted, median", POINTS, statistics.median(fine))


def _turn(number: int) -> tuple[float, float]:
    """In, in, aside, back, out, out, over and over."""
    return ((0, -400), (0, -400), (300, 0), (-300, 0), (0, 400), (0, 400))[number % 6]


def _fill(home: Home) -> None:
    """A task with the six metrics at every record."""
    rng = np.random.default_rng(0)
    number = np.arange(POINTS)
    noise = {name: rng.normal(0, 0.2, POINTS) for name in CHARTS if name != "perplexity"}
    metrics = {name: Values(None, 3 + each.astype(np.float32).astype(float)) for name, each in noise.items()}
    store = Store.open(home.database, writable=True)
    gone = Process(1, 1.0, "elsewhere", "boot", None)
    store.begin_run(Header("t", "six", None, "20231114-221320-bench", 1.7e9, gone, POINTS, {}))
    columns = RecordColumns(1.7e9 + number, step=number, epoch=number / 3000, metrics=metrics)
    store.append("20231114-221320-bench", columns, position=1)
    store.settle("t")
    store.end_run("20231114-221320-bench", "completed", None, 1.8e9)
    store.close()
