"""From many points to few without hiding one: which points stand for each bucket.

A bucket covers 2^k sequences and begins at a multiple of 2^k, so appending never moves one. A cell is what one run has
in one bucket. Each cell is drawn as its smallest and its largest finite value at their own places; each line also keeps
its first and last finite point. A cell without a finite value is one NaN, which breaks the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stepline.history.axes import Points
from stepline.kernels import Ints, distinct
from stepline.store import levels
from stepline.store.levels import FIRST, LAST, MAXIMUM, MINIMUM, NON_FINITE, Levels

LARGEST_SHIFT = 62


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells line after line, the lines by their run's number."""

    shift: int
    """A bucket is 2^shift sequences."""
    levels: Levels
    lines: Ints
    """Numbers of the runs that are drawn: all of them, unless there are more than a quarter of the points to draw; then
    the newest."""
    lines_left_out: int
    points: int
    """In all cells, also of lines that are left out."""
    finite: int


def least_shift(first: int, last: int, points: int) -> int:
    """The finest buckets of one line of which not more than fit lie in [first, last)."""
    shift = 1
    while shift < LARGEST_SHIFT and (max(first, last - 1) >> shift) - (first >> shift) + 1 > max(1, points // 2 - 1):
        shift += 1
    return shift


def cells(read: Callable[[int], Levels], first: int, last: int, points: int) -> Cells:
    """The finest cells in which all lines together take at most `points` finite points.

    read: gives the levels of a window [first, last) in buckets of 2^shift.
    """
    shift = least_shift(first, last, points)
    found = _cells(read(shift), shift, points)
    budget = max(1, points // 2 - len(found.lines))
    if len(found.levels) > budget:
        while len(found.levels) > budget:
            shift += 1
            found = _cells(levels.coarser(_by_bucket(found.levels), 1), shift, points, found)
        return found
    # Where a series has gaps, most of the buckets counted above are empty: finer ones may fit.
    while shift > 1 and len(found.levels) and _at_least(found) <= budget:
        by = max(1, (budget // len(found.levels)).bit_length() - 1)
        finer = _cells(read(max(1, shift - by)), max(1, shift - by), points)
        if len(finer.levels) > budget:
            break
        shift, found = finer.shift, finer
    return found


def _cells(found: Levels, shift: int, points: int, before: Cells | None = None) -> Cells:
    if before is not None:
        lines, left_out, count, finite = before.lines, before.lines_left_out, before.points, before.finite
    else:
        runs = distinct(found.run)
        # A line takes two points a cell and two for its ends: four at least.
        lines = runs[-max(1, points // 4) :]
        left_out = len(runs) - len(lines)
        finite = int(found.finite_count.sum())
        count = finite + int(found.non_finite_count.sum())
        if left_out:
            found = levels.taken(found, found.run >= lines[0])
    if len(lines) > 1:
        found = levels.taken(found, np.argsort(found.run, kind="stable"))
    return Cells(shift, found, lines, left_out, count, finite)


def _by_bucket(found: Levels) -> Levels:
    return levels.taken(found, np.lexsort((found.run, found.bucket)))


def _at_least(found: Cells) -> int:
    """How many cells there are at the least in buckets half as wide: two where the ends lie in both halves."""
    half = found.shift - 1
    return len(found.levels) + int(np.count_nonzero(found.levels.at[FIRST] >> half != found.levels.at[LAST] >> half))


def same_lines(found: Levels, chosen: Cells) -> Cells:
    """Levels of other values at the same points, as the cells that were chosen."""
    if chosen.lines_left_out:
        found = levels.taken(found, np.isin(found.run, chosen.lines))
    return _cells(found, chosen.shift, 0, chosen)


def drawn(chosen: Cells) -> Points:
    """The points that stand for the cells, line after line and by sequence; a NaN among them breaks the line."""
    found = chosen.levels
    some = np.flatnonzero(found.finite_count > 0)
    none = np.flatnonzero(found.finite_count == 0)
    # Of the cells with a finite value, the first and the last one of each line.
    changes = np.flatnonzero(np.diff(found.run[some])) + 1
    heads = some[np.concatenate([[0], changes]).astype(np.int64)] if len(some) else some
    tails = some[np.concatenate([changes - 1, [len(some) - 1]]).astype(np.int64)] if len(some) else some
    kind = np.repeat([MINIMUM, MAXIMUM, NON_FINITE, FIRST, LAST], [*map(len, (some, some, none, heads, tails))])
    points = _points(found, kind, np.concatenate([some, some, none, heads, tails]))
    order = np.lexsort((points.sequence, points.run))
    new = np.ones(len(order), bool)
    sequence = points.sequence[order]
    value = points.value[order]
    # Samples that are placed by time may have one millisecond and two values.
    new[1:] = (sequence[1:] != sequence[:-1]) | (value[1:] != value[:-1])
    order = order[new]
    points = points.chosen(order)
    return points._replace(value=np.where(np.isfinite(points.value), points.value, np.nan))


def marked(chosen: Cells) -> tuple[Points, Ints]:
    """The first non-finite point of each cell that has one, and how many it has."""
    cell = np.flatnonzero(chosen.levels.non_finite_count > 0)
    kind = np.full(len(cell), NON_FINITE)
    return _points(chosen.levels, kind, cell), chosen.levels.non_finite_count[cell]


def _points(found: Levels, kind: Ints, cell: Ints) -> Points:
    where = kind, cell
    return Points(found.at[where], found.run[cell], found.step[where], found.time[where], found.value[where])
