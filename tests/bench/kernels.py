"""The kernels beside tsdownsample and pandas in a process of their own, on a random walk with 1 % NaN."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from stepline import kernels
from stepline.kernels import plain
from tests.bench.ground import GOAL_SIZE, Ground
from tests.bench.processes import Program
from tests.bench.table import Beside, Row
from tests.bench.timing import median_ms, medians, ms_of

POINTS = 4000
SPAN = 100
LARGEST_PLAIN = 10**6


def rows(ground: Ground) -> Iterator[Row]:
    kernels.prepare(wait=True)
    for size in ground.sizes:
        yield from _of_size(size)


def _of_size(size: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    values = rng.normal(size=size).cumsum()
    values[rng.random(size) < 0.01] = np.nan
    # Four points a cell, as M4 has them.
    starts = np.arange(0, size, -(-size // (POINTS // 4)))
    goal = size == GOAL_SIZE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, values)
        with Program("arrays", path) as peer:
            known = peer.answer()

            def beside(words: str, call: Callable[[], object], name: str, number: int, most_ratio: float) -> Row:
                title = f"{words}, {number:,} points" if name == "tsdownsample" else f"{words}, span {number}"
                what = {
                    "tsdownsample": "tsdownsample NaNM4, parallel",
                    "ewm": "pandas ewm",
                    "rolling": "pandas rolling",
                }
                if name in known:
                    ours, its = medians(lambda: ms_of(call), lambda: peer.ask(name, number)[0])
                else:
                    [ours], its = median_ms(call), None
                most = most_ratio if goal else None
                return Row(title, size, ours, beside=Beside(what[name], its), most_ratio=most)

            def averaged(name: str) -> Callable[[], object]:
                kernel = kernels.ema if name == "ewm" else kernels.moving_average
                return lambda: kernel(values, SPAN)

            yield beside("extremes", lambda: kernels.extremes(values, starts), "tsdownsample", POINTS, 1.0)
            yield beside("exponential average", averaged("ewm"), "ewm", SPAN, 0.12)
            yield beside("moving average", averaged("rolling"), "rolling", SPAN, 0.12)
    if size <= LARGEST_PLAIN:
        ours, its = median_ms(lambda: plain.extremes(values, starts), lambda: kernels.extremes(values, starts))
        yield Row("extremes before the kernels are compiled", size, ours, beside=Beside("compiled", its))
        ours, its = median_ms(lambda: plain.ema(values, SPAN, None), averaged("ewm"))
        yield Row("exponential average before that", size, ours, beside=Beside("compiled", its))
