"""Windows and tails of a series that is in memory; the first window of a process without compiled kernels."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator

import numpy as np

from stepline.history import History, Smoothing
from tests.bench.timing import Row, median_ms
from tests.histories import MemoryStore

SMOOTHING = Smoothing(20, 10)


def rows(sizes: list[int]) -> Iterator[Row]:
    for size in sizes:
        yield from _of_size(size)
    yield _first_window()


def _of_size(size: int) -> Iterator[Row]:
    store = MemoryStore()
    values = np.random.default_rng(0).normal(size=size).cumsum()
    store.append(1, {"loss": values})
    shown = History(store, cache_bytes=2**40)
    raw, floor = median_ms(lambda: shown.frame("t", ["loss"]), values.sum)
    yield Row("frame of the whole series, raw, again", size, raw, "numpy sum", floor)
    # A span that was not asked for before, each time: only two are kept.
    spans = itertools.count(100)
    [first] = median_ms(lambda: shown.frame("t", ["loss"], smoothing=Smoothing(next(spans), 10)))
    yield Row("frame with the smoothed line, first time at a span", size, first)
    again, floor = median_ms(lambda: shown.frame("t", ["loss"], smoothing=SMOOTHING), values.sum)
    yield Row("frame with the smoothed line, again", size, again, "numpy sum", floor)
    zooms = _zooms(size)
    [zoom] = median_ms(lambda: [shown.frame("t", ["loss"], first=first, last=last) for first, last in zooms])
    yield Row("frame of a random zoom, mean of 50", size, zoom / len(zooms))
    cursor = size - 10
    [tail] = median_ms(lambda: shown.tail("t", ["loss"], cursor, SMOOTHING))
    yield Row("tail of 10 points, smoothed", size, tail)


def _zooms(size: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(1)
    widths = np.exp(rng.uniform(np.log(10), np.log(size), 50)).astype(int)
    return [(int(first), int(first + width)) for width in widths for first in [rng.integers(0, max(1, size - width))]]


FIRST_WINDOW = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from stepline import history, kernels
    sys.path.insert(0, ".")
    from tests.histories import MemoryStore
    store = MemoryStore()
    store.append(1, {"loss": np.random.default_rng(0).normal(size=1_000_000)})
    kernels.prepare(Path(sys.argv[1]))
    began = time.perf_counter()
    history.frame(store, "t", ["loss", "perplexity"], smoothing=history.Smoothing(20, 10))
    took = time.perf_counter() - began
    assert not kernels.ready()
    kernels.prepare(wait=True)
    print(took * 1000, (time.perf_counter() - began) * 1000)
"""


def _first_window() -> Row:
    with tempfile.TemporaryDirectory() as empty:
        code = textwrap.dedent(FIRST_WINDOW)
        ended = subprocess.run([sys.executable, "-c", code, empty], capture_output=True, text=True, check=True)
    took, compiled = map(float, ended.stdout.split())
    return Row("first frame, two smoothed series, nothing compiled", 1_000_000, took, "kernels compiled", compiled, 1.0)
