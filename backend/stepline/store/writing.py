"""What the writer does: runs begin, entries are appended, runs are found dead. Each call is one transaction.

A run's position, the bytes of its journal that were taken in, is committed with the records from these bytes: a killed
process leaves both or neither. The summaries of run, task and series are kept in the same transaction, so that a list
of tasks reads no records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from stepline.errors import StoreError
from stepline.journal import Header, Heartbeat, Record, Update
from stepline.store import sqlite
from stepline.store.models import (
    ChangeModel,
    CheckpointModel,
    MetricSetModel,
    RunModel,
    SeriesModel,
    TaskModel,
    TrainingLogModel,
)
from stepline.store.packing import (
    ROW_BYTES,
    SeriesBatch,
    SeriesNews,
    details_text,
    merged,
    names_text,
    split,
)
from stepline.store.rows import ENDED, LIVE

_LOG_COLUMNS = (
    "task_id", "sequence", "run_id", "kind", "step", "epoch", "time",
    "metric_set_id", "metrics", "texts", "message", "details",
)  # fmt: skip
_SERIES_COLUMNS = (
    "task_id", "name", "kind", "count", "last_number", "last_text", "last_step", "last_sequence", "lowest", "highest",
)  # fmt: skip
_CHECKPOINT_COLUMNS = ("task_id", "sequence", "run_id", "step", "time", "path", "bytes", "secs")
_NAMES_AT_ONCE = 500

MetricSets = dict[tuple[str, ...], int]
"""Names of a metric set → its id. Sets are never removed, so a process may remember them."""


def begin_run(database: sqlite.Database, header: Header) -> None:
    with sqlite.writing(database):
        if RunModel.select(RunModel.id).where(RunModel.uid == header.run_id).execute(database):
            return
        change = _count_change(database)
        task = TaskModel.select(TaskModel.id).where(TaskModel.uid == header.task_id).tuples().first(database)
        if task is None:
            task_id = TaskModel.insert(
                uid=header.task_id, name=header.task_name, key=header.task_key, tags=[], notes="", next_sequence=0,
                status="pending", runs=0, records=0, bytes=0, duration_secs=0.0, changed=change,
            ).execute(database)  # fmt: skip
        else:
            task_id = task[0]
            TaskModel.update(name=header.task_name, key=header.task_key).where(TaskModel.id == task_id).execute(
                database
            )
        number = RunModel.select(RunModel.id).where(RunModel.task_id == task_id).count(database) + 1
        process = header.process
        RunModel.insert(
            uid=header.run_id, task_id=task_id, number=number, status="pending", inferred=False, started=header.time,
            total_steps=header.total_steps, settings=header.settings, pid=process.pid, process_started=process.started,
            host=process.host, boot=process.boot, pid_namespace=process.pid_namespace, records=0, position=0, damaged=0,
        ).execute(database)  # fmt: skip
        _refresh_task(database, task_id, change)


def append(
    database: sqlite.Database,
    sets: MetricSets,
    run_uid: str,
    entries: Sequence[Record | Heartbeat | Update],
    *,
    position: int,
    damaged: int,
    since: int | None,
) -> int:
    with sqlite.writing(database):
        run = _run(database, run_uid)
        if (since is not None and run.position != since) or position < run.position:
            return 0
        task_id = run.task_id
        sequence = first = TaskModel.select(TaskModel.next_sequence).where(TaskModel.id == task_id).scalar(database)
        new_sets: MetricSets = {}
        rows: list[tuple[Any, ...]] = []
        checkpoints: list[tuple[Any, ...]] = []
        series = SeriesBatch()
        state = _RunState(run)
        bytes_added = 0
        run_id = run.id
        if entries:
            state.is_heard()
        for entry in entries:
            if entry.__class__ is not Record:
                state.learn(entry)
                continue
            assert isinstance(entry, Record)
            blob = texts = set_id = None
            if entry.metrics:
                names, blob, texts = split(entry.metrics)
                if blob is not None:
                    set_id = sets.get(names) or new_sets.get(names)
                    if set_id is None:
                        set_id = new_sets[names] = _metric_set(database, names)
                    series.add(names, blob, sequence, entry.step)
                    bytes_added += len(blob)
                if texts is not None:
                    series.add_texts(sequence, entry)
                    bytes_added += len(texts)
            details = details_text(entry.details)
            rows.append(
                (
                    task_id, sequence, run_id, entry.kind, entry.step, entry.epoch, entry.time,
                    set_id, blob, texts, entry.message, details,
                )
            )  # fmt: skip
            if entry.kind != "step":
                state.meet(entry)
                bytes_added += len(entry.message or "") + len(details or "")
                if entry.kind == "checkpoint":
                    checkpoints.append(_checkpoint(task_id, sequence, run_id, entry))
            elif entry.step is not None:
                state.last_step = entry.step
                if state.first_step is None:
                    state.first_step = entry.step
            sequence += 1
        added = sequence - first
        change = _count_change(database)
        if added:
            sqlite.insert_rows(database, TrainingLogModel, _LOG_COLUMNS, rows)
            sqlite.insert_rows(database, CheckpointModel, _CHECKPOINT_COLUMNS, checkpoints)
            _merge_series(database, task_id, series.news())
            state.records += added
            state.last_sequence = sequence - 1
            if state.first_sequence is None:
                state.first_sequence = first
            state.updated = rows[-1][6]
        RunModel.update(position=position, damaged=run.damaged + damaged, **state.values()).where(
            RunModel.id == run_id
        ).execute(database)
        task_news: dict[str, Any] = {
            "next_sequence": sequence,
            "bytes": TaskModel.bytes + bytes_added + added * ROW_BYTES,
        }
        if state.task_name is not None:
            task_news["name"] = state.task_name
        TaskModel.update(**task_news).where(TaskModel.id == task_id).execute(database)
        _refresh_task(database, task_id, change)
    sets.update(new_sets)
    return int(added)


def end_run(database: sqlite.Database, run_uid: str, status: str, message: str | None, time: float) -> bool:
    """Whether it was ended: a run whose journal has told its end keeps that."""
    with sqlite.writing(database):
        run = _run(database, run_uid)
        if run.status not in LIVE:
            return False
        RunModel.update(status=status, inferred=True, message=message, ended=time).where(RunModel.id == run.id).execute(
            database
        )
        _refresh_task(database, run.task_id, _count_change(database))
        return True


def change_task(database: sqlite.Database, task_uid: str, values: dict[str, Any]) -> bool:
    """Whether there is such a task."""
    with sqlite.writing(database):
        found = TaskModel.update(changed=_count_change(database), **values).where(TaskModel.uid == task_uid)
        return bool(found.execute(database))


class _RunState:
    """What the entries of a batch change of their run."""

    def __init__(self, run: Any) -> None:
        self.status: str = run.status
        self.inferred: bool = run.inferred
        self.message: str | None = run.message
        self.ended: float | None = run.ended
        self.updated: float | None = run.updated
        self.total_steps: int | None = run.total_steps
        self.settings: dict[str, Any] = run.settings
        self.records: int = run.records
        self.first_sequence: int | None = run.first_sequence
        self.last_sequence: int | None = run.last_sequence
        self.first_step: int | None = run.first_step
        self.last_step: int | None = run.last_step
        self.heartbeat_time: float | None = run.heartbeat_time
        self.heartbeat_step: int | None = run.heartbeat_step
        self.heartbeat_phase: str | None = run.heartbeat_phase
        self.task_name: str | None = None

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "task_name"}

    def is_heard(self) -> None:
        """It lives: what was inferred from its silence is taken back."""
        if self.inferred or self.status == "pending":
            self._runs()

    def meet(self, record: Record) -> None:
        """A record that is no step."""
        if record.kind == "train_start":
            self._runs()
        elif record.kind == "train_end":
            told = record.details.get("status")
            self.status = told if told in ENDED else "completed"
            self.inferred, self.ended, self.message = False, record.time, record.message
        if record.step is not None and record.kind != "train_start":
            self.last_step = record.step
            if self.first_step is None and record.kind in ("evaluation", "checkpoint"):
                self.first_step = record.step

    def learn(self, entry: Heartbeat | Update | Record) -> None:
        if isinstance(entry, Heartbeat):
            self.heartbeat_time, self.heartbeat_step, self.heartbeat_phase = entry.time, entry.step, entry.phase
        elif isinstance(entry, Update):
            if entry.total_steps is not None:
                self.total_steps = entry.total_steps
            if entry.settings:
                self.settings = {**self.settings, **entry.settings}
            if entry.name is not None:
                self.task_name = entry.name

    def _runs(self) -> None:
        self.status, self.inferred, self.ended, self.message = "running", False, None, None


def _run(database: sqlite.Database, uid: str) -> Any:
    run = RunModel.select().where(RunModel.uid == uid).first(database)
    if run is None:
        raise StoreError(f"The store does not know the run {uid}", action="Take its journal in again from the start")
    return run


def _count_change(database: sqlite.Database) -> int:
    ChangeModel.update(count=ChangeModel.count + 1).execute(database)
    return int(ChangeModel.select(ChangeModel.count).scalar(database))


def _metric_set(database: sqlite.Database, names: tuple[str, ...]) -> int:
    text = names_text(names)
    found = MetricSetModel.select(MetricSetModel.id).where(MetricSetModel.names == text).scalar(database)
    return int(found) if found is not None else int(MetricSetModel.insert(names=text).execute(database))


def _checkpoint(task_id: int, sequence: int, run_id: int, record: Record) -> tuple[Any, ...]:
    details = record.details
    path, size, secs = details.get("path"), details.get("bytes"), details.get("secs")
    return (
        task_id,
        sequence,
        run_id,
        record.step,
        record.time,
        path if isinstance(path, str) else None,
        size if isinstance(size, int) and abs(size) < 2**63 else None,
        float(secs) if isinstance(secs, int | float) and math.isfinite(secs) else None,
    )


def _merge_series(database: sqlite.Database, task_id: int, news: dict[str, SeriesNews]) -> None:
    names = list(news)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        some = names[start : start + _NAMES_AT_ONCE]
        query = SeriesModel.select().where((SeriesModel.task_id == task_id) & SeriesModel.name.in_(some))
        for row in query.execute(database):
            known = SeriesNews(
                row.kind,
                row.count,
                row.last_text if row.kind == "text" else row.last_number,
                row.last_step,
                row.last_sequence,
                math.inf if row.lowest is None else row.lowest,
                -math.inf if row.highest is None else row.highest,
            )
            news[row.name] = merged(known, news[row.name])
    number = SeriesModel.last_number.db_value
    sqlite.insert_rows(
        database,
        SeriesModel,
        _SERIES_COLUMNS,
        (
            (
                task_id, name, new.kind, new.count,
                number(new.last_value) if new.kind == "number" else None,
                new.last_value if new.kind == "text" else None,
                new.last_step, new.last_sequence,
                new.lowest if new.lowest <= new.highest else None,
                new.highest if new.lowest <= new.highest else None,
            )
            for name, new in news.items()
        ),
        replace=True,
    )  # fmt: skip


def _refresh_task(database: sqlite.Database, task_id: int, change: int) -> None:
    """A task's summary from its runs and series."""
    run = RunModel
    rows = (
        run.select(
            run.status, run.started, run.ended, run.updated, run.heartbeat_time, run.records, run.last_step,
            run.heartbeat_step, run.total_steps,
        )
        .where(run.task_id == task_id)
        .order_by(run.started, run.number)
        .tuples()
        .execute(database)
    )  # fmt: skip
    runs = list(rows)
    # The newest is the one that started last; a run that lives speaks for its task even when a newer one has ended.
    shown = next((each for each in reversed(runs) if each[0] in ("running", "stopping")), runs[-1])
    status, *_, last_step, heartbeat_step, total_steps = shown
    steps = [step for step in (last_step, heartbeat_step) if step is not None]
    ends = [max(end or 0, updated or 0, heartbeat or 0, begin) for _, begin, end, updated, heartbeat, *_ in runs]
    news: dict[str, Any] = {
        "status": status,
        "runs": len(runs),
        "records": sum(each[5] for each in runs),
        "step": max(steps) if steps else None,
        "total_steps": total_steps,
        "started": min(each[1] for each in runs),
        "updated": max((each[3] for each in runs if each[3] is not None), default=None),
        "duration_secs": sum(end - each[1] for end, each in zip(ends, runs, strict=True)),
        "changed": change,
    }
    query = SeriesModel.select(SeriesModel.name, SeriesModel.last_number, SeriesModel.lowest).where(
        (SeriesModel.task_id == task_id) & SeriesModel.name.in_(("loss", "eval_loss")) & (SeriesModel.kind == "number")
    )
    for name, last, lowest in query.tuples().execute(database):
        if name == "loss":
            news["last_loss"], news["best_loss"] = last, lowest
        else:
            news["best_evaluation"] = lowest
    TaskModel.update(**news).where(TaskModel.id == task_id).execute(database)


def json_names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
