"""Zoom and pan in a real Chromium: from the turn of the wheel until six charts of 4,000 points are painted anew."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stepline.home import Home
from stepline.recording.journal import Header, Process
from stepline.store import RecordColumns, Store
from stepline.store.content import Values
from tests.bench.browser import CHARTS, PROBE, VIEWPORT, charts, chromium, remember, settled
from tests.bench.processes import Serving
from tests.bench.table import Beside, Row
from tests.bench.timing import part

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

POINTS = 10**6
TURNS = 60
PEER = "ECharts alone, 4,000 points a line"
ALL_PAINTED = f"""new Promise((done) => {{
  probe.onpaint = () => {{
    if (probe.first.size < {len(CHARTS)}) return
    probe.onpaint = null
    done(Math.max(...probe.first.values()) - probe.turned)
  }}
  probe.onpaint()
}})"""


# Plain ECharts in boxes of the same size, two lines of as many points a chart, thinned by itself.
# The wheel moves the axis.
ALONE = """(boxes) => {
  const points = 4000
  const noise = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  const charts = boxes.map(({ name, left, top, width, height }) => {
    const place = document.createElement('div')
    place.dataset.testid = name
    place.style = `position: absolute; left: ${left}px; top: ${top}px; width: ${width}px; height: ${height}px`
    document.body.append(place)
    const [raw, smooth] = [new Float64Array(2 * points), new Float64Array(2 * points)]
    for (let x = 0, level = 3; x < points; x++) {
      const value = 3 + 0.2 * noise()
      level += (value - level) * 0.2
      raw.set([x, value], 2 * x)
      smooth.set([x, level], 2 * x)
    }
    const line = { type: 'line', dimensions: ['x', 'y'], showSymbol: false, sampling: 'lttb', animation: false }
    const series = [
      { ...line, data: raw, lineStyle: { width: 1, opacity: 0.28 } },
      { ...line, data: smooth, lineStyle: { width: 1.5 } },
    ]
    const chart = echarts.init(place)
    chart.setOption({ xAxis: { type: 'value', max: points }, yAxis: { type: 'value', scale: true }, series })
    return chart
  })
  let [min, max] = [0, points]
  addEventListener('wheel', ({ deltaX, deltaY }) => {
    const by = ((max - min) * (2 ** (deltaY / 400) - 1)) / 2
    const aside = ((max - min) * deltaX) / 800
    min += aside - by
    max += aside + by
    for (const chart of charts) chart.setOption({ xAxis: { min, max } })
  })
}"""
BOXES = """[...document.querySelectorAll('[data-testid^=chart-] canvas')].map((canvas) => {
  const { left, top, width, height } = canvas.getBoundingClientRect()
  return { name: canvas.closest('[data-testid^=chart-]').dataset.testid, left, top, width, height }
})"""
ECHARTS = Path(__file__).parents[2] / "web" / "node_modules" / "echarts" / "dist" / "echarts.min.js"


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        _fill(home)
        remember(home, task="t", othersOpen=True)
        with Serving(home.path) as serving, chromium() as browser:
            with charts(browser, serving.url) as page:
                settled(page)
                ours = _Turned(page)
                boxes = page.evaluate(BOXES)
            alone = _alone(browser, boxes)
    goals: tuple[tuple[str, float, float | None, float | None], ...] = (
        ("p95", 0.95, 50.0, 16.0),
        ("median", 0.5, None, None),
    )
    for name, share, most, most_script in goals:
        beside = [Beside(PEER, each and part(each, share)) for each in (alone and alone.first, alone and alone.script)]
        yield Row(
            f"zoom or pan → six charts painted, {name}", POINTS, part(ours.first, share), beside=beside[0], most=most
        )
        yield Row(f"its JavaScript, all six charts, {name}", POINTS, part(ours.script, share), beside=beside[1],
                  most=most_script)  # fmt: skip
    yield Row("zoom or pan → finer points fetched and painted, median", POINTS, statistics.median(ours.last))


class _Turned:
    """TURNS of the wheel over the loss, in milliseconds: until all charts were painted for the first time and for the
    last, and what scripts took of the processor until the first."""

    def __init__(self, page: Page) -> None:
        self.first: list[float] = []
        self.last: list[float] = []
        self.script: list[float] = []
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
            self.first.append(page.evaluate(ALL_PAINTED))
            self.script.append(spent() - before)
            settled(page)
            self.last.append(page.evaluate("Math.max(...probe.last.values()) - probe.turned"))


def _alone(browser: Browser, boxes: Sequence[dict[str, object]]) -> _Turned | None:
    """None where the page was not built here: ECharts comes with what builds it."""
    if not ECHARTS.exists():
        return None
    page = browser.new_page(viewport=VIEWPORT)
    try:
        page.add_init_script(PROBE)
        page.goto("about:blank")
        page.add_script_tag(path=ECHARTS)
        page.evaluate(ALONE, boxes)
        settled(page)
        return _Turned(page)
    finally:
        page.close()


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
