"""A series summed up in buckets of 2^shift sequences, each run on its own, so that a wide window reads no raw data.

    every block      buckets of 2^7, 512 of them in a full block: about 0.2 bytes a value
    every 64 blocks  buckets of 2^12, in `levels`: about 0.006 bytes a value

Coarser buckets are put together from these when they are asked for, finer ones are read raw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stepline import kernels
from stepline.store import codec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FINE_SHIFT = 7
COARSE_SHIFT = 12
CHUNK_SHIFT = 22
"""A row of `levels` covers 2^22 sequences: up to 1,024 buckets. A hundred million records are 24 rows a metric."""


@dataclass(frozen=True, slots=True)
class Levels:
    """One entry for each bucket and run that has points, by bucket and then by run. All arrays have one length.

    Values are NaN and places -1 where a bucket has none of the kind. Places are sequences.
    """

    bucket: Ints
    """The bucket's first sequence >> shift."""
    run: Ints
    """The run's number."""
    minimum: Floats
    minimum_at: Ints
    """First place of the smallest finite value; likewise `maximum_at`."""
    maximum: Floats
    maximum_at: Ints
    first: Floats
    """First finite value, in the order of sequences."""
    first_at: Ints
    last: Floats
    last_at: Ints
    total: Floats
    """Sum of the finite values."""
    finite_count: Ints
    non_finite_at: Ints
    """First NaN or infinity."""
    non_finite_count: Ints

    def __len__(self) -> int:
        return len(self.bucket)


_NAMES = tuple(each.name for each in fields(Levels))
_VALUES = ("minimum", "maximum", "first", "last", "total")
_PLACES = ("minimum_at", "maximum_at", "first_at", "last_at", "non_finite_at")


def _cells(bucket: Ints, run: Ints) -> tuple[Ints | None, Ints]:
    """(order that brings the points of each bucket and run together, None where they stand so; where each begins)."""
    order = None
    if len(run) and run.min() != run.max():
        change = (bucket[1:] == bucket[:-1]) & (run[1:] < run[:-1])
        if change.any():
            order = np.lexsort((run, bucket))
            bucket, run = bucket[order], run[order]
    new = np.flatnonzero((bucket[1:] != bucket[:-1]) | (run[1:] != run[:-1])) + 1
    return order, np.concatenate([np.zeros(min(len(run), 1), np.int64), new])


def _at(places: Ints, index: Ints) -> Ints:
    return np.where(index >= 0, places[np.maximum(index, 0)], -1) if len(places) else index


def _value(values: Floats, index: Ints) -> Floats:
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan) if len(values) else np.zeros(0)


def build(sequence: Ints, run: Ints, value: Floats, shift: int) -> Levels:
    """Of points, ascending by sequence."""
    order, starts = _cells(sequence >> shift, run)
    if order is not None:
        sequence, run, value = sequence[order], run[order], value[order]
    found = kernels.extremes(value, starts)
    finite = np.where(np.isfinite(value), value, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(finite, starts) if len(starts) else np.zeros(0)
    return Levels(
        sequence[starts] >> shift, run[starts],
        _value(value, found.minimum_at), _at(sequence, found.minimum_at),
        _value(value, found.maximum_at), _at(sequence, found.maximum_at),
        _value(value, found.first_at), _at(sequence, found.first_at),
        _value(value, found.last_at), _at(sequence, found.last_at),
        total, found.finite_count, _at(sequence, found.non_finite_at), found.non_finite_count,
    )  # fmt: skip


def coarser(levels: Levels, by: int) -> Levels:
    """In buckets 2^by as wide. Entries of one bucket and run may be several: each then has later points than the one
    before."""
    bucket = levels.bucket >> by
    order, starts = _cells(bucket, levels.run)
    if len(starts) == len(bucket) and order is None:
        return _with(levels, bucket=bucket)
    if order is not None:
        levels, bucket = _taken(levels, order), bucket[order]
    low = kernels.extremes(levels.minimum, starts)
    highest = kernels.extremes(levels.maximum, starts).maximum_at
    marked = np.where(levels.non_finite_at >= 0, levels.non_finite_at, np.iinfo(np.int64).max)
    marked = np.minimum.reduceat(marked, starts)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(levels.total, starts)
    return Levels(
        bucket[starts], levels.run[starts],
        _value(levels.minimum, low.minimum_at), _at(levels.minimum_at, low.minimum_at),
        _value(levels.maximum, highest), _at(levels.maximum_at, highest),
        _value(levels.first, low.first_at), _at(levels.first_at, low.first_at),
        _value(levels.last, low.last_at), _at(levels.last_at, low.last_at),
        total, np.add.reduceat(levels.finite_count, starts),
        np.where(marked == np.iinfo(np.int64).max, -1, marked), np.add.reduceat(levels.non_finite_count, starts),
    )  # fmt: skip


def joined(parts: Sequence[Levels]) -> Levels:
    """One after the other."""
    if not parts:
        return build(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0)
    if len(parts) == 1:
        return parts[0]
    return Levels(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))


def with_runs(levels: Levels, run: Ints) -> Levels:
    return _with(levels, run=run)


def within(levels: Levels, first: int, last: int) -> Levels:
    """Those with first <= bucket < last."""
    begin, end = np.searchsorted(levels.bucket, [first, last])
    return levels if end - begin == len(levels) else _taken(levels, slice(int(begin), int(end)))


def _with(levels: Levels, **columns: Ints) -> Levels:
    return Levels(*(columns.get(name, getattr(levels, name)) for name in _NAMES))


def _taken(levels: Levels, which: Ints | slice) -> Levels:
    return Levels(*(getattr(levels, name)[which] for name in _NAMES))


def encode(levels: Levels, shift: int) -> bytes:
    """The runs are ids here. Places as distances from the bucket's begin, most of them less than two bytes.

    What has one type is one array: fourteen take three times as long to decode.
    """
    begin = levels.bucket << shift
    places = [np.maximum(getattr(levels, name) - begin, 0) for name in _PLACES]
    return codec.encode(
        np.diff(levels.bucket, prepend=0),
        levels.run,
        np.concatenate([getattr(levels, name) for name in _VALUES]),
        np.concatenate(places).astype(np.uint32),
        np.concatenate([levels.finite_count, levels.non_finite_count]).astype(np.uint32),
    )


def decode(data: bytes, shift: int) -> Levels:
    step, run, values, places, counts = codec.decode(data)
    bucket = np.cumsum(step)
    values = values.reshape(len(_VALUES), -1)
    finite, non_finite = counts.reshape(2, -1).astype(np.int64)
    at = places.reshape(len(_PLACES), -1) + (bucket << shift)
    at[:4, finite == 0] = -1
    at[4, non_finite == 0] = -1
    return Levels(
        bucket, run, values[0], at[0], values[1], at[1], values[2], at[2], values[3], at[3], values[4],
        finite, at[4], non_finite,
    )  # fmt: skip
