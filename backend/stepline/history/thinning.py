"""From many points to few without hiding one: which points stand for each bucket.

A bucket covers 2^k sequences and begins at a multiple of 2^k, so appending never moves one. A cell is what one run has
in one bucket. Each cell is drawn as its smallest and its largest finite value at their own places; each line also keeps
its first and last finite point. A cell without a finite value is one NaN, which breaks the line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stepline import kernels
from stepline.history.series import Line
from stepline.kernels import Extremes, Floats, Ints

LARGEST_SHIFT = 62


class Cells(NamedTuple):
    shift: int
    """A bucket is 2^shift sequences."""
    starts: Ints
    """Index of each cell's first point, line after line."""
    lines: list[Line]
    """The lines that are drawn: all of them, unless there are more lines than points to draw; then the newest."""


def cells(sequence: Ints, lines: list[Line], points: int) -> Cells:
    """The finest buckets in which all lines together take at most `points` finite points.

    sequence: ascending within each line. lines: consecutive stretches of the points.
    """
    # A line takes two points a cell and two for its ends: four at least.
    lines = lines[-max(1, points // 4) :]
    spans = [(int(sequence[line.first]), int(sequence[line.last - 1])) for line in lines]
    budget = max(1, points // 2 - len(lines))
    shift = 1
    while shift < LARGEST_SHIFT and sum((last >> shift) - (first >> shift) + 1 for first, last in spans) > budget:
        shift += 1
    # Where a series has gaps, most of the buckets counted above are empty: finer ones may fit.
    starts = _starts(sequence, lines, shift)
    while shift > 1:
        finer = _starts(sequence, lines, shift - 1)
        if len(finer) > budget:
            break
        shift, starts = shift - 1, finer
    return Cells(shift, starts, lines)


def _starts(sequence: Ints, lines: list[Line], shift: int) -> Ints:
    found = []
    for line in lines:
        part = sequence[line.first : line.last]
        first, last = int(part[0]) >> shift, int(part[-1]) >> shift
        if (last - first) * 16 < len(part):
            edges = np.arange(first + 1, last + 1, dtype=np.int64) << shift
            starts = np.concatenate([[0], np.searchsorted(part, edges)])
            starts = starts[np.diff(starts, append=len(part)) > 0]
        else:
            bucket = part >> shift
            starts = np.concatenate([[0], np.flatnonzero(bucket[1:] != bucket[:-1]) + 1])
        found.append(starts + line.first)
    return np.concatenate(found).astype(np.int64)


class Thinned(NamedTuple):
    drawn: Ints
    """Indices of the drawn points, ascending; a NaN among them breaks the line."""
    extremes: Extremes


def thin(values: Floats, chosen: Cells) -> Thinned:
    """Which of the values are drawn. values: as the sequence that `cells` was given."""
    begin = chosen.lines[0].first
    extremes = kernels.extremes(values[begin:], chosen.starts - begin)
    extremes = extremes._replace(
        **{
            name: np.where(places >= 0, places + begin, -1)
            for name, places in extremes._asdict().items()
            if name.endswith("_at")
        }
    )
    some = extremes.finite_count > 0
    heads = np.searchsorted(chosen.starts, [line.first for line in chosen.lines])
    line_of_cell = np.repeat(np.arange(len(heads)), np.diff(heads, append=len(chosen.starts)))[some]
    # Of the cells with a finite value, the first and the last one of each line.
    changes = np.flatnonzero(np.diff(line_of_cell)) + 1
    line_heads = np.concatenate([[0], changes]) if len(line_of_cell) else changes
    line_tails = np.concatenate([changes, [len(line_of_cell)]]) - 1 if len(line_of_cell) else changes
    drawn = np.unique(
        np.concatenate(
            [
                extremes.minimum_at[some],
                extremes.maximum_at[some],
                extremes.non_finite_at[~some],
                extremes.first_at[some][line_heads],
                extremes.last_at[some][line_tails],
            ]
        )
    )
    return Thinned(drawn, extremes)
