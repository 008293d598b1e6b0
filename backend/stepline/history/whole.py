"""Whole series in memory, raw and smoothed: a bounded cache that grows with its tasks and drops the least lately used.

Zooming and panning ask for the same series again and again. Sequences never change and are only appended, so a series
that is here is brought up to date by reading what came since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from stepline.history.derived import DERIVED, Derived
from stepline.history.series import Series
from stepline.history.smoothing import Smoother, Smoothing
from stepline.history.source import Source
from stepline.kernels import Floats

SMOOTHINGS_KEPT = 2
"""A slider that is dragged asks for many strengths; the one shown and the one before it are worth keeping."""

Key = tuple[str, str]


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    series: Series | None = None
    derived: Derived | None = None
    smoothed: OrderedDict[Smoothing, tuple[Floats, Smoother]] = field(default_factory=OrderedDict)

    @property
    def bytes(self) -> int:
        held = 0 if self.series is None else self.series.bytes
        return held + sum(values.nbytes for values, _ in self.smoothed.values())


class WholeSeries:
    """Thread-safe: one thread at a time reads a series, others ask for other series meanwhile."""

    def __init__(self, source: Source, most_bytes: int) -> None:
        self._source = source
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def raw(self, task_id: str, name: str, cursor: int) -> Series:
        """All points with a sequence below `cursor`, or some more. A derived name gives the derived series.

        A metric that the task has never logged is an empty series.
        """
        entry = self._entry(task_id, name)
        with entry.lock:
            series = self._up_to_date(entry, task_id, name, cursor)
        self._drop_surplus()
        return series

    def smoothed(self, task_id: str, name: str, smoothing: Smoothing, cursor: int) -> tuple[Series, Floats, Smoother]:
        """The series, its smoothed values point by point, and a smoother that goes on from its end."""
        entry = self._entry(task_id, name)
        with entry.lock:
            series = self._up_to_date(entry, task_id, name, cursor)
            values, smoother = entry.smoothed.pop(smoothing, (np.empty(0), Smoother(smoothing)))
            if len(values) < len(series):
                smoother = smoother.copy()
                known = len(values)
                newer = smoother.take(series.run[known:], series.value[known:])
                values = np.concatenate([values, newer]) if known else newer
            entry.smoothed[smoothing] = values, smoother
            while len(entry.smoothed) > SMOOTHINGS_KEPT:
                entry.smoothed.popitem(last=False)
            result = series, values, smoother.copy()
        self._drop_surplus()
        return result

    def forget(self, task_id: str) -> None:
        """Drop everything of a task: it was deleted."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == task_id]:
                del self._entries[key]

    @property
    def bytes(self) -> int:
        with self._lock:
            return sum(entry.bytes for entry in self._entries.values())

    def _entry(self, task_id: str, name: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault((task_id, name), _Entry())
            self._entries.move_to_end((task_id, name))
            return entry

    def _up_to_date(self, entry: _Entry, task_id: str, name: str, cursor: int) -> Series:
        series = entry.series
        derived = DERIVED.get(name)
        if derived is not None and is_logged(self._source, task_id, name):
            derived = None
        if series is not None and (series.cursor > self._source.next_sequence(task_id) or entry.derived != derived):
            # The task was deleted and has come anew, or it logs now what was derived until now.
            series = None
            entry.smoothed.clear()
        entry.derived = derived
        if derived is not None:
            # Another thread may have brought this further than the one that asks now.
            source = self.raw(task_id, derived.source, cursor if series is None else max(cursor, series.cursor))
            known = np.empty(0) if series is None else series.value
            series = source.with_values(name, np.concatenate([known, derived.of(source.value[len(known) :])]))
        elif series is None:
            series = Series.read(self._source, task_id, name, 0, cursor)
        elif series.cursor < cursor:
            series = series.followed_by(Series.read(self._source, task_id, name, series.cursor, cursor))
        entry.series = series
        return series

    def _drop_surplus(self) -> None:
        """Drop entries, the least lately used first, until what is held fits; a series too large alone is not held."""
        with self._lock:
            held = {key: entry.bytes for key, entry in self._entries.items()}
            surplus = sum(held.values()) - self._most_bytes
            for key, size in held.items():
                if surplus <= 0:
                    break
                del self._entries[key]
                surplus -= size


def is_logged(source: Source, task_id: str, name: str) -> bool:
    return any(metric.name == name for metric in source.metrics(task_id))
