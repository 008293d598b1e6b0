"""Several sources of one training as one task: an older checkpoint's state, TensorBoard's and the trainer's own log.

The fullest source leads: a trainer's state, then event files, then logs, and of two states the newer. A record of
another source is *covered* where the leading one has the same loss at the same step. Covered records only lend their
times; what goes on beyond the leading source's last step is put after it; what differs at steps that it has too is
the superseded tail of an earlier run, a run of its own before the leading one, with all that went on from there.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import replace

from stepline.importers import event_file, trainer_state
from stepline.importers.imported import ImportedRun, ImportedTask
from stepline.importers.row_shape import RECORDS_KEPT
from stepline.recording.journal import Record

LEAST_IN_COMMON = 3
LEAST_SHARE = 0.05
"""Of the shorter source's losses, how many the other must have to be of the same training."""
_ROUNDED = 6e-5
"""LLaMA-Factory and the trainer's console round to four decimals; newer consoles to four digits, 5e-4 of the value."""
_APART = {trainer_state.FORMAT: 0.0, event_file.FORMAT: 1e-6}
"""Of the value, how far a source's numbers lie from the trainer's own: a state has them to the bit, event files as
float32. Two trainings begin so alike that rounded losses of different ones were taken for the same."""

Losses = dict[int, list[float]]


def rank_of(task: ImportedTask) -> tuple[int, int]:
    """Which source leads: higher first."""
    formats = {trainer_state.FORMAT: 3, event_file.FORMAT: 2}
    return formats.get(task.format, 1), max((run.last_step or 0 for run in task.runs), default=0)


def is_same(one: ImportedTask, other: ImportedTask) -> bool:
    """Whether both tell of one training: enough of the shorter one's losses stand in the other at the same step."""
    first, second = losses_of(one), losses_of(other)
    if not first or not second:
        return False
    if len(second) < len(first):
        first, second = second, first
    apart = _apart(one, other)
    common = sum(_holds(second, step, value, apart) for step, values in first.items() for value in values[:1] if value)
    return common >= min(LEAST_IN_COMMON, len(first)) and common >= LEAST_SHARE * len(first)


def losses_of(task: ImportedTask) -> Losses:
    found: Losses = {}
    for count, (_, record) in enumerate(task.records()):
        if count > RECORDS_KEPT:
            return {}
        loss = record.metrics.get("loss")
        if isinstance(loss, float) and record.step is not None:
            found.setdefault(record.step, []).append(loss)
    return found


def joined(leading: ImportedTask, others: Iterable[ImportedTask]) -> ImportedTask:
    """One task of all."""
    runs = [list(run.records()) for run in leading.runs]
    known = [replace(run) for run in leading.runs]
    has_times = leading.has_times
    told, left_out, paths = list(leading.told), list(leading.left_out), list(leading.paths)
    before: list[tuple[ImportedRun, list[Record]]] = []
    left_out_count = leading.left_out_count
    for other in others:
        for run in other.runs:
            records = list(run.records())
            own = [record for each in runs for record in each]
            covered, tail, beyond = _parted(records, own, known[-1].last_step, _apart(leading, other))
            if other.has_times and not has_times and covered:
                for each in runs:
                    _lend_times(each, covered)
                has_times = True
            if not covered:
                _add(before, run, records, _apart(other, other))
                continue
            if beyond:
                runs[-1] = _with_end_last([*runs[-1], *beyond])
                known[-1].last_step = max(record.step or 0 for record in beyond)
                known[-1].status = run.status
            _add(before, replace(run, superseded=True, status="stopped", message=None), tail, _apart(other, other))
        left_out += other.left_out
        left_out_count += other.left_out_count
        paths += other.paths
        for sentence in other.told:
            if "no times" not in sentence and sentence not in told:
                told.append(sentence)
    if has_times:
        told = [sentence for sentence in told if "tells no times" not in sentence]
    before.sort(key=lambda each: (each[0].started, each[1][0].step or 0))
    found = [_run(run, records) for run, records in [*before, *zip(known, runs, strict=True)] if records]
    if any(run.superseded for run in found):
        told.append(f"{sum(run.superseded for run in found)} superseded tails of earlier runs are kept as runs")
    return replace(
        leading,
        runs=found,
        told=told,
        left_out=left_out,
        left_out_count=left_out_count,
        paths=paths,
        has_times=has_times,
        stream=None,
        parts=None,
        reading=None,
    )


def _add(
    before: list[tuple[ImportedRun, list[Record]]], run: ImportedRun, records: list[Record], apart: float | None
) -> None:
    """`records` as a run before the leading source's, but for what is there: several checkpoints of an earlier training
    each tell of it."""
    for index, (known, there) in enumerate(before):
        covered, tail, beyond = _parted(records, there, known.last_step, apart)
        if covered:
            if beyond:
                before[index] = known, _with_end_last([*there, *beyond])
                known.last_step = max(record.step or 0 for record in beyond)
            records = tail
    if any("loss" in record.metrics for record in records):
        before.append((replace(run), records))


def with_marks(task: ImportedTask, marks: list[Record]) -> ImportedTask:
    """`marks` (checkpoints, by step) put into the newest run that came so far, each after the records of its step.
    Where the source tells no times they bear its date too: a folder's own date is the copy's, and made years of a
    training that took hours."""
    if not marks:
        return task
    held = [list(run.records()) for run in task.runs]
    for mark in sorted(marks, key=lambda mark: mark.step or 0, reverse=True):
        reached = (index for index, run in enumerate(task.runs) if (run.last_step or 0) >= (mark.step or 0))
        records = held[max(reached, default=len(held) - 1)]
        steps = [record.step if record.step is not None else -1 for record in records]
        end = len(records) - (bool(records) and records[-1].kind == "train_end")
        place = min(bisect.bisect_right(steps, mark.step or 0), end)
        if not task.has_times and records:
            mark = replace(mark, time=records[0].time)
        records.insert(place, mark)
    runs = [_run(run, records) for run, records in zip(task.runs, held, strict=True)]
    return replace(task, runs=runs, stream=None, parts=None, reading=None)


def _run(run: ImportedRun, records: list[Record]) -> ImportedRun:
    return replace(run, records=lambda: iter(records), started=min((r.time for r in records), default=run.started))


def _parted(
    records: list[Record], leading: list[Record], last_step: int | None, apart: float | None
) -> tuple[list[Record], list[Record], list[Record]]:
    """(covered, superseded tail, beyond the leading source's last step)."""
    known: dict[str, Losses] = {"loss": {}, "eval_loss": {}}
    steps = set()
    for record in leading:
        steps.add(record.step)
        for name, found in known.items():
            value = record.metrics.get(name)
            if isinstance(value, float) and record.step is not None:
                found.setdefault(record.step, []).append(value)
    covered: list[Record] = []
    rest: list[Record] = []
    is_other = False
    for record in records:
        name = "loss" if "loss" in record.metrics else "eval_loss"
        value = record.metrics.get(name)
        if not isinstance(value, float) or record.step is None:
            (covered if record.step in steps or record.kind == "train_end" else rest).append(record)
        elif _holds(known[name], record.step, value, apart):
            covered.append(record)
        else:
            rest.append(record)
            is_other = is_other or record.step in known[name]
    if not any("loss" in record.metrics or "eval_loss" in record.metrics for record in covered):
        covered = []
    if is_other:
        # What follows a loss that differs goes on from there, and not from where the leading source ended.
        return covered, rest, []
    beyond = [record for record in rest if _is_beyond(record, last_step)]
    return covered, [record for record in rest if not _is_beyond(record, last_step)], beyond


def _is_beyond(record: Record, last_step: int | None) -> bool:
    return record.step is not None and (last_step is None or record.step > last_step)


def _apart(one: ImportedTask, other: ImportedTask) -> float | None:
    """How far two sources' numbers of one training may lie apart, of the value; None: one of them is rounded."""
    found = _APART.get(one.format), _APART.get(other.format)
    return None if None in found else max(each for each in found if each is not None)


def _holds(losses: Losses, step: int, value: float, apart: float | None) -> bool:
    return any(_close(each, value, apart) for each in losses.get(step, ()))


def _close(one: float, other: float, apart: float | None) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    largest, distance = max(abs(one), abs(other)), abs(one - other)
    if one == other or apart is not None:
        return one == other or distance <= (apart or 0.0) * largest
    return distance <= 5e-4 * largest or (distance <= _ROUNDED and largest > 0.01)


def _lend_times(records: list[Record], covered: list[Record]) -> None:
    """Give each record the time of the other source's newest record up to its step."""
    times = sorted((record.step, record.time) for record in covered if record.step is not None)
    if not times:
        return
    steps = [step for step, _ in times]
    for record in records:
        place = bisect.bisect_right(steps, record.step or 0) - 1
        record.time = times[max(place, 0)][1]


def _with_end_last(records: list[Record]) -> list[Record]:
    ends = [record for record in records if record.kind == "train_end"]
    return [record for record in records if record.kind != "train_end"] + ends[-1:]
