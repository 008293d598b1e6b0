"""What the writer does: runs begin, entries are appended, runs are found dead. Each call is one transaction.

A run's position, the bytes of its journal that were taken in, is committed with the records from these bytes: a killed
process leaves both or neither. The summaries of run, task and series are kept in the same transaction, so that a list
of tasks reads no records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.errors import StoreError
from stepline.recording.journal import Header, Heartbeat, Update
from stepline.recording.task_identity import task_name
from stepline.store import blocks, masking, reading, samples, sqlite, statements, trash
from stepline.store.content import Content, Names, SetId, of_records
from stepline.store.lifecycle import RunNews, run_changes
from stepline.store.models import (
    ChangeModel,
    CheckpointModel,
    MetricSetModel,
    RunModel,
    SampleModel,
    SeriesModel,
    TaskModel,
    TrainingLogModel,
)
from stepline.store.packing import LOG_COLUMNS, STEP_COLUMNS, SeriesNews, names_text, pack
from stepline.store.reading import MetricNames
from stepline.store.record_columns import RecordColumns, content_of
from stepline.store.rows import LIVE, Entry, RecordLike

_RUN_COLUMNS = (
    "id", "task_id", "status", "inferred", "settings", "records", "first_sequence", "first_step", "position", "damaged",
)  # fmt: skip
_SHOWN_COLUMNS = (
    "status", "started", "ended", "updated", "heartbeat_time", "records", "last_step", "heartbeat_step", "total_steps",
)  # fmt: skip
_SERIES_COLUMNS = (
    "task_id", "name", "kind", "count", "last_number", "last_text", "last_step", "last_sequence", "lowest", "highest",
)  # fmt: skip
_CHECKPOINT_COLUMNS = ("task_id", "sequence", "run_id", "step", "time", "path", "bytes", "secs")

MetricSets = dict[tuple[str, ...], int]
"""Names of a metric set → its id. Sets are never removed, so a process may remember them."""


def begin_run(database: sqlite.Database, header: Header) -> None:
    with sqlite.writing(database):
        if statements.select(database, RunModel, ("id",), uid=header.run_id):
            return
        known = statements.select(database, TaskModel, ("id",), uid=header.task_id)
        if known:
            task_id = known[0][0]
        else:
            new: dict[str, Any] = {
                "uid": header.task_id, "name": task_name(header.task_name), "tags": [], "notes": "", "next_sequence": 0,
                "status": "pending", "runs": 0, "records": 0, "bytes": 0, "duration_secs": 0.0, "changed": 0,
                # What is remembered of a removed task of this id must not be taken for this one's.
                "generation": trash.removals(database) << 20,
            }  # fmt: skip
            statements.add(database, TaskModel, new)
            ((task_id,),) = statements.select(database, TaskModel, ("id",), uid=header.task_id)
        numbers = [number for (number,) in statements.select(database, RunModel, ("number",), task_id=task_id)]
        process = header.process
        run: dict[str, Any] = {
            "uid": header.run_id, "task_id": task_id, "number": max(numbers, default=0) + 1,
            "status": "pending", "inferred": False,
            "started": header.time, "total_steps": header.total_steps, "settings": header.settings, "pid": process.pid,
            "process_started": process.started, "host": process.host, "boot": process.boot,
            "pid_namespace": process.pid_namespace, "records": 0, "position": 0, "damaged": 0,
        }  # fmt: skip
        statements.add(database, RunModel, run)
        _refresh_task(database, task_id, {"name": task_name(header.task_name), "key": header.task_key})


def append(
    database: sqlite.Database,
    sets: MetricSets,
    run_uid: str,
    entries: Sequence[Entry] | RecordColumns,
    *,
    position: int,
    damaged: int,
    since: int | None,
) -> int:
    new_sets: MetricSets = {}

    def set_id(names: tuple[str, ...]) -> int:
        return sets.get(names) or new_sets.get(names) or new_sets.setdefault(names, _metric_set(database, names))

    with sqlite.writing(database):
        run = _run(database, run_uid)
        if (since is not None and run["position"] != since) or position < run["position"]:
            return 0
        task_id = run["task_id"]
        ((first,),) = statements.select(database, TaskModel, ("next_sequence",), id=task_id)
        if isinstance(entries, RecordColumns):
            content = content_of(entries, run["id"], first, set_id)
            news, series = _append_blocks(database, task_id, first, content, entries.learned)
        elif len(entries) >= blocks.BACKLOG_RECORDS:
            records, learned = _told_apart(entries)
            content = of_records(records, run["id"], first, set_id)
            news, series = _append_blocks(database, task_id, first, content, learned)
        else:
            news, series = _append_rows(database, task_id, run["id"], first, entries, set_id)
        changes = run_changes(run, news)
        task_changes: dict[str, Any] = {"next_sequence": first + news.count}
        if "task_name" in changes:
            task_changes["name"] = changes.pop("task_name")
        _add_checkpoints(database, task_id, run["id"], news)
        merge_series(database, task_id, series)
        changes.update(position=position, damaged=run["damaged"] + damaged)
        statements.update(database, RunModel, changes, id=run["id"])
        _refresh_task(database, task_id, task_changes)
    # Only now: a set that was made in a transaction that failed is not there.
    sets.update(new_sets)
    return news.count


def _told_apart(entries: Sequence[Entry]) -> tuple[list[RecordLike], list[Heartbeat | Update]]:
    records: list[RecordLike] = []
    learned: list[Heartbeat | Update] = []
    for each in entries:
        if isinstance(each, (Heartbeat, Update)):
            learned.append(each)
        else:
            records.append(each)
    return records, learned


def _append_blocks(
    database: sqlite.Database, task_id: int, first: int, content: Content, learned: Sequence[Heartbeat | Update]
) -> tuple[RunNews, dict[str, SeriesNews]]:
    """A backlog: into blocks at once, after the rows that are there."""
    if len(content):
        masking.mask_content(content, _losses_before(database, task_id, int(content.run[0]), first))
        blocks.pack_rows(database, task_id, MetricNames(database).of, content)
    return RunNews.of_content(content, first, learned), content.series()


def _append_rows(
    database: sqlite.Database, task_id: int, run_id: int, first: int, entries: Sequence[Entry], set_id: SetId
) -> tuple[RunNews, dict[str, SeriesNews]]:
    """As rows; when there are many, all of them become blocks."""
    entries = masking.masked_records(entries, _losses_before(database, task_id, run_id, first))
    batch = pack(entries, task_id, run_id, first, set_id)
    ((packed, size),) = statements.select(database, TaskModel, ("packed", "bytes"), id=task_id)
    for full, rows in batch.parts:
        statements.insert(database, TrainingLogModel, LOG_COLUMNS if full else STEP_COLUMNS, rows)
    loose = first + len(batch.records) - packed
    each = batch.bytes / max(1, len(batch.records))
    if batch.records and (loose >= blocks.LOOSE_RECORDS or loose * each >= blocks.BLOCK_BYTES):
        blocks.pack_rows(database, task_id, MetricNames(database).of)
    else:
        statements.update(database, TaskModel, {"bytes": size + batch.bytes}, id=task_id)
    return RunNews.of_batch(batch), batch.series()


def _losses_before(database: sqlite.Database, task_id: int, run_id: int, first: int) -> masking.Before:
    """The run's newest finite losses before sequence `first`, read when asked for: only a loss of 0.0 needs them."""

    def before() -> NDArray[np.float64]:
        names = MetricNames(database)
        span = 4 * masking.BEFORE_POINTS
        while True:
            begin = max(0, first - span)
            found = reading.points(database, names, task_id, masking.LOSS, begin, first, columns=())
            values: NDArray[np.float64] = found.value[(found.run == run_id) & np.isfinite(found.value)]
            if len(values) >= masking.BEFORE_POINTS or begin == 0:
                return values[-masking.BEFORE_POINTS :]
            span *= 8

    return before


def pack_all(database: sqlite.Database, task_id: int) -> None:
    """A task's rows into blocks; where there are none, a change that says nothing, so that something is committed."""
    blocks.pack_rows(database, task_id, MetricNames(database).of)
    count_change(database)


def add_sample(
    database: sqlite.Database, sets: MetricSets, run_uid: str, time: float, values: dict[str, float]
) -> None:
    names = tuple(values)
    with sqlite.writing(database):
        number = sets.get(names) or _metric_set(database, names)
        samples.add(database, run_uid, time, values, number)
    sets[names] = number


def end_run(database: sqlite.Database, run_uid: str, status: str, message: str | None, time: float) -> bool:
    """Whether it was ended: a run whose journal has told its end keeps that."""
    with sqlite.writing(database):
        run = _run(database, run_uid)
        if run["status"] not in LIVE:
            return False
        changes = {"status": status, "inferred": True, "message": message, "ended": time}
        statements.update(database, RunModel, changes, id=run["id"])
        _refresh_task(database, run["task_id"], {})
        return True


def forget_run(database: sqlite.Database, run_uid: str) -> bool:
    """Whether it was forgotten, with its task where it was the only run: one that has records is not."""
    with sqlite.writing(database):
        run = _run(database, run_uid)
        if run["records"]:
            return False
        SampleModel.delete().where(SampleModel.run_id == run["id"]).execute(database)
        RunModel.delete().where(RunModel.id == run["id"]).execute(database)
        if statements.select(database, RunModel, ("id",), task_id=run["task_id"]):
            _refresh_task(database, run["task_id"], {})
        else:
            SeriesModel.delete().where(SeriesModel.task_id == run["task_id"]).execute(database)
            TaskModel.delete().where(TaskModel.id == run["task_id"]).execute(database)
            count_change(database)
            trash.count_removal(database)
        return True


def change_task(database: sqlite.Database, task_uid: str, values: dict[str, Any]) -> bool:
    """Whether there is such a task."""
    with sqlite.writing(database):
        return bool(statements.update(database, TaskModel, {**values, "changed": count_change(database)}, uid=task_uid))


def _run(database: sqlite.Database, uid: str) -> dict[str, Any]:
    rows = statements.select(database, RunModel, _RUN_COLUMNS, uid=uid)
    if not rows:
        raise StoreError(f"The store does not know the run {uid}", action="Take its journal in again from the start")
    return dict(zip(_RUN_COLUMNS, rows[0], strict=True))


def count_change(database: sqlite.Database) -> int:
    ((count,),) = statements.select(database, ChangeModel, ("count",), id=1)
    statements.update(database, ChangeModel, {"count": count + 1}, id=1)
    return int(count) + 1


def _metric_set(database: sqlite.Database, names: tuple[str, ...]) -> int:
    text = names_text(names)
    found = statements.select(database, MetricSetModel, ("id",), names=text)
    if not found:
        statements.add(database, MetricSetModel, {"names": text})
        found = statements.select(database, MetricSetModel, ("id",), names=text)
    return int(found[0][0])


def _add_checkpoints(database: sqlite.Database, task_id: int, run_id: int, news: RunNews) -> None:
    rows = []
    for sequence, record in news.marks:
        if record.kind == "checkpoint":
            path, size, secs = (record.details.get(name) for name in ("path", "bytes", "secs"))
            rows.append(
                (
                    task_id,
                    sequence,
                    run_id,
                    record.step,
                    record.time,
                    path if isinstance(path, str) else None,
                    size if isinstance(size, int) and abs(size) < 2**63 else None,
                    secs if isinstance(secs, int | float) and abs(secs) < 1e9 else None,
                )
            )
    if rows:
        statements.insert(database, CheckpointModel, _CHECKPOINT_COLUMNS, rows)


def merge_series(database: sqlite.Database, task_id: int, news: dict[str, SeriesNews]) -> None:
    if not news:
        return
    for _, name, kind, count, number, text, step, sequence, lowest, highest in statements.select(
        database, SeriesModel, _SERIES_COLUMNS, task_id=task_id
    ):
        if name in news:
            low = math.inf if lowest is None else lowest
            high = -math.inf if highest is None else highest
            known = SeriesNews(kind, count, text if kind == "text" else number, step, sequence, low, high)
            news[name] = news[name].after(known)
    rows = []
    for name, new in news.items():
        number, text = (new.last_value, None) if new.kind == "number" else (None, new.last_value)
        low, high = (new.lowest, new.highest) if new.lowest <= new.highest else (None, None)
        last = SeriesModel.last_number.db_value(number)
        rows.append(
            (task_id, name, new.kind, new.count, last, text, new.last_step, new.last_sequence, low, high),
        )
    statements.insert(database, SeriesModel, _SERIES_COLUMNS, rows, key=("task_id", "name"))


def count_series(database: sqlite.Database, task_id: int, names: Names) -> None:
    """Write the task's series anew, from its records, which all lie in blocks."""
    SeriesModel.delete().where(SeriesModel.task_id == task_id).execute(database)
    for block in blocks.find(database, task_id, 0, 2**62):
        merge_series(database, task_id, blocks.read(database, names, block).series())


def _refresh_task(database: sqlite.Database, task_id: int, changes: dict[str, Any]) -> None:
    """Write a task's `changes` and its summary: from its runs, and from the series that the table of tasks shows."""
    runs = statements.select(database, RunModel, _SHOWN_COLUMNS, order=("started", "number"), task_id=task_id)
    # The newest is the one that started last; a run that lives speaks for its task even when a newer one has ended.
    shown = next((each for each in reversed(runs) if each[0] in ("running", "stopping")), runs[-1])
    status, *_, last_step, heartbeat_step, total_steps = shown
    ends = [max(end or 0, updated or 0, heartbeat or 0, begin) for _, begin, end, updated, heartbeat, *_ in runs]
    news: dict[str, Any] = {
        **changes,
        "status": status,
        "runs": len(runs),
        "records": sum(each[5] for each in runs),
        "step": max((step for step in (last_step, heartbeat_step) if step is not None), default=None),
        "total_steps": total_steps,
        "started": runs[0][1],
        "updated": max((each[3] for each in runs if each[3] is not None), default=None),
        "duration_secs": sum(end - each[1] for end, each in zip(ends, runs, strict=True)),
        "changed": count_change(database),
        # It trains again, so it comes back.
        "trashed": None,
    }
    shown_series = ("name", "kind", "last_number", "lowest")
    for name, kind, last, lowest in statements.select(database, SeriesModel, shown_series, task_id=task_id):
        if kind == "number" and name == "loss":
            news["last_loss"], news["best_loss"] = last, lowest
        elif kind == "number" and name == "eval_loss":
            news["best_evaluation"] = lowest
    statements.update(database, TaskModel, news, id=task_id)
