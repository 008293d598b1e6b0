"""A window of a series: the arrays that a chart draws.

At most `points` finite points a series: raw points as soon as they fit, else the extremes of every bucket
(`stepline.history.thinning`). The smoothed line is made of all points first and then thinned by extremes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stepline.history.axes import Place
from stepline.history.series import Line, Series
from stepline.history.thinning import cells, thin
from stepline.kernels import Floats, Ints

POINTS = 4_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """Points in drawing order: line after line, each by sequence. Arrays of float64 of one length."""

    sequence: Floats
    x: Floats
    step: Floats
    time: Floats
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


def window(
    series: Series, smoothed: Floats | None, place: Place, first: int, last: int, *, points: int = POINTS
) -> Window:
    """The part [first, last) of a series, ready to draw.

    smoothed: of all points of the series, or None. place: gives x (`stepline.history.axes.places`).
    points: finite points drawn at most, 8 or more.
    """
    first, last = max(0, first), min(last, series.cursor)
    last = max(first, last)
    which = series.part(first, last)
    part = series.cut(which)
    arrangement = part.grouped
    lines = arrangement.lines
    values = arrangement.arranged(part.value)
    smooth_values = None if smoothed is None else arrangement.arranged(smoothed[which])
    if len(part) <= 2 * points and int(np.count_nonzero(np.isfinite(values))) <= points:
        drawn = drawn_smooth = np.arange(len(part))
        marked = np.flatnonzero(~np.isfinite(values))
        counts = np.ones(len(marked))
        shift = 0
    else:
        chosen = cells(arrangement.arranged(part.sequence), lines, points)
        thinned = thin(values, chosen)
        drawn = drawn_smooth = thinned.drawn
        some = thinned.extremes.non_finite_count > 0
        marked = thinned.extremes.non_finite_at[some]
        counts = thinned.extremes.non_finite_count[some].astype(np.float64)
        if smooth_values is not None:
            drawn_smooth = thin(smooth_values, chosen).drawn
        shift, lines = chosen.shift, chosen.lines
    raw = _drawn(part, arrangement.order, place, drawn, values)
    if smooth_values is None:
        smooth = None
    elif drawn_smooth is drawn:
        smooth = Drawn(raw.sequence, raw.x, raw.step, raw.time, smooth_values)
    else:
        smooth = _drawn(part, arrangement.order, place, drawn_smooth, smooth_values)
    superseded = series.superseded_from
    return Window(
        name=series.name,
        first=first,
        last=last,
        points=len(part),
        bucket=1 << shift,
        raw=raw,
        smooth=smooth,
        marks=_marks(part, arrangement.order, place, marked, values, counts),
        lines=[
            DrawnLine(
                line.run,
                _range(drawn, line),
                None if smooth is None else _range(drawn_smooth, line),
                _range(marked, line),
                superseded[line.run],
            )
            for line in lines
        ],
        lines_left_out=len(arrangement.lines) - len(lines),
    )


def _range(chosen: Ints, line: Line) -> tuple[int, int]:
    first, last = np.searchsorted(chosen, [line.first, line.last]).tolist()
    return first, last


def _drawn(part: Series, order: Ints | None, place: Place, chosen: Ints, values: Floats) -> Drawn:
    at = chosen if order is None else order[chosen]
    value = values[chosen]
    return Drawn(
        part.sequence[at].astype(np.float64),
        place(part, at),
        part.step[at],
        part.time[at],
        np.where(np.isfinite(value), value, np.nan),
    )


def _marks(part: Series, order: Ints | None, place: Place, marked: Ints, values: Floats, counts: Floats) -> Marks:
    at = marked if order is None else order[marked]
    return Marks(part.sequence[at].astype(np.float64), place(part, at), part.step[at], counts, values[marked])
