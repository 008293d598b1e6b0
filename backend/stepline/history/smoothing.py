"""Smoothing of a whole series, run by run: an exponential average, then a trailing moving average of that.

Every run is smoothed on its own from its first point, also where live runs interleave or a record comes late.
Non-finite points are skipped and stay NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stepline import kernels
from stepline.history.series import Runs, grouped
from stepline.kernels import AverageState, EmaState, Floats


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Spans in points; 0 and 1 are off."""

    ema: int = 0
    ma: int = 0

    @property
    def on(self) -> bool:
        return self.ema > 1 or self.ma > 1


@dataclass(frozen=True, slots=True)
class _Standing:
    ema: EmaState | None = None
    average: AverageState | None = None


class Smoother:
    """Smooths one series piece by piece; holds where each run stands. One thread at a time."""

    def __init__(self, smoothing: Smoothing, standing: dict[int, _Standing] | None = None) -> None:
        self.smoothing = smoothing
        self._standing = standing or {}

    def copy(self) -> Smoother:
        """One that goes on from here on its own."""
        return Smoother(self.smoothing, dict(self._standing))

    @property
    def bytes(self) -> int:
        averages = (standing.average for standing in self._standing.values())
        return sum(average.recent.nbytes for average in averages if average is not None)

    def take(self, run: Runs, value: Floats) -> Floats:
        """The smoothed values of the points that come next, in sequence order."""
        arrangement = grouped(run)
        if len(arrangement.lines) == 1:
            return self._take_line(arrangement.lines[0].run, value)
        values = arrangement.arranged(value)
        smoothed = np.empty(len(value))
        for line in arrangement.lines:
            smoothed[line.first : line.last] = self._take_line(line.run, values[line.first : line.last])
        if arrangement.order is None:
            return smoothed
        result = np.empty(len(value))
        result[arrangement.order] = smoothed
        return result

    def _take_line(self, run: int, values: Floats) -> Floats:
        before = self._standing.get(run, _Standing())
        ema, average = before.ema, before.average
        if self.smoothing.ema > 1:
            values, ema = kernels.ema(values, self.smoothing.ema, ema)
        if self.smoothing.ma > 1:
            values, average = kernels.moving_average(values, self.smoothing.ma, average)
        self._standing[run] = _Standing(ema, average)
        return values
