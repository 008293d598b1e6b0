"""Levels: what stands for the points of each cell, at one bucket size and at every doubling of it.

A window of any width is then answered by the few cells that it covers, whatever lies below. A cell is what one line
(one run) has in one bucket of 2^shift sequences; no cell goes over two lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stepline import kernels
from stepline.kernels.types import Extremes, Floats, Ints


class Level(NamedTuple):
    """Cells of one bucket size, line after line, each by sequence. Arrays of one length."""

    shift: int
    """A bucket is 2^shift sequences."""
    line: Ints
    bucket: Ints
    """sequence >> shift of the cell's points."""
    extremes: Extremes
    """Places are indices into the values."""
    total: Floats
    """Sum of the finite values."""


def levels(values: Floats, sequence: Ints, line: Ints, *, lowest: int, highest: int) -> Iterator[Level]:
    """The levels of 2^lowest to 2^highest sequences a bucket, finest first.

    values, sequence, line: of one length; points stand line by line, each line's by sequence.
    """
    if len(values) == 0:
        return
    bucket = sequence >> lowest
    starts = _heads(line, bucket)
    total = np.add.reduceat(np.where(np.isfinite(values), values, 0.0), starts)
    level = Level(lowest, line[starts], bucket[starts], kernels.extremes(values, starts), total)
    yield level
    for _ in range(lowest, highest):
        level = _doubled(level, values)
        yield level


def _heads(line: Ints, bucket: Ints) -> Ints:
    """Where a cell begins: at another line or another bucket than the one before."""
    changes = (line[1:] != line[:-1]) | (bucket[1:] != bucket[:-1])
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _doubled(level: Level, values: Floats) -> Level:
    """The same cells joined two by two, as far as both are there."""
    bucket = level.bucket >> 1
    left = _heads(level.line, bucket)
    alone = np.diff(left, append=len(bucket)) == 1
    right = np.where(alone, left, left + 1)
    old = level.extremes
    low, high = _values_at(values, old.minimum_at, np.inf), _values_at(values, old.maximum_at, -np.inf)

    def joined(places: Ints, take_right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ints:
        return np.where(take_right, places[right], places[left])

    def counted(counts: Ints) -> Ints:
        return counts[left] + np.where(alone, 0, counts[right])

    extremes = Extremes(
        minimum_at=joined(old.minimum_at, (low[right] < low[left]) | (old.minimum_at[left] < 0)),
        maximum_at=joined(old.maximum_at, (high[right] > high[left]) | (old.maximum_at[left] < 0)),
        first_at=joined(old.first_at, old.first_at[left] < 0),
        last_at=joined(old.last_at, old.last_at[right] >= 0),
        non_finite_at=joined(old.non_finite_at, old.non_finite_at[left] < 0),
        non_finite_count=counted(old.non_finite_count),
        finite_count=counted(old.finite_count),
    )
    total = level.total[left] + np.where(alone, 0.0, level.total[right])
    return Level(level.shift + 1, level.line[left], bucket[left], extremes, total)


def _values_at(values: Floats, places: Ints, none: float) -> Floats:
    return np.where(places >= 0, values[places], none)
