"""One series out of many blocks: ten million points in a tenth of a second a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from peewee import Value

from stepline.kernels.halves import TWO, both
from stepline.store import codec, sqlite
from stepline.store.blocks import column, places_with, sequences
from stepline.store.content import NO_STEP
from stepline.store.models import BlockModel, BlockSeriesModel
from stepline.store.rows import Columns

_BLOCKS_AT_ONCE = 64
"""Fetched before they are decoded: about 30 MiB compressed, so that ten million points are not held twice."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Points(NamedTuple):
    """The records that have a metric, as `Columns`; `run` holds ids."""

    sequence: Ints
    run: Ints
    step: Floats
    epoch: Floats
    time: Floats
    value: Floats

    def columns(self, runs: Ints) -> Columns:
        """runs: (id, number), by id."""
        numbers = runs[np.searchsorted(runs[:, 0], self.run), 1] if len(self.run) else self.run
        return Columns(self.sequence, numbers.astype(np.int32), self.step, self.epoch, self.time, self.value)


def joined(parts: Sequence[Points]) -> Points:
    return parts[0] if len(parts) == 1 else Points(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def read(
    database: sqlite.Database,
    task_id: int,
    metric: str,
    sets: Sequence[int],
    first: int,
    last: int,
    *,
    values_only: bool = False,
) -> list[Points]:
    """The points in blocks with first <= sequence < last, ascending; `sets`: the metric sets that have the metric.

    With `values_only`, step, epoch and time are not read: they hold anything.
    """
    block, series = BlockModel, BlockSeriesModel
    where = (block.task_id == task_id) & (block.first < last) & (block.last > first) & (series.name == metric)

    def query(*columns: Any) -> Any:
        joined_to = block.select(*columns).join(series, on=(series.block_id == block.id))
        return joined_to.where(where).order_by(block.first)

    counts = [count for (count,) in sqlite.raw(database, query(series.count))]
    if not counts:
        return []
    ends = np.cumsum([0, *counts]).tolist()
    length = ends[-1]
    ints, floats = np.empty((2, length), np.int64), np.empty((4, length))
    points = Points(ints[0], ints[1], floats[0], floats[1], floats[2], floats[3])
    columns = (
        block.first, block.count, series.count, block.run, block.metric_set, block.sequence,
        *((Value(None),) * 3 if values_only else (block.step, block.epoch, block.time)), series.value,
    )  # fmt: skip
    done = 0
    for rows in sqlite.fetch(database, query(*columns), _BLOCKS_AT_ONCE):
        work = [(row, slice(ends[at], ends[at + 1])) for at, row in enumerate(rows, done)]
        if TWO and len(work) > 1:
            _in_two(work, sets, points)
        else:
            _decode(work, sets, points)
        done += len(rows)
    begin, end = np.searchsorted(points.sequence, [first, last])
    which = slice(int(begin), int(end))
    ints, floats = ints[:, which], floats[:, which]
    return [Points(ints[0], ints[1], floats[0], floats[1], floats[2], floats[3])]


def _in_two(work: list[tuple[Any, slice]], sets: Sequence[int], points: Points) -> None:
    both(lambda: _decode(work[::2], sets, points), lambda: _decode(work[1::2], sets, points))


def _decode(work: list[tuple[Any, slice]], sets: Sequence[int], points: Points) -> None:
    for (first, count, held, run, metric_set, sequence, step, epoch, time, value), where in work:
        sequence_out, run_out = points.sequence[where], points.run[where]
        step_out, epoch_out, time_out = points.step[where], points.epoch[where], points.time[where]
        out = Points(sequence_out, run_out, step_out, epoch_out, time_out, points.value[where])
        codec.decode_into(value, out.value)
        if held == count:
            own = out
        else:
            # All records of the block, of which those that have the metric are chosen.
            ints, floats = np.empty((2, count), np.int64), np.empty((3, count))
            own = Points(ints[0], ints[1], floats[0], floats[1], floats[2], out.value)
        own.sequence[:] = sequences(first, count, sequence)
        codec.decode_into(run, own.run)
        if step is not None:
            codec.decode_into(epoch, own.epoch)
            codec.decode_into(time, own.time)
            steps = column(step)
            own.step[:] = steps
            if steps.min() == NO_STEP:
                own.step[steps == NO_STEP] = np.nan
        if own is not out:
            places = places_with(column(metric_set), sets)
            for target, each in zip(out[:5], own[:5], strict=True):
                target[:] = each[places]
