"""A window of a series: the arrays that a chart draws.

At most `points` finite points a series: raw points as soon as they fit, else the extremes of every bucket
(`stepline.history.thinning`). The smoothed line is made of all points first and then thinned by extremes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.history.axes import Place, Points
from stepline.history.curve import levels_of
from stepline.history.series import Series
from stepline.history.thinning import Cells, cells, drawn, marked
from stepline.kernels import Floats

POINTS = 4_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """Points in drawing order: line after line, each by sequence. Arrays of float64 of one length."""

    sequence: Floats
    x: Floats
    step: Floats
    time: Floats | None
    """None for a smoothed line."""
    value: Floats
    """NaN breaks the line."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Places of non-finite values, one a cell; where all raw points are drawn, one a value."""

    sequence: Floats
    """Of the first one."""
    x: Floats
    step: Floats
    count: Floats
    value: Floats
    """The first one itself: NaN, inf or -inf."""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """One run's part of a window; `raw`, `smooth` and `marks` are [first, last) places in the arrays."""

    run: int
    raw: tuple[int, int]
    smooth: tuple[int, int] | None
    marks: tuple[int, int]
    superseded_from: float | None
    """The step from which a later run went over the same steps again."""


@dataclass(frozen=True, slots=True)
class Window:
    name: str
    first: int
    last: int
    """Sequences [first, last), clamped to what there is."""
    points: int
    """Raw points in the window."""
    bucket: int
    """Sequences a bucket; 1: every raw point is drawn."""
    raw: Drawn
    smooth: Drawn | None
    marks: Marks
    lines: list[DrawnLine]
    lines_left_out: int
    """The oldest runs' lines, where there are more lines than a quarter of the points to draw."""


def of_points(
    series: Series, smoothed: Floats | None, place: Place, superseded: Mapping[int, float | None], first: int, last: int
) -> Window:
    """All points of a series, which are those with a sequence in [first, last). smoothed: at the same points."""
    arrangement = series.grouped
    values = arrangement.arranged(series.value)
    finite = np.isfinite(values)
    points = Points(
        arrangement.arranged(series.sequence),
        arrangement.arranged(series.run).astype(np.int64),
        arrangement.arranged(series.step),
        arrangement.arranged(series.time),
        values,
    )
    lost = np.flatnonzero(~finite)
    raw = _drawn(points._replace(value=np.where(finite, values, np.nan)), place)
    smooth = None
    if smoothed is not None:
        smooth = Drawn(raw.sequence, raw.x, raw.step, raw.time, arrangement.arranged(smoothed))
    lines = [
        DrawnLine(
            line.run,
            (line.first, line.last),
            None if smooth is None else (line.first, line.last),
            _range(lost, line.first, line.last),
            superseded[line.run],
        )
        for line in arrangement.lines
    ]
    marks = _marks(points.chosen(lost), np.ones(len(lost)), place)
    return Window(series.name, first, last, len(series), 1, raw, smooth, marks, lines, 0)


def of_cells(
    name: str,
    chosen: Cells,
    smoothed: Cells | None,
    place: Place,
    superseded: Mapping[int, float | None],
    first: int,
    last: int,
) -> Window:
    """What stands for the cells of [first, last). smoothed: the same cells of the smoothed values."""
    raw = drawn(chosen)
    smooth = None if smoothed is None else drawn(smoothed)._replace(time=None)
    lost, counts = marked(chosen)
    lines = [
        DrawnLine(
            run,
            _range(raw.run, run, run + 1),
            None if smooth is None else _range(smooth.run, run, run + 1),
            _range(lost.run, run, run + 1),
            superseded[run],
        )
        for run in chosen.lines.tolist()
    ]
    return Window(
        name,
        first,
        last,
        chosen.points,
        1 << chosen.shift,
        _drawn(raw, place),
        None if smooth is None else _drawn(smooth, place),
        _marks(lost, counts.astype(np.float64), place),
        lines,
        chosen.lines_left_out,
    )


def of_series(series: Series, place: Place, first: int, last: int, *, points: int = POINTS) -> Window:
    """What stands for all points of a series that is in memory."""
    if len(series) <= 2 * points and int(np.count_nonzero(np.isfinite(series.value))) <= points:
        return of_points(series, None, place, series.superseded_from, first, last)
    chosen = cells(lambda shift: levels_of(series, series.value, shift), first, last, points)
    return of_cells(series.name, chosen, None, place, series.superseded_from, first, last)


def _range(ascending: NDArray[np.integer[Any]], low: int, high: int) -> tuple[int, int]:
    first, last = np.searchsorted(ascending, [low, high]).tolist()
    return first, last


def _drawn(points: Points, place: Place) -> Drawn:
    return Drawn(points.sequence.astype(np.float64), place(points), points.step, points.time, points.value)


def _marks(points: Points, counts: Floats, place: Place) -> Marks:
    return Marks(points.sequence.astype(np.float64), place(points), points.step, counts, points.value)
