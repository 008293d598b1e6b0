"""One run's points of one metric, in order, and what the rules read of runs and checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stepline.recording.journal import Process

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class ColumnsLike(Protocol):
    """A series in sequence order, a value a record that has the metric."""

    @property
    def sequence(self) -> Integers: ...
    @property
    def run(self) -> npt.NDArray[np.int32]: ...
    @property
    def step(self) -> Floats: ...
    @property
    def time(self) -> Floats: ...
    @property
    def value(self) -> Floats: ...


class RunLike(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def heartbeat_time(self) -> float | None: ...
    @property
    def heartbeat_phase(self) -> str | None: ...
    @property
    def updated(self) -> float | None: ...
    @property
    def process(self) -> Process: ...


class CheckpointLike(Protocol):
    @property
    def sequence(self) -> int: ...
    @property
    def run_number(self) -> int: ...
    @property
    def step(self) -> int | None: ...
    @property
    def secs(self) -> float | None: ...


class MetricLike(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def last_value(self) -> float | str | None: ...


_EVALUATION_SECS = re.compile(r"eval(_.+)?_runtime")


def evaluation_secs(metrics: Sequence[MetricLike]) -> float | None:
    """What evaluating took when each evaluation set was last evaluated; None where nothing tells."""
    return told_secs((row.name, row.last_value) for row in metrics)


def told_secs(metrics: Iterable[tuple[str, float | str | None]]) -> float | None:
    """What an evaluation says that it took, all its sets together."""
    told = [value for name, value in metrics if _EVALUATION_SECS.fullmatch(name)]
    numbers = [float(secs) for secs in told if isinstance(secs, float | int) and math.isfinite(secs)]
    return sum(numbers) if numbers else None


@dataclass(frozen=True, slots=True)
class Points:
    """Arrays of one length: sequence, step (NaN where there is none), Unix time in seconds, value."""

    sequence: Integers
    step: Floats
    time: Floats
    value: Floats

    @classmethod
    def none(cls) -> Points:
        nothing = np.empty(0)
        return cls(np.empty(0, dtype=np.int64), nothing, nothing, nothing)

    @classmethod
    def by_run(cls, columns: ColumnsLike) -> dict[int, Points]:
        """Points told apart by run number: two live runs of one task interleave, and a rule looks at one."""
        found = {}
        for number in np.unique(columns.run):
            of_run = columns.run == number
            found[int(number)] = cls(
                columns.sequence[of_run], columns.step[of_run], columns.time[of_run], columns.value[of_run]
            )
        return found

    def __len__(self) -> int:
        return len(self.sequence)
