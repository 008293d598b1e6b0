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

    def extremes() -> object:
        return kernels.extremes(values, starts)

    def ema() -> object:
        return kernels.ema(values, SPAN)

    def moving_average() -> object:
        return kernels.moving_average(values, SPAN)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, values)
        with Program("arrays", path) as peer:
            known = peer.answer()
            for title, ours, name, asked, most in (
                (f"extremes, {POINTS:,} points", extremes, "tsdownsample NaNM4, parallel", f"nanm4 {POINTS}", 1.0),
                (f"exponential average, span {SPAN}", ema, "pandas ewm", f"ewm {SPAN}", 0.12),
                (f"moving average, span {SPAN}", moving_average, "pandas rolling mean", f"rolling {SPAN}", 0.12),
            ):
                took, its = _beside(ours, peer, asked, known)
                yield Row(title, size, took, beside=Beside(name, its), most_ratio=most if size == GOAL_SIZE else None)
    if size <= LARGEST_PLAIN:
        ours, its = median_ms(lambda: plain.extremes(values, starts), extremes)
        yield Row("extremes before the kernels are compiled", size, ours, beside=Beside("compiled", its))
        ours, its = median_ms(lambda: plain.ema(values, SPAN, None), ema)
        yield Row("exponential average before that", size, ours, beside=Beside("compiled", its))


def _beside(ours: Callable[[], object], peer: Program, asked: str, known: list[str]) -> tuple[float, float | None]:
    if asked.split()[0] not in known:
        return median_ms(ours)[0], None
    took, its = medians(lambda: ms_of(ours), lambda: float(peer.ask(asked)[0]))
    return took, its
