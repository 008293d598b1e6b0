"""A series in buckets of any width, out of the coarsest summaries that answer exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stepline.store import blocks, levels, reading, sqlite, statements
from stepline.store.levels import COARSE_SHIFTS, FINE_SHIFT, Levels
from stepline.store.models import TaskModel

_WIDEST_FIRST = (*COARSE_SHIFTS[::-1], FINE_SHIFT)


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
    joined = levels.joined([part for part in parts if len(part)])
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
    if first >= last:
        return
    for width in _WIDEST_FIRST:
        # The last stored bucket is as full as the blocks are.
        begin, end = -(-first >> width), -(-packed >> width) if last >= packed else last >> width
        if shift >= width and begin < end:
            until = min(end << width, packed)
            yield from _parts(database, names, task_id, metric, shift, first, begin << width, packed)
            found = blocks.read_levels(database, task_id, metric, width, begin << width, until)
            yield levels.coarser(levels.within(found, begin, end), shift - width)
            yield from _parts(database, names, task_id, metric, shift, until, last, packed)
            return
    points = reading.points(database, names, task_id, metric, first, last, columns=("step", "time"))
    if len(points.sequence):
        yield levels.build(points.sequence, points.run, points.step, points.time, points.value, shift)
