"""A stored history for benchmarks: a task of five metrics, written through the store as a backlog is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stepline.recording.journal import Header, Process
from stepline.store import Store, blocks, sqlite, writing
from stepline.store.content import Content, Values
from stepline.store.models import RunModel, TaskModel
from stepline.store.statements import select, update

METRICS = ("loss", "grad_norm", "learning_rate", "entropy", "samples_per_second")
AT_ONCE = 16 * blocks.BLOCK_SEQUENCES


def fill(path: Path, size: int, loss: np.ndarray | None = None) -> Store:
    """A store with the task "t" of `size` records, one step each, of numbers that were float32 as a trainer's are.

    loss: the values of the first metric, where they are to be others.
    """
    store = Store.open(path, writable=True)
    store.begin_run(Header("t", "bench", None, "r", 1.7e9, Process(1, 1.0, "host", "boot", None), size, {}))
    database = sqlite.Database(path, writable=True)
    ((task_id,),) = select(database, TaskModel, ("id",), uid="t")
    ((run_id,),) = select(database, RunModel, ("id",), uid="r")
    with sqlite.writing(database):
        metric_set = writing._metric_set(database, METRICS)
        for content in _contents(size, run_id, metric_set, loss):
            blocks.add(database, task_id, lambda number: METRICS, content)
            writing.merge_series(database, task_id, content.series())
        update(database, TaskModel, {"next_sequence": size, "records": size}, id=task_id)
    database.end()
    return store


def _contents(size: int, run_id: int, metric_set: int, given: np.ndarray | None) -> Iterator[Content]:
    rng = np.random.default_rng(0)
    for first in range(0, size, AT_ONCE):
        sequence = np.arange(first, min(first + AT_ONCE, size))
        count = len(sequence)
        same = np.ones(count, np.int64)
        loss = given[sequence] if given is not None else 8 / (1 + sequence / 1e4) ** 0.25 + rng.normal(0, 0.2, count)
        values = (
            loss, rng.gamma(3, 0.3, count), 5e-5 * (1 - sequence / size), rng.normal(2, 0.1, count),
            rng.normal(800, 20, count),
        )  # fmt: skip
        metrics = {
            name: Values(None, each.astype(np.float32).astype(float))
            for name, each in zip(METRICS, values, strict=True)
        }
        yield Content(
            sequence, same * run_id, np.zeros(count, np.uint8), sequence * 10, sequence / 3000.0,
            1.7e9 + sequence * 0.31 + rng.uniform(0, 0.05, count), same * metric_set, metrics,
        )  # fmt: skip
