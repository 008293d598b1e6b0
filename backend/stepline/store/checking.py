"""Whether the store gives a run's records back just as its journal has them: asked before a journal is removed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stepline.store import blocks, masking, sqlite, statements
from stepline.store.content import Content, Floats
from stepline.store.models import RunModel
from stepline.store.reading import MetricNames
from stepline.store.record_columns import RecordColumns, content_of


class RunCheck:
    """Goes through a run's records in order, as far as they lie in blocks, beside what somebody else has of them."""

    def __init__(self, database: sqlite.Database, names: MetricNames, run_uid: str) -> None:
        ((run_id, task_id, first),) = statements.select(
            database, RunModel, ("id", "task_id", "first_sequence"), uid=run_uid
        )
        self._run_id = run_id
        self._sets = {held: number for number, held in names.all().items()}
        self._parts = _parts(database, names, task_id, run_id, 0 if first is None else first)
        self._left: Content | None = None

    def matches(self, columns: RecordColumns) -> bool:
        """Whether the run's next records are these, to the bit."""
        expected = content_of(columns, self._run_id, 0, lambda names: self._sets.get(names, -1))
        done = 0
        while done < len(expected):
            part = self._next()
            if part is None:
                return False
            count = min(len(part), len(expected) - done)
            if not _alike(part.cut(0, count), expected.cut(done, done + count)):
                return False
            self._left = part.cut(count, len(part)) if count < len(part) else None
            done += count
        return True

    def has_more(self) -> bool:
        """Whether the run has records beyond those that were compared."""
        self._left = self._next()
        return self._left is not None

    def _next(self) -> Content | None:
        left, self._left = self._left, None
        return left if left is not None else next(self._parts, None)


def _parts(database: sqlite.Database, names: MetricNames, task_id: int, run_id: int, first: int) -> Iterator[Content]:
    while True:
        with sqlite.reading(database):
            found = blocks.find(database, task_id, first, 2**62, limit=1)
            if not found:
                return
            first = found[0].last
            if run_id not in found[0].runs:
                continue
            content = blocks.read(database, names.of, found[0])
        yield content.chosen(content.run == run_id)


def _alike(one: Content, other: Content) -> bool:
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("kind", "step", "metric_set"))
        and _same(one.time, other.time)
        and _same(one.epoch, other.epoch)
        and one.metrics.keys() == other.metrics.keys()
        and all(_same_values(one, other, name) for name in one.metrics)
        and one.notes == other.notes
    )


def _same_values(one: Content, other: Content, name: str) -> bool:
    stored, logged = one.metrics[name].values, other.metrics[name].values
    stored = np.where(masking.is_masked(stored), 0.0, stored)
    return np.array_equal(one.places_of(name), other.places_of(name)) and _same(stored, logged)


def _same(one: Floats, other: Floats) -> bool:
    bits = np.ascontiguousarray(one).view(np.int64) == np.ascontiguousarray(other).view(np.int64)
    return bool((bits | (np.isnan(one) & np.isnan(other))).all())
