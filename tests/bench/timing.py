"""How times are taken: what is compared takes turns, so that a busy machine slows both; the median counts."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

ROUNDS = 9
LONGEST_SECS = 6.0
"""A measure stops after this long, but not before three rounds."""


def ms_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def median_ms(*calls: Callable[[], object]) -> list[float]:
    """The median time of each call, the calls taking turns after one round that does not count."""
    return medians(*(lambda call=call: ms_of(call) for call in calls))


def medians(*measures: Callable[[], float]) -> list[float]:
    """The same of calls that say themselves how long they took: another process's."""
    for measure in measures:
        measure()
    taken: list[list[float]] = [[] for _ in measures]
    ends = time.perf_counter() + LONGEST_SECS
    for turn in range(ROUNDS):
        if turn >= 3 and time.perf_counter() > ends:
            break
        for measure, found in zip(measures, taken, strict=True):
            found.append(measure())
    return [statistics.median(found) for found in taken]


def part(values: Sequence[float], share: float) -> float:
    """The least of the values that at least this share of them does not pass: 0.99 for the p99."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
