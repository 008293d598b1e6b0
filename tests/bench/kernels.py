"""The kernels beside tsdownsample and pandas, on a random walk with 1 % NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from stepline import kernels
from stepline.kernels import plain
from tests.bench.timing import Row, median_ms

SPAN = 100


def rows(sizes: list[int]) -> Iterator[Row]:
    for size in sizes:
        yield from _of_size(size)


def _of_size(size: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    values = rng.normal(size=size).cumsum()
    values[rng.random(size) < 0.01] = np.nan
    starts = np.arange(0, size, max(1, size // 1000))
    is_goal = size == 10_000_000

    def extremes() -> object:
        return kernels.extremes(values, starts)

    def ema() -> object:
        return kernels.ema(values, SPAN)

    peer = _tsdownsample(values)
    ours, beside = median_ms(extremes, peer or values.sum)
    name = "tsdownsample NaN-M4, 4,000, parallel" if peer else "numpy sum"
    yield Row("extremes of 1,000 cells", size, ours, name, beside, 1.0 if peer and is_goal else None)
    goal = 0.12 if is_goal else None
    yield _smoothing("exponential average", size, ema, _pandas_ewm(values), goal)
    yield _smoothing(
        "moving average", size, lambda: kernels.moving_average(values, SPAN), _pandas_rolling(values), goal
    )
    if size <= 1_000_000:
        ours, beside = median_ms(lambda: plain.extremes(values, starts), extremes)
        yield Row("extremes before the kernels are compiled", size, ours, "compiled", beside)
        ours, beside = median_ms(lambda: plain.ema(values, SPAN, None), ema)
        yield Row("exponential average before that", size, ours, "compiled", beside)


def _smoothing(
    name: str, size: int, ours: Callable[[], object], peer: tuple[str, Callable[[], object]], goal: float | None
) -> Row:
    our_ms, peer_ms = median_ms(ours, peer[1])
    return Row(f"{name}, span {SPAN}", size, our_ms, peer[0], peer_ms, goal if "pandas" in peer[0] else None)


def _tsdownsample(values: np.ndarray) -> Callable[[], object] | None:
    try:
        from tsdownsample import NaNM4Downsampler
    except ImportError:
        return None
    sampler = NaNM4Downsampler()
    return lambda: sampler.downsample(values, n_out=4000, parallel=True)


def _pandas_ewm(values: np.ndarray) -> tuple[str, Callable[[], object]]:
    try:
        import pandas
    except ImportError:
        return "numpy copy", lambda: values.copy()
    series = pandas.Series(values)
    return "pandas ewm", lambda: series.ewm(span=SPAN, ignore_na=True).mean()


def _pandas_rolling(values: np.ndarray) -> tuple[str, Callable[[], object]]:
    try:
        import pandas
    except ImportError:
        return "numpy copy", lambda: values.copy()
    series = pandas.Series(values)
    return "pandas rolling mean", lambda: series.rolling(SPAN, min_periods=1).mean()
