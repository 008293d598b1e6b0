"""Where a point stands on the x axis: its sequence, step, epoch, time, time since its run's start, or tokens seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np

from stepline.errors import SeriesNotFound, UsageError
from stepline.history.series import Runs, Series
from stepline.history.source import Source
from stepline.kernels import Floats, Ints
from stepline.wire import Axis

AXES: tuple[str, ...] = get_args(Axis)
TOKEN_METRICS = ("num_input_tokens_seen", "total_tokens", "num_tokens", "tokens")
"""Names under which trainers log how many tokens a run has seen; the first that a task has is its tokens axis."""

Place = Callable[[Series, "Ints | slice"], Floats]
"""x of the chosen points of a series."""


def check_axis(axis: str) -> None:
    """UsageError for a word that names no axis."""
    if axis not in AXES:
        raise UsageError(f"There is no axis {axis!r}.", why="", action=f"Ask for one of {', '.join(AXES)}.", lost=None)


def places(source: Source, task_id: str, axis: str) -> Place:
    """How to place points of this task on an axis.

    sequence and step in records and steps, time in Unix seconds, relative in seconds since the run's start, tokens as
    logged. NaN where a point has no such place. UsageError for an unknown axis, SeriesNotFound for tokens in a task
    that logs none.
    """
    check_axis(axis)
    if axis == "relative":
        return _relative({run.number: run.started for run in source.runs(task_id)})
    if axis == "tokens":
        return _tokens(source, task_id)

    def column(series: Series, which: Ints | slice) -> Floats:
        return np.asarray(getattr(series, axis)[which], np.float64)

    return column


def _relative(started: dict[int, float | None]) -> Place:
    def since_start(series: Series, which: Ints | slice) -> Floats:
        time = series.time[which]
        run = series.run[which]
        result = np.full(len(time), np.nan)
        for number in np.unique(run).tolist():
            of_run = run == number
            begin = started.get(number)
            if begin is None:
                begin = float(np.min(series.time[series.run == number]))
            result[of_run] = time[of_run] - begin
        return result

    return since_start


def _tokens(source: Source, task_id: str) -> Place:
    logged = {metric.name for metric in source.metrics(task_id) if metric.kind == "number"}
    name = next((name for name in TOKEN_METRICS if name in logged), None)
    if name is None:
        raise SeriesNotFound(
            "This task has no tokens axis.",
            why=f"It logs none of {', '.join(TOKEN_METRICS)}.",
            action="Choose another axis, or let the trainer log it (include_num_input_tokens_seen=True).",
        )
    counts = Series.read(source, task_id, name, 0, source.next_sequence(task_id))

    def seen(series: Series, which: Ints | slice) -> Floats:
        return _newest_before(counts, series.sequence[which], series.run[which])

    return seen


def _newest_before(counts: Series, sequence: Ints, run: Runs) -> Floats:
    """The value that the point's own run had logged last at that sequence; NaN before its first."""
    result = np.full(len(sequence), np.nan)
    values = counts.grouped.arranged(counts.value)
    sequences = counts.grouped.arranged(counts.sequence)
    for line in counts.grouped.lines:
        of_run = run == line.run
        at = np.searchsorted(sequences[line.first : line.last], sequence[of_run], side="right") - 1
        result[of_run] = np.where(at >= 0, values[line.first : line.last][at], np.nan)
    return result
