"""What a writer takes in when it is asked to: the home's journals, and the histories at any path.

A path that fails does not stop the others: what became of each is a value (`wire.Imported`). The importers are loaded
when a path is there to be taken in: 25 ms that no window's start and no list of tasks waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepline.errors import ImportFailed
from stepline.facts import error_body
from stepline.ingest import Ingest
from stepline.ingest.journals import open_journal
from stepline.store import Store
from stepline.wire import Imported, TakenIn

if TYPE_CHECKING:
    from stepline.importers import Following, ImportResult

Progress = Callable[[Path, float], None]
"""(what is read or written now, the share of all that is done, 0 to 1)."""


def take_in_all(
    ingest: Ingest,
    store: Store,
    paths: Sequence[Path],
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    growing: bool = False,
    following: Following | None = None,
) -> list[Imported]:
    """Take in what lies in the home, then each path. Raises StoreError; what `progress` raises leaves nothing half.
    Once `cancelled` says True, what was new of the paths is gone again.
    `growing`: the paths' files are followed, so their last runs run; `following`: how far each was read."""
    ingest.take_in_all()
    if not paths:
        return []
    from stepline.importers import import_paths

    found = import_paths(
        store,
        paths,
        progress=progress,
        cancelled=cancelled,
        journal=lambda path: _take_journal(ingest, store, path),
        growing=growing,
        following=following,
    )
    _bring_back(store, found)
    return [as_wire(each) for each in found]


def take_in_uploaded(
    ingest: Ingest, store: Store, folder: Path, progress: Progress, cancelled: Callable[[], bool]
) -> list[Imported]:
    """Take in each file and folder in `folder`, which is there for the moment; once `cancelled` says True, what was
    new of them is gone again. Raises StoreError."""
    from stepline.importers import import_paths

    found = import_paths(
        store,
        sorted(folder.iterdir()),
        progress=progress,
        cancelled=cancelled,
        journal=lambda path: _take_journal(ingest, store, path),
        uploaded=folder,
    )
    _bring_back(store, found)
    return [as_wire(each) for each in found]


def taken(imported: list[Imported]) -> TakenIn:
    """What became of each path, and the tasks that they belong to, each once."""
    tasks = dict.fromkeys(each["task"] for each in imported if each["task"] is not None)
    return {"tasks": list(tasks), "imported": imported}


def take_in_found(
    ingest: Ingest, store: Store, path: Path, growing: bool, following: Following, cancelled: Callable[[], bool]
) -> list[Imported]:
    """Take in a file or folder of a watched folder. Raises StoreError."""
    from stepline.importers import import_paths

    found = import_paths(
        store,
        [path],
        cancelled=cancelled,
        journal=lambda each: _take_found_journal(ingest, store, each),
        asked=False,
        growing=growing,
        following=following,
    )
    return [as_wire(each) for each in found]


def end_abandoned(store: Store) -> None:
    """End imported runs that nobody follows any more: who did was killed. One that grows again is taken back."""
    for run in store.live_runs():
        if "imported.format" in run.settings:
            store.end_run(run.id, "stopped", "Its file was not followed to its end", run.updated or run.started)


def _bring_back(store: Store, found: Sequence[ImportResult]) -> None:
    """What somebody brings here does not stay in the trash, also where it was known already."""
    trashed = {row.id for row in store.trash()}
    asked = [each.task_id for each in found if each.task_id is not None and each.task_id in trashed]
    if asked:
        store.restore(asked)


def as_wire(result: ImportResult) -> Imported:
    return {
        "path": str(result.path),
        "state": result.state,
        "task": result.task_id,
        "name": result.name,
        "format": result.format,
        "runs": result.runs,
        "records": result.records,
        "told": result.told,
        "left_out": [{"place": each.place, "reason": each.reason} for each in result.left_out],
        "left_out_count": result.left_out_count,
        "error": None if result.error is None else error_body(result.error),
    }


def _take_found_journal(ingest: Ingest, store: Store, path: Path) -> tuple[str, int, int]:
    journal = open_journal(path)
    if journal is not None and journal.header.run_id in store.removed_runs():
        raise ImportFailed(
            f"The run of {path} was deleted here", why="What is deleted stays so", action="Import the journal by itself"
        )
    return _take_journal(ingest, store, path)


def _take_journal(ingest: Ingest, store: Store, path: Path) -> tuple[str, int, int]:
    """By way of the ingest, which may be taking in the same run's own journal just now, and watches a live one."""
    journal = open_journal(path)
    if journal is None:
        raise ImportFailed(
            f"The journal {path} has no header yet",
            why="Its first line is not all there",
            action="Wait until the training has begun, or copy the file again",
        )
    before = store.run(journal.header.run_id)
    task_id = ingest.import_journal(path)
    after = store.run(journal.header.run_id)
    if after is None:
        return task_id, 0, 0
    return task_id, after.records - (before.records if before else 0), after.damaged - (before.damaged if before else 0)
