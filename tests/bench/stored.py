"""A stored history for benchmarks: an ended task of five metrics, written through the store as a backlog is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stepline.recording.journal import Header, Process
from stepline.store import RecordColumns, Store
from stepline.store.content import Values

TASK, RUN = "t", "20231114-221320-bench"
METRICS = ("loss", "grad_norm", "learning_rate", "entropy", "samples_per_second")
BEGAN = 1.7e9
STEP_SECS = 0.31
AT_ONCE = 2**20


def fill(path: Path, size: int, loss: np.ndarray | None = None) -> Store:
    """A store with the task "t" of `size` records, ten steps each, of numbers that were float32 as a trainer's are.

    loss: the values of the first metric, where they are to be others.
    """
    store = Store.open(path, writable=True)
    gone = Process(1, 1.0, "elsewhere", "boot", None)
    store.begin_run(Header(TASK, "bench", None, RUN, BEGAN, gone, 10 * size, {}))
    for position, columns in enumerate(batches(size, loss)):
        store.append(RUN, columns, position=position + 1)
    store.settle(TASK)
    store.end_run(RUN, "completed", None, BEGAN + size * STEP_SECS)
    return store


def batches(size: int, given: np.ndarray | None = None) -> Iterator[RecordColumns]:
    rng = np.random.default_rng(0)
    for first in range(0, size, AT_ONCE):
        number = np.arange(first, min(first + AT_ONCE, size))
        count = len(number)
        loss = given[number] if given is not None else 8 / (1 + number / 1e4) ** 0.25 + rng.normal(0, 0.2, count)
        values = (
            loss, rng.gamma(3, 0.3, count), 5e-5 * (1 - number / size), rng.normal(2, 0.1, count),
            rng.normal(800, 20, count),
        )  # fmt: skip
        metrics = {
            name: Values(None, each.astype(np.float32).astype(float))
            for name, each in zip(METRICS, values, strict=True)
        }
        time = BEGAN + number * STEP_SECS + rng.uniform(0, 0.05, count)
        yield RecordColumns(time, step=number * 10, epoch=number / 3000.0, metrics=metrics)
