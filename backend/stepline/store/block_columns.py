"""One series out of many blocks: ten million points in a tenth of a second a column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepline.kernels.halves import TWO, both
from stepline.store import codec, sqlite
from stepline.store.blocks import column, places_with, sequences
from stepline.store.content import NO_STEP
from stepline.store.rows import Columns

_BLOCKS_AT_ONCE = 64
"""Fetched before they are decoded: about 30 MiB compressed, so that ten million points are not held twice."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PLACES = ("step", "epoch", "time")


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
        # Most blocks are of one run: looking up every point's took a sixth of the time of smoothing a long series.
        several = len(self.run) > 0 and bool((self.run != self.run[0]).any())
        ids = self.run if several else self.run[:1]
        numbers = runs[np.searchsorted(runs[:, 0], ids), 1].astype(np.int32)
        if not several:
            numbers = np.repeat(numbers, len(self.run))
        return Columns(self.sequence, numbers, self.step, self.epoch, self.time, self.value)

    def within(self, first: int, last: int) -> Points:
        """Those with first <= sequence < last."""
        begin, end = np.searchsorted(self.sequence, [first, last])
        return self.chosen(slice(int(begin), int(end)))

    def chosen(self, which: slice) -> Points:
        return Points(
            self.sequence[which], self.run[which], self.step[which], self.epoch[which], self.time[which],
            self.value[which],
        )  # fmt: skip


def _empty(length: int) -> Points:
    ints, floats = np.empty((2, length), np.int64), np.empty((4, length))
    return Points(ints[0], ints[1], floats[0], floats[1], floats[2], floats[3])


def joined(parts: Sequence[Points]) -> Points:
    return parts[0] if len(parts) == 1 else Points(*(np.concatenate(part) for part in zip(*parts, strict=True)))


_SELECT = """SELECT {} FROM blocks JOIN block_series ON block_series.block_id = blocks.id
    WHERE blocks.task_id = ? AND blocks.first < ? AND blocks.last > ? AND block_series.name = ? ORDER BY blocks.first"""
_COLUMNS = "blocks.first, blocks.count, block_series.count, run, metric_set, sequence, value, {}, {}, {}"


def _selected(columns: Collection[str]) -> str:
    return _SELECT.format(_COLUMNS.format(*(f"blocks.{name}" if name in columns else "NULL" for name in PLACES)))


def read(
    database: sqlite.Database,
    task_id: int,
    metric: str,
    sets: Sequence[int],
    first: int,
    last: int,
    *,
    columns: Collection[str] = PLACES,
) -> list[Points]:
    """The points in blocks with first <= sequence < last, ascending; `sets`: the metric sets that have the metric.

    columns: which of step, epoch and time are read; the others hold anything.
    """
    where = (task_id, last, first, metric)
    counts = [count for (count,) in sqlite.fetched(database, _SELECT.format("block_series.count"), where)]
    if not counts:
        return []
    ends = np.cumsum([0, *counts]).tolist()
    points = _empty(ends[-1])
    done = 0
    for rows in sqlite.fetched_in_parts(database, _selected(columns), where, _BLOCKS_AT_ONCE):
        work = [(row, slice(ends[at], ends[at + 1])) for at, row in enumerate(rows, done)]
        if TWO and len(work) > 1:
            _in_two(work, sets, points)
        else:
            _decode(work, sets, points)
        done += len(rows)
    return [points.within(first, last)]


def one_by_one(
    database: sqlite.Database,
    task_id: int,
    metric: str,
    sets: Sequence[int],
    first: int,
    last: int,
    columns: Collection[str],
) -> Iterator[Points]:
    """Likewise, each block for itself: a long series goes by in the memory of a block."""
    for rows in sqlite.fetched_in_parts(database, _selected(columns), (task_id, last, first, metric), 1):
        points = _empty(rows[0][2])
        _decode([(rows[0], slice(None))], sets, points)
        yield points.within(first, last)


def _in_two(work: list[tuple[Any, slice]], sets: Sequence[int], points: Points) -> None:
    both(lambda: _decode(work[::2], sets, points), lambda: _decode(work[1::2], sets, points))


def _decode(work: list[tuple[Any, slice]], sets: Sequence[int], points: Points) -> None:
    for (first, count, held, run, metric_set, sequence, value, step, epoch, time), where in work:
        out = points.chosen(where)
        codec.decode_into(value, out.value)
        # All records of the block, of which those that have the metric are chosen.
        own = out if held == count else _empty(count)
        own.sequence[:] = sequences(first, count, sequence)
        codec.decode_into(run, own.run)
        if step is not None:
            steps = column(step)
            own.step[:] = steps
            if steps.min() == NO_STEP:
                own.step[steps == NO_STEP] = np.nan
        if epoch is not None:
            codec.decode_into(epoch, own.epoch)
        if time is not None:
            codec.decode_into(time, own.time)
        if own is not out:
            places = places_with(column(metric_set), sets)
            for target, each in zip(out[:5], own[:5], strict=True):
                target[:] = each[places]
