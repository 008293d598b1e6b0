"""Whether a source was imported before: by its key, else by its first records, then by all of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import chain, islice

from stepline.errors import TaskNotFound
from stepline.importers.columns import part_of
from stepline.importers.digests import HEAD_RECORDS, Digest
from stepline.importers.imported import ImportedTask, Piece
from stepline.store import SourceRow, Store


def compared(store: Store, task: ImportedTask, head: Callable[[], str]) -> tuple[SourceRow | None, bool]:
    """The import this source was before, if any, and whether it is an older copy of that. `head`: `head_of` the task,
    which reads its beginning again."""
    known = store.source(task.key)
    if known is not None and _still_there(store, known):
        return known, False
    for candidate in store.sources_like(head()):
        if not _still_there(store, candidate):
            continue
        if is_prefix(candidate, task):
            return candidate, False
        if _is_older(store, candidate, task):
            return candidate, True
    return None, False


def was_removed(store: Store, task: ImportedTask) -> bool:
    """Whether a person deleted what was taken in of this source before, and emptied the trash."""
    known = store.source(task.key)
    if known is not None and _still_there(store, known):
        return False
    return any(
        not _still_there(store, candidate) and is_prefix(candidate, task)
        for candidate in store.sources_like(head_of(task))
    )


def digests_of(task: ImportedTask) -> list[Digest]:
    """Of each run."""
    if task.known is not None:
        return task.known.after
    digests = [Digest() for _ in task.runs]
    for index, piece in task.pieces():
        digests[index].add_all(piece)
    return digests


def counted(digests: list[Digest]) -> list[tuple[int, str]]:
    return [(digest.records, digest.value()) for digest in digests]


def head_of(task: ImportedTask) -> str:
    if task.known is not None:
        return task.known.head
    digest = Digest()
    for _, record in islice(task.records(), HEAD_RECORDS):
        digest.add(record)
    return digest.value()


def is_prefix(known: SourceRow, task: ImportedTask) -> bool:
    """Whether the source has each known run's records first, and then perhaps more."""
    if len(known.runs) > len(task.runs):
        return False
    before = task.known.before if task.known is not None else []
    if any(digest.records > run.records for digest, run in zip(before, known.runs, strict=False)):
        return False
    digests = [digest.copied() for digest in before] + [Digest() for _ in known.runs[len(before) :]]
    matched = [False] * len(known.runs)
    nothing: list[tuple[int, Piece]] = [(index, []) for index in range(len(known.runs))]
    for index, piece in chain(nothing, task.pieces()):
        if index >= len(known.runs) or matched[index]:
            continue
        digests[index].add_all(part_of(piece, 0, known.runs[index].records - digests[index].records))
        if digests[index].records == known.runs[index].records:
            if digests[index].value() != known.runs[index].digest:
                return False
            matched[index] = True
    return all(matched)


def _is_older(store: Store, known: SourceRow, task: ImportedTask) -> bool:
    """Whether the store's records of the source's first run begin with all that this one has."""
    if len(task.runs) != 1 or not known.runs:
        return False
    digests = digests_of(task)
    if digests[0].records >= known.runs[0].records:
        return False
    stored = Digest()
    for entry in store.records(known.task_id):
        if entry.run_id == known.runs[0].run_id:
            stored.add(entry)
            if stored.records == digests[0].records:
                return stored.value() == digests[0].value()
    return False


def _still_there(store: Store, known: SourceRow) -> bool:
    with suppress(TaskNotFound):
        runs = {run.id for run in store.runs(known.task_id)}
        return all(run.run_id in runs for run in known.runs)
    return False
