"""Read a task back in a notebook: `history = stepline.load("pilot")`.

    history.metrics, history.runs           what there is
    history.series("loss")                  every point: .sequence .step .time .value
    history.window("loss", points=4000)     what a chart gets: .sequence .step .value in drawing order
    history.to_pandas(), history.to_polars()

Loading takes in the journals that lie in the home first, by itself or by asking the Stepline that runs there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from stepline import history
from stepline.errors import Unavailable, UsageError
from stepline.history import POINTS, History, Smoothing
from stepline.history.series import Series
from stepline.home import Home
from stepline.store import Store
from stepline.visit import take_in

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, repr=False)
class Points:
    """Points in drawing order, arrays of one length. NaN in `value` breaks the line."""

    sequence: NDArray[np.int64]
    step: Floats
    time: Floats
    x: Floats
    """Place on the axis that was asked for."""
    value: Floats

    def __repr__(self) -> str:
        return f"<{len(self.value):,} points: .sequence .step .time .x .value>"


@dataclass(frozen=True, slots=True, repr=False)
class Drawn(Points):
    """A window: the smoothed line where smoothing was asked for, else the raw one."""

    raw: Points
    bucket: int
    """Sequences a bucket; 1: every point is there."""
    points: int
    """Points as logged that stand behind it."""

    def __repr__(self) -> str:
        shown = f"<a window of {self.points:,} points, drawn as {len(self.value):,}"
        return f"{shown}: .sequence .step .time .x .value .raw, .bucket {self.bucket}>"


class TaskHistory:
    """One task's history. Reads what was taken in when it was loaded, and what a running Stepline took in since."""

    def __init__(self, store: Store, task_id: str) -> None:
        self._store = store
        self._history = History(store)
        self.id = task_id
        self.name = store.task(task_id).name

    def __repr__(self) -> str:
        runs, metrics = len(self.runs), len(self.metrics)
        counted = f"{runs} {'run' if runs == 1 else 'runs'}, {metrics} {'metric' if metrics == 1 else 'metrics'}"
        return f"<stepline history of {self.name!r}: {counted}>"

    @property
    def metrics(self) -> list[str]:
        """Names of the task's series, logged and derived."""
        return self._history.names(self.id)

    @property
    def runs(self) -> list[Any]:
        """The task's runs by number: .id .number .status .settings .first_step .last_step .started .ended …"""
        return list(self._store.runs(self.id))

    def series(self, name: str) -> Series:
        """Every point as logged, but NaN where a loss of 0.0 hid one. SeriesNotFound.

        Arrays of one length: .sequence .run .step .epoch .time .value.
        """
        return self._history.series(self.id, name)

    def window(
        self,
        name: str,
        *,
        first: int | None = None,
        last: int | None = None,
        points: int = POINTS,
        axis: str = "sequence",
        smoothing: Smoothing | tuple[int, int] | int | None = None,
    ) -> Drawn:
        """What a chart gets between the sequences first and last (not included; clamped).

        points: finite points at most, 8 or more. smoothing: spans in points of the exponential and of the moving
        average, (ema, ma), or of the first alone. SeriesNotFound, UsageError.
        """
        asked = _smoothing(smoothing)
        window = self._history.window(self.id, name, first=first, last=last, points=points, axis=axis, smoothing=asked)
        raw = self._points(window.raw)
        drawn = raw if window.smooth is None else self._points(window.smooth)
        return Drawn(drawn.sequence, drawn.step, drawn.time, drawn.x, drawn.value, raw, window.bucket, window.points)

    def to_pandas(self) -> pandas.DataFrame:
        """One row a record, one column a logged number; NaN where a record has none. Unavailable without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise _not_installed("pandas") from error
        return pandas.DataFrame(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """One row a record, one column a logged number; null where a record has none. Unavailable without polars."""
        try:
            import polars
        except ImportError as error:
            raise _not_installed("polars") from error
        masks: dict[str, NDArray[np.bool_]] = {}
        frame = polars.DataFrame(self._columns(masks))
        return frame.with_columns(
            polars.when(polars.Series(mask)).then(polars.col(name)).alias(name) for name, mask in masks.items()
        )

    def close(self) -> None:
        """Let go of the database; it is also let go of at the end of a `with` block."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _points(self, drawn: history.Drawn) -> Points:
        sequence, time = drawn.sequence.astype(np.int64), drawn.time
        if time is None:
            places, back = np.unique(sequence, return_inverse=True)
            time = self._store.places(self.id, places, "time")[back]
        return Points(sequence, drawn.step, time, drawn.x, drawn.value)

    def _columns(self, masks: dict[str, NDArray[np.bool_]] | None = None) -> dict[str, NDArray[Any]]:
        """Columns of all records that have a number, by sequence. masks: gets, by metric, where a record has it."""
        logged = [metric.name for metric in self._store.metrics(self.id) if metric.kind == "number"]
        series = {name: self._history.series(self.id, name) for name in logged}
        if not series:
            return {}
        sequence = np.unique(np.concatenate([one.sequence for one in series.values()]))
        columns: dict[str, NDArray[Any]] = {"sequence": sequence}
        for place in ("run", "step", "epoch", "time"):
            column = np.zeros(len(sequence), getattr(next(iter(series.values())), place).dtype)
            for one in series.values():
                column[np.searchsorted(sequence, one.sequence)] = getattr(one, place)
            columns[place] = column
        for name, one in series.items():
            at = np.searchsorted(sequence, one.sequence)
            column = np.full(len(sequence), np.nan)
            column[at] = one.value
            heading = f"metrics.{name}" if name in ("sequence", "run", "step", "epoch", "time") else name
            columns[heading] = column
            if masks is not None:
                masks[heading] = np.zeros(len(sequence), np.bool_)
                masks[heading][at] = True
        return columns


def load(task: str, home: str | os.PathLike[str] | None = None) -> TaskHistory:
    """The history of a task, by its name or id, after taking in what lies in the home (None: the default one).

    TaskNotFound; TaskAmbiguous, which lists the ids, where several tasks bear the name; HomeError, StoreError.
    """
    place = Home.open(Path(home) if home is not None else None)
    with take_in(place) as store:
        task_id = store.find_task(task).id
    return TaskHistory(Store.open(place.database, writable=False), task_id)


def _smoothing(asked: Smoothing | tuple[int, int] | int | None) -> Smoothing:
    if asked is None:
        return Smoothing()
    if isinstance(asked, Smoothing):
        return asked
    spans = (asked, 0) if isinstance(asked, int) else tuple(asked)
    if len(spans) != 2 or not all(isinstance(span, int) and span >= 0 for span in spans):
        raise UsageError(
            f"{asked!r} is no smoothing",
            why="It takes two spans in points, of the exponential and of the moving average",
            action="Give (10, 5), for example, or None for none",
        )
    return Smoothing(*spans)


def _not_installed(library: str) -> Unavailable:
    return Unavailable(
        f"This needs {library}",
        why="It is not installed in this environment",
        action=f"Install it (pip install {library}), or use .series(name), which has plain arrays",
    )
