"""Windows of stored series, each size in a process of its own: warm, from a cold start, before kernels are compiled."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.bench import processes
from tests.bench.ground import GOAL_SIZE, Ground
from tests.bench.processes import Program, Serving, most_mib, own_mib
from tests.bench.table import Beside, Row

LARGEST = 10**8
METRICS = ("loss", "grad_norm", "learning_rate", "entropy", "samples_per_second")
STARTS = 5
ZOOMS = 100


def rows(ground: Ground) -> Iterator[Row]:
    whole: dict[int, float] = {}
    for size in ground.sizes:
        found = processes.run("stored_windows", ground.home(size).path, size)
        whole[size] = found["raw"]
        yield from _windows(size, found)
    for smaller, larger in zip(ground.sizes, ground.sizes[1:], strict=False):
        goal = 2.0 if larger == LARGEST else None
        beside = Beside(f"that of {smaller:,}", whole[smaller])
        yield Row("raw line over all, ten times as long", larger, whole[larger], beside=beside, most_ratio=goal)
    size = min(GOAL_SIZE, ground.sizes[-1])
    yield from _starts(ground, size)
    yield _without_compiled(ground, size)
    yield from _browsing(ground)


def _windows(size: int, found: dict[str, float]) -> Iterator[Row]:
    goal = size == GOAL_SIZE
    floor = Beside("numpy sum of the raw array", found["sum"])
    yield Row(
        "raw line over all, warm", size, found["raw"], beside=floor,
        most=3.0 if goal else None, most_ratio=0.6 if goal else None,
    )  # fmt: skip
    yield Row("its smoothed line, first time at a span", size, found["smooth_first"], most=60.0 if goal else None)
    yield Row("its smoothed line, again", size, found["smooth_again"], most=3.0 if goal else None)
    for name, words in (("log", "widths even by logarithm"), ("even", "both ends even")):
        beside = Beside("their median", found[f"{name}_p50"])
        most = 10.0 if size == LARGEST else None
        yield Row(f"1,000 random windows, {words}, p99", size, found[f"{name}_p99"], beside=beside, most=most)
    yield Row("tail of 10 points, smoothed", size, found["tail"])


def _starts(ground: Ground, size: int) -> Iterator[Row]:
    """From the start of a process until the frames are there: files in the page cache, and not."""
    home = ground.home(size)
    warm, cold, app = [], [], []
    for _ in range(STARTS):
        for times, forget in ((warm, False), (cold, True)):
            if forget:
                _forget(home.database)
            with Program("first_frames", home.path) as program:
                program.answer()
                times.append((time.perf_counter() - program.began) * 1000)
                program.kill()
        with Serving(home.path) as serving:
            serving.frame("t", ("loss", "perplexity"), ema=10, ma=5)
            app.append((time.perf_counter() - serving.began) * 1000)
    name = "process start → frames of loss and perplexity, 5 metrics"
    yield Row(name, size, statistics.median(warm), most=500.0 if size == GOAL_SIZE else None)
    yield Row(name, size, statistics.median(cold), note="file not in memory")
    yield Row(name, size, statistics.median(app), note="served, smoothed")


def _forget(path: Path) -> None:
    """Drop a file from the page cache, as far as the system lets us."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _without_compiled(ground: Ground, size: int) -> Row:
    """The first frames with an empty cache of compiled code, beside the time until the kernels are there."""
    with (
        tempfile.TemporaryDirectory() as empty,
        Program("first_frames", ground.home(size).path, NUMBA_CACHE_DIR=empty) as program,
    ):
        first = program.answer()
        later = program.ask("wait")
    beside = Beside("until they are compiled", later["compiled"])
    return Row("first frames, no kernel compiled", size, first["frame"], beside=beside, most_ratio=1.0)


def _browsing(ground: Ground) -> Iterator[Row]:
    """Of `stepline serve` while all five metrics are looked at: whole, at three smoothings, at many places."""
    size = ground.sizes[-1]
    rng = np.random.default_rng(3)
    widths = np.exp(rng.uniform(np.log(10), np.log(size), ZOOMS)).astype(int).tolist()
    places = [(int(rng.integers(0, size - width + 1)), width) for width in widths]
    looks: list[dict[str, int]] = [{}, {"ema": 10, "ma": 5}, {"ema": 100, "ma": 50}]
    looks += [{"first": first, "last": first + width, "ema": 10, "ma": 5} for first, width in places]
    own = []
    with Serving(ground.home(size).path) as serving:
        for look in looks:
            serving.frame("t", METRICS, **look)
            own.append(own_mib(serving.pid) or 0.0)
        most = most_mib(serving.pid)
    beside = Beside("of it not pages of files", max(own) or None)
    yield Row("memory while browsing 5 metrics", size, most, "MiB", beside, most=400.0)
