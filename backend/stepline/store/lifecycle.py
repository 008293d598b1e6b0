"""What a run's entries change of the run: its status, its steps, what it tells later about itself.

    pending ──record or heartbeat──▶ running ──train_end──▶ completed | stopped | failed
       ▲                                ▲  └──found dead──▶ failed (inferred) ──heard again──▶ running
       └── its heartbeats say that it is pending still; found dead it is stopped (inferred)

An end that the run told itself stays, until it says `train_start` again; one that was inferred from silence does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepline.recording.journal import Heartbeat, Record, Update
from stepline.recording.task_identity import task_name
from stepline.store.content import KIND_CODES, KIND_ORDER, NO_STEP, Content
from stepline.store.packing import Batch
from stepline.store.rows import ENDED, RecordLike

_RUNNING = {"status": "running", "inferred": False, "ended": None, "message": None}
_MARKS = frozenset(("train_start", "checkpoint", "train_end"))
_PROGRESS = frozenset(("step", "evaluation", "checkpoint"))
_CONTROLS = ("controls", "no_controls", "controls_at")


@dataclass(slots=True)
class RunNews:
    """What a batch says of its run. Where it has no records, `updated` and the steps mean nothing."""

    first: int
    """Sequence of the first record."""
    count: int
    marks: Sequence[tuple[int, RecordLike]]
    """The records that begin or end a run, or tell of a checkpoint or of controls, with their sequences."""
    learned: Sequence[Heartbeat | Update]
    updated: float = 0.0
    """Time of the last record."""
    first_step: int | None = None
    """Of the first step, evaluation or checkpoint that has one."""
    last_step: int | None = None
    """Of the last record that has one, but for `train_start`."""

    @classmethod
    def of_batch(cls, batch: Batch) -> RunNews:
        records = batch.records
        marks = [each for each in batch.marks if each[1].kind in _MARKS or "controls" in each[1].details]
        news = cls(batch.first, len(records), marks, batch.learned)
        if records:
            news.updated = records[-1].time
            moved = (each.step for each in records if each.step is not None and each.kind in _PROGRESS)
            stood = (each.step for each in reversed(records) if each.step is not None and each.kind != "train_start")
            news.first_step, news.last_step = next(moved, None), next(stood, None)
        return news

    @classmethod
    def of_content(cls, content: Content, first: int, learned: Sequence[Heartbeat | Update]) -> RunNews:
        told_controls = [place for place, *_, told in content.notes if told is not None and '"controls":' in told]
        marked = np.isin(content.kind, [KIND_CODES[kind] for kind in _MARKS])
        marked[told_controls] = True
        places = np.flatnonzero(marked).tolist()
        notes = {place: rest for place, *rest in content.notes} if places else {}
        news = cls(first, len(content), [(first + place, _mark(content, place, notes)) for place in places], learned)
        if len(content):
            news.updated = float(content.time[-1])
            told = content.step != NO_STEP
            moved = np.flatnonzero(told & np.isin(content.kind, [KIND_CODES[kind] for kind in _PROGRESS]))
            stood = np.flatnonzero(told & (content.kind != KIND_CODES["train_start"]))
            news.first_step = int(content.step[moved[0]]) if len(moved) else None
            news.last_step = int(content.step[stood[-1]]) if len(stood) else None
        return news


def _mark(content: Content, place: int, notes: dict[int, list[str | None]]) -> Record:
    step = int(content.step[place])
    _, message, details = notes.get(place, (None, None, None))
    return Record(
        KIND_ORDER[content.kind[place]],  # type: ignore[arg-type]
        float(content.time[place]),
        None if step == NO_STEP else step,
        message=message,
        details=json.loads(details) if details else {},
    )


def run_changes(run: dict[str, Any], news: RunNews) -> dict[str, Any]:
    """The columns of `run`, a row of `runs`, that a batch changes. The task's new name, where told, is "task_name"."""
    changes: dict[str, Any] = {}
    beats = [entry.phase for entry in news.learned if isinstance(entry, Heartbeat)]
    if run["inferred"] or run["status"] == "pending":
        if news.count or run["records"] or any(phase != "pending" for phase in beats):
            changes.update(_RUNNING)
        elif news.learned:
            changes.update(_RUNNING, status="pending")
    for _, record in news.marks:
        if record.kind == "train_start":
            changes.update(_RUNNING)
            if "waited_secs" in record.details:
                # It was pending until now, which is no part of the run.
                changes["started"] = record.time
        elif record.kind == "train_end":
            told = record.details.get("status")
            status = told if isinstance(told, str) and told in ENDED else "completed"
            changes.update(status=status, inferred=False, ended=record.time, message=record.message)
        if record.kind == "train_start" or isinstance(record.details.get("controls"), list):
            changes["controls"] = {name: record.details[name] for name in _CONTROLS if name in record.details}
    for entry in news.learned:
        if isinstance(entry, Heartbeat):
            changes.update(heartbeat_time=entry.time, heartbeat_step=entry.step, heartbeat_phase=entry.phase)
        else:
            _learn(run, entry, changes)
    if news.count:
        changes.update(records=run["records"] + news.count, last_sequence=news.first + news.count - 1)
        changes.update(updated=news.updated)
        if run["first_sequence"] is None:
            changes["first_sequence"] = news.first
        if run["first_step"] is None:
            changes["first_step"] = news.first_step
        if news.last_step is not None:
            changes["last_step"] = news.last_step
    return changes


def _learn(run: dict[str, Any], update: Update, changes: dict[str, Any]) -> None:
    if update.total_steps is not None:
        changes["total_steps"] = update.total_steps
    if update.settings:
        changes["settings"] = {**changes.get("settings", run["settings"]), **update.settings}
    if update.name is not None:
        changes["task_name"] = task_name(update.name)
