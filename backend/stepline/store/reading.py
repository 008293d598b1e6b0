"""Reading one series as columns, out of blocks and rows, in one transaction: each record is seen once."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.store import block_columns, sqlite
from stepline.store.block_columns import Points
from stepline.store.models import MetricSetModel, RunModel, TrainingLogModel
from stepline.store.rows import Columns
from stepline.store.wanted import VARIABLES


class MetricNames:
    """Metric sets by id, read once: a set never changes and is never removed."""

    def __init__(self, database: sqlite.Database) -> None:
        self._database = database
        self._names: dict[int, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[int, tuple[str, ...]]:
        """Those that are committed now."""
        with self._lock:
            known = max(self._names, default=0)
            query = MetricSetModel.select(MetricSetModel.id, MetricSetModel.names).where(MetricSetModel.id > known)
            found = {number: tuple(json.loads(names)) for number, names in sqlite.rows(self._database, query.tuples())}
            if found:
                self._names = {**self._names, **found}
            return self._names

    def of(self, number: int) -> tuple[str, ...]:
        names = self._names.get(number)
        return self.all()[number] if names is None else names


def columns(database: sqlite.Database, names: MetricNames, task_id: int, metric: str, first: int, last: int) -> Columns:
    with sqlite.reading(database):
        found = points(database, names, task_id, metric, first, last)
        runs = run_numbers(database, task_id)
    return found.columns(runs)


def points(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    metric: str,
    first: int,
    last: int,
    *,
    values_only: bool = False,
) -> Points:
    """Within the caller's transaction. With `values_only`, step, epoch and time hold anything."""
    log = TrainingLogModel
    places = {number: held.index(metric) for number, held in names.all().items() if metric in held}
    counts = {number: len(names.of(number)) for number in places}
    if not places:
        return _decode([], places, counts)
    where = (log.task_id == task_id) & (log.sequence >= first) & (log.sequence < last)
    if len(places) <= VARIABLES:
        where &= log.metric_set_id.in_(list(places))
    query = (
        log.select(log.sequence, log.run_id, log.step, log.epoch, log.time, log.metric_set_id, log.metrics)
        .where(where)
        .order_by(log.sequence)
    )
    parts = block_columns.read(database, task_id, metric, list(places), first, last, values_only=values_only)
    parts += [_decode(rows, places, counts) for rows in sqlite.fetch(database, query)]
    return block_columns.joined(parts or [_decode([], places, counts)])


def _decode(rows: list[tuple[Any, ...]], places: dict[int, int], counts: dict[int, int]) -> Points:
    rows = [row for row in rows if row[5] in places]
    sequence, run_id, step, epoch, time, sets, blobs = zip(*rows, strict=True) if rows else ((),) * 7
    set_ids = np.array(sets, np.int64)
    value = np.empty(len(rows))
    for number in np.unique(set_ids).tolist():
        held = np.flatnonzero(set_ids == number)
        data = b"".join(blobs) if len(held) == len(rows) else b"".join([blobs[index] for index in held.tolist()])
        value[held] = np.frombuffer(data, "<f8").reshape(len(held), counts[number])[:, places[number]]
    return Points(
        np.array(sequence, np.int64),
        np.array(run_id, np.int64),
        np.array(step, np.float64),
        np.array(epoch, np.float64),
        np.array(time, np.float64),
        value,
    )


def run_numbers(database: sqlite.Database, task_id: int) -> NDArray[np.int64]:
    """(id, number) of a task's runs, by id."""
    query = RunModel.select(RunModel.id, RunModel.number).where(RunModel.task_id == task_id).order_by(RunModel.id)
    return np.array(sqlite.raw(database, query), np.int64).reshape(-1, 2)
