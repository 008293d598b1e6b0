"""The points of a series that has a value only now and then, such as an evaluation's: out of levels.

A bucket names its first and last finite point and its first other one. Where none has more, these are all points, and
no block is decoded for the few that it has: 3,000 points among ten million records took 53 ms, and they take 5.
"""

from __future__ import annotations

import numpy as np

from stepline.history.curve import Curve
from stepline.history.series import Series
from stepline.history.thinning import Cells
from stepline.kernels import Floats
from stepline.store.levels import FIRST, LAST, NON_FINITE, Levels

SHIFT = 10
"""Buckets of 2^10 sequences are the finest of which few are read for many records."""


def points(curve: Curve, chosen: Cells, first: int, last: int) -> tuple[Series, int] | None:
    """All points of the series in [first, last), and the shift of the buckets that they are from; None where these do
    not name all. chosen: the cells of that window."""
    if chosen.lines_left_out or chosen.points > (last - first) >> SHIFT:
        return None
    found, shift = named(curve.name, chosen.levels, last), chosen.shift
    if found is None and shift > SHIFT:
        found, shift = named(curve.name, curve.levels(SHIFT, first, last), last), SHIFT
    return None if found is None else (found, shift)


def smoothed(found: Levels, series: Series) -> Floats | None:
    """The smoothed values at the points of a series, out of the same buckets of the smoothed line; None where these do
    not name all."""
    line = named(series.name, found, series.cursor)
    return line.value if line is not None and np.array_equal(line.sequence, series.sequence) else None


def named(name: str, found: Levels, cursor: int) -> Series | None:
    """All points of these buckets, by sequence; None where there are some that no bucket names."""
    if bool((found.finite_count > 2).any()) or bool((found.non_finite_count > 1).any()):
        return None
    of_kind = [
        (FIRST, np.flatnonzero(found.finite_count)),
        (LAST, np.flatnonzero(found.finite_count == 2)),
        (NON_FINITE, np.flatnonzero(found.non_finite_count)),
    ]
    kind = np.concatenate([np.full(len(cell), number) for number, cell in of_kind])
    cell = np.concatenate([cell for _, cell in of_kind])
    order = np.argsort(found.at[kind, cell], kind="stable")
    kind, cell = kind[order], cell[order]
    where = kind, cell
    return Series(
        name, cursor, found.at[where], found.run[cell].astype(np.int32), found.step[where],
        np.full(len(cell), np.nan), found.time[where], found.value[where],
    )  # fmt: skip
