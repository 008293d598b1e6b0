"""The store's front door: what is kept of tasks, runs and records, for one writer and any number of readers.

All methods may be called from any thread. Reading never waits for writing. Writing methods are for the holder of the
home's writer lock; they are serialised here, and each is one transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.errors import DatabaseNewer, StoreError
from stepline.recording.journal import Header
from stepline.store import entries, level_reading, migrations, reading, samples, sqlite, statements, trash, writing
from stepline.store.block_columns import PLACES
from stepline.store.checking import RunCheck
from stepline.store.levels import Levels
from stepline.store.models import (
    CheckpointModel,
    RemovedRunModel,
    RunModel,
    SeriesModel,
    SettingModel,
    TaskModel,
)
from stepline.store.record_columns import RecordColumns
from stepline.store.rows import LIVE, CheckpointRow, Columns, Entry, LogEntry, MetricRow, RunRow, TaskRow
from stepline.store.samples import Samples
from stepline.store.sources import SourceRow, Together
from stepline.store.sources import find as find_sources
from stepline.store.task_list import TaskList, count_of_changes, not_found
from stepline.store.wanted import Wanted
from stepline.wire import Status

_UNSET: Any = object()
_SERIES = tuple(SeriesModel._meta.columns)[1:]
_RUN = tuple(RunModel._meta.columns)
"""Columns of `runs`. As models, rows take 0.3 ms, and each window of a series asks for a task's runs."""


class Store:
    """An open database. Use `Store.open`."""

    def __init__(self, database: sqlite.Database) -> None:
        self._database = database
        self._writing = threading.Lock()
        self._sets: writing.MetricSets = {}
        self._names = reading.MetricNames(database)
        self._tasks = TaskList(database)

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> Store:
        """The database at `path`; a writer makes it where there is none and brings it to this version's schema.

        Raises DatabaseNewer, DatabaseDamaged (both leave the file untouched) and StoreError.
        """
        version = sqlite.inspect(path)
        if version is not None and version > migrations.VERSION:
            raise DatabaseNewer(
                f"The database {path} was written by a later Stepline",
                why=f"Its version is {version}, and this one knows versions up to {migrations.VERSION}",
                action="Update Stepline. The file was left untouched",
            )
        if not writable and (version is None or version < migrations.VERSION):
            raise StoreError(
                f"There is no database of this version at {path} yet",
                why="No Stepline of this version has written there",
                action="End an older Stepline that still runs, then start this one",
            )
        database = sqlite.Database(path, writable=writable)
        try:
            if writable:
                migrations.migrate(database, version or 0)
        except BaseException:
            database.end()
            raise
        return cls(database)

    def close(self) -> None:
        self._database.end()

    @property
    def path(self) -> Path:
        return self._database.path

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file, of which it reads all; empty where it is whole. Raises StoreError."""
        return sqlite.faults(self._database)

    # Writing

    def begin_run(self, header: Header) -> None:
        """Make the run known, and its task; nothing happens where it is. Its number is the task's next one."""
        with self._writing:
            writing.begin_run(self._database, header)

    def append(
        self,
        run_id: str,
        entries: Sequence[Entry] | RecordColumns,
        *,
        position: int,
        damaged: int = 0,
        since: int | None = None,
    ) -> int:
        """Append a run's entries in their order and move its position to `position`; returns the records added.

        Columns go into blocks as they are; so do entries, 4,096 or more at once. `since` is the position at which they
        begin. Where the run stands elsewhere, or already beyond `position`, another has taken them in and nothing is
        added. Raises StoreError.
        """
        with self._writing:
            return writing.append(
                self._database, self._sets, run_id, entries, position=position, damaged=damaged, since=since
            )

    def end_run(self, run_id: str, status: Status, message: str | None, time: float) -> bool:
        """Say that a run was found to have ended; taken back when it is heard of again. False where it told its end."""
        with self._writing:
            return writing.end_run(self._database, run_id, status, message, time)

    def forget_run(self, run_id: str) -> bool:
        """Forget a run without records, and its task where it was the only one. False where it has some."""
        with self._writing:
            gone = writing.forget_run(self._database, run_id)
        # The numbers of their rows may be given again.
        self._tasks.all()
        return gone

    def add_sample(self, run_id: str, time: float, values: dict[str, float]) -> None:
        """Keep GPU and system figures of a run at a time, in Unix seconds; each call is later than the one before."""
        with self._writing:
            writing.add_sample(self._database, self._sets, run_id, time, values)

    def rename_task(self, task_id: str, name: str | None) -> None:
        """Set the label that is shown; None or "" goes back to the task's own name. Raises TaskNotFound."""
        self.set_task(task_id, label=name or None)

    def set_task(
        self, task_id: str, *, label: str | None = _UNSET, tags: Sequence[str] = _UNSET, notes: str = _UNSET
    ) -> None:
        """Change what a person says about a task; what is not given stays. Raises TaskNotFound."""
        given = {"label": label, "tags": tags if tags is _UNSET else list(tags), "notes": notes}
        with self._writing:
            if not writing.change_task(self._database, task_id, {k: v for k, v in given.items() if v is not _UNSET}):
                raise not_found(task_id)

    def put_in_trash(self, task_ids: Sequence[str], time: float) -> None:
        """Raises TaskNotFound, and TaskIsLive where one still trains; then none is put there."""
        with self._writing, sqlite.writing(self._database):
            trash.put(self._database, task_ids, time, writing.count_change(self._database))

    def restore(self, task_ids: Sequence[str]) -> None:
        """Take tasks out of the trash. Raises TaskNotFound."""
        with self._writing, sqlite.writing(self._database):
            trash.restore(self._database, task_ids, writing.count_change(self._database))

    def remove(self, task_ids: Sequence[str], time: float) -> list[str]:
        """Take away tasks that lie in the trash, with all their records; the ids of their runs, which are kept."""
        with self._writing, sqlite.writing(self._database):
            writing.count_change(self._database)
            gone = trash.remove(self._database, task_ids, time)
        # The numbers of their rows may be given again.
        self._tasks.all()
        return gone

    def take_back(self, task_ids: Sequence[str]) -> None:
        """Take away tasks whose import was called off, as if they had never come."""
        with self._writing, sqlite.writing(self._database):
            writing.count_change(self._database)
            trash.take_back(self._database, task_ids)
        # The numbers of their rows may be given again.
        self._tasks.all()

    def welcome_run(self, run_id: str) -> None:
        """Let a run come again whose task was removed: somebody asked for it."""
        with self._writing, sqlite.writing(self._database):
            RemovedRunModel.delete().where(RemovedRunModel.uid == run_id).execute(self._database)

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name; None removes it."""
        with self._writing, sqlite.writing(self._database):
            SettingModel.delete().where(SettingModel.name == name).execute(self._database)
            if value is not None:
                SettingModel.insert(name=name, value=value).execute(self._database)

    @contextmanager
    def together(self) -> Iterator[Together]:
        """Several changes as one transaction: all of them, or, where the block raises, none. Others that write wait."""
        with self._writing:
            # A set that was made in a transaction that failed is not there.
            sets = dict(self._sets)
            with sqlite.writing(self._database):
                yield Together(self._database, sets)
            self._sets = sets

    def settle(self, task_id: str) -> None:
        """Pack all of a task's records into blocks, and see that they are on the disk. Raises TaskNotFound."""
        number = self._tasks.number(task_id)
        with self._writing, sqlite.on_disk(self._database), sqlite.writing(self._database):
            writing.pack_all(self._database, number)

    # Reading

    def check(self, run_id: str) -> RunCheck:
        """To compare a run's records with what another has of them. They are to be packed: see `settle`."""
        return RunCheck(self._database, self._names, run_id)

    def source(self, key: str) -> SourceRow | None:
        """The import whose source has this key."""
        return next(iter(find_sources(self._database, key=key)), None)

    def sources_like(self, head: str) -> list[SourceRow]:
        """The imports whose sources begin with the same records."""
        return find_sources(self._database, head=head)

    def setting(self, name: str, default: Any = None) -> Any:
        found = statements.select(self._database, SettingModel, ("value",), name=name)
        return found[0][0] if found else default

    def settings(self) -> dict[str, Any]:
        return {row.name: row.value for row in sqlite.rows(self._database, SettingModel.select())}

    def version(self) -> int:
        """A number that grows with every change of a task, a run or a record, by whatever process."""
        return count_of_changes(self._database)

    def tasks(self) -> list[TaskRow]:
        """All tasks but those in the trash, the one that changed last first. Costs what changed since the last call."""
        return [row for row in self._tasks.all() if row.trashed is None]

    def trash(self) -> list[TaskRow]:
        """The tasks in the trash, the one that came there last first."""
        return sorted((row for row in self._tasks.all() if row.trashed), key=lambda row: row.trashed or 0, reverse=True)

    def removed_runs(self) -> set[str]:
        """Ids of the runs of removed tasks."""
        return {uid for (uid,) in sqlite.rows(self._database, RemovedRunModel.select(RemovedRunModel.uid).tuples())}

    def task(self, task_id: str) -> TaskRow:
        """Raises TaskNotFound."""
        return self._tasks.get(task_id)

    def find_task(self, name_or_id: str) -> TaskRow:
        """The task of that id, else of that name as it is shown, else of that name or key as its run gave it.

        Raises TaskNotFound, or TaskAmbiguous with the ids of those that bear the name.
        """
        return self._tasks.find(name_or_id)

    def runs(self, task_id: str) -> list[RunRow]:
        """A task's runs by number. Raises TaskNotFound."""
        runs = statements.select(self._database, RunModel, _RUN, order=("number",), task_id=self._tasks.number(task_id))
        return [RunRow.of(SimpleNamespace(**dict(zip(_RUN, run, strict=True))), task_id) for run in runs]

    def run(self, run_id: str) -> RunRow | None:
        found = sqlite.rows(self._database, RunModel.select().where(RunModel.uid == run_id))
        return RunRow.of(found[0], self._task_uid(found[0].task_id)) if found else None

    def live_runs(self) -> list[RunRow]:
        """Runs of all tasks that have not ended, as far as is known."""
        query = RunModel.select().where(RunModel.status.in_(LIVE)).order_by(RunModel.id)
        return [RunRow.of(run, self._task_uid(run.task_id)) for run in sqlite.rows(self._database, query)]

    def position(self, run_id: str) -> int | None:
        """Bytes of its journal that were taken in; None for a run that is not known."""
        found = statements.select(self._database, RunModel, ("position",), uid=run_id)
        return int(found[0][0]) if found else None

    def positions(self) -> dict[str, tuple[int, bool]]:
        """Of every run: (position, whether it told its end itself)."""
        query = RunModel.select(RunModel.uid, RunModel.position, RunModel.status, RunModel.inferred).tuples()
        return {
            uid: (position, status not in LIVE and not inferred)
            for uid, position, status, inferred in sqlite.rows(self._database, query)
        }

    def metrics(self, task_id: str) -> list[MetricRow]:
        """A task's metrics by name. Raises TaskNotFound."""
        number = self._tasks.number(task_id)
        return [
            MetricRow(name, kind, count, text if kind == "text" else last, *rest)
            for name, kind, count, last, text, *rest in statements.select(
                self._database, SeriesModel, _SERIES, order=("name",), task_id=number
            )
        ]

    def next_sequence(self, task_id: str) -> int:
        """The cursor: the sequence that the task's next record will have. Raises TaskNotFound."""
        found = statements.select(self._database, TaskModel, ("next_sequence",), uid=task_id)
        if not found:
            raise not_found(task_id)
        return int(found[0][0])

    def columns(
        self,
        task_id: str,
        metric: str,
        first: int = 0,
        last: int | None = None,
        *,
        places: Collection[str] = PLACES,
    ) -> Columns:
        """One series, first <= sequence < last (None: to the end); empty where there is none. Raises TaskNotFound.

        places: which of step, epoch and time are wanted; the others hold anything.
        """
        until = self.next_sequence(task_id) if last is None else last
        return reading.columns(self._database, self._names, self._tasks.number(task_id), metric, first, until, places)

    def columns_in_parts(
        self, task_id: str, metric: str, first: int, last: int, *, places: Collection[str]
    ) -> Iterator[Columns]:
        """The same in parts of up to 65,536 records, in the memory of one. To be read to the end without a pause: the
        database's log cannot be cut back meanwhile. Raises TaskNotFound."""
        number = self._tasks.number(task_id)
        return reading.columns_in_parts(self._database, self._names, number, metric, first, last, places)

    def places(self, task_id: str, sequence: NDArray[np.int64], column: str) -> NDArray[np.float64]:
        """step, epoch or time of the records with these sequences, ascending; NaN where one has none."""
        return reading.places(self._database, self._tasks.number(task_id), sequence, column)

    def records(
        self,
        task_id: str,
        first: int = 0,
        last: int | None = None,
        *,
        kinds: Collection[str] | None = None,
        search: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        newest_first: bool = False,
    ) -> Iterator[LogEntry]:
        """Records with first <= sequence < last, those there are now. Raises TaskNotFound, at once.

        `search` looks in messages, texts, kinds and names of metrics, without regard to case (of ASCII letters), and
        finds a step by its number.
        """
        until = self.next_sequence(task_id)
        until = until if last is None else min(last, until)
        return entries.records(
            self._database, self._names, self._tasks.number(task_id), first, until, Wanted(kinds, search),
            limit=limit, offset=offset, newest_first=newest_first,
        )  # fmt: skip

    def count_records(self, task_id: str, kinds: Collection[str] | None = None, search: str | None = None) -> int:
        """Records that `records` gives for these. Raises TaskNotFound."""
        return entries.count(self._database, self._names, self._tasks.number(task_id), Wanted(kinds, search))

    def levels(self, task_id: str, metric: str, shift: int, first: int = 0, last: int | None = None) -> Levels:
        """One series in buckets of 2^shift sequences, of the points with first <= sequence < last (None: to the end).

        The buckets at either edge count only what lies between. Reads what the count of buckets needs: raw points for
        buckets narrower than 128, and at the edges. Raises TaskNotFound.
        """
        until = self.next_sequence(task_id) if last is None else last
        return level_reading.read(self._database, self._names, self._tasks.number(task_id), metric, shift, first, until)

    def generation(self, task_id: str) -> int:
        """How often records of the task were taken away (an import was replaced). What was read of a task stays true,
        and only grows, while this stays. Raises TaskNotFound."""
        found = statements.select(self._database, TaskModel, ("generation",), uid=task_id)
        if not found:
            raise not_found(task_id)
        return int(found[0][0])

    def samples(
        self, task_id: str, names: Sequence[str], first: float | None = None, last: float | None = None
    ) -> dict[str, Samples]:
        """Series of GPU and system figures with first <= time <= last, in Unix seconds (None: all there is), by name.

        A name without a sample there is left out. Raises TaskNotFound.
        """
        return samples.read(self._database, self._names.of, self._tasks.number(task_id), list(names), first, last)

    def newest_sample(self, task_id: str) -> dict[str, float]:
        """The newest GPU and system figures of a task, by name; empty where it has none. Raises TaskNotFound."""
        return samples.newest(self._database, self._names.of, self._tasks.number(task_id))

    def checkpoints(self, task_id: str) -> list[CheckpointRow]:
        """A task's checkpoints by sequence. Raises TaskNotFound."""
        model = CheckpointModel
        number = self._tasks.number(task_id)
        runs = RunModel.select(RunModel.id, RunModel.uid, RunModel.number).where(RunModel.task_id == number)
        names = {each: (uid, place) for each, uid, place in sqlite.rows(self._database, runs.tuples())}
        query = model.select().where(model.task_id == number).order_by(model.sequence)
        return [
            CheckpointRow(row.sequence, *names[row.run_id], row.step, row.time, row.path, row.bytes, row.secs)
            for row in sqlite.rows(self._database, query)
        ]

    def _task_uid(self, number: int) -> str:
        return str(statements.select(self._database, TaskModel, ("uid",), id=number)[0][0])
