"""Sources into the store: new ones, those that grew, those that changed, and nothing for those that are known.

A source is known by its path (or wandb's run id) and by its records. Imported again, it adds nothing; where it only
grew, what is new is appended; where it changed otherwise, its runs are replaced. A copy elsewhere is the same source,
an older copy adds nothing. Each task is one transaction, so the store holds all of an import or nothing of it. Files
are read only.
"""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Literal

from stepline.errors import ImportFailed, SteplineError, TaskNotFound
from stepline.importers.archives import is_archive, unpacked
from stepline.importers.columns import bounded, bounded_time, part_of
from stepline.importers.digests import Digest
from stepline.importers.following import Following, marks_of
from stepline.importers.gathering import gathered
from stepline.importers.imported import ImportedRun, ImportedTask, Otherwise, Piece, Remark
from stepline.importers.journals import begun, take_journal
from stepline.importers.opening import watched
from stepline.importers.recognising import compared, counted, digests_of, head_of, is_prefix, was_removed
from stepline.importers.uploaded import error_without, placeless, remark_without, without_folder
from stepline.recording.journal import Header, Process
from stepline.recording.task_identity import read_side_car, task_name
from stepline.store import LIVE, RecordColumns, SourceRow, SourceRun, Store, Together

State = Literal["imported", "grown", "replaced", "unchanged", "recorded", "failed", "cancelled"]
"""`recorded`: Stepline itself recorded this training, so its history is here already."""

Progress = Callable[[Path, float], None]
"""(what is read or written now, the share of all that is done, 0 to 1)."""

TakeJournal = Callable[[Path], tuple[str, int, int]]
"""Takes the journal at a path in: (task id, records added, damaged lines). Raises SteplineError."""


@dataclass(slots=True)
class ImportResult:
    """What became of one task of one path. `records`: those added; `error` where `state` is `failed`."""

    path: Path
    state: State
    task_id: str | None = None
    name: str = ""
    format: str = ""
    runs: int = 0
    records: int = 0
    names: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)
    left_out_count: int = 0
    error: SteplineError | None = None
    is_new: bool = False
    """Whether the task was not there before, in no form."""


ORIGIN = "imported.run"
"""In a run's settings: the id that it has where it was recorded."""


class _Cancelled(Exception):
    """The person asked to stop."""


def import_paths(
    store: Store,
    paths: Sequence[Path],
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    journal: TakeJournal | None = None,
    uploaded: Path | None = None,
    asked: bool = True,
    growing: bool = False,
    following: Following | None = None,
) -> list[ImportResult]:
    """Take the files and folders in, each task whole or not at all; a path that fails does not stop the others.

    `journal` takes a journal in, where somebody watches them. `uploaded` is the folder in which the paths lie for the
    moment: their histories are known by their content, and nothing tells of that folder. `asked` is False where nobody
    named the paths: then a file counts as one found in a folder, and what a person deleted does not come back. What is
    `growing` has no end yet: its last run runs. `following` keeps what was read of it, so that the next time only what
    was written since is.
    `progress` and `cancelled` are called every few megabytes read and every PIECE_RECORDS records written at least;
    once `cancelled` says True, nothing that is new is kept, and its results are `cancelled`. Raises StoreError.
    """
    results: list[ImportResult] = []
    for index, path in enumerate(paths):
        held = ExitStack()
        lying = uploaded
        watch = _Watch(index, len(paths), progress or (lambda _path, _share: None), cancelled or (lambda: False))
        results_before = len(results)
        watch.progress(path, index / len(paths))
        try:
            take = partial(_take_one, results, store, watch, growing)
            is_followed = growing and following is not None
            with watched(watch.on_read):
                if following is not None and following.go_on(path, take, growing=growing):
                    continue
                marks = marks_of(path) if is_followed else {}
                source = path
                if asked and is_archive(path):
                    # Its files lie there for the moment, as if a page had sent them.
                    source = lying = held.enter_context(unpacked(path))
                found = gathered(source, watch.on_file, asked=asked)
                by_journal = journal or partial(take_journal, store)
                results.extend(_journal(store, each, by_journal) for each in sorted(found.journals, key=begun))
                for task in found.tasks:
                    task = placeless(task, lying) if lying else task
                    if asked or not was_removed(store, task):
                        take(task)
                if following is not None and growing and lying is None:
                    following.begin(path, marks, found.tasks)
            results += [ImportResult(path, "failed", error=error) for error in found.refused]
        except ImportFailed as error:
            results.append(ImportResult(path, "failed", error=error))
        except OSError as error:
            results.append(ImportResult(path, "failed", error=_unreadable(path, error)))
        except _Cancelled:
            if asked:
                _take_back(store, results)
            results.append(ImportResult(path, "cancelled"))
            break
        except KeyboardInterrupt:
            _take_back(store, results)
            raise
        finally:
            held.close()
            if len(results) == results_before:
                results.append(ImportResult(path, "unchanged"))
            for folder in dict.fromkeys((lying, uploaded)):
                if folder is not None:
                    results[results_before:] = [_as_chosen(each, folder, path) for each in results[results_before:]]
    else:
        # Not where it was called off, however that came.
        if paths and progress is not None:
            progress(paths[-1], 1.0)
    return results


def _take_one(results: list[ImportResult], store: Store, watch: _Watch, growing: bool, task: ImportedTask) -> None:
    results.append(_take_in(store, task, watch, growing))


def _take_back(store: Store, results: list[ImportResult]) -> None:
    """Of what a person called off nothing stays, the tasks included that were whole before. What was there before and
    grew has grown."""
    new = [each for each in results if each.is_new]
    store.take_back([each.task_id for each in new if each.task_id is not None])
    for each in new:
        each.state, each.task_id, each.records = "cancelled", None, 0


class _Watch:
    """Tells how far an import is, and ends it where that was asked."""

    def __init__(self, index: int, count: int, progress: Progress, cancelled: Callable[[], bool]) -> None:
        self._index = index
        self._count = count
        self.progress = progress
        self._cancelled = cancelled

    def on_file(self, path: Path) -> None:
        self._tell(path, 0.0)

    def on_read(self, path: Path, done_bytes: int, size_bytes: int) -> None:
        self._tell(path, 0.5 * done_bytes / max(size_bytes, 1))

    def on_written(self, path: Path, done: int, total: int) -> None:
        self._tell(path, 0.5 + 0.5 * done / max(total, 1))

    def _tell(self, path: Path, share: float) -> None:
        if self._cancelled():
            raise _Cancelled
        self.progress(path, (self._index + min(share, 1.0)) / self._count)


def _as_chosen(result: ImportResult, folder: Path, path: Path) -> ImportResult:
    """As the person knows the file that lies in `folder` for the moment; `path`: what was named."""
    if result.path == folder:
        result.path = path
    elif result.path.is_relative_to(folder):
        result.path = result.path.relative_to(folder)
    result.told = [without_folder(sentence, folder) for sentence in result.told]
    result.left_out = [remark_without(remark, folder) for remark in result.left_out]
    result.error = error_without(result.error, folder) if result.error is not None else None
    return result


def _journal(store: Store, path: Path, take: TakeJournal) -> ImportResult:
    try:
        task_id, records, damaged = take(path)
    except SteplineError as error:
        return ImportResult(path, "failed", format="journal", error=_naming(path, error))
    left_out = [Remark(str(path), f"{damaged} damaged {'line' if damaged == 1 else 'lines'}")] if damaged else []
    state: State = "imported" if records else "unchanged"
    name = store.task(task_id).name
    return ImportResult(
        path, state, task_id, name, "journal", 1, records, left_out=left_out, left_out_count=len(left_out)
    )


def _take_in(store: Store, task: ImportedTask, watch: _Watch, growing: bool) -> ImportResult:
    result = ImportResult(
        task.paths[0],
        "imported",
        name=task.name,
        format=task.format,
        runs=len(task.runs),
        names=task.names,
        told=task.told,
        left_out=task.left_out,
        left_out_count=task.left_out_count,
    )
    recorded = _recorded_by_stepline(store, task)
    if recorded is not None:
        result.state, result.task_id = "recorded", recorded
        return result
    head = cache(partial(head_of, task))
    known, is_older = compared(store, task, head)
    if known is not None:
        told = [(run.records, run.digest) for run in known.runs]
        if is_older or told == counted(digests_of(task)):
            result.state, result.task_id = "unchanged", known.task_id
            result.name = _shown(store, known.task_id, task.name)
            if not growing and not is_older:
                _end(store, task, known)
            return result
    grown = known is not None and is_prefix(known, task)
    if task.known is not None and not grown:
        raise Otherwise
    result.state = "imported" if known is None else "grown" if grown else "replaced"
    result.task_id = known.task_id if known is not None else _task_id(store, task)
    result.is_new = _name_of(store, result.task_id) is None
    with store.together() as together:
        if known is not None and not grown:
            together.drop_runs([run.run_id for run in known.runs])
        kept = known.runs if known is not None and grown else ()
        result.records, run_ids, digests = _write(store, together, task, result.task_id, kept, watch, growing)
        if result.state == "imported" and (task.tags or task.notes):
            together.describe(result.task_id, task.tags, task.notes)
        source = SourceRow(
            task.key,
            result.task_id,
            task.format,
            head(),
            tuple(
                SourceRun(run_id, digest.records, digest.value())
                for run_id, digest in zip(run_ids, digests, strict=True)
            ),
            clock.time(),
        )
        together.keep_source(source, instead_of=known.key if known is not None else None)
    result.name = _shown(store, result.task_id, task.name)
    return result


def _write(
    store: Store,
    together: Together,
    task: ImportedTask,
    task_id: str,
    known: Sequence[SourceRun],
    watch: _Watch,
    growing: bool,
) -> tuple[int, list[str], list[Digest]]:
    """Take in what each run has beyond its `known` records; how many were added, the runs' ids, their digests."""
    before = [] if task.known is None else [digest.copied() for digest in task.known.before]
    digests = before + [Digest() for _ in task.runs[len(before) :]]
    run_ids = {index: run.run_id for index, run in enumerate(known)}
    begun: set[int] = set(run_ids)
    last_times = [run.last_time or run.started for run in task.runs]
    ended: set[int] = set()
    added = seen = 0
    key = task.place or str(task.folder or task.paths[0].resolve())
    for index, piece in task.pieces():
        digests[index].add_all(piece)
        seen += len(piece)
        watch.on_written(task.paths[0], seen, task.count)
        first = known[index].records - digests[index].records + len(piece) if index < len(known) else 0
        piece = bounded(part_of(piece, max(0, first), len(piece)))
        if not len(piece):
            continue
        if isinstance(piece, RecordColumns):
            last_times[index] = max(last_times[index], float(piece.time.max()))
        else:
            last_times[index] = max(last_times[index], max(record.time for record in piece))
            if any(record.kind == "train_end" for record in piece):
                ended.add(index)
        if index not in begun:
            begun.add(index)
            run_ids[index] = _run_id(task_id, index, task.runs[index], part_of(piece, 0, 1))
            together.begin_run(_header(task, task_id, run_ids[index], task.runs[index], key))
        added += together.append(run_ids[index], piece, position=digests[index].records)
    for index, run in enumerate(task.runs):
        runs_on = growing and index == len(task.runs) - 1
        if index in begun and index not in ended and not runs_on:
            together.end_run(run_ids[index], run.status, run.message, last_times[index])
    return added, [run_ids[index] for index in range(len(task.runs))], digests


def _end(store: Store, task: ImportedTask, known: SourceRow) -> None:
    """End the runs that were growing when they were taken in, as their source tells."""
    for taken, run in zip(known.runs, task.runs, strict=False):
        row = store.run(taken.run_id)
        if row is not None and row.status in LIVE:
            store.end_run(row.id, run.status, run.message, max(row.started, row.updated or 0.0))


def _header(task: ImportedTask, task_id: str, run_id: str, run: ImportedRun, key: str) -> Header:
    origin: dict[str, object] = {"imported.format": task.format, "imported.path": task.place or str(task.paths[0])}
    origin |= {f"imported.{target}": source for target, source in task.names.items()}
    if run.run_id is not None:
        origin[ORIGIN] = run.run_id
    if run.superseded:
        origin["imported.superseded"] = True
    return Header(
        task_id,
        task_name(task.name),
        key,
        run_id,
        bounded_time(run.started),
        Process(0, None, "", None, None),
        run.total_steps,
        {**run.settings, **origin},
    )


def _recorded_by_stepline(store: Store, task: ImportedTask) -> str | None:
    """The task under which these runs are known already: an export of a task of this home, or an output folder that a
    recorded run wrote its side-car into."""
    for run in task.runs:
        for run_id in (run.run_id, run.settings.get(ORIGIN)):
            if isinstance(run_id, str) and (found := store.run(run_id)) is not None:
                return found.task_id
    side_car = read_side_car(task.folder) if task.folder is not None else None
    if side_car is not None and side_car.run_id is not None and (found := store.run(side_car.run_id)) is not None:
        return found.task_id
    return None


def _task_id(store: Store, task: ImportedTask) -> str:
    side_car = read_side_car(task.folder) if task.folder is not None else None
    if side_car is not None:
        return side_car.task_id
    return "t" + hashlib.sha256(f"import:{task.key}".encode(errors="replace")).hexdigest()[:15]


def _run_id(task_id: str, index: int, run: ImportedRun, first: Piece) -> str:
    """`YYYYMMDD-HHMMSS-` and eight digits that the task, the run's place and its first record give.

    Never the id of an exported run: its own journal may come to this home later, and is read from where the run of that
    id stands.
    """
    digest = Digest()
    digest.add_all(first)
    stamp = datetime.fromtimestamp(bounded_time(run.started), UTC).strftime("%Y%m%d-%H%M%S")
    words = f"{task_id}:{index}:{digest.value()}"
    return f"{stamp}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _shown(store: Store, task_id: str, name: str) -> str:
    return _name_of(store, task_id) or name


def _name_of(store: Store, task_id: str) -> str | None:
    with suppress(TaskNotFound):
        return store.task(task_id).name
    return None


def _naming(path: Path, error: SteplineError) -> SteplineError:
    if str(path) in error.what:
        return error
    return type(error)(f"{path}: {error.what}", why=error.why, action=error.action, lost=error.lost)


def _unreadable(path: Path, error: OSError) -> ImportFailed:
    return ImportFailed(
        f"{error.filename or path} cannot be read",
        why=error.strerror or str(error),
        action="Check that it is still there and may be read",
    )
