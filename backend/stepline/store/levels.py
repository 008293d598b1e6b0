"""A series summed up in buckets of 2^shift sequences, each run on its own, so that a wide window reads no raw data.

    every block      buckets of 2^7, 512 of them in a full block: about 0.3 bytes a value
    `levels`         buckets of 2^10, 2^12, 2^14, 2^16 and 2^18, up to 256 of a width in a row: about 0.06 bytes a value

A point that stands for a bucket is kept whole, with its step and its time: a chart draws two a bucket, out of every
block of a long history, and would have to decode all of these for them. Widths between are put together from the next
finer one, of at most four entries each; finer ones than 2^7 are read raw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stepline import kernels
from stepline.store import codec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kind = TypeVar("Kind", bound=np.generic)

FINE_SHIFT = 7
COARSE_SHIFTS = (10, 12, 14, 16, 18)
ROW_SHIFT = 8
"""A row of `levels` covers 2^8 buckets. Both ends of a window read a row of the finest for a few of its buckets; a
hundred million records are 6 rows of 2^16."""

MINIMUM, MAXIMUM, FIRST, LAST, NON_FINITE = range(5)
"""The points that stand for a bucket: rows of `value`, `at`, `step` and `time`."""


@dataclass(frozen=True, slots=True)
class Levels:
    """One entry for each bucket and run that has points, by bucket and then by run: arrays of the length of `bucket`,
    those of the points that stand for it of shape (5, length).

    MINIMUM and MAXIMUM are the first of the smallest and of the largest finite values, FIRST and LAST are the first and
    last finite one in the order of sequences, NON_FINITE is the first NaN or infinity. Where a bucket has none of the
    kind, its value, step and time are NaN and its place is -1.
    """

    bucket: Ints
    """The bucket's first sequence >> shift."""
    run: Ints
    """The run's number."""
    value: Floats
    at: Ints
    """The point's sequence."""
    step: Floats
    """NaN where the record has none."""
    time: Floats
    lowest_step: Floats
    """Of all points of the bucket, NaN where none has a step; likewise `highest_step`."""
    highest_step: Floats
    total: Floats
    """Sum of the finite values."""
    finite_count: Ints
    non_finite_count: Ints

    def __len__(self) -> int:
        return len(self.bucket)

    @property
    def bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in _NAMES)


_NAMES = tuple(each.name for each in fields(Levels))


def is_of_one(run: NDArray[np.integer]) -> bool:
    """Whether all points are of one run. A run that lies in memory once, for all of a block, is not gone through."""
    return len(run) == 0 or run.strides == (0,) or not bool((run != run[0]).any())


def _cells(bucket: Ints, run: NDArray[np.integer]) -> tuple[Ints | None, Ints]:
    """(order that brings the points of each bucket and run together, None where they stand so; where each begins)."""
    order = None
    if not is_of_one(run):
        change = (bucket[1:] == bucket[:-1]) & (run[1:] < run[:-1])
        if change.any():
            order = np.lexsort((run, bucket))
            bucket, run = bucket[order], run[order]
        new = (bucket[1:] != bucket[:-1]) | (run[1:] != run[:-1])
    else:
        new = bucket[1:] != bucket[:-1]
    return order, np.concatenate([np.zeros(min(len(run), 1), np.int64), np.flatnonzero(new) + 1])


def _chosen(column: NDArray[Kind], index: Ints, nothing: float) -> NDArray[Kind]:
    """The entries of a column at `index`; `nothing` where that is -1."""
    chosen = column[index]
    chosen[index < 0] = nothing
    return chosen


def build(
    sequence: Ints,
    run: NDArray[np.integer],
    step: Floats,
    time: Floats,
    value: Floats,
    shift: int,
    *,
    summed: bool = True,
) -> Levels:
    """Of points, ascending by sequence. Not `summed`: total, lowest_step and highest_step are left NaN, which takes a
    third of the time."""
    if len(sequence) == 0:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        points, places = np.zeros((5, 0)), np.zeros((5, 0), np.int64)
        return Levels(none, none, points, places, points, points, nothing, nothing, nothing, none, none)
    order, starts = _cells_of_points(sequence, run, shift)
    if order is not None:
        sequence, run, step, time, value = sequence[order], run[order], step[order], time[order], value[order]
    found = kernels.extremes(value, starts)
    total = lowest_step = highest_step = np.full(len(starts), np.nan)
    if summed:
        total = np.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0) if found.non_finite_count.any() else value
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduceat(total, starts)
        lowest_step, highest_step = np.fmin.reduceat(step, starts), np.fmax.reduceat(step, starts)
    index = np.stack([found.minimum_at, found.maximum_at, found.first_at, found.last_at, found.non_finite_at])
    return Levels(
        sequence[starts] >> shift, run[starts].astype(np.int64),
        _chosen(value, index, np.nan), _chosen(sequence, index, -1),
        _chosen(step, index, np.nan), _chosen(time, index, np.nan), lowest_step, highest_step,
        total, found.finite_count, found.non_finite_count,
    )  # fmt: skip


def _cells_of_points(sequence: Ints, run: NDArray[np.integer], shift: int) -> tuple[Ints | None, Ints]:
    """As `_cells`. Of one run without gaps, as most are, the bucket of each point need not be asked for."""
    first, last = int(sequence[0]), int(sequence[-1])
    if last - first + 1 == len(sequence) and is_of_one(run):
        edges = np.arange((first >> shift) + 1, (last >> shift) + 1, dtype=np.int64) << shift
        return None, np.concatenate([np.zeros(1, np.int64), edges - first])
    return _cells(sequence >> shift, run)


def coarser(levels: Levels, by: int) -> Levels:
    """In buckets 2^by as wide. Entries of one bucket and run may be several: each then has later points than the one
    before."""
    bucket = levels.bucket >> by
    order, starts = _cells(bucket, levels.run)
    if len(starts) == len(bucket) and order is None:
        return _with(levels, bucket=bucket)
    if order is not None:
        levels, bucket = taken(levels, order), bucket[order]
    low = kernels.extremes(levels.value[MINIMUM], starts)
    high = kernels.extremes(levels.value[MAXIMUM], starts)
    # The first entry that has a non-finite point, as the first finite number of its places.
    marked = kernels.extremes(np.where(levels.at[NON_FINITE] >= 0, 0.0, np.nan), starts).first_at
    index = np.stack([low.minimum_at, high.maximum_at, low.first_at, low.last_at, marked])
    rows = np.arange(5)[:, None]
    absent = index < 0
    value, at = levels.value[rows, index], levels.at[rows, index]
    step, time = levels.step[rows, index], levels.time[rows, index]
    value[absent], at[absent], step[absent], time[absent] = np.nan, -1, np.nan, np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(levels.total, starts)
    return Levels(
        bucket[starts], levels.run[starts], value, at, step, time,
        np.fmin.reduceat(levels.lowest_step, starts), np.fmax.reduceat(levels.highest_step, starts),
        total, np.add.reduceat(levels.finite_count, starts), np.add.reduceat(levels.non_finite_count, starts),
    )  # fmt: skip


def joined(parts: Sequence[Levels]) -> Levels:
    """One after the other."""
    if not parts:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        return build(none, none, nothing, nothing, nothing, 0)
    if len(parts) == 1:
        return parts[0]
    return Levels(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in _NAMES))


def with_runs(levels: Levels, run: Ints) -> Levels:
    return _with(levels, run=run)


def within(levels: Levels, first: int, last: int) -> Levels:
    """Those with first <= bucket < last."""
    begin, end = np.searchsorted(levels.bucket, [first, last])
    return levels if end - begin == len(levels) else taken(levels, slice(int(begin), int(end)))


def _with(levels: Levels, **columns: Ints) -> Levels:
    return Levels(*(columns.get(name, getattr(levels, name)) for name in _NAMES))


def taken(levels: Levels, which: Ints | NDArray[np.bool_] | slice) -> Levels:
    """The entries chosen."""
    return Levels(*(getattr(levels, name)[..., which] for name in _NAMES))


def encode(levels: Levels, shift: int) -> bytes:
    """The runs are ids here. Places as distances from the bucket's begin, most of them less than two bytes.

    What has one type is one array: each alone takes three times as long to decode.
    """
    begin = levels.bucket << shift
    return codec.encode(
        np.diff(levels.bucket, prepend=0),
        levels.run,
        np.concatenate([levels.value.ravel(), levels.total]),
        np.maximum(levels.at - begin, 0).ravel().astype(np.uint32),
        np.concatenate([levels.step.ravel(), levels.lowest_step, levels.highest_step]),
        levels.time.ravel(),
        np.concatenate([levels.finite_count, levels.non_finite_count]).astype(np.uint32),
    )


def decode(data: bytes, shift: int) -> Levels:
    difference, run, values, places, steps, times, counts = codec.decode(data)
    bucket = np.cumsum(difference)
    values, steps = values.reshape(6, -1), steps.reshape(7, -1)
    finite, non_finite = counts.reshape(2, -1).astype(np.int64)
    at = places.reshape(5, -1) + (bucket << shift)
    at[:NON_FINITE, finite == 0] = -1
    at[NON_FINITE, non_finite == 0] = -1
    time: Floats = times.reshape(5, -1)
    return Levels(bucket, run, values[:5], at, steps[:5], time, steps[5], steps[6], values[5], finite, non_finite)
