"""Where a point stands on the x axis: its sequence, step, epoch, time, time since its run's start, or tokens seen.

The default axes cost nothing more than the points. Epochs, tokens and the times of a smoothed line are looked up block
by block, in the memory of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args

import numpy as np

from stepline.errors import SeriesNotFound, UsageError
from stepline.history.source import Source
from stepline.kernels import Floats, Ints
from stepline.wire import Axis

AXES: tuple[str, ...] = get_args(Axis)
TOKEN_METRICS = ("num_input_tokens_seen", "total_tokens", "num_tokens", "tokens")
"""Names under which trainers log how many tokens a run has seen; the first that a task has is its tokens axis."""


class Points(NamedTuple):
    """Points to be placed, line after line. Arrays of one length."""

    sequence: Ints
    run: Ints
    """Number of the run."""
    step: Floats
    time: Floats | None
    """None where it is not known and is to be looked up."""
    value: Floats

    def chosen(self, which: Ints) -> Points:
        time = None if self.time is None else self.time[which]
        return Points(self.sequence[which], self.run[which], self.step[which], time, self.value[which])


Place = Callable[[Points], Floats]
"""x of each point."""


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
    if axis == "tokens":
        return _tokens(source, task_id)
    if axis == "relative":
        started = {run.number: run.started for run in source.runs(task_id)}
        return lambda points: _time(source, task_id, points) - np.array([started[run] for run in points.run.tolist()])
    by_axis: dict[str, Place] = {
        "sequence": lambda points: points.sequence.astype(np.float64),
        "step": lambda points: points.step,
        "epoch": lambda points: _looked_up(source, task_id, points, "epoch"),
        "time": lambda points: _time(source, task_id, points),
    }
    return by_axis[axis]


def _time(source: Source, task_id: str, points: Points) -> Floats:
    return _looked_up(source, task_id, points, "time") if points.time is None else points.time


def _looked_up(source: Source, task_id: str, points: Points, column: str) -> Floats:
    sequence, back = np.unique(points.sequence, return_inverse=True)
    found: Floats = source.places(task_id, sequence, column)[back]
    return found


def _tokens(source: Source, task_id: str) -> Place:
    logged = {metric.name for metric in source.metrics(task_id) if metric.kind == "number"}
    name = next((name for name in TOKEN_METRICS if name in logged), None)
    if name is None:
        raise SeriesNotFound(
            "This task has no tokens axis.",
            why=f"It logs none of {', '.join(TOKEN_METRICS)}.",
            action="Choose another axis, or let the trainer log it (include_num_input_tokens_seen=True).",
        )

    def seen(points: Points) -> Floats:
        """What the point's own run had logged last at that sequence; NaN before its first."""
        result = np.full(len(points.sequence), np.nan)
        if len(result) == 0:
            return result
        known: dict[int, float] = {}
        for part in source.columns_in_parts(task_id, name, 0, int(points.sequence.max()) + 1, places=()):
            if len(part.sequence) == 0:
                continue
            here = points.sequence >= part.sequence[0]
            for run in np.unique(part.run).tolist():
                of_run = part.run == run
                sequence, value = part.sequence[of_run], part.value[of_run]
                chosen = np.flatnonzero(here & (points.run == run))
                at = np.searchsorted(sequence, points.sequence[chosen], side="right") - 1
                result[chosen] = np.where(at >= 0, value[at], known.get(run, np.nan))
                known[run] = float(value[-1])
        return result

    return seen
