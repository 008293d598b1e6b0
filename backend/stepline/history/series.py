"""A series in memory: the points of one metric of one task, all of them, in sequence order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from stepline.history.source import SourceColumns
from stepline.kernels import Floats, Ints
from stepline.store.levels import is_of_one

Runs = NDArray[np.int32]
Kind = TypeVar("Kind", bound=np.generic)


class Line(NamedTuple):
    """A stretch [first, last) of points that belong to one run."""

    run: int
    first: int
    last: int


class Grouped(NamedTuple):
    """Points arranged run by run, the runs by number, each run's points in sequence order."""

    order: Ints | None
    """Index of each arranged point; None where the points already stand so, as they do unless live runs interleave."""
    lines: list[Line]

    def arranged(self, values: NDArray[Kind]) -> NDArray[Kind]:
        return values if self.order is None else values[self.order]


def grouped(run: Runs) -> Grouped:
    """Which points make each run's line. `run` holds run numbers, in sequence order."""
    if len(run) == 0:
        return Grouped(None, [])
    order = None
    starts = _changes(run)
    if len(starts) > 1 and np.any(np.diff(run[starts]) <= 0):
        order = np.argsort(run, kind="stable").astype(np.int64)
        run = run[order]
        starts = _changes(run)
    ends = [*starts[1:].tolist(), len(run)]
    return Grouped(order, [Line(int(run[i]), i, j) for i, j in zip(starts.tolist(), ends, strict=True)])


def _changes(run: Runs) -> Ints:
    if is_of_one(run):
        return np.zeros(1, np.int64)
    return np.concatenate([[0], np.flatnonzero(run[1:] != run[:-1]) + 1])


@dataclass(frozen=True, repr=False)
class Series:
    """All points below `cursor`, a sequence. Arrays of one length; step and epoch are NaN where the record has none."""

    name: str
    cursor: int
    sequence: Ints
    run: Runs
    step: Floats
    epoch: Floats
    time: Floats
    value: Floats

    @classmethod
    def of(cls, name: str, cursor: int, columns: SourceColumns) -> Series:
        return cls(
            name,
            cursor,
            np.ascontiguousarray(columns.sequence, np.int64),
            np.asarray(columns.run, np.int32),
            *(
                np.ascontiguousarray(column, np.float64)
                for column in (columns.step, columns.epoch, columns.time, columns.value)
            ),
        )

    def __len__(self) -> int:
        return len(self.sequence)

    def __repr__(self) -> str:
        return f"<all {len(self):,} points of {self.name!r}: .sequence .run .step .epoch .time .value>"

    def followed_by(self, newer: Series) -> Series:
        """This series and the points that came after it."""
        if len(newer) == 0:
            return replace(self, cursor=newer.cursor)
        if len(self) == 0:
            return newer
        return Series(
            self.name,
            newer.cursor,
            np.concatenate([self.sequence, newer.sequence]),
            np.concatenate([self.run, newer.run]),
            np.concatenate([self.step, newer.step]),
            np.concatenate([self.epoch, newer.epoch]),
            np.concatenate([self.time, newer.time]),
            np.concatenate([self.value, newer.value]),
        )

    def part(self, first: int, last: int) -> slice:
        """Which points have a sequence in [first, last)."""
        begin, end = np.searchsorted(self.sequence, [first, last])
        return slice(int(begin), int(end))

    def cut(self, which: slice) -> Series:
        return Series(
            self.name,
            self.cursor,
            self.sequence[which],
            self.run[which],
            self.step[which],
            self.epoch[which],
            self.time[which],
            self.value[which],
        )

    def copy(self) -> Series:
        """One with arrays of its own, where this one's are views of a longer series."""
        return Series(
            self.name,
            self.cursor,
            self.sequence.copy(),
            self.run.copy(),
            self.step.copy(),
            self.epoch.copy(),
            self.time.copy(),
            self.value.copy(),
        )

    def with_values(self, name: str, value: Floats) -> Series:
        """Another series at the same places."""
        return replace(self, name=name, value=value)

    @cached_property
    def grouped(self) -> Grouped:
        return grouped(self.run)

    @cached_property
    def superseded_from(self) -> dict[int, float | None]:
        """By run: the lowest step that a later run went over again, None where none did."""
        lines = self.grouped.lines
        if len(lines) < 2:
            return {line.run: None for line in lines}
        steps = self.grouped.arranged(self.step)
        starts = [line.first for line in lines]
        lowest, highest = np.fmin.reduceat(steps, starts), np.fmax.reduceat(steps, starts)
        return superseded_from([line.run for line in lines], lowest, highest)


def superseded_from(runs: list[int], lowest: Floats, highest: Floats) -> dict[int, float | None]:
    """By run: the lowest step that a later run went over again, None where none did. lowest, highest: steps of each."""
    later = np.full(len(runs), np.nan)
    later[:-1] = np.fmin.accumulate(lowest[::-1])[::-1][1:]
    begins = np.fmax(later, lowest).tolist()
    return {run: begins[place] if later[place] <= highest[place] else None for place, run in enumerate(runs)}
