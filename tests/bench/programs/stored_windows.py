"""HOME SIZE: windows of a stored series in a process of its own, warm, and how the random ones are drawn."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np

from stepline import kernels
from stepline.history import History, Smoothing
from stepline.home import Home
from stepline.store import Store
from tests.bench.timing import median_ms, ms_of, part

WINDOWS = 1000
NARROWEST = 10


def main() -> None:
    home, size = Home.open(Path(sys.argv[1])), int(sys.argv[2])
    kernels.prepare(home.kernels_cache, wait=True)
    store = Store.open(home.database, writable=False)
    history = History(store)
    found: dict[str, float] = {}

    def frame(first: int | None = None, last: int | None = None, smoothing: Smoothing | None = None) -> bytes:
        return history.frame("t", ["loss"], first=first, last=last, smoothing=smoothing)

    found["raw_cold"] = ms_of(frame)
    for name, spans in (("log", _widths_by_logarithm(size)), ("even", _even_ends(size))):
        times = [ms_of(lambda first=first, last=last: frame(first, last)) for first, last in spans]
        found[f"{name}_p50"], found[f"{name}_p99"] = part(times, 0.5), part(times, 0.99)
    numbers = itertools.count(100)
    # Spans that were not asked for before, each time.
    [found["smooth_first"]] = median_ms(lambda: frame(smoothing=_spans(next(numbers))))
    [found["smooth_again"]] = median_ms(lambda: frame(smoothing=_spans(100)))
    [found["tail"]] = median_ms(lambda: history.tail("t", ["loss"], size - 10, _spans(100)))
    values = history.series("t", "loss").value.copy()
    found["raw"], found["sum"] = median_ms(frame, values.sum)
    print(json.dumps(found), flush=True)


def _spans(number: int) -> Smoothing:
    return Smoothing(number, number // 2)


def _widths_by_logarithm(size: int) -> list[tuple[int, int]]:
    """As wheels zoom: each factor as often as any other; the place anywhere."""
    rng = np.random.default_rng(1)
    widths = np.exp(rng.uniform(np.log(NARROWEST), np.log(size), WINDOWS)).astype(int)
    return [(first, first + int(width)) for width in widths for first in [int(rng.integers(0, size - width + 1))]]


def _even_ends(size: int) -> list[tuple[int, int]]:
    """Both ends anywhere: mostly a large part of the history, cut at no bucket's edge."""
    ends = np.sort(np.random.default_rng(2).integers(0, size + 1, (WINDOWS, 2)), axis=1)
    return [(int(first), int(last)) for first, last in ends]


if __name__ == "__main__":
    main()
