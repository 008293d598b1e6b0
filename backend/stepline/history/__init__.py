"""History: from a task's stored records to what a chart draws.

    frame(store, task, names, …)    windows of several series as one binary frame (docs/frame.md)
    tail(store, task, names, since) what came since, raw points and their smoothed values, as a frame
    sampled_frame(store, task, …)   windows of GPU and system figures, by time
    window(store, task, name, …)    one window as arrays

A window has at most 4,000 finite points a series, with the exact smallest and largest value of every bucket at their
own places. Smoothing sees every point of the whole series, whatever the window. Any thread may call these.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence

from stepline.errors import SeriesNotFound, UsageError
from stepline.history import frames, sparse
from stepline.history.axes import AXES, Place, check_axis, places
from stepline.history.curve import Curve, NobodyWaits, always
from stepline.history.derived import DERIVED, Derived, derived_names
from stepline.history.frames import Decoded, DecodedSeries, decode
from stepline.history.lines import SmoothedLines
from stepline.history.sampled import sampled_frame
from stepline.history.series import Series
from stepline.history.smoothing import Smoothing
from stepline.history.source import Source
from stepline.history.tails import Tails
from stepline.history.thinning import Cells, cells, same_lines
from stepline.history.windows import POINTS, Drawn, DrawnLine, Marks, Window, of_cells, of_points
from stepline.kernels import Floats

__all__ = [
    "AXES",
    "DERIVED",
    "POINTS",
    "Decoded",
    "DecodedSeries",
    "Derived",
    "Drawn",
    "DrawnLine",
    "History",
    "Marks",
    "NobodyWaits",
    "Series",
    "Smoothing",
    "Source",
    "Window",
    "decode",
    "derived_names",
    "forget",
    "frame",
    "sampled_frame",
    "tail",
    "window",
]

CACHE_BYTES = 128 * 2**20
LEAST_POINTS = 8
OFF = Smoothing()


class History:
    """The histories of one store. What it keeps is bounded: smoothed lines summed up, and the newest points of those
    that are followed live; of raw lines it keeps nothing."""

    def __init__(self, source: Source, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._source = source
        self._smoothed = SmoothedLines(cache_bytes)
        self._tails = Tails(self._smoothed)
        self._generations: dict[str, int] = {}

    def series(self, task_id: str, name: str) -> Series:
        """Every point as logged, but NaN where a loss of 0.0 hid one. SeriesNotFound where there is no such series."""
        cursor = self._cursor(task_id)
        return self._known(task_id, name).points(0, cursor, ("step", "epoch", "time"))

    def names(self, task_id: str) -> list[str]:
        """The task's series, logged and derived."""
        logged = self._logged(task_id)
        return logged + derived_names(logged)

    def window(
        self,
        task_id: str,
        name: str,
        *,
        first: int | None = None,
        last: int | None = None,
        points: int = POINTS,
        axis: str = "sequence",
        smoothing: Smoothing | None = None,
    ) -> Window:
        """One series between the sequences first and last (not included; clamped).

        SeriesNotFound where the task has no such series; UsageError for an unknown axis or fewer than 8 points.
        """
        self._known(task_id, name)
        cursor = self._cursor(task_id)
        return self._windows(task_id, [name], first, last, cursor, points, axis, smoothing or OFF)[0]

    def frame(
        self,
        task_id: str,
        names: Sequence[str],
        *,
        first: int | None = None,
        last: int | None = None,
        points: int = POINTS,
        axis: str = "sequence",
        smoothing: Smoothing | None = None,
        is_wanted: Callable[[], bool] = always,
    ) -> bytes:
        """Windows of several series in one frame (docs/frame.md). A series that has not begun has no points in it.

        is_wanted: asked again and again, in any thread. NobodyWaits once it is False.
        """
        smoothing = smoothing or OFF
        cursor = self._cursor(task_id)
        windows = self._windows(task_id, names, first, last, cursor, points, axis, smoothing, is_wanted)
        begin, end = _clamped(first, last, cursor)
        return frames.encode(task_id, axis, begin, end, cursor, smoothing, windows)

    def tail(
        self,
        task_id: str,
        names: Sequence[str],
        since: int,
        smoothing: Smoothing | None = None,
        *,
        axis: str = "sequence",
    ) -> bytes:
        """What came from sequence `since` on, as a frame of raw points.

        Smoothed values equal those of the whole series.
        """
        smoothing = smoothing or OFF
        check_axis(axis)
        cursor = self._cursor(task_id)
        since = min(max(0, since), cursor)
        place = places(self._source, task_id, axis)
        logged = self._logged(task_id)
        windows = []
        for name in names:
            newer, smoothed = self._tails.after(Curve(self._source, task_id, name, logged), smoothing, since, cursor)
            windows.append(of_points(newer, smoothed, place, newer.superseded_from, since, cursor))
        return frames.encode(task_id, axis, since, cursor, cursor, smoothing, windows)

    def forget(self, task_id: str) -> None:
        """Drop what is held of a task; to be called when it is deleted."""
        self._smoothed.forget(task_id)
        self._tails.forget(task_id)

    def _cursor(self, task_id: str) -> int:
        """The task's next sequence. What was held of records that were taken away since is dropped."""
        generation = self._source.generation(task_id)
        if self._generations.setdefault(task_id, generation) != generation:
            self.forget(task_id)
            self._generations[task_id] = generation
        return self._source.next_sequence(task_id)

    def _windows(
        self,
        task_id: str,
        names: Sequence[str],
        first: int | None,
        last: int | None,
        cursor: int,
        points: int,
        axis: str,
        smoothing: Smoothing,
        is_wanted: Callable[[], bool] = always,
    ) -> list[Window]:
        if points < LEAST_POINTS:
            raise UsageError(
                f"A window of {points} points cannot be drawn.",
                why="A line needs a smallest, a largest, a first and a last point.",
                action=f"Ask for {LEAST_POINTS} points or more.",
            )
        begin, end = _clamped(first, last, cursor)
        place = places(self._source, task_id, axis)
        logged = self._logged(task_id)
        several = len(self._source.runs(task_id)) > 1
        return [
            self._window(curve, begin, end, cursor, points, place, smoothing, several)
            for curve in (Curve(self._source, task_id, name, logged, is_wanted) for name in names)
        ]

    def _window(
        self,
        curve: Curve,
        first: int,
        last: int,
        cursor: int,
        points: int,
        place: Place,
        smoothing: Smoothing,
        several: bool,
    ) -> Window:
        chosen = None
        if last - first > points:
            chosen = cells(lambda shift: curve.levels(shift, first, last), first, last, points)
        if chosen is not None and (chosen.finite > points or chosen.points > 2 * points):
            summed = None
            if smoothing.on:
                found = self._smoothed.levels(curve, smoothing, chosen.shift, first, last, cursor)
                summed = same_lines(found, chosen)
            superseded = curve.superseded_from(cursor) if several else dict.fromkeys(chosen.lines.tolist())
            return of_cells(curve.name, chosen, summed, place, superseded, first, last)
        series, smoothed = self._points(curve, chosen, first, last, cursor, smoothing)
        superseded = curve.superseded_from(cursor) if several else series.superseded_from
        return of_points(series, smoothed, place, superseded, first, last)

    def _points(
        self, curve: Curve, chosen: Cells | None, first: int, last: int, cursor: int, smoothing: Smoothing
    ) -> tuple[Series, Floats | None]:
        """The points in [first, last) and their smoothed values. chosen: the cells of a window that is not short."""
        few = None if chosen is None else sparse.points(curve, chosen, first, last)
        if few is not None:
            series, shift = few
            if not smoothing.on:
                return series, None
            smoothed = sparse.smoothed(self._smoothed.levels(curve, smoothing, shift, first, last, cursor), series)
            if smoothed is not None:
                return series, smoothed
        if not smoothing.on:
            return curve.points(first, last), None
        return self._smoothed.points(curve, smoothing, first, last, cursor)[:2]

    def _logged(self, task_id: str) -> list[str]:
        return [metric.name for metric in self._source.metrics(task_id) if metric.kind == "number"]

    def _known(self, task_id: str, name: str) -> Curve:
        logged = self._logged(task_id)
        known = logged + derived_names(logged)
        if name not in known:
            raise SeriesNotFound(
                f"The task has no series {name!r}.",
                why="No record has a number under that name.",
                action=f"Its series are: {', '.join(known) or 'none yet'}.",
            )
        return Curve(self._source, task_id, name, logged)


def _clamped(first: int | None, last: int | None, cursor: int) -> tuple[int, int]:
    begin = min(max(0, first or 0), cursor)
    end = cursor if last is None else min(max(begin, last), cursor)
    return begin, end


_lock = threading.Lock()
_histories: weakref.WeakKeyDictionary[Source, History] = weakref.WeakKeyDictionary()


def of(store: Source) -> History:
    """The history that belongs to a store; it lives as long as the store does."""
    with _lock:
        history = _histories.get(store)
        if history is None:
            history = _histories[store] = History(weakref.proxy(store))
        return history


def frame(
    store: Source,
    task_id: str,
    names: Sequence[str],
    *,
    first: int | None = None,
    last: int | None = None,
    points: int = POINTS,
    axis: str = "sequence",
    smoothing: Smoothing | None = None,
    is_wanted: Callable[[], bool] = always,
) -> bytes:
    """See History.frame."""
    return of(store).frame(
        task_id, names, first=first, last=last, points=points, axis=axis, smoothing=smoothing, is_wanted=is_wanted
    )


def tail(
    store: Source,
    task_id: str,
    names: Sequence[str],
    since: int,
    smoothing: Smoothing | None = None,
    *,
    axis: str = "sequence",
) -> bytes:
    """See History.tail."""
    return of(store).tail(task_id, names, since, smoothing, axis=axis)


def window(
    store: Source,
    task_id: str,
    name: str,
    *,
    first: int | None = None,
    last: int | None = None,
    points: int = POINTS,
    axis: str = "sequence",
    smoothing: Smoothing | None = None,
) -> Window:
    """See History.window."""
    return of(store).window(task_id, name, first=first, last=last, points=points, axis=axis, smoothing=smoothing)


def forget(store: Source, task_id: str) -> None:
    """See History.forget."""
    of(store).forget(task_id)
