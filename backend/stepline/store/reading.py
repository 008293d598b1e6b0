"""Reading records: one series as columns, or whole records in order.

Every reader of records comes through `columns` and `records`, so that where records lie is known only here. Both read
in pieces of their own, each a short query: no snapshot is held while the caller works, so the log can be cut back.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peewee import SQL, fn

from stepline.journal import Record
from stepline.store import sqlite
from stepline.store.models import MetricSetModel, RunModel, TrainingLogModel
from stepline.store.packing import packer
from stepline.store.rows import Columns, LogEntry

_PAGE_RECORDS = 4096
_VARIABLES = 500
"""Values in one list of a query; SQLite's own limit was 999 for long."""


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
    log = TrainingLogModel
    places = {number: held.index(metric) for number, held in names.all().items() if metric in held}
    counts = {number: len(names.of(number)) for number in places}
    where = (log.task_id == task_id) & (log.sequence >= first) & (log.sequence < last)
    if len(places) <= _VARIABLES:
        where &= log.metric_set_id.in_(list(places))
    query = (
        log.select(log.sequence, log.run_id, log.step, log.epoch, log.time, log.metric_set_id, log.metrics)
        .where(where)
        .order_by(log.sequence)
    )
    parts = [_decode(rows, places, counts) for rows in sqlite.fetch(database, query)] if places else []
    if not parts:
        parts = [_decode([], places, counts)]
    sequence, run_id, step, epoch, time, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Columns(sequence, _run_numbers(database, task_id, run_id), step, epoch, time, value)


def _decode(rows: list[tuple[Any, ...]], places: dict[int, int], counts: dict[int, int]) -> tuple[NDArray[Any], ...]:
    rows = [row for row in rows if row[5] in places]
    sequence, run_id, step, epoch, time, sets, blobs = zip(*rows, strict=True) if rows else ((),) * 7
    set_ids = np.array(sets, np.int64)
    value = np.empty(len(rows))
    for number in np.unique(set_ids).tolist():
        held = np.flatnonzero(set_ids == number)
        data = b"".join(blobs) if len(held) == len(rows) else b"".join([blobs[index] for index in held.tolist()])
        value[held] = np.frombuffer(data, "<f8").reshape(len(held), counts[number])[:, places[number]]
    return (
        np.array(sequence, np.int64),
        np.array(run_id, np.int64),
        np.array(step, np.float64),
        np.array(epoch, np.float64),
        np.array(time, np.float64),
        value,
    )


def _run_numbers(database: sqlite.Database, task_id: int, run_id: NDArray[np.int64]) -> NDArray[np.int32]:
    query = RunModel.select(RunModel.id, RunModel.number).where(RunModel.task_id == task_id).order_by(RunModel.id)
    known = np.array(sqlite.rows(database, query.tuples()), np.int64).reshape(-1, 2)
    numbers: NDArray[np.int32] = known[np.searchsorted(known[:, 0], run_id), 1].astype(np.int32)
    return numbers


def records(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    first: int,
    last: int,
    *,
    kinds: Collection[str] | None,
    search: str | None,
    limit: int | None,
    offset: int,
    newest_first: bool,
) -> Iterator[LogEntry]:
    log = TrainingLogModel
    chosen = _where(names, kinds, search)
    run_query = RunModel.select(RunModel.id, RunModel.uid, RunModel.number).where(RunModel.task_id == task_id)
    runs = {number: (uid, place) for number, uid, place in sqlite.rows(database, run_query.tuples())}
    while limit is None or limit > 0:
        page = _PAGE_RECORDS if limit is None else min(limit, _PAGE_RECORDS)
        where = (log.task_id == task_id) & (log.sequence >= first) & (log.sequence < last)
        query = log.select(
            log.sequence, log.run_id, log.kind, log.step, log.epoch, log.time, log.metric_set_id, log.metrics,
            log.texts, log.message, log.details,
        ).where(where if chosen is None else where & chosen)  # fmt: skip
        query = query.order_by(log.sequence.desc() if newest_first else log.sequence).limit(page).offset(offset)
        rows = [row for some in sqlite.fetch(database, query) for row in some]
        for row in rows:
            yield _entry(row, names, runs[row[1]])
        if len(rows) < page:
            return
        offset = 0
        limit = None if limit is None else limit - len(rows)
        first, last = (first, rows[-1][0]) if newest_first else (rows[-1][0] + 1, last)


def count(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    total: int,
    kinds: Collection[str] | None,
    search: str | None,
) -> int:
    log = TrainingLogModel
    if kinds is not None and not search and "step" in kinds:
        others = [
            kind for kind in ("train_start", "evaluation", "checkpoint", "train_end", "message") if kind not in kinds
        ]
        return total - (count(database, names, task_id, total, others, None) if others else 0)
    chosen = _where(names, kinds, search)
    if chosen is None:
        return total
    query = log.select(fn.COUNT(log.sequence)).where((log.task_id == task_id) & chosen)
    return int(sqlite.rows(database, query.tuples())[0][0])


def _where(names: MetricNames, kinds: Collection[str] | None, search: str | None) -> Any:
    log = TrainingLogModel
    chosen: Any = None
    if kinds is not None:
        chosen = log.kind.in_(list(kinds))
        if "step" not in kinds:
            # In these very words the index of the kinds that are no steps is defined.
            chosen &= SQL("kind <> 'step'")
    if search:
        words = search.casefold()
        sets = [number for number, held in names.all().items() if any(words in name.casefold() for name in held)]
        found = log.message.contains(search) | log.texts.contains(search) | log.kind.contains(search)
        if sets:
            found |= log.metric_set_id.in_(sets[:_VARIABLES])
        if search.strip().isdecimal() and len(search) < 19:
            found |= log.step == int(search)
        chosen = found if chosen is None else chosen & found
    return chosen


def _entry(row: tuple[Any, ...], names: MetricNames, run: tuple[str, int]) -> LogEntry:
    sequence, _, kind, step, epoch, time, set_id, blob, texts, message, details = row
    metrics: dict[str, float | str] = {}
    if blob is not None:
        held = names.of(set_id)
        metrics = dict(zip(held, packer(len(held)).unpack(blob), strict=True))
    if texts is not None:
        metrics.update(json.loads(texts))
    return LogEntry(
        kind=kind,
        time=time,
        step=step,
        epoch=epoch,
        metrics=metrics,
        message=message,
        details=json.loads(details) if details else {},
        sequence=sequence,
        run_id=run[0],
        run_number=run[1],
    )


def record_of(entry: LogEntry) -> Record:
    """The record alone, as the run logged it."""
    return Record(entry.kind, entry.time, entry.step, entry.epoch, entry.metrics, entry.message, entry.details)
