"""Stepline's own export as JSON lines, one object a record: the same history comes back, as it was.

The export's form is fixed: `{"sequence", "run", "step", "epoch", "time", "kind", "metrics", "message"}`, and `details`
where a record has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers.imported import ImportedRun, ImportedTask, Remarks, Status
from stepline.importers.json_rows import parsed
from stepline.importers.lines import lines
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.values import metrics_of, number, whole
from stepline.recording.journal import KINDS, Record
from stepline.recording.plain import text

FORMAT = "stepline_export"

_FIELDS = frozenset({"sequence", "run", "step", "kind", "metrics"})
_ENDS: dict[str, Status] = {"completed": "completed", "stopped": "stopped", "failed": "failed"}


def is_export(objects: list[dict[str, Any]]) -> bool:
    """Whether lines are such records: most have the fields that the export always writes."""
    fitting = sum(fields.keys() >= _FIELDS and isinstance(fields["metrics"], dict) for fields in objects)
    return fitting * 2 > len(objects)


def read_task(path: Path) -> ImportedTask:
    """The exported task. Raises ImportFailed where no line is a record."""
    remarks = Remarks()
    runs: dict[str, ImportedRun] = {}
    for run_id, record in _records(path, remarks):
        run = runs.get(run_id)
        if run is None:
            run = runs[run_id] = ImportedRun(
                _reader(path, run_id), record.time, None, None, {}, "completed", run_id=run_id
            )
        run.started = min(run.started, record.time)
        if record.step is not None:
            run.last_step = record.step if run.last_step is None else max(run.last_step, record.step)
        if record.kind == "train_end":
            run.status = _ENDS.get(str(record.details.get("status")), "completed")
            run.message = record.message
    if not runs:
        raise ImportFailed(
            f"{path} holds no training history",
            why="It looks like Stepline's export, but no line of it is a whole record",
            action="Export the task again",
        )
    return ImportedTask(
        name=name_for(path),
        key=f"path:{path.resolve()}",
        format=FORMAT,
        paths=[path],
        runs=list(runs.values()),
        left_out=remarks.kept,
        left_out_count=remarks.count,
        stream=lambda: _indexed(path, list(runs)),
    )


def _reader(path: Path, run_id: str) -> Any:
    return lambda: (record for found, record in _records(path, Remarks()) if found == run_id)


def _indexed(path: Path, run_ids: list[str]) -> Iterator[tuple[int, Record]]:
    places = {run_id: index for index, run_id in enumerate(run_ids)}
    return ((places[run_id], record) for run_id, record in _records(path, Remarks()) if run_id in places)


def _records(path: Path, remarks: Remarks) -> Iterator[tuple[str, Record]]:
    with Opened(path) as opened:
        for place, words in lines(opened, remarks):
            fields = parsed(words)
            record = None if fields is None else _record(fields)
            if fields is None or record is None:
                remarks.leave_out(f"line {place}", "no whole record")
                continue
            yield text(fields.get("run") or "run", 128), record


def _record(fields: dict[str, Any]) -> Record | None:
    time, kind, metrics = number(fields.get("time")), fields.get("kind"), fields.get("metrics")
    if time is None or kind not in KINDS or not isinstance(metrics, dict):
        return None
    values, _ = metrics_of(metrics)
    message, details = fields.get("message"), fields.get("details")
    return Record(
        kind,
        time,
        whole(fields.get("step")),
        number(fields.get("epoch")),
        values,
        message if isinstance(message, str) else None,
        details if isinstance(details, dict) else {},
    )
