"""A training watched live in a real Chromium: frames and long tasks, a log call until its pixel, the page's memory."""

from __future__ import annotations

import bisect
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepline.home import Home
from tests.bench.browser import charts, chromium, remember, settled
from tests.bench.processes import Program, Serving
from tests.bench.table import Row
from tests.bench.timing import part

if TYPE_CHECKING:
    from playwright.sync_api import Page

BEFORE = 20_000
"""Records that the task has already: each chart holds its 4,000 points."""
RATE = 100
SELDOM = 30
FASTER = 10
"""The memory's clock: ticks and records come this many times as often."""
LONG_TASK_MS = 50.0


def rows(large: bool) -> Iterator[Row]:
    yield from _ticks(60 if large else 20)
    yield from _memory(30 if large else 10)


def _ticks(secs: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, Program("trainer", folder, BEFORE) as trainer:
        trainer.answer()
        home = Home.open(Path(folder))
        remember(home, othersOpen=True)
        with Serving(home.path) as serving, chromium() as browser, charts(browser, serving.url) as page:
            settled(page)
            page.evaluate("probe.watchFrames(), (probe.long.length = probe.painted.length = 0)")
            logged = trainer.ask("steady", RATE, secs)
            time.sleep(1)
            found = page.evaluate("({ long: probe.long, frames: probe.frames, painted: probe.painted })")
            steady = _until_painted(logged, found["painted"])
            page.evaluate("probe.painted.length = 0")
            logged = trainer.ask("seldom", SELDOM)
            time.sleep(1)
            seldom = _until_painted(logged, page.evaluate("probe.painted"))
    frames = found["frames"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(frames)]
    note = f"{secs} s of live training"
    yield Row(f"frames a second, six charts, {RATE} records a second", BEFORE, 1000 / (sum(gaps) / len(gaps)), "/s",
              least=59.0, note=note)  # fmt: skip
    yield Row("the longest gap between two frames", BEFORE, max(gaps))
    yield Row(f"tasks longer than {LONG_TASK_MS:g} ms", BEFORE, len(found["long"]), "", most=0.0, note=note)
    yield Row("log call → pixel, a record now and then, p95", SELDOM, part(seldom, 0.95), most=450.0)
    yield Row(f"log call → pixel, {RATE} records a second, p95", len(steady), part(steady, 0.95), most=450.0)


def _until_painted(logged: Sequence[tuple[int, float]], painted: Sequence[tuple[int, float]]) -> list[float]:
    """Milliseconds from each log call's return to the first painting of the loss that holds its record."""
    cursors = [cursor for cursor, _ in painted]
    places = [(bisect.bisect_right(cursors, sequence), at) for sequence, at in logged]
    missing = sum(place == len(painted) for place, _ in places)
    if missing:
        raise RuntimeError(f"{missing} of {len(logged)} records were never painted")
    return [painted[place][1] - at for place, at in places]


def _memory(minutes: int) -> Iterator[Row]:
    """After the fifth minute of `minutes`, in a page for which time goes FASTER."""
    with tempfile.TemporaryDirectory() as folder, Program("trainer", folder, BEFORE) as trainer:
        trainer.answer()
        home = Home.open(Path(folder))
        remember(home, othersOpen=True)
        with (
            Program("fast_app", folder, 0.3 / FASTER) as app,
            chromium() as browser,
            charts(browser, app.answer()["url"]) as page,
        ):
            trainer.ask("steady", RATE * FASTER, 5 * 60 / FASTER)
            early = _held_mib(page)
            trainer.ask("steady", RATE * FASTER, (minutes - 5) * 60 / FASTER)
            growth = (_held_mib(page) / early - 1) * 100
    note = f"clock {FASTER} times as fast, {early:.0f} MiB"
    yield Row(f"the page's memory, growth from minute 5 to {minutes}", BEFORE, growth, "%", most=10.0, note=note)


def _held_mib(page: Page) -> float:
    """What scripts hold after a collection, arrays and what hangs on the document included."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.enable")
    devtools.send("HeapProfiler.collectGarbage")
    found = devtools.send("Runtime.getHeapUsage")
    devtools.detach()
    return float(found["usedSize"] + found["embedderHeapUsedSize"] + found["backingStorageSize"]) / 2**20
