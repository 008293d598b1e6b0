"""A parser's rows as runs of records: columns get their names, rows their place, runs their beginning and end.

The step is the source's own, never rewritten. Where a source has none, whole epoch numbers that do not repeat are the
step; where the step counts anew in each epoch it goes on from the epoch before; else training rows are numbered from 1
in each run; each of these is told. A row without a step stands at the step before it. Where a source tells no time,
all its records bear the file's date, which is told too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stepline.importers import names
from stepline.importers.course import Course, Walk, ended
from stepline.importers.imported import ImportedRun, Reading, Row, Status, Value, kept
from stepline.importers.survey import Layout, Survey
from stepline.importers.values import duration_secs, number, wall_time, whole
from stepline.recording.journal import Kind, Record
from stepline.recording.plain import flat_settings

SPLIT = ("split", "mode", "phase", "stage", "subset", "type", "kind", "job", "context.subset")
"""Text columns that may say `train` or `val` of a row whose other columns are named alike for both."""
METRIC = ("metric", "metric_name", "metric.name", "tag", "key", "name")
"""Text columns that name the metric whose number stands in the column `value`."""
_TELLING_APART = frozenset((*SPLIT, "value"))
RECORDS_KEPT = 200_000
"""Records held in memory between looking at a source and taking it in; a longer source is read again, about 1 µs a
value, instead of taking some hundred bytes a record."""
_PLANS_KEPT = 20_000
_SPLIT_WORDS = frozenset({"eval", "val", "valid", "validation", "evaluation", "dev", "test"})
_KEPT_PLAIN = frozenset(map(names.folded, (*names.STEP, *names.EPOCH, *names.CLOCK, *names.TOTAL, *names.RANK)))


@dataclass(slots=True)
class Plan:
    """How rows of one layout become records."""

    kind: Kind
    closing: bool
    has_loss: bool
    pairs: list[tuple[str, str]]
    step: str | None
    epoch: str | None
    clock: str | None
    elapsed: str | None
    rank: str | None


class RowShape:
    """How a source's rows become runs of records. `count`: of records, once `runs` were asked for. `survey`: of all
    rows, where it was made before."""

    def __init__(self, reading: Reading, survey: Survey | None = None) -> None:
        self.reading = reading
        self._source = kept(reading.rows)
        self.survey = survey = survey or self._surveyed()
        self.mapping = names.mapping(survey.counts)
        self.total_steps = reading.total_steps or survey.total_steps
        self.has_times = survey.own_time or bool(survey.clock) or bool(survey.elapsed)
        self.file_time = reading.path.stat().st_mtime if reading.path.exists() else 0.0
        self.told = list(survey.told)
        self._plans: dict[Layout, Plan] = {}
        taken = set(self.mapping.values())
        self._renamed = {
            name: self.mapping.get(name) or (f"{name} (other)" if name in taken else name) for name in survey.columns
        }
        self._kept: list[list[Record]] | None = None
        self._filled: dict[int, int] = {}
        self.count = 0
        self._ranks: list[Value | None] = [None]
        if survey.parted_by_rank:
            self._ranks = sorted(survey.ranks, key=lambda rank: (isinstance(rank, str), rank))
        self._tell()

    def _surveyed(self) -> Survey:
        return Survey.of_rows(self._rows())

    def _rows(self) -> Iterator[Row]:
        return map(told_apart, self._source())

    def _tell(self) -> None:
        survey = self.survey
        if survey.step is None:
            self.told.append(
                f"no step column: the epoch ({survey.epoch!r}) stands for it"
                if survey.epoch_is_step
                else "no step column: training rows are numbered from 1"
            )
        if survey.step_within_epoch:
            self.told.append(f"{survey.step!r} counts anew in each epoch: the step goes on from the epoch before")
        if not self.has_times:
            self.told.append("the source tells no times: every record bears the file's date")
        elif survey.elapsed:
            self.told.append("the source tells elapsed time only: times are reckoned back from the file's date")
        for name, target in self.mapping.items():
            if names.chosen((*names.LOSS, *names.EVAL_LOSS), [name]) is None:
                why = "the fullest column whose name says so" if names.is_loss(name) else "for no column is a loss"
                self.told.append(f"{name!r} stands for {target}, {why}")
        if "loss" not in self.mapping.values():
            self.told.append("no column is known as the training loss; all keep their own names")

    def runs(self) -> list[ImportedRun]:
        self._kept = None
        held: dict[int, list[Record]] | None = {}
        course = Course()
        for part, record in self._records():
            course.see(part, [record])
            self.count += 1
            if held is not None:
                held.setdefault(part, []).append(record)
                if self.count > RECORDS_KEPT:
                    held = None
        filled = sorted(course.extents)
        self._filled = {part: index for index, part in enumerate(filled)}
        self._kept = None if held is None else [held[part] for part in filled]
        return self.runs_of(course, self._kept)

    def runs_of(self, course: Course, held: list[list[Record]] | None = None) -> list[ImportedRun]:
        """The runs whose records `course` has seen."""
        filled = sorted(course.extents)
        return [
            ImportedRun(
                records=self._part_reader(part) if held is None else _reader(held[index]),
                started=course.extents[part].started or self.file_time,
                last_step=course.extents[part].last_step,
                total_steps=self.total_steps,
                settings=self._settings(part),
                status=self._status(
                    course.extents[part].last_step, ended=course.extents[part].at_end, is_last=part == filled[-1]
                ),
                message=self.reading.message if part == filled[-1] else None,
                last_time=course.extents[part].last_time,
            )
            for index, part in enumerate(filled)
        ]

    def stream(self) -> Iterator[tuple[int, Record]]:
        """Every record with its run's index, in the source's order."""
        if self._kept is not None and len(self._kept) == 1:
            return ((0, record) for record in self._kept[0])
        return ((self._filled[part], record) for part, record in self._records())

    def _part_reader(self, part: int) -> Callable[[], Iterator[Record]]:
        return lambda: (record for found, record in self._records() if found == part)

    def _settings(self, part: int) -> dict[str, Any]:
        settings = flat_settings(self.reading.settings)
        if self.survey.parted_by_rank:
            settings["rank"] = self._ranks[part]
        return settings

    def _status(self, step: int | None, *, ended: bool, is_last: bool) -> Status:
        parted = self.survey.parted_by_rank
        if not is_last and not ended and not parted:
            return "stopped"
        if (is_last or parted) and self.reading.finished is not None:
            return self.reading.finished
        if ended or self.total_steps is None or step is None:
            return "completed"
        # Loggers write every logging_steps, so the last row of a whole training may stand just before its last step.
        return "completed" if step >= 0.99 * self.total_steps else "stopped"

    def _records(self) -> Iterator[tuple[int, Record]]:
        """Every record with its run's index, in the source's order; a run's closing record last in the run."""
        course = Course()
        yield from self.go(course, self._rows())
        yield from self.close(course)

    def go(self, course: Course, rows: Iterable[Row]) -> Iterator[tuple[int, Record]]:
        """The records of the next rows."""
        survey = self.survey
        starts = iter([*(start for start in survey.run_starts if start >= course.row), None])
        next_start = next(starts)
        places = {rank: index for index, rank in enumerate(self._ranks)}
        for row in rows:
            if course.row == next_start:
                yield from ended(course.part, course.walk(course.part))
                course.part += 1
                next_start = next(starts)
            course.row += 1
            plan = self._plan(tuple(row.values))
            if survey.parted_by_rank:
                course.part = places.get(row.values[plan.rank], 0) if plan.rank else 0
            walk = course.walk(course.part)
            record = self._record(row, plan, walk)
            if record is None:
                continue
            if record.kind == "train_end":
                walk.close(record)
            else:
                yield course.part, record

    def close(self, course: Course) -> Iterator[tuple[int, Record]]:
        """The closing records that waited for more rows of their runs."""
        for part in sorted(course.walks):
            if part == course.part or self.survey.parted_by_rank:
                yield from ended(part, course.walks[part])

    def decisions(self, row: int) -> tuple[object, ...]:
        """All that the records of the rows before `row` depend on, beside those rows."""
        survey = self.survey
        return (
            self.mapping,
            self._ranks,
            survey.parted_by_rank,
            survey.step,
            survey.epoch,
            survey.clock,
            survey.elapsed,
            survey.step_within_epoch,
            survey.epoch_steps,
            survey.epoch_is_step,
            [start for start in survey.run_starts if start < row],
        )

    def _record(self, row: Row, plan: Plan, walk: Walk) -> Record | None:
        values = row.values
        epoch = row.epoch
        if epoch is None and plan.epoch is not None:
            epoch = number(values[plan.epoch])
            if epoch is None and (part := whole(values[plan.epoch])) is not None:
                epoch = float(part)
        if row.step is not None:
            walk.step = row.step
        elif plan.step is not None and (own := whole(values[plan.step])) is not None:
            walk.step = self._beyond_epoch(own, plan, walk) if self.survey.step_within_epoch else own
        elif self.survey.step is None:
            if self.survey.epoch_is_step:
                walk.step = int(epoch) if epoch is not None and math.isfinite(epoch) else walk.step
            else:
                walk.numbered += plan.has_loss or (not plan.closing and "loss" not in self.mapping.values())
                walk.step = walk.numbered
        if row.time is not None:
            walk.time = row.time
        elif plan.clock is not None:
            walk.time = wall_time(values[plan.clock]) or walk.time
        elif plan.elapsed is not None and (secs := duration_secs(values[plan.elapsed])) is not None:
            walk.time = self.file_time - self.survey.longest_elapsed_secs + secs
        metrics = {target: values[source] for source, target in plan.pairs}
        if not metrics and not row.message and not row.details:
            return None
        time = self.file_time if walk.time is None else walk.time
        if epoch is not None and not math.isfinite(epoch):
            epoch = None
        return Record(row.kind or plan.kind, time, walk.step, epoch, metrics, row.message, row.details or {})

    def _beyond_epoch(self, own: int, plan: Plan, walk: Walk) -> int | None:
        """The step that counts on over the epochs, from one that counts anew in each: by the epoch's length where the
        column says it (`10/250`), else from the highest before. Only training rows count."""
        if not plan.has_loss:
            return walk.step
        if own < walk.highest - walk.base:
            length = self.survey.epoch_steps
            walk.base = walk.base + length if length else walk.highest + (own == 0)
        walk.highest = max(walk.highest, own + walk.base)
        return own + walk.base

    def _plan(self, layout: Layout) -> Plan:
        plan = self._plans.get(layout)
        if plan is None:
            if len(self._plans) > _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[layout] = self.planned(layout)
        return plan

    def planned(self, layout: Layout) -> Plan:
        survey = self.survey
        known = survey.kind_of(layout)
        has_loss = any(self.mapping.get(name) == "loss" for name in layout)
        held_out = known.evaluation or any(self.mapping.get(name) == "eval_loss" for name in layout)
        placed = {survey.step, survey.epoch, survey.clock, survey.elapsed, *known.totals, *names.DROPPED}
        if survey.parted_by_rank:
            placed.add(known.rank)
        return Plan(
            kind="train_end" if known.closing else "evaluation" if held_out and not has_loss else "step",
            closing=known.closing,
            has_loss=has_loss,
            pairs=[
                (name, _bare(name) if known.closing else self._renamed[name])
                for name in layout
                if name not in placed and name in self._renamed
            ],
            step=survey.step if survey.step in layout else None,
            epoch=survey.epoch if survey.epoch in layout else None,
            clock=survey.clock if survey.clock in layout else None,
            elapsed=survey.elapsed if survey.elapsed in layout else None,
            rank=known.rank,
        )


def _reader(records: list[Record]) -> Callable[[], Iterator[Record]]:
    return lambda: iter(records)


def _bare(name: str) -> str:
    """A closing row's column as the trainer names it, without TensorBoard's and wandb's `train/` before it."""
    bare = name.removeprefix("train/")
    return bare if bare in names.CLOSING else name


def told_apart(row: Row) -> Row:
    """`{"split": "val", "loss": 2.1}` as `{"split": "val", "val/loss": 2.1}`, for it is no training loss; and
    `{"metric": "loss", "value": 2.1}` as `{"loss": 2.1}`."""
    values = row.values
    if _TELLING_APART.isdisjoint(values):
        return row
    if values.get("value").__class__ is float:
        for column in METRIC:
            if values.get(column).__class__ is str:
                values = row.values = dict(values)
                values[str(values.pop(column))] = values.pop("value")
                break
    for column in SPLIT:
        word = values.get(column)
        if word.__class__ is str and str(word).strip().casefold() in _SPLIT_WORDS:
            prefix = str(word).strip()
            row.values = {
                name
                if name == column or names.folded(name) in _KEPT_PLAIN or names.is_evaluation(name)
                else f"{prefix}/{name}": value
                for name, value in values.items()
            }
            break
    return row
