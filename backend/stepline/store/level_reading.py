"""A series in buckets of any width, out of the coarsest summaries that answer exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stepline.store import blocks, levels, reading, sqlite, statements
from stepline.store.levels import COARSE_SHIFT, FINE_SHIFT, Levels
from stepline.store.models import TaskModel


def read(
    database: sqlite.Database,
    names: reading.MetricNames,
    task_id: int,
    metric: str,
    shift: int,
    first: int,
    last: int,
) -> Levels:
    with sqlite.reading(database):
        ((packed,),) = statements.select(database, TaskModel, ("packed",), id=task_id)
        parts = list(_parts(database, names, task_id, metric, shift, max(first, 0), last, packed))
        runs = reading.run_numbers(database, task_id)
    joined = levels.joined(parts)
    numbers = runs[np.searchsorted(runs[:, 0], joined.run), 1] if len(joined) else joined.run
    # Once more, for a bucket of which one part was read coarse and another fine.
    return levels.coarser(levels.with_runs(joined, numbers), 0)


def _parts(
    database: sqlite.Database,
    names: reading.MetricNames,
    task_id: int,
    metric: str,
    shift: int,
    first: int,
    last: int,
    packed: int,
) -> Iterator[Levels]:
    """[first, last) in ascending parts: what whole buckets of the widest stored width do not cover, raw or finer."""
    for width, stored in ((COARSE_SHIFT, blocks.read_coarse), (FINE_SHIFT, blocks.read_fine)):
        begin, end = -(-first // (1 << width)), min(last, packed) >> width
        if shift >= width and begin < end:
            yield from _parts(database, names, task_id, metric, shift, first, begin << width, packed)
            found = levels.within(stored(database, task_id, metric, begin << width, end << width), begin, end)
            yield levels.coarser(found, shift - width)
            yield from _parts(database, names, task_id, metric, shift, end << width, last, packed)
            return
    if first < last:
        points = reading.points(database, names, task_id, metric, first, last, values_only=True)
        if len(points.sequence):
            yield levels.build(points.sequence, points.run, points.value, shift)
