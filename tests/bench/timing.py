"""How times are taken: what is compared takes turns, so that a busy machine slows both; the median counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

ROUNDS = 9
LONGEST_SECS = 6.0
"""A measure stops after this long, but not before three rounds."""


@dataclass(frozen=True)
class Row:
    """One line of the table. ours, beside: milliseconds (or what `unit` says); goal: the largest ratio, or value."""

    measure: str
    size: int
    ours: float
    beside_name: str = ""
    beside: float | None = None
    goal: float | None = None
    goal_is_value: bool = False
    unit: str = "ms"

    @property
    def ratio(self) -> float | None:
        return None if self.beside is None else self.ours / self.beside

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        measured = self.ours if self.goal_is_value else self.ratio
        return measured is not None and measured <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def median_ms(*calls: Callable[[], object]) -> list[float]:
    """The median time of each call, the calls taking turns after one round that does not count."""
    for call in calls:
        call()
    taken: list[list[float]] = [[] for _ in calls]
    ends = time.perf_counter() + LONGEST_SECS
    for turn in range(ROUNDS):
        if turn >= 3 and time.perf_counter() > ends:
            break
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter()
            call()
            times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken]
