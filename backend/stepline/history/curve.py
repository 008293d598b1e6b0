"""One series of a task as history reads it, logged or derived: its points, or its buckets of any width.

A monotone derived series comes from the buckets of what it is derived of: the extremes of these are its own. Where one
of them overflows, which of the points between do is only known from the points; so it is for a series that is not
monotone, everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepline.history.derived import DERIVED, Derived
from stepline.history.series import Series, superseded_from
from stepline.history.source import Source
from stepline.kernels import Floats, Ints, distinct
from stepline.store import levels
from stepline.store.levels import MAXIMUM, MINIMUM, Levels

PLACES = ("step", "time")
AT_ONCE = 1 << 18
"""Sequences whose points are held together where buckets are made of points."""
WIDEST = 22


class NobodyWaits(Exception):
    """Whoever asked has gone; what was done for it is left where it stands."""


def always() -> bool:
    return True


class Curve:
    """The series `name` of a task. Nothing is kept."""

    def __init__(
        self,
        source: Source,
        task_id: str,
        name: str,
        logged: Collection[str],
        is_wanted: Callable[[], bool] = always,
    ) -> None:
        """logged: the metrics that the task logs. One of them goes before a derived series of the same name.

        is_wanted: asked before each part that is read, in any thread; reading raises NobodyWaits once it is False.
        """
        self.source = source
        self.task_id = task_id
        self.name = name
        self.derived: Derived | None = None if name in logged else DERIVED.get(name)
        self.metric = name if self.derived is None else self.derived.source
        self._is_wanted = is_wanted

    def points(self, first: int, last: int, places: Collection[str] = PLACES) -> Series:
        """The points with a sequence in [first, last). places: which of step, epoch and time are read; the others hold
        anything."""
        self._go_on()
        found = self.source.columns(self.task_id, self.metric, first, last, places=places)
        return self._own(Series.of(self.name, last, found))

    def parts(self, first: int, last: int, places: Collection[str]) -> Iterator[Series]:
        """The same in parts."""
        for found in self.source.columns_in_parts(self.task_id, self.metric, first, last, places=places):
            self._go_on()
            yield self._own(Series.of(self.name, last, found))

    def levels(self, shift: int, first: int, last: int) -> Levels:
        """Buckets of 2^shift sequences of the points in [first, last). `total` is of the series that is logged."""
        self._go_on()
        found = self.source.levels(self.task_id, self.metric, shift, first, last)
        if self.derived is None or len(found) == 0:
            return found
        value = self.derived.of(found.value)
        exact = found.finite_count == 0
        if self.derived.monotone:
            exact = exact | (np.isfinite(value[MINIMUM]) & np.isfinite(value[MAXIMUM]))
        found = replace(found, value=value)
        return found if exact.all() else self._with_points(found, ~exact, shift, first, last)

    def superseded_from(self, cursor: int) -> dict[int, float | None]:
        """By run: the lowest step that a later run went over again, None where none did. Of all points below cursor."""
        found = self.source.levels(self.task_id, self.metric, WIDEST, 0, cursor)
        order = np.argsort(found.run, kind="stable")
        run = found.run[order]
        starts = np.flatnonzero(np.diff(run, prepend=-1))
        lowest = np.fmin.reduceat(found.lowest_step[order], starts)
        highest = np.fmax.reduceat(found.highest_step[order], starts)
        return superseded_from(run[starts].tolist(), lowest, highest)

    def _go_on(self) -> None:
        if not self._is_wanted():
            raise NobodyWaits

    def _own(self, series: Series) -> Series:
        return series if self.derived is None else series.with_values(self.name, self.derived.of(series.value))

    def _with_points(self, found: Levels, unknown: NDArray[np.bool_], shift: int, first: int, last: int) -> Levels:
        """With the unknown buckets made of the derived points themselves, all runs in them."""
        unknown = np.isin(found.bucket, found.bucket[unknown])
        parts = [levels.taken(found, ~unknown)]
        for bucket, until in _stretches(distinct(found.bucket[unknown])):
            begin, end = max(first, bucket << shift), min(last, until << shift)
            for at in range(begin, end, AT_ONCE):
                points = self.points(at, min(at + AT_ONCE, end))
                parts.append(levels_of(points, points.value, shift))
        joined = levels.joined(parts)
        return levels.coarser(levels.taken(joined, np.argsort(joined.bucket, kind="stable")), 0)


def levels_of(points: Series, values: Floats, shift: int, *, summed: bool = True) -> Levels:
    """Buckets of values at the places of these points. See `stepline.store.levels.build`."""
    return levels.build(points.sequence, points.run, points.step, points.time, values, shift, summed=summed)


def _stretches(buckets: Ints) -> list[tuple[int, int]]:
    """[first, last) of buckets that follow each other."""
    cuts = np.flatnonzero(np.diff(buckets) > 1) + 1
    firsts = buckets[np.concatenate([[0], cuts])]
    lasts = buckets[np.concatenate([cuts - 1, [len(buckets) - 1]])] + 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
