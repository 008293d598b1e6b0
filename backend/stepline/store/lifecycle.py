"""What a run's entries change of the run: its status, its steps, what it tells later about itself.

    pending ──record or heartbeat──▶ running ──train_end──▶ completed | stopped | failed
       ▲                                ▲  └──found dead──▶ failed (inferred) ──heard again──▶ running
       └── its heartbeats say that it is pending still; found dead it is stopped (inferred)

An end that the run told itself stays, until it says `train_start` again; one that was inferred from silence does not.
"""

from __future__ import annotations

from typing import Any

from stepline.recording.journal import Heartbeat, Update
from stepline.store.packing import Batch
from stepline.store.rows import ENDED, RecordLike

_RUNNING = {"status": "running", "inferred": False, "ended": None, "message": None}


def run_changes(run: dict[str, Any], batch: Batch) -> dict[str, Any]:
    """The columns of `run`, a row of `runs`, that a batch changes. The task's new name, where told, is "task_name"."""
    changes: dict[str, Any] = {}
    beats = [entry.phase for entry in batch.learned if isinstance(entry, Heartbeat)]
    if run["inferred"] or run["status"] == "pending":
        if batch.records or run["records"] or any(phase != "pending" for phase in beats):
            changes.update(_RUNNING)
        elif batch.learned:
            changes.update(_RUNNING, status="pending")
    for _, record in batch.marks:
        if record.kind == "train_start":
            changes.update(_RUNNING)
            if run["heartbeat_phase"] == "pending" or "pending" in beats:
                # The wait before it is no part of the run.
                changes["started"] = record.time
        elif record.kind == "train_end":
            told = record.details.get("status")
            status = told if isinstance(told, str) and told in ENDED else "completed"
            changes.update(status=status, inferred=False, ended=record.time, message=record.message)
    for entry in batch.learned:
        if isinstance(entry, Heartbeat):
            changes.update(heartbeat_time=entry.time, heartbeat_step=entry.step, heartbeat_phase=entry.phase)
        else:
            _learn(run, entry, changes)
    if batch.records:
        changes.update(_counted(run, batch))
    return changes


def _learn(run: dict[str, Any], update: Update, changes: dict[str, Any]) -> None:
    if update.total_steps is not None:
        changes["total_steps"] = update.total_steps
    if update.settings:
        changes["settings"] = {**changes.get("settings", run["settings"]), **update.settings}
    if update.name is not None:
        changes["task_name"] = update.name


def _counted(run: dict[str, Any], batch: Batch) -> dict[str, Any]:
    records = batch.records
    changes: dict[str, Any] = {
        "records": run["records"] + len(records),
        "last_sequence": batch.first + len(records) - 1,
        "updated": records[-1].time,
    }
    if run["first_sequence"] is None:
        changes["first_sequence"] = batch.first
    if run["first_step"] is None:
        changes["first_step"] = next((each.step for each in records if _is_progress(each)), None)
    last = next((each.step for each in reversed(records) if each.step is not None and each.kind != "train_start"), None)
    if last is not None:
        changes["last_step"] = last
    return changes


def _is_progress(record: RecordLike) -> bool:
    return record.step is not None and record.kind in ("step", "evaluation", "checkpoint")
