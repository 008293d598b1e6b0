"""What the store gives back. `id` is always the public text; times are Unix seconds, durations seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stepline.recording.journal import Heartbeat, Kind, Process, Record, Update
from stepline.wire import Status

LIVE: tuple[Status, ...] = ("pending", "running", "stopping")
"""Statuses of a run that has not ended."""
ENDED: tuple[Status, ...] = ("completed", "stopped", "failed")


class RecordLike(Protocol):
    """`journal.Record`, or what a fast decoder makes in its place."""

    @property
    def kind(self) -> Kind: ...
    @property
    def time(self) -> float: ...
    @property
    def step(self) -> int | None: ...
    @property
    def epoch(self) -> float | None: ...
    @property
    def metrics(self) -> dict[str, float | str]: ...
    @property
    def message(self) -> str | None: ...
    @property
    def details(self) -> dict[str, Any]: ...


Entry = RecordLike | Heartbeat | Update


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task. Status, step and total steps are those of its newest run, or of the newest that runs."""

    id: str
    name: str
    """As shown: the label, else the given name, else the last part of its path, more where two read alike."""
    key: str | None
    label: str | None
    status: Status
    runs: int
    records: int
    step: int | None
    total_steps: int | None
    started: float | None
    updated: float | None
    duration_secs: float
    last_loss: float | None
    best_loss: float | None
    best_evaluation: float | None
    bytes: int
    """About what its records take in the database."""
    tags: tuple[str, ...]
    notes: str
    trashed: float | None = None
    """When it was put into the trash."""

    @classmethod
    def of(cls, task: Any, name: str) -> TaskRow:
        """Of a row of `tasks`, shown as `name`."""
        return cls(
            id=task.uid,
            name=name,
            key=task.key,
            label=task.label,
            status=task.status,
            runs=task.runs,
            records=task.records,
            step=task.step,
            total_steps=task.total_steps,
            started=task.started,
            updated=task.updated,
            duration_secs=task.duration_secs,
            last_loss=task.last_loss,
            best_loss=task.best_loss,
            best_evaluation=task.best_evaluation,
            bytes=task.bytes,
            tags=tuple(task.tags),
            notes=task.notes,
            trashed=task.trashed,
        )


@dataclass(frozen=True, slots=True)
class RunRow:
    id: str
    task_id: str
    number: int
    status: Status
    inferred: bool
    """Its end was not written by the run but found by the app, and is taken back when the run is heard of again."""
    process: Process
    settings: dict[str, Any]
    total_steps: int | None
    first_sequence: int | None
    last_sequence: int | None
    first_step: int | None
    """Of its first step, evaluation or checkpoint."""
    last_step: int | None
    records: int
    started: float
    ended: float | None
    updated: float | None
    """Time of its newest record."""
    message: str | None
    heartbeat_time: float | None
    heartbeat_step: int | None
    heartbeat_phase: str | None
    controls: dict[str, Any]
    """What it told last of the requests it takes: `controls`, `no_controls`, `controls_at` (docs/journal.md)."""
    position: int
    """Bytes of its journal that were taken in."""
    damaged: int
    """Lines of its journal that could not be read."""

    @classmethod
    def of(cls, run: Any, task_id: str) -> RunRow:
        """Of a row of `runs`."""
        return cls(
            id=run.uid,
            task_id=task_id,
            number=run.number,
            status=run.status,
            inferred=run.inferred,
            process=Process(run.pid, run.process_started, run.host, run.boot, run.pid_namespace),
            settings=run.settings,
            total_steps=run.total_steps,
            first_sequence=run.first_sequence,
            last_sequence=run.last_sequence,
            first_step=run.first_step,
            last_step=run.last_step,
            records=run.records,
            started=run.started,
            ended=run.ended,
            updated=run.updated,
            message=run.message,
            heartbeat_time=run.heartbeat_time,
            heartbeat_step=run.heartbeat_step,
            heartbeat_phase=run.heartbeat_phase,
            controls=run.controls or {},
            position=run.position,
            damaged=run.damaged,
        )


@dataclass(frozen=True, slots=True)
class MetricRow:
    name: str
    kind: Literal["number", "text"]
    """A metric that was a number once is a number; its texts are then seen in the log only."""
    count: int
    last_value: float | str | None
    last_step: int | None
    last_sequence: int
    lowest: float | None
    """Of its finite values."""
    highest: float | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    sequence: int
    run_id: str
    run_number: int
    step: int | None
    time: float
    path: str | None
    bytes: int | None
    secs: float | None


@dataclass(slots=True, kw_only=True)
class LogEntry(Record):
    """A record in its place: the record's own fields, and these."""

    sequence: int
    run_id: str
    run_number: int
    masked: bool = False
    """Its loss is 0.0 as it was logged, and hides a NaN (stepline.store.masking): no number in its series."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One series: the records that have the metric, ascending by sequence. All arrays have one length.

    A loss that was logged as 0.0 and hides a NaN is a NaN of its own (stepline.store.masking).
    """

    sequence: NDArray[np.int64]
    run: NDArray[np.int32]
    """Number of the run."""
    step: NDArray[np.float64]
    """NaN where the record has none; likewise `epoch`."""
    epoch: NDArray[np.float64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sequence)
