"""The time of one run: its newest step, how often it logs, evaluates and saves, and so how long it still takes.

Reads the run's newest records, at most RECENT, and the task's rows of metrics and checkpoints; never its history.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stepline.diagnosis.points import evaluation_secs, told_secs
from stepline.facts.changes import find_setting, positive_number
from stepline.facts.remaining import Mark, Schedule, remaining_secs
from stepline.store import CheckpointRow, LogEntry, MetricRow, RunRow, Store
from stepline.store.rows import LIVE
from stepline.wire import Kind

RECENT = 160
TIMED: tuple[Kind, ...] = ("step", "evaluation", "checkpoint")


def newest_step(run: RunRow) -> int | None:
    """The newest step known of a run: between two records, heartbeats tell."""
    if run.heartbeat_step is None or run.status not in LIVE:
        return run.last_step
    if run.last_step is None or (run.heartbeat_time or 0) >= (run.updated or 0):
        return max(run.heartbeat_step, run.last_step or 0)
    return run.last_step


def run_remaining(
    run: RunRow,
    marks: Sequence[Mark],
    before: Sequence[Mark],
    metrics: Sequence[MetricRow],
    checkpoints: Sequence[CheckpointRow],
) -> tuple[float, float] | None:
    """(least, most) seconds that a run still takes; None for one that ended, has no end, or is too young to say.

    before: the newest marks of the run before; see `marks_before`.
    """
    if run.status not in LIVE or not run.total_steps:
        return None
    schedule = _schedule(run, run.total_steps, marks, before, metrics, checkpoints)
    return remaining_secs(marks, newest_step(run) or 0, schedule, before)


def recent_marks(store: Store, run: RunRow) -> list[Mark]:
    """The run's newest records that tell of time, in its order."""
    if run.first_sequence is None:
        return []
    until = None if run.status in LIVE or run.last_sequence is None else run.last_sequence + 1
    newest = store.records(run.task_id, run.first_sequence, until, kinds=TIMED, limit=RECENT, newest_first=True)
    return [
        Mark(entry.kind, entry.step, entry.time, _secs(entry))
        for entry in reversed(list(newest))
        # What was filled in from before has the run's start as its time.
        if entry.run_id == run.id and not entry.details.get("backfilled")
    ]


def marks_before(store: Store, run: RunRow, runs: Sequence[RunRow], marks: Sequence[Mark]) -> list[Mark]:
    """The newest marks of the run before, while `run` has few of its own: a long one is judged by itself."""
    earlier = [each for each in runs if each.number == run.number - 1]
    return recent_marks(store, earlier[0]) if earlier and len(marks) < RECENT else []


def _secs(entry: LogEntry) -> float | None:
    secs = entry.details.get("secs")
    if isinstance(secs, int | float):
        return float(secs)
    return None if entry.kind == "checkpoint" else told_secs(entry.metrics.items())


def _schedule(
    run: RunRow,
    total: int,
    marks: Sequence[Mark],
    before: Sequence[Mark],
    metrics: Sequence[MetricRow],
    checkpoints: Sequence[CheckpointRow],
) -> Schedule:
    begun = run.first_step or 0

    def seen(kind: Kind) -> list[list[int | None]]:
        return [[mark.step for mark in each if mark.kind == kind] for each in (marks, before)]

    saves = [each.secs for each in checkpoints if each.secs is not None]
    evaluation = evaluation_secs(metrics)
    return Schedule(
        total,
        evaluation_steps=_every(run.settings, total, "eval", seen("evaluation"), begun),
        save_steps=_every(run.settings, total, "save", seen("checkpoint"), begun),
        evaluation_secs=evaluation,
        save_secs=saves[-1] if saves else None,
        told=evaluation is not None
        or _strategy(run.settings, "eval") is not None
        or any(m.kind == "evaluation" for m in (*marks, *before)),
    )


def _strategy(settings: Mapping[str, Any], what: str) -> Any:
    told = find_setting(settings, f"{what}_strategy")
    # Until transformers 4.46 it was called so.
    return find_setting(settings, "evaluation_strategy") if told is None and what == "eval" else told


def _every(
    settings: Mapping[str, Any], total: int, what: str, seen: Sequence[Sequence[int | None]], begun: int
) -> float | None:
    """Every how many steps a run evaluates ("eval") or saves ("save"): by its settings, else as it was seen to.

    seen: at which steps this run did, and the run before.
    """
    strategy = _strategy(settings, what)
    if strategy == "no":
        return None
    if strategy == "steps":
        steps = positive_number(settings, f"{what}_steps") or positive_number(settings, "logging_steps")
        if steps is not None:
            return _absolute(steps, total)
    epochs = positive_number(settings, "num_train_epochs")
    if strategy == "epoch" and epochs is not None and positive_number(settings, "max_steps") is None:
        return total / epochs
    for places in seen:
        steps_seen = sorted({step for step in places if step is not None})
        gaps = [later - earlier for earlier, later in itertools.pairwise(steps_seen)]
        if gaps:
            return float(min(gaps))
        # The first one alone: every so many steps since the beginning, as far as a run that was not resumed tells.
        if steps_seen and 0 < steps_seen[0] < total and begun * 2 <= steps_seen[0]:
            return float(steps_seen[0])
    return None


def _absolute(steps: float, total: int) -> float:
    """The trainer takes numbers below 1 as a part of the whole."""
    return float(math.ceil(steps * total)) if steps < 1 else steps


def logging_steps(run: RunRow, marks: Sequence[Mark]) -> int | None:
    """Every how many steps a run logs: by its settings, else as it was seen to."""
    said = positive_number(run.settings, "logging_steps")
    if said is not None and (said >= 1 or run.total_steps):
        return int(_absolute(said, run.total_steps or 0))
    steps = [mark.step for mark in marks if mark.kind == "step" and mark.step is not None]
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(steps) if later > earlier)
    return gaps[len(gaps) // 2] if gaps else None
