"""Imports: several changes as one transaction, and which source each imported run came from.

An import begins runs, appends their records, ends them and remembers its source; what it replaces goes in the same
transaction. A killed or cancelled import leaves nothing, and a reader sees the task as it was until all is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepline.recording.journal import Header
from stepline.store import blocks, reading, sqlite, statements, writing
from stepline.store.models import (
    CheckpointModel,
    RunModel,
    SampleModel,
    SourceModel,
    TaskModel,
    TrainingLogModel,
)
from stepline.store.record_columns import RecordColumns
from stepline.store.rows import Entry
from stepline.wire import Status

_COLUMNS = ("key", "task_id", "format", "head", "runs", "taken")


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run as it was taken from a source: how many records, and a digest of them all."""

    run_id: str
    records: int
    digest: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source that was taken in. `head` is a digest of its first records, by which a moved copy is found; `taken` the
    Unix time of the last import that changed something."""

    key: str
    task_id: str
    format: str
    head: str
    runs: tuple[SourceRun, ...]
    taken: float


class Together:
    """Changes that are one transaction; see `Store.together`."""

    def __init__(self, database: sqlite.Database, sets: writing.MetricSets) -> None:
        self._database = database
        self._sets = sets

    def begin_run(self, header: Header) -> None:
        writing.begin_run(self._database, header)

    def append(self, run_id: str, entries: Sequence[Entry] | RecordColumns, *, position: int, damaged: int = 0) -> int:
        """As Store.append."""
        return writing.append(
            self._database, self._sets, run_id, entries, position=position, damaged=damaged, since=None
        )

    def end_run(self, run_id: str, status: Status, message: str | None, time: float) -> bool:
        return writing.end_run(self._database, run_id, status, message, time)

    def describe(self, task_id: str, tags: Sequence[str], notes: str) -> None:
        writing.change_task(self._database, task_id, {"tags": list(tags), "notes": notes})

    def drop_runs(self, run_ids: Sequence[str]) -> None:
        """Remove runs with their records. Their sequences stay empty, those of other runs as they are; numbers of runs
        close ranks. The tasks keep id, label, tags and notes."""
        tasks: dict[int, list[int]] = {}
        for run_id in run_ids:
            for number, task_id in statements.select(self._database, RunModel, ("id", "task_id"), uid=run_id):
                tasks.setdefault(task_id, []).append(number)
        for task_id, numbers in tasks.items():
            self._drop(task_id, numbers)

    def keep_source(self, source: SourceRow, *, instead_of: str | None = None) -> None:
        """Remember a source, in the place of the one with the key `instead_of` where that is given."""
        if instead_of is not None and instead_of != source.key:
            SourceModel.delete().where(SourceModel.key == instead_of).execute(self._database)
        runs = [[run.run_id, run.records, run.digest] for run in source.runs]
        row = (source.key, source.task_id, source.format, source.head, SourceModel.runs.db_value(runs), source.taken)
        statements.insert(self._database, SourceModel, _COLUMNS, [row], key=("key",))

    def _drop(self, task_id: int, numbers: list[int]) -> None:
        database = self._database
        models: tuple[Any, ...] = (TrainingLogModel, CheckpointModel)
        for model in models:
            model.delete().where((model.task_id == task_id) & model.run_id.in_(numbers)).execute(database)
        names = reading.MetricNames(database).of
        blocks.drop_runs(database, task_id, numbers, names)
        SampleModel.delete().where(SampleModel.run_id.in_(numbers)).execute(database)
        RunModel.delete().where(RunModel.id.in_(numbers)).execute(database)
        left = RunModel.select(RunModel.id).where(RunModel.task_id == task_id).order_by(RunModel.number)
        for place, (number,) in enumerate(sqlite.raw(database, left), 1):
            RunModel.update(number=place).where(RunModel.id == number).execute(database)
        blocks.pack_rows(database, task_id, names)
        blocks.count_bytes(database, task_id)
        writing.count_series(database, task_id, names)
        changed = TaskModel.update(generation=TaskModel.generation + 1).where(TaskModel.id == task_id)
        changed.execute(database)


def find(database: sqlite.Database, **where: Any) -> list[SourceRow]:
    """Sources by `key` or by `head`."""
    return [
        SourceRow(key, task_id, form, head, tuple(SourceRun(*run) for run in runs), taken)
        for key, task_id, form, head, runs, taken in statements.select(database, SourceModel, _COLUMNS, **where)
    ]
