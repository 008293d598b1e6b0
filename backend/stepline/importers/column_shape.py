"""Rows that a format gives as columns, as runs of records: to the outcome of `row_shape`, without an object a row."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stepline.importers.columns import cut
from stepline.importers.course import Course, Walk
from stepline.importers.imported import ImportedRun, Piece, Reading, Row, single
from stepline.importers.row_columns import RowColumns
from stepline.importers.row_shape import RowShape
from stepline.importers.survey import Survey
from stepline.kernels.ahead import read_ahead
from stepline.kernels.events import Rows
from stepline.recording.journal import Record
from stepline.store import KIND_CODES, RecordColumns, Values


class ColumnShape(RowShape):
    def __init__(self, reading: Reading, columns: RowColumns, survey: Survey | None = None) -> None:
        self._columns = columns
        super().__init__(reading, survey)
        self._plan_of = {layout: self._plan(tags) for layout, tags in columns.layouts.items()}
        size = max(self._plan_of, default=0) + 1
        self._closing: NDArray[np.bool_] = np.zeros(size, np.bool_)
        self._taken: NDArray[np.bool_] = np.zeros(size, np.bool_)
        self._kind: NDArray[np.uint8] = np.zeros(size, np.uint8)
        self._member: NDArray[np.int64] = np.full(size, -1)
        self._sets: list[tuple[str, ...]] = []
        self._target: dict[int, str] = {}
        tags = {name: tag for tag, name in enumerate(columns.tags)}
        for layout, plan in self._plan_of.items():
            self._closing[layout] = plan.closing and bool(plan.pairs)
            self._taken[layout] = not plan.closing and bool(plan.pairs)
            self._kind[layout] = KIND_CODES[plan.kind]
            if self._taken[layout]:
                targets = tuple(target for _, target in plan.pairs)
                if targets not in self._sets:
                    self._sets.append(targets)
                self._member[layout] = self._sets.index(targets)
                self._target.update({tags[source]: target for source, target in plan.pairs})
        self._epoch = None if self.survey.epoch is None else tags[self.survey.epoch]

    def _surveyed(self) -> Survey:
        return Survey.of_columns(self._columns)

    def runs(self) -> list[ImportedRun]:
        starts = [0, *self.survey.run_starts]
        of_parts: dict[int, list[tuple[int, float, int, int]]] = {}
        for stretch in self._columns.stretches.found:
            part = bisect.bisect_right(starts, stretch.first_row) - 1
            held = [(layout, *rest) for layout, rest in stretch.layouts.items() if self._counts(layout)]
            if held:
                of_parts.setdefault(part, []).extend(held)
        self._filled = {part: index for index, part in enumerate(of_parts)}
        return [self._run(part, held, is_last=part == max(of_parts)) for part, held in of_parts.items()]

    def _counts(self, layout: int) -> bool:
        return bool(self._taken[layout] or self._closing[layout])

    def _run(self, part: int, held: list[tuple[int, float, int, int]], *, is_last: bool) -> ImportedRun:
        """`held`: (layout, first time, last step, rows)."""
        ended_itself = any(self._closing[layout] for layout, *_ in held)
        self.count += sum(rows for layout, _, _, rows in held if self._taken[layout]) + ended_itself
        last_step = max(step for _, _, step, _ in held)
        return ImportedRun(
            records=self._part_reader(part),
            started=min(time for _, time, _, _ in held) or self.file_time,
            last_step=last_step,
            total_steps=self.total_steps,
            settings=self._settings(part),
            status=self._status(last_step, ended=ended_itself, is_last=is_last),
            message=self.reading.message if is_last else None,
        )

    def pieces(self) -> Iterator[tuple[int, Piece]]:
        """Every record, in pieces, with its run's index. They are made in a thread while the ones before are used."""
        return read_ahead((self._filled[part], piece) for part, piece in self._pieces())

    def _records(self) -> Iterator[tuple[int, Record]]:
        return single(self._pieces())

    def _pieces(self) -> Iterator[tuple[int, Piece]]:
        course = Course()
        yield from self.go_through(course)
        for part, record in self.close(course):
            yield part, [record]

    def go_through(self, course: Course) -> Iterator[tuple[int, Piece]]:
        """As `go`, for all rows that come as columns."""
        starts = iter([*self.survey.run_starts, math.inf])
        next_start = next(starts)
        for rows in self._columns.parts():
            taken = self._taken[rows.layout]
            # Of each row its place among those that are taken.
            places = np.concatenate([[0], np.cumsum(taken)])
            columns = self._of_rows(rows, taken)
            begin = 0
            while begin < len(rows):
                if course.row + begin == next_start:
                    for part, record in self.close(course):
                        yield part, [record]
                    course.part, next_start = course.part + 1, next(starts)
                end = int(min(len(rows), next_start - course.row))
                walk = course.walk(course.part)
                for place in np.flatnonzero(self._closing[rows.layout[begin:end]]).tolist():
                    self._keep_closing(rows, begin + place, walk)
                if places[begin] < places[end]:
                    yield course.part, cut(columns, int(places[begin]), int(places[end]))
                begin = end
            course.row += len(rows)

    def _of_rows(self, rows: Rows, taken: NDArray[np.bool_]) -> RecordColumns:
        """The rows that are taken."""
        epoch = np.full(len(rows), np.nan)
        if self._epoch in rows.tags:
            places, values = rows.tags[self._epoch]
            epoch[places] = np.where(np.isfinite(values), values, np.nan)
        time, step, layout = rows.time, rows.step, rows.layout
        moved: NDArray[np.int64] | None = None
        if not taken.all():
            moved = np.cumsum(taken) - 1
            time, step, layout, epoch = time[taken], step[taken], layout[taken], epoch[taken]
        metrics: dict[str, Values] = {}
        for tag, target in self._target.items():
            if tag not in rows.tags:
                continue
            places, values = rows.tags[tag]
            if moved is not None:
                kept = taken[places]
                places, values = moved[places[kept]], values[kept]
            if len(places):
                metrics[target] = Values(None if len(places) == len(time) else places, values)
        sets = (self._sets, self._member[layout])
        return RecordColumns(time, step, epoch, metrics, self._kind[layout], sets=sets)

    def _keep_closing(self, rows: Rows, place: int, walk: Walk) -> None:
        """Put a closing row to those of its run before."""
        plan = self._plan_of[int(rows.layout[place])]
        values: dict[str, float] = {}
        for tag, (places, numbers) in rows.tags.items():
            at = int(np.searchsorted(places, place))
            if at < len(places) and places[at] == place:
                values[self._columns.tags[tag]] = float(numbers[at])
        ordered = {name: values[name] for name in self._columns.layouts[int(rows.layout[place])]}
        row = Row(dict(ordered), step=int(rows.step[place]), time=float(rows.time[place]))
        record = self._record(row, plan, walk)
        if record is not None:
            walk.close(record)
