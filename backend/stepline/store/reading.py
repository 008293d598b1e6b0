"""Reading one series as columns, out of blocks and rows, in one transaction: each record is seen once."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from stepline.kernels import distinct
from stepline.store import block_columns, codec, sqlite
from stepline.store.block_columns import PLACES, Points
from stepline.store.blocks import begin_of, sequences
from stepline.store.content import NO_STEP
from stepline.store.rows import Columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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
            sets = sqlite.fetched(self._database, "SELECT id, names FROM metric_sets WHERE id > ?", (known,))
            found = {number: tuple(json.loads(names)) for number, names in sets}
            if found:
                self._names = {**self._names, **found}
            return self._names

    def of(self, number: int) -> tuple[str, ...]:
        names = self._names.get(number)
        return self.all()[number] if names is None else names


def columns(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    metric: str,
    first: int,
    last: int,
    places: Collection[str] = PLACES,
) -> Columns:
    with sqlite.reading(database):
        found = points(database, names, task_id, metric, first, last, columns=places)
        runs = run_numbers(database, task_id)
    return found.columns(runs)


def columns_in_parts(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    metric: str,
    first: int,
    last: int,
    places: Collection[str],
) -> Iterator[Columns]:
    """The same, block by block, and the rows as the last part; one transaction, until the last part was taken."""
    with sqlite.reading(database):
        runs = run_numbers(database, task_id)
        sets = [number for number, held in names.all().items() if metric in held]
        for block in block_columns.one_by_one(database, task_id, metric, sets, first, last, places):
            yield block.columns(runs)
        yield _rows(database, names, task_id, metric, first, last).columns(runs)


def points(
    database: sqlite.Database,
    names: MetricNames,
    task_id: int,
    metric: str,
    first: int,
    last: int,
    *,
    columns: Collection[str] = PLACES,
) -> Points:
    """Within the caller's transaction. columns: which of step, epoch and time are read; the others hold anything."""
    sets = [number for number, held in names.all().items() if metric in held]
    parts = block_columns.read(database, task_id, metric, sets, first, last, columns=columns)
    rows = _rows(database, names, task_id, metric, first, last)
    return block_columns.joined([*parts, rows] if len(rows.sequence) or not parts else parts)


_ROWS = """SELECT sequence, run_id, step, epoch, time, metric_set_id, metrics FROM training_logs
    WHERE task_id = ? AND sequence >= ? AND sequence < ? ORDER BY sequence"""


def _rows(database: sqlite.Database, names: MetricNames, task_id: int, metric: str, first: int, last: int) -> Points:
    places = {number: held.index(metric) for number, held in names.all().items() if metric in held}
    rows = [row for row in sqlite.fetched(database, _ROWS, (task_id, first, last)) if row[5] in places]
    sequence, run_id, step, epoch, time, sets, blobs = zip(*rows, strict=True) if rows else ((),) * 7
    set_ids = np.array(sets, np.int64)
    value = np.empty(len(rows))
    for number in distinct(set_ids).tolist():
        held = np.flatnonzero(set_ids == number)
        data = b"".join(blobs) if len(held) == len(rows) else b"".join([blobs[index] for index in held.tolist()])
        numbers = np.frombuffer(data, "<f8").reshape(len(held), len(names.of(number)))
        value[held] = numbers[:, places[number]]
    return Points(
        np.array(sequence, np.int64),
        np.array(run_id, np.int64),
        np.array(step, np.float64),
        np.array(epoch, np.float64),
        np.array(time, np.float64),
        value,
    )


_BLOCK_PLACES = """SELECT first, last, count, sequence, {} FROM blocks
    WHERE task_id = ? AND first >= ? AND first <= ? AND last > ? ORDER BY first"""
_ROW_PLACES = "SELECT sequence, {} FROM training_logs WHERE task_id = ? AND sequence >= ? AND sequence <= ?"


def places(database: sqlite.Database, task_id: int, sequence: Ints, column: str) -> Floats:
    """`column`, one of PLACES, of the records with these sequences, ascending. Block by block."""
    found = np.full(len(sequence), np.nan)
    if len(sequence) == 0:
        return found
    first_asked, last_asked = int(sequence[0]), int(sequence[-1])
    ends = begin_of(first_asked), last_asked, first_asked
    with sqlite.reading(database):
        for parts in sqlite.fetched_in_parts(database, _BLOCK_PLACES.format(column), (task_id, *ends), 1):
            ((first, last, count, data, values),) = parts
            begin, end = np.searchsorted(sequence, [first, last]).tolist()
            if begin < end:
                at = np.searchsorted(sequences(first, count, data), sequence[begin:end])
                chosen = codec.decode(values)[0][at]
                found[begin:end] = np.where(chosen == NO_STEP, np.nan, chosen) if column == "step" else chosen
        rows = sqlite.fetched(database, _ROW_PLACES.format(f'"{column}"'), (task_id, first_asked, last_asked))
    if rows:
        held = np.array(rows, np.float64)
        at = np.searchsorted(held[:, 0], sequence)
        there = np.flatnonzero(at < len(held))
        there = there[held[at[there], 0] == sequence[there]]
        found[there] = held[at[there], 1]
    return found


_RUNS = "SELECT id, number FROM runs WHERE task_id = ? ORDER BY id"


def run_numbers(database: sqlite.Database, task_id: int) -> NDArray[np.int64]:
    """(id, number) of a task's runs, by id."""
    return np.array(sqlite.fetched(database, _RUNS, (task_id,)), np.int64).reshape(-1, 2)
