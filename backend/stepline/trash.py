"""The trash: tasks that a person deleted, for as long as they can still be had back.

Their journals lie in the home's `trash` folder meanwhile, their records stay in the store. The store is changed first
and the files are moved after it, so a killed process leaves at most a journal in the wrong folder, where nothing is
taken in from it twice; `tidy` puts it right. A task is removed for good when somebody empties the trash, or after
KEPT_DAYS: that is looked at when the program starts, whenever something is put here, and every hour.
"""

from __future__ import annotations

import glob
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from stepline import facts
from stepline.home import Home, replace
from stepline.ingest import Ingest
from stepline.rounds import Rounds
from stepline.store import Store
from stepline.wire import Trash

EVERY_SECS = 3600.0
KEPT_DAYS = 30
SETTING = "trashDays"
"""Days that a task is kept here; 0 keeps it until somebody empties the trash."""


def put(home: Home, store: Store, ingest: Ingest, task_ids: Sequence[str]) -> None:
    """Raises TaskNotFound, and TaskIsLive where one still trains; then none is put."""
    with ingest.let_go(set(task_ids)):
        store.put_in_trash(task_ids, time.time())
        _move(home, store, task_ids, home.journals, home.trash)
    remove_old(home, store, ingest)


def restore(home: Home, store: Store, ingest: Ingest, task_ids: Sequence[str]) -> None:
    """Raises TaskNotFound."""
    with ingest.let_go(set(task_ids)):
        store.restore(task_ids)
        _move(home, store, task_ids, home.trash, home.journals)


def empty(home: Home, store: Store, ingest: Ingest, task_ids: Sequence[str]) -> None:
    """Remove these tasks for good, those of them that lie in the trash."""
    with ingest.let_go(set(task_ids)):
        for run_id in store.remove(task_ids, time.time()):
            for folder in (home.trash, home.journals):
                for file in _files(folder, run_id):
                    with _left_where_it_is_written():
                        file.unlink(missing_ok=True)


def remove_old(home: Home, store: Store, ingest: Ingest) -> None:
    days = kept_days(store)
    old = [row.id for row in store.trash() if days and (row.trashed or 0) < time.time() - days * 86_400]
    if old:
        empty(home, store, ingest, old)


def ageing(home: Home, store: Store, ingest: Ingest, *, every_secs: float = EVERY_SECS) -> Rounds:
    """Removes what has lain here for long enough."""
    remove = partial(remove_old, home, store, ingest)
    return Rounds("trash", every_secs, remove, failed="Old tasks could not be removed from the trash")


def tidy(home: Home, store: Store, ingest: Ingest) -> None:
    """Put each journal where its task is: a task that trained again came back without its older journals."""
    if not home.trash.is_dir():
        return
    kept = {run.id for row in store.trash() for run in store.runs(row.id)}
    known = store.positions()
    with ingest.let_go(()):
        for file in list(home.trash.iterdir()):
            run_id = file.name.split(".")[0]
            if run_id in known and run_id not in kept:
                replace(file, home.journals / file.name)
    remove_old(home, store, ingest)


def content(home: Home, store: Store) -> Trash:
    rows = store.trash()
    return {
        "tasks": [
            {
                "task": facts.task(row),
                "since": row.trashed or 0.0,
                "bytes": row.bytes
                + sum(file.stat().st_size for run in store.runs(row.id) for file in _files(home.trash, run.id)),
            }
            for row in rows
        ],
        "kept_days": kept_days(store),
    }


def kept_days(store: Store) -> int:
    days = store.setting(SETTING, KEPT_DAYS)
    return days if isinstance(days, int) and days >= 0 else KEPT_DAYS


def _move(home: Home, store: Store, task_ids: Sequence[str], origin: Path, target: Path) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    for task_id in task_ids:
        for run in store.runs(task_id):
            for file in _files(origin, run.id):
                with _left_where_it_is_written():
                    replace(file, target / file.name)


@contextmanager
def _left_where_it_is_written() -> Iterator[None]:
    """Windows neither moves nor removes a journal whose process was taken for dead and has it open. It may stay: what
    is known of it is not taken in again."""
    try:
        yield
    except PermissionError:
        if sys.platform != "win32":
            raise


def _files(folder: Path, run_id: str) -> Iterator[Path]:
    """A run's journal, also a compressed one, and its commands."""
    return folder.glob(f"{glob.escape(run_id)}.*")
