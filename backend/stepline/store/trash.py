"""Tasks in the trash, and what is remembered of those that were removed from it.

A task in the trash keeps everything; it is left out of the list of tasks. It comes back when a person restores it, or
by itself when it trains again: any new run, record or sign of life takes it out (`store.writing`). A removed
task is gone with its records; the ids of its runs stay in `removed_runs`, so that a copy of a journal does not bring
it back.

All that writes here runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepline.errors import TaskIsLive, TaskNotFound
from stepline.store import blocks, sqlite, statements
from stepline.store.models import (
    ChangeModel,
    CheckpointModel,
    LevelsModel,
    RemovedRunModel,
    RunModel,
    SampleModel,
    SeriesModel,
    SourceModel,
    TaskModel,
    TrainingLogModel,
)
from stepline.store.rows import LIVE

REMOVALS = 2
"""Id of the row of `changes` that counts the removed tasks."""


def put(database: sqlite.Database, task_uids: Sequence[str], time: float, change: int) -> None:
    """Raises TaskNotFound, and TaskIsLive where one still trains; then none is put."""
    for uid in task_uids:
        found = statements.select(database, TaskModel, ("id", "name"), uid=uid)
        if not found:
            raise _not_found(uid)
        ((number, name),) = found
        if any(status in LIVE for (status,) in statements.select(database, RunModel, ("status",), task_id=number)):
            raise TaskIsLive(
                f"The task {name!r} still trains", why="What it logs would bring it back", action="Stop it first"
            )
        statements.update(database, TaskModel, {"trashed": time, "changed": change}, uid=uid)


def take_back(database: sqlite.Database, task_uids: Sequence[str]) -> None:
    """Take these tasks away as if they had never come."""
    for uid in task_uids:
        statements.update(database, TaskModel, {"trashed": 0.0}, uid=uid)
    remove(database, task_uids, None)


def restore(database: sqlite.Database, task_uids: Sequence[str], change: int) -> None:
    """Raises TaskNotFound."""
    for uid in task_uids:
        if not statements.update(database, TaskModel, {"trashed": None, "changed": change}, uid=uid):
            raise _not_found(uid)


def remove(database: sqlite.Database, task_uids: Sequence[str], time: float | None) -> list[str]:
    """Take these tasks away with all that belongs to them, those that lie in the trash; the ids of their runs, which
    are remembered where a `time` is given."""
    gone: list[str] = []
    for uid in task_uids:
        found = statements.select(database, TaskModel, ("id", "trashed"), uid=uid)
        if not found or found[0][1] is None:
            continue
        number = found[0][0]
        runs = [run for (run,) in statements.select(database, RunModel, ("uid",), task_id=number)]
        blocks.remove(database, list(blocks.find(database, number, 0, 2**62)))
        runs_of = RunModel.select(RunModel.id).where(RunModel.task_id == number)
        SampleModel.delete().where(SampleModel.run_id.in_(runs_of)).execute(database)
        models: tuple[Any, ...] = (TrainingLogModel, CheckpointModel, SeriesModel, LevelsModel, RunModel)
        for model in models:
            model.delete().where(model.task_id == number).execute(database)
        if time is None:
            SourceModel.delete().where(SourceModel.task_id == uid).execute(database)
        TaskModel.delete().where(TaskModel.id == number).execute(database)
        if time is not None:
            rows = [(run, uid, time) for run in runs]
            statements.insert(database, RemovedRunModel, ("uid", "task_id", "removed"), rows, key=("uid",))
        gone += runs
    if gone:
        count_removal(database)
    return gone


def count_removal(database: sqlite.Database) -> None:
    """A task's row is gone: whoever remembers rows reads them anew."""
    statements.update(database, ChangeModel, {"count": removals(database) + 1}, id=REMOVALS)


def removals(database: sqlite.Database) -> int:
    ((count,),) = statements.select(database, ChangeModel, ("count",), id=REMOVALS)
    return int(count)


def _not_found(uid: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {uid!r}", action="`stepline tasks` lists those there are")
