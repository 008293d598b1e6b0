"""What the kernels take and give: arrays, and the small states from which a smoothing goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

EITHER, TRAINING, EVALUATION, CLOSING = range(4)
"""Sorts of tags: of any row, of a training row, an evaluation, the closing row."""


class Extremes(NamedTuple):
    """One entry a cell. Places are indices into the values; -1 where a cell has none of the kind."""

    minimum_at: Ints
    """First place of the smallest finite value."""
    maximum_at: Ints
    """First place of the largest finite value."""
    first_at: Ints
    """First finite value."""
    last_at: Ints
    """Last finite value."""
    non_finite_at: Ints
    """First NaN or infinity."""
    non_finite_count: Ints
    finite_count: Ints


@dataclass(frozen=True, slots=True)
class EmaState:
    """Where an exponential average stands after `seen` finite points: the mean is origin + numerator / denominator."""

    origin: float = 0.0
    """The run's first value: averaging the distance from it keeps a constant series constant to the bit."""
    numerator: float = 0.0
    denominator: float = 0.0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class AverageState:
    """Where a moving average stands after `seen` finite points."""

    origin: float = 0.0
    seen: int = 0
    recent: Floats = field(default_factory=lambda: np.zeros(0))
    """The points from the last whole stretch on, less the origin; fewer than twice the span."""
