"""The smoothed lines that are kept: a bounded cache, the least lately used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict

from stepline.history.curve import Curve
from stepline.history.series import Series
from stepline.history.smoothed import SmoothedLine
from stepline.history.smoothing import Smoother, Smoothing
from stepline.kernels import Floats
from stepline.store.levels import Levels

Key = tuple[str, str, Smoothing]


class SmoothedLines:
    """Thread-safe. Cursors are those up to which a line is to go; it may go further by then."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._lines: OrderedDict[Key, SmoothedLine] = OrderedDict()

    def levels(self, curve: Curve, smoothing: Smoothing, shift: int, first: int, last: int, cursor: int) -> Levels:
        """See SmoothedLine.levels."""
        try:
            return self._line(curve, smoothing).levels(curve, shift, first, last, cursor)
        finally:
            self._drop_surplus()

    def points(
        self, curve: Curve, smoothing: Smoothing, first: int, last: int, cursor: int
    ) -> tuple[Series, Floats, Smoother]:
        """See SmoothedLine.points."""
        try:
            return self._line(curve, smoothing).points(curve, first, last, cursor)
        finally:
            self._drop_surplus()

    def forget(self, task_id: str) -> None:
        """Drop everything of a task: records of it were taken away."""
        with self._lock:
            for key in [key for key in self._lines if key[0] == task_id]:
                del self._lines[key]

    @property
    def bytes(self) -> int:
        with self._lock:
            return sum(line.bytes for line in self._lines.values())

    def _line(self, curve: Curve, smoothing: Smoothing) -> SmoothedLine:
        key = curve.task_id, curve.name, smoothing
        with self._lock:
            line = self._lines.get(key)
            # A task that logs now what was derived until now has another line of that name.
            if line is None or line.metric != curve.metric:
                line = self._lines[key] = SmoothedLine(curve, smoothing)
            self._lines.move_to_end(key)
            return line

    def _drop_surplus(self) -> None:
        with self._lock:
            held = {key: line.bytes for key, line in self._lines.items()}
            surplus = sum(held.values()) - self._most_bytes
            for key, size in held.items():
                if surplus <= 0:
                    break
                del self._lines[key]
                surplus -= size
