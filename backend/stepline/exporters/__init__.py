"""A task's records for other programs, every value as it was logged.

    jsonl        one JSON object a line and record; what is known of a run stands on its first one
    csv          one row a record, one column a metric, empty where a record has none; settings of runs are not in it
    parquet      likewise, in typed columns, and what is known of the runs in the file's metadata
    tensorboard  a folder with an event file a run: the numbers as doubles, what else a record has as JSON beside them

Non-finite numbers stay themselves; in text they are the journal's words "NaN", "Infinity", "-Infinity". `run` is the
run's id, `time` Unix seconds. `stepline import` takes each of them back, docs/importing.md says how much of a history
each keeps. Records are streamed: ten million of them take no more memory than ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from stepline.errors import UsageError
from stepline.exporters import event_files, parquet, text
from stepline.store import Store


class Format(NamedTuple):
    """How a task is written as one file: its name's end, its media type, its bytes in pieces."""

    suffix: str
    media_type: str
    pieces: Callable[[Store, str], Iterator[bytes]]


FORMATS = {
    "jsonl": Format(".jsonl", "application/jsonl", text.jsonl),
    "csv": Format(".csv", "text/csv", text.csv_rows),
    "parquet": Format(".parquet", "application/vnd.apache.parquet", parquet.pieces),
    "tensorboard": Format(".tensorboard.zip", "application/zip", event_files.archive),
}


def of(name: str) -> Format:
    """The format of that name. Raises UsageError where there is none."""
    found = FORMATS.get(name)
    if found is None:
        raise UsageError(
            f"Stepline cannot export as {name!r}",
            why="It knows no such format",
            action=f"Ask for one of {', '.join(FORMATS)}",
        )
    return found


def event_folder(store: Store, task_id: str) -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
    """The files of a TensorBoard log directory: (path within it, its bytes in pieces). Raises TaskNotFound."""
    return event_files.files(store, task_id)
