"""What Stepline itself exported: records as they were logged, so nothing is renamed, numbered or guessed.

- JSON lines: `{"sequence", "run", "step", "epoch", "time", "kind", "metrics", "message"}`, `details` where a record has
  them, and on a run's first record `about_run`: what is known of the run.
- CSV: the same as columns, one a metric, `details` as JSON; nothing of the runs.
- Parquet: the same, texts as JSON in the column `texts`, the runs in the metadata `stepline.runs`.
- Event files, one a run, whose first event tells of the run: an event a record, what its numbers do not say as JSON
  beside them. In files without that the kind is guessed from the numbers' names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers import event_file, names, parquet
from stepline.importers.imported import ImportedRun, ImportedTask, Remarks, Status
from stepline.importers.json_rows import parsed
from stepline.importers.lines import decoded, lines, whole_lines
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.values import metrics_of, number, whole
from stepline.recording.journal import KINDS, Record
from stepline.recording.plain import flat_settings, text

FORMAT = "stepline_export"
CSV_HEAD = "sequence,run,step,epoch,time,kind,"

WHOLE = "whole_records"
"""Said of a run whose event file tells all of its records."""

_FIELDS = frozenset({"sequence", "run", "step", "kind", "metrics"})
_PLACE = ("sequence", "run", "step", "epoch", "time", "kind")
_TEXTS = ("texts", "message", "details")
_ENDS: dict[str, Status] = {"completed": "completed", "stopped": "stopped", "failed": "failed"}
_FIELD_LIMIT = 1 << 26

About = dict[str, Any]
Records = Iterator[tuple[str, Record, About | None]]
"""(run id, record, what is known of the run where this tells it)."""


def is_export(objects: list[dict[str, Any]]) -> bool:
    """Whether lines are such records: most have the fields that the export always writes."""
    fitting = sum(fields.keys() >= _FIELDS and isinstance(fields["metrics"], dict) for fields in objects)
    return fitting * 2 > len(objects)


def read_task(path: Path) -> ImportedTask:
    """The exported task. Raises ImportFailed where nothing in it is a record."""
    remarks = Remarks()
    source = _source_of(path)
    runs: dict[str, _Met] = {}
    for run_id, record, about in source(path, remarks):
        run = runs.setdefault(run_id, _Met(record.time))
        run.see(record, about)
    if not runs:
        raise ImportFailed(
            f"{path} holds no training history",
            why="It looks like Stepline's export, but nothing in it is a whole record",
            action="Export the task again",
        )
    task: About = next((run.about["task"] for run in runs.values() if isinstance(run.about.get("task"), dict)), {})
    tags, notes = task.get("tags"), task.get("notes")
    return ImportedTask(
        name=text(task.get("name") or name_for(path), 512),
        # A run's event file belongs together with those of the task's other runs.
        key=f"stepline:{task.get('id')}:{path.resolve()}" if source is _of_events else f"path:{path.resolve()}",
        format=FORMAT,
        paths=[path],
        runs=[run.imported(run_id, _reader(source, path, run_id)) for run_id, run in runs.items()],
        left_out=remarks.kept,
        left_out_count=remarks.count,
        stream=lambda: _indexed(source, path, list(runs)),
        tags=tuple(text(tag, 128) for tag in tags) if isinstance(tags, list) else (),
        notes=text(notes) if isinstance(notes, str) else "",
    )


@dataclass(slots=True)
class _Met:
    """A run while its records are gone through."""

    started: float
    last_step: int | None = None
    status: Status | None = None
    message: str | None = None
    about: About = field(default_factory=dict)

    def see(self, record: Record, about: About | None) -> None:
        self.about = about or self.about
        self.started = min(self.started, record.time)
        if record.step is not None:
            self.last_step = record.step if self.last_step is None else max(self.last_step, record.step)
        if record.kind == "train_end":
            self.status = _ENDS.get(str(record.details.get("status")), "completed")
            self.message = record.message

    def imported(self, run_id: str, records: Callable[[], Iterator[Record]]) -> ImportedRun:
        about = self.about
        settings, message = about.get("settings"), about.get("message")
        # One that was running when it was exported went no further here.
        told = _ENDS.get(str(about.get("status")), "stopped" if about else "completed")
        return ImportedRun(
            records,
            started=number(about.get("started")) or self.started,
            last_step=self.last_step,
            total_steps=whole(about.get("total_steps")),
            settings=flat_settings(settings) if isinstance(settings, dict) else {},
            status=self.status or told,
            message=self.message or (text(message) if isinstance(message, str) else None),
            run_id=run_id,
        )


Source = Callable[[Path, Remarks], Records]


def _source_of(path: Path) -> Source:
    with Opened(path) as opened:
        head = opened.read(64)
    if head.startswith(parquet.MAGIC):
        return _of_parquet
    if head.startswith((b"{", b"\xef\xbb\xbf{")):
        return _of_lines
    return _of_csv if CSV_HEAD.encode() in head else _of_events


def _reader(source: Source, path: Path, run_id: str) -> Callable[[], Iterator[Record]]:
    return lambda: (record for found, record, _ in source(path, Remarks()) if found == run_id)


def _indexed(source: Source, path: Path, run_ids: list[str]) -> Iterator[tuple[int, Record]]:
    places = {run_id: index for index, run_id in enumerate(run_ids)}
    return ((places[run_id], record) for run_id, record, _ in source(path, Remarks()) if run_id in places)


def _of_lines(path: Path, remarks: Remarks) -> Records:
    with Opened(path) as opened:
        for place, words in lines(opened, remarks):
            fields = parsed(words)
            record = None if fields is None or not isinstance(fields.get("metrics"), dict) else _record(fields)
            if fields is None or record is None:
                remarks.leave_out(f"line {place}", "no whole record")
                continue
            about = fields.get("about_run")
            yield text(fields.get("run") or "run", 128), record, about if isinstance(about, dict) else None


def _of_csv(path: Path, remarks: Remarks) -> Records:
    with Opened(path) as opened:
        place = 0

        def counted() -> Iterator[str]:
            nonlocal place
            for place, line in whole_lines(opened, remarks):  # noqa: B007
                yield decoded(line)

        csv.field_size_limit(_FIELD_LIMIT)
        rows = csv.reader(counted())
        header = [_metric(column) for column in next(rows)]
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                remarks.leave_out(f"line {place}", f"no row of a table: {error}")
                continue
            fields = {column: cell for column, cell in zip(header, cells, strict=False) if cell}
            record = _record(_nested(fields)) if len(cells) == len(header) else None
            if record is None:
                remarks.leave_out(f"line {place}", "no whole record")
            else:
                yield text(fields.get(("", "run")) or "run", 128), record, None


def _of_parquet(path: Path, remarks: Remarks) -> Records:
    """Only whole: the index of a Parquet file stands at its end."""
    with parquet.opened(path) as table:
        runs = parsed(table.metadata.get("stepline.runs", "{}")) or {}
        header = [_metric(column) for column in table.columns]
        for place, row in enumerate(table.rows()):
            fields = {column: value for column, value in zip(header, row, strict=True) if value is not None}
            record = _record(_nested(fields))
            if record is None:
                remarks.leave_out(f"row {place}", "no whole record")
                continue
            run_id = text(fields.get(("", "run")) or "run", 128)
            about = runs.pop(run_id, None)
            yield run_id, record, about if isinstance(about, dict) else None


def _of_events(path: Path, remarks: Remarks) -> Records:
    events = event_file.Events()
    with Opened(path) as opened:
        told = False
        for time, step, scalars in event_file.events(opened, events, remarks):
            beside, events.beside = events.beside, {}
            run_id = text(events.about.get("id") or path.parent.name, 128)
            if not scalars and not beside:
                continue
            about = events.about if not told else None
            told = True
            yield run_id, _of_event(time, step, dict(scalars), beside, is_whole=bool(events.about.get(WHOLE))), about


def _of_event(time: float, step: int, metrics: dict[str, Any], beside: dict[str, Any], *, is_whole: bool) -> Record:
    texts = beside.pop("texts", None)
    fields = {
        **beside,
        "time": time,
        "step": None if beside.get("no_step") else step,
        "metrics": metrics | (texts if isinstance(texts, dict) else {}),
    }
    if "kind" not in beside:
        held_out = not is_whole and all(names.is_evaluation(name) for name in metrics)
        fields["kind"] = "evaluation" if held_out else "step"
    return _record(fields) or Record("step", time, step, None, metrics)


Column = tuple[str, str]
"""("", a part of the record) or ("metrics", a metric's name)."""


def _metric(column: str) -> Column:
    if column in (*_PLACE, *_TEXTS):
        return "", column
    bare = column.removeprefix("metrics.")
    return "metrics", bare if bare in (*_PLACE, *_TEXTS) else column


def _nested(fields: dict[Column, Any]) -> dict[str, Any]:
    """A row of columns as a record's object."""
    found: dict[str, Any] = {name: value for (part, name), value in fields.items() if not part}
    metrics = {name: value for (part, name), value in fields.items() if part}
    try:
        metrics |= json.loads(found.pop("texts", "{}"))
        found["details"] = json.loads(found.get("details", "{}"))
    except (ValueError, TypeError, RecursionError):
        return {}
    return {**found, "metrics": metrics}


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
