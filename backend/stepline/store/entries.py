"""Reading the log: whole records in order, out of blocks and rows.

Records are read in pieces, each a short transaction: no snapshot is held while the caller works, so the write-ahead log
can be cut back. Between two pieces rows may become a block; their sequences, by which reading goes on, stay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from peewee import fn

from stepline.kernels import distinct
from stepline.recording.journal import Kind
from stepline.store import blocks, masking, sqlite, statements
from stepline.store.content import KIND_ORDER, NO_STEP, Content
from stepline.store.models import RunModel, TaskModel, TrainingLogModel
from stepline.store.packing import packer
from stepline.store.reading import MetricNames
from stepline.store.rows import LogEntry
from stepline.store.wanted import Wanted

_PAGE_RECORDS = 4096

Runs = dict[int, tuple[str, int]]
"""A run's id → its uid and number."""
Ints = NDArray[np.int64]
_KINDS = cast("tuple[Kind, ...]", KIND_ORDER)


def records(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    first: int,
    last: int,
    wanted: Wanted,
    *,
    limit: int | None,
    offset: int,
    newest_first: bool,
) -> Iterator[LogEntry]:
    query = RunModel.select(RunModel.id, RunModel.uid, RunModel.number).where(RunModel.task_id == task_id)
    runs = {number: (uid, place) for number, uid, place in sqlite.raw(database, query)}
    left = sys.maxsize if limit is None else limit
    while left > 0 and first < last:
        page = min(left, _PAGE_RECORDS)
        rows: list[Any] = []
        content = None
        with sqlite.reading(database):
            ((packed,),) = statements.select(database, TaskModel, ("packed",), id=task_id)
            if (last > packed) if newest_first else (first >= packed):
                begin = max(first, packed)
                rows = _rows(database, names, task_id, begin, last, wanted, page, offset, newest_first)
                if not rows and newest_first:
                    offset = max(0, offset - _count_rows(database, names, task_id, begin, last, wanted))
            else:
                found = blocks.find(database, task_id, first, min(last, packed), newest_first=newest_first, limit=1)
                if found:
                    content, places, offset = _block(
                        database, names, found[0], first, last, wanted, left, offset, newest_first
                    )
        if content is not None:
            yield from _entries(content, places, names, runs)
            left -= len(places)
        if rows:
            yield from (_entry(row, names, runs[row[1]]) for row in rows)
            left -= len(rows)
            offset = 0
        if rows and len(rows) == page:
            first, last = (first, rows[-1][0]) if newest_first else (rows[-1][0] + 1, last)
        elif content is not None:
            first, last = (first, found[0].first) if newest_first else (found[0].last, last)
        elif newest_first:
            last = packed if last > packed else first
        else:
            first = packed if first < packed else last


def count(database: sqlite.Database, names: MetricNames, task_id: int, wanted: Wanted) -> int:
    with sqlite.reading(database):
        total = _count_rows(database, names, task_id, 0, 2**62, wanted)
        for block in blocks.find(database, task_id, 0, 2**62):
            found = wanted.of_block(block)
            if found is None:
                content = blocks.read(database, names.of, block, metrics=False)
                found = int(np.count_nonzero(wanted.mask(content, names.all())))
            total += found
        return total


def _block(
    database: sqlite.Database,
    names: MetricNames,
    block: blocks.Block,
    first: int,
    last: int,
    wanted: Wanted,
    left: int,
    offset: int,
    newest_first: bool,
) -> tuple[Content, Ints, int]:
    """(a block's records, the places of those to give, how many are still to be passed over after these)."""
    known = wanted.of_block(block) if first <= block.first and block.last <= last else None
    nothing = np.zeros(0, np.int64)
    if known is not None and known <= offset:
        return _EMPTY, nothing, offset - known
    content = blocks.read(database, names.of, block, metrics=False)
    mask = wanted.mask(content, names.all()) & (content.sequence >= first) & (content.sequence < last)
    places = np.flatnonzero(mask)
    found = len(places)
    places = (places[::-1] if newest_first else places)[offset : offset + left]
    if len(places):
        blocks.read_metrics(database, names.of, block, content)
    return content, places, max(0, offset - found)


_EMPTY = Content(*(np.zeros(0, dtype) for dtype in "llBlddl"))  # type: ignore[arg-type]


def _query(names: MetricNames, task_id: int, first: int, last: int, wanted: Wanted, *columns: Any) -> Any:
    log = TrainingLogModel
    where = (log.task_id == task_id) & (log.sequence >= first) & (log.sequence < last)
    chosen = wanted.where(names.all())
    return log.select(*columns).where(where if chosen is None else where & chosen)


def _rows(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    first: int,
    last: int,
    wanted: Wanted,
    page: int,
    offset: int,
    newest_first: bool,
) -> list[Any]:
    log = TrainingLogModel
    query = _query(
        names, task_id, first, last, wanted,
        log.sequence, log.run_id, log.kind, log.step, log.epoch, log.time, log.metric_set_id, log.metrics,
        log.texts, log.message, log.details,
    )  # fmt: skip
    query = query.order_by(log.sequence.desc() if newest_first else log.sequence).limit(page).offset(offset)
    return sqlite.raw(database, query)


def _count_rows(
    database: sqlite.Database, names: MetricNames, task_id: int, first: int, last: int, wanted: Wanted
) -> int:
    query = _query(names, task_id, first, last, wanted, fn.COUNT(TrainingLogModel.sequence))
    return int(sqlite.raw(database, query)[0][0])


def _entries(content: Content, places: Ints, names: MetricNames, runs: Runs) -> Iterator[LogEntry]:
    notes = {place: rest for place, *rest in content.notes}
    for begin in range(0, len(places), _PAGE_RECORDS):
        yield from _some_entries(content, places[begin : begin + _PAGE_RECORDS], names, runs, notes)


def _some_entries(
    content: Content, places: Ints, names: MetricNames, runs: Runs, notes: dict[int, list[str | None]]
) -> Iterator[LogEntry]:
    metrics: list[dict[str, float | str]] = [{} for _ in places]
    sets = content.metric_set[places]
    for number in distinct(sets).tolist():
        if number:
            which = np.flatnonzero(sets == number)
            held = names.of(number)
            columns = [content.values_at(name, places[which]).tolist() for name in held]
            for place, values in zip(which.tolist(), zip(*columns, strict=True), strict=True):
                metrics[place] = dict(zip(held, values, strict=True))
    own = (getattr(content, name)[places].tolist() for name in ("sequence", "run", "kind", "step", "epoch", "time"))
    for place, numbers, (sequence, run, kind, step, epoch, time) in zip(
        places.tolist(), metrics, zip(*own, strict=True), strict=True
    ):
        texts, message, details = notes.get(place, (None, None, None))
        masked = masking.logged_metrics(numbers)
        if texts is not None:
            numbers.update(json.loads(texts))
        yield LogEntry(
            kind=_KINDS[kind],
            time=time,
            step=None if step == NO_STEP else step,
            epoch=None if epoch != epoch else epoch,
            metrics=numbers,
            message=message,
            details=json.loads(details) if details else {},
            sequence=sequence,
            run_id=runs[run][0],
            run_number=runs[run][1],
            masked=masked,
        )


def _entry(row: tuple[Any, ...], names: MetricNames, run: tuple[str, int]) -> LogEntry:
    sequence, _, kind, step, epoch, time, set_id, blob, texts, message, details = row
    metrics: dict[str, float | str] = {}
    if blob is not None:
        held = names.of(set_id)
        metrics = dict(zip(held, packer(len(held)).unpack(blob), strict=True))
    masked = masking.logged_metrics(metrics)
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
        masked=masked,
    )
