"""What came last, smoothed as the whole series is: for the live socket, at the cost of the new points alone.

For each (task, series, smoothing) the smoother's standing at the newest record is kept, and the newest points with
their smoothed values, so that clients a little apart are all answered from here. Smoothing that goes on gives the
values that smoothing the whole series gives.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np

from stepline.history.curve import Curve
from stepline.history.lines import SmoothedLines
from stepline.history.series import Series
from stepline.history.smoothing import Smoother, Smoothing
from stepline.kernels import Floats

POINTS_KEPT = 4_096
"""Points kept behind the newest, for clients that ask from further back."""
MOST_TAILS = 512
"""A tail holds up to 4,096 points of 52 bytes: 100 MiB at the very most, a few in practice."""

Key = tuple[str, str, Smoothing]


@dataclass
class _Tail:
    lock: threading.Lock = field(default_factory=threading.Lock)
    smoother: Smoother | None = None
    recent: Series | None = None
    """Points from `since` on; its cursor is the sequence up to which the smoother has seen everything."""
    smoothed: Floats = field(default_factory=lambda: np.empty(0))
    since: int = 0
    metric: str = ""


class Tails:
    """Thread-safe; one thread at a time brings a tail up to date."""

    def __init__(self, lines: SmoothedLines) -> None:
        self._lines = lines
        self._lock = threading.Lock()
        self._tails: OrderedDict[Key, _Tail] = OrderedDict()

    def after(self, curve: Curve, smoothing: Smoothing, since: int, cursor: int) -> tuple[Series, Floats | None]:
        """The points with a sequence in [since, cursor) and their smoothed values, None where smoothing is off."""
        if not smoothing.on:
            return curve.points(since, cursor), None
        tail = self._tail(curve.task_id, curve.name, smoothing)
        with tail.lock:
            stale = tail.recent is None or tail.recent.cursor > curve.source.next_sequence(curve.task_id)
            if stale or since < tail.since or tail.metric != curve.metric:
                self._begin(tail, curve, smoothing, min(since, cursor), cursor)
            else:
                self._go_on(tail, curve, cursor)
            assert tail.recent is not None
            which = tail.recent.part(since, cursor)
            answer = tail.recent.cut(which), tail.smoothed[which]
            self._trim(tail)
        return answer

    def forget(self, task_id: str) -> None:
        """Drop everything of a task: it was deleted."""
        with self._lock:
            for key in [key for key in self._tails if key[0] == task_id]:
                del self._tails[key]

    def _tail(self, task_id: str, name: str, smoothing: Smoothing) -> _Tail:
        key = task_id, name, smoothing
        with self._lock:
            tail = self._tails.setdefault(key, _Tail())
            self._tails.move_to_end(key)
            while len(self._tails) > MOST_TAILS:
                self._tails.popitem(last=False)
            return tail

    def _begin(self, tail: _Tail, curve: Curve, smoothing: Smoothing, since: int, cursor: int) -> None:
        tail.since = min(since, max(0, cursor - POINTS_KEPT))
        series, smoothed, tail.smoother = self._lines.points(curve, smoothing, tail.since, cursor, cursor)
        # Copies: views would hold the whole pieces that they were cut from.
        tail.recent, tail.smoothed = replace(series.copy(), cursor=cursor), smoothed.copy()
        tail.metric = curve.metric

    def _go_on(self, tail: _Tail, curve: Curve, cursor: int) -> None:
        assert tail.recent is not None
        assert tail.smoother is not None
        if tail.recent.cursor >= cursor:
            return
        newer = curve.points(tail.recent.cursor, cursor)
        tail.smoothed = np.concatenate([tail.smoothed, tail.smoother.take(newer.run, newer.value)])
        tail.recent = tail.recent.followed_by(newer)

    def _trim(self, tail: _Tail) -> None:
        """Let go of the oldest points, in strides, so that a live second does not copy 4,096 of them each time."""
        assert tail.recent is not None
        surplus = len(tail.recent) - POINTS_KEPT
        if surplus >= POINTS_KEPT // 4:
            tail.since = int(tail.recent.sequence[surplus - 1]) + 1
            tail.recent = tail.recent.cut(slice(surplus, None)).copy()
            tail.smoothed = tail.smoothed[surplus:].copy()
