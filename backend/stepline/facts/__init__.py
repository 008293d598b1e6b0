"""What the store holds of a task, in the words of the wire: its line in the list, its detail, its log.

Cheap by construction: a task's line is its row, and its detail reads rows of runs, metrics and checkpoints and the
newest records of one run, however long the history is.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from stepline.errors import SteplineError
from stepline.facts.changes import setting_changes
from stepline.facts.pace import logging_steps, marks_before, newest_step, recent_marks, run_remaining
from stepline.history import DERIVED, derived_names
from stepline.kernels import Floats
from stepline.store import CheckpointRow, LogEntry, MetricRow, RunRow, Store, TaskRow
from stepline.store.levels import COARSE_SHIFTS
from stepline.store.rows import ENDED, LIVE
from stepline.wire import (
    Checkpoint,
    ErrorBody,
    Finding,
    LogRow,
    Metric,
    NonFinite,
    Number,
    Run,
    RunEnd,
    Task,
    TaskDetail,
)

OTHER_PHASES: tuple[Literal["evaluate", "save", "fast_forward"], ...] = ("evaluate", "save", "fast_forward")
COMMANDS = ("stop", "save", "evaluate", "log")


def number(value: float) -> Number:
    """`value` as JSON can carry it."""
    if math.isfinite(value):
        return value
    text: NonFinite = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return text


def error_body(error: SteplineError) -> ErrorBody:
    return {
        "code": error.code,
        "what": error.what,
        "why": error.why,
        "action": error.action,
        "lost": error.lost,
    }


def task(row: TaskRow) -> Task:
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "runs": row.runs,
        "records": row.records,
        "step": row.step,
        "total_steps": row.total_steps,
        "started": row.started,
        "updated": row.updated,
        "duration_secs": row.duration_secs,
        "last_loss": _optional(row.last_loss),
        "best_loss": _optional(row.best_loss),
        "best_evaluation": _optional(row.best_evaluation),
        "bytes": row.bytes,
        "tags": list(row.tags),
        "notes": row.notes,
    }


def first_shown(rows: Sequence[TaskRow], remembered: object) -> str | None:
    """Which task a page opens with: the one looked at last, else the newest that trains, that waits, or that ended."""
    if any(row.id == remembered for row in rows):
        return str(remembered)
    rank = {"running": 2, "stopping": 2, "pending": 1}
    newest = max(rows, key=lambda row: (rank.get(row.status, 0), row.started or math.inf), default=None)
    return None if newest is None else newest.id


def log_row(entry: LogEntry) -> LogRow:
    status = entry.details.get("status") if entry.kind == "train_end" else None
    message = entry.message
    if message is None and entry.kind == "checkpoint":
        path = entry.details.get("path")
        message = path if isinstance(path, str) else None
    return {
        "sequence": entry.sequence,
        "run": entry.run_number,
        "step": entry.step,
        "epoch": entry.epoch if entry.epoch is not None and math.isfinite(entry.epoch) else None,
        "time": entry.time,
        "kind": entry.kind,
        "metrics": {name: _value(value) for name, value in entry.metrics.items()},
        "message": message,
        "status": status if status in ENDED else None,
        "masked": entry.masked,
    }


def detail(store: Store, task_id: str, *, findings: Sequence[Finding] = (), journals: Path | None = None) -> TaskDetail:
    """All that is known of a task but its samples. Raises TaskNotFound.

    `journals` is where the journals of runs lie that take commands; without it no run is said to take any.
    """
    # First, so that what is committed while the rest is read stands behind the cursor and comes again.
    cursor = store.next_sequence(task_id)
    row = store.task(task_id)
    runs = store.runs(task_id)
    metrics = store.metrics(task_id)
    checkpoints = store.checkpoints(task_id)
    line = task(row)
    current = _current(runs)
    span: tuple[float, float] | None = None
    every: int | None = None
    if current is not None:
        marks = recent_marks(store, current)
        line["step"] = newest_step(current)
        every = logging_steps(current, marks)
        # What does not go on has no time remaining that could be said.
        if not any(finding["rule"] == "stall" and finding["run"] == current.number for finding in findings):
            before = marks_before(store, current, runs, marks)
            span = run_remaining(current, marks, before, metrics, checkpoints)
    return {
        "task": line,
        "runs": [
            _run(run, before, findings, _controls(run, journals))
            for before, run in zip([None, *runs], runs, strict=False)
        ],
        "metrics": _metrics(metrics, len(runs)),
        "system": [
            {"name": name, "last": number(value)} for name, value in sorted(store.newest_sample(task_id).items())
        ],
        "checkpoints": [_checkpoint(each) for each in checkpoints],
        "findings": list(findings),
        "progress": _progress(line),
        "remaining_secs": span,
        "logging_steps": every,
        "mean_speed": None if row.status in LIVE else mean(store, task_id, "samples_per_second"),
        "cursor": cursor,
    }


def mean(store: Store, task_id: str, metric: str) -> Number | None:
    """Mean of all finite values of a metric, from its levels; None where it has none."""
    found = store.levels(task_id, metric, COARSE_SHIFTS[-1])
    count = int(found.finite_count.sum())
    return number(float(found.total.sum()) / count) if count else None


def _optional(value: float | None) -> Number | None:
    return None if value is None else number(value)


def _value(value: float | str) -> Number | str:
    return value if isinstance(value, str) else number(value)


def _run(
    run: RunRow, before: RunRow | None, findings: Sequence[Finding], controls: tuple[list[str], str | None]
) -> Run:
    return {
        "id": run.id,
        "number": run.number,
        "status": run.status,
        "phase": _phase(run),
        "records": run.records,
        "first_sequence": run.first_sequence,
        "last_sequence": run.last_sequence,
        "first_step": run.first_step,
        "last_step": run.last_step,
        "total_steps": run.total_steps,
        "started": run.started,
        "ended": run.ended,
        "message": run.message,
        "changes": setting_changes(before.settings, run.settings) if before is not None else [],
        "unresponsive": any(finding["rule"] == "stall" and finding["run"] == run.number for finding in findings),
        "controls": controls[0],
        "no_controls": controls[1],
        "controls_at": "log" if run.controls.get("controls_at") == "log" else "step",
    }


CLOSING = frozenset({"train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"})
"""What transformers sums up in a run's closing row: kept in the `train_end` record, and no points of a curve."""


def _metrics(rows: Sequence[MetricRow], runs: int) -> list[Metric]:
    """The series that have charts. A name of CLOSING that was logged more often than there are runs is a series."""
    rows = [row for row in rows if row.name not in CLOSING or row.count > runs]
    found: list[Metric] = []
    derived = derived_names([row.name for row in rows if row.kind == "number"])
    for row in rows:
        last = None if row.last_value is None else _value(row.last_value)
        found.append({"name": row.name, "kind": row.kind, "count": row.count, "last": last, "step": row.last_step})
        for name in derived:
            if DERIVED[name].source == row.name:
                last = number(_derive(name, row.last_value)) if isinstance(row.last_value, float | int) else None
                found.append({"name": name, "kind": "number", "count": row.count, "last": last, "step": row.last_step})
    return found


def _derive(name: str, value: float) -> float:
    one: Floats = np.array([value], np.float64)
    return float(DERIVED[name].of(one)[0])


def _checkpoint(row: CheckpointRow) -> Checkpoint:
    return {
        "sequence": row.sequence,
        "run": row.run_number,
        "step": row.step,
        "time": row.time,
        "path": row.path,
        "bytes": row.bytes,
        "secs": row.secs,
    }


def run_end(store: Store, task_id: str, run_id: str) -> RunEnd:
    """What the end of a run tells. Raises TaskNotFound."""
    traceback = errors = None
    for entry in store.records(task_id, kinds=["train_end"], newest_first=True):
        if entry.run_id == run_id:
            error = entry.details.get("error")
            traceback = error.get("traceback") if isinstance(error, dict) else None
            errors = entry.details.get("standard_error")
            break
    return {
        "traceback": traceback if isinstance(traceback, str) and traceback else None,
        "standard_error": errors if isinstance(errors, str) and errors.strip() else None,
    }


def _phase(run: RunRow) -> Literal["evaluate", "save", "fast_forward"] | None:
    beat = run.heartbeat_time
    if run.status != "running" or beat is None or beat < (run.updated or 0.0):
        return None
    return next((phase for phase in OTHER_PHASES if phase == run.heartbeat_phase), None)


def _current(runs: Sequence[RunRow]) -> RunRow | None:
    """The run that a task's status, step and progress are about: the newest that lives, else the newest."""
    living = [run for run in runs if run.status in LIVE]
    return living[-1] if living else runs[-1] if runs else None


def _progress(line: Task) -> float | None:
    step, total = line["step"], line["total_steps"]
    if step is None or not total:
        return None
    return min(1.0, max(0.0, step / total))


def _controls(run: RunRow, journals: Path | None) -> tuple[list[str], str | None]:
    """What a run takes now, while it lives on this machine beside its journal; where it takes nothing, why not."""
    if run.status not in ("pending", "running"):
        return [], None
    if journals is None or run.process.host != socket.gethostname() or not (journals / f"{run.id}.jsonl").exists():
        return [], "elsewhere"
    if run.first_sequence is None:
        return [], "before_training"
    told = run.controls.get("controls")
    offered = [command for command in COMMANDS if isinstance(told, list) and command in told]
    return offered, None if offered else str(run.controls.get("no_controls", "not_offered"))
