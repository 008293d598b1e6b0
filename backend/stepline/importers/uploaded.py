"""Files that came through the page: they lie in a folder of the moment, which their history must not be known by.

Such a source is known by its records alone. Its name and its checkpoints' places say what the person chose, never where
it lay meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from stepline.errors import SteplineError
from stepline.importers.imported import ImportedRun, ImportedTask, Remark
from stepline.importers.naming import folder_name, says_nothing, unpacked_name
from stepline.importers.recognising import digests_of
from stepline.recording.journal import Record


def placeless(task: ImportedTask, folder: Path) -> ImportedTask:
    """`task`, whose files lie in `folder` for now, as it is known without it."""
    chosen = task.paths[0].relative_to(folder)
    name = task.name
    if name.split("/")[0] == folder.name:
        name = name[len(folder.name) :].strip("/")
    if not name:
        name = chosen.parts[0] if len(chosen.parts) > 1 else unpacked_name(chosen)
        if says_nothing(name):
            name = _told_name(task)

    def placed(run: ImportedRun) -> ImportedRun:
        return replace(run, records=lambda: (_relative(record, folder) for record in run.records()))

    def stream() -> Iterator[tuple[int, Record]]:
        for index, record in task.records():
            yield index, _relative(record, folder)

    # Columns tell of no checkpoint.
    placed_stream = stream if task.parts is None else None
    key = task.key if not task.key.startswith("path:") else _content_key(task)
    return replace(
        task, name=name, key=key, place=chosen.as_posix(), runs=[*map(placed, task.runs)], stream=placed_stream
    )


def _told_name(task: ImportedTask) -> str:
    """What the history itself says of the place it lay in; where it does not, its date tells two apart."""
    place = str(task.runs[-1].settings.get("best_model_checkpoint") or "").replace("\\", "/")
    name = folder_name(PurePosixPath(place)) if place else ""
    if name and not says_nothing(name) and name not in (".", ".."):
        return name
    began = datetime.fromtimestamp(task.runs[0].started)
    return f"{unpacked_name(Path(task.paths[0].name))}, {began:%Y-%m-%d %H:%M}"


def without_folder(text: str, folder: Path) -> str:
    return text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "").replace(f"{folder}\\", "")


def remark_without(remark: Remark, folder: Path) -> Remark:
    return Remark(without_folder(remark.place, folder), without_folder(remark.reason, folder))


def error_without(error: SteplineError, folder: Path) -> SteplineError:
    """The same failure, named as the person knows the file."""
    return type(error)(
        without_folder(error.what, folder),
        why=without_folder(error.why, folder),
        action=without_folder(error.action, folder),
        lost=error.lost,
    )


def _content_key(task: ImportedTask) -> str:
    digests = digests_of(task)
    words = ":".join(f"{digest.records}:{digest.value()}" for digest in digests)
    return f"content:{hashlib.sha256(words.encode()).hexdigest()}"


def _relative(record: Record, folder: Path) -> Record:
    if record.kind == "checkpoint" and str(record.details.get("path", "")).startswith(str(folder)):
        # What was chosen of a checkpoint says nothing of its size: its weights stay where they are.
        record.details = {"path": without_folder(str(record.details["path"]), folder)}
    return record
