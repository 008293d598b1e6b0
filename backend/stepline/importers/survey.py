"""One look through a source's rows: which columns it has, which of them say where a row stands, where runs begin.

A row's *class* is the loss columns it has (or all its columns, where it has none): training rows, evaluations and
per-epoch rows each count their steps on their own, so an evaluation that comes in late is no restart. A run begins
where a class's step goes back, and after the trainer's closing row. Where that would make runs of a few rows each,
two processes have written into one file, which is told instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from stepline.importers import limits, names
from stepline.importers.imported import Row, Value
from stepline.importers.row_columns import RowColumns
from stepline.importers.values import duration_secs, number, wall_time, whole, whole_after_slash

SHORTEST_RUN_ROWS = 4
"""Rows a run has on average, below which steps that go back are taken for two writers and not for restarts."""
_LAYOUTS_KEPT = 20_000

Layout = tuple[str, ...]
Group = int | tuple[int, Value]
"""Rows that count their steps together: a number for their loss columns, and the rank where there are several."""


@dataclass(slots=True)
class Places:
    """How one column that may say the step or the epoch behaves."""

    present: int = 0
    read: int = 0
    whole: int = 0
    repeats: int = 0
    total: int | None = None
    back_rows: list[int] = field(default_factory=list)
    epoch_backs: int = 0
    last: dict[Group, float] = field(default_factory=dict)

    def see(self, row: int, group: Group, value: float, epoch_rose: bool) -> None:
        self.read += 1
        self.whole += value.is_integer()
        before = self.last.get(group)
        if before is not None and value < before:
            if len(self.back_rows) < limits.RUNS:
                self.back_rows.append(row)
            self.epoch_backs += epoch_rose
            self.last.clear()
        elif before == value:
            self.repeats += 1
        self.last[group] = value


@dataclass(slots=True)
class Clocks:
    """How one column that may say the time behaves."""

    read: int = 0
    first: float = math.nan
    last: float = -math.inf
    largest: float = -math.inf
    falls: int = 0

    def see(self, value: float) -> None:
        if not self.read:
            self.first = value
        self.read += 1
        self.falls += value < self.last
        self.last = value
        self.largest = max(self.largest, value)


@dataclass(slots=True)
class _Kind:
    """What a layout's columns may be, found once per layout."""

    closing: bool
    group: int
    evaluation: bool
    steps: list[str]
    epochs: list[str]
    clocks: list[str]
    elapsed: list[str]
    totals: list[str]
    rank: str | None


class Survey:
    """What was found in rows that were gone through once.

    `counts`: numbers of each column outside closing rows. `step`, `epoch`, `clock`, `elapsed`: the column that says it,
    or None. `own_step`: the rows bring their steps with them. `run_starts`: rows at which a further run begins.
    `step_within_epoch`: the step counts anew in each epoch.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.counts: dict[str, int] = {}
        self.texts: dict[str, int] = {}
        self.total_steps: int | None = None
        self.own_step = False
        self.own_time = False
        self.told: list[str] = []
        self.ranks: dict[Value, int] = {}
        self.closing_rows = 0
        self._counted: dict[str, int] = {}
        self._columns: dict[str, None] = {}
        self._kinds: dict[Layout, _Kind] = {}
        self._groups: dict[Layout, int] = {}
        self._seen: dict[Layout, int] = {}
        self._steps: dict[str, Places] = {}
        self._epochs: dict[str, Places] = {}
        self._clocks: dict[str, Clocks] = {}
        self._elapsed: dict[str, Clocks] = {}
        self._after_closing: list[int] = []
        self._closed = False
        self._epoch_before = -math.inf

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Survey:
        survey = cls()
        for row in rows:
            survey.see(row)
        survey.decide()
        return survey

    @classmethod
    def of_columns(cls, columns: RowColumns) -> Survey:
        """Of rows that bring their step and time and have neither texts nor ranks."""
        survey = cls()
        survey.own_step, survey.own_time = True, columns.has_times
        survey.rows, survey.total_steps = columns.rows, columns.total_steps
        stretches = columns.stretches.found
        for layout, tags in columns.layouts.items():
            count = sum(stretch.layouts[layout][2] for stretch in stretches if layout in stretch.layouts)
            survey._seen[tags] = survey._seen.get(tags, 0) + count
            survey.closing_rows += count if survey.kind_of(tags).closing else 0
        read = survey.rows - survey.closing_rows
        backs = [stretch.first_row for stretch in stretches if stretch.goes_back][: limits.RUNS]
        survey._steps[""] = Places(survey.rows, read, read, columns.stretches.repeats, None, backs)
        # So that rows can follow that come one by one.
        for group, step in columns.stretches.last_steps(survey._groups.values()).items():
            survey._steps[""].last[group] = step
        survey._closed = columns.stretches.is_closed
        survey._after_closing = [stretch.first_row for stretch in stretches if stretch.after_closing]
        survey._epochs = {name: Places(read=count) for name, count in columns.epochs.items()}
        survey.decide()
        return survey

    def kind_of(self, layout: Layout) -> _Kind:
        kind = self._kinds.get(layout)
        if kind is None:
            if len(self._kinds) >= _LAYOUTS_KEPT:
                self._kinds.clear()
            kind = self._kinds[layout] = self._kind_of(layout)
        return kind

    def _kind_of(self, layout: Layout) -> _Kind:
        folds = {name: names.folded(name) for name in layout}
        losses = tuple(sorted(name for name in folds if names.is_loss(name)))

        def among(table: tuple[str, ...]) -> list[str]:
            lines = {names.folded(line): place for place, line in reversed(list(enumerate(table)))}
            return sorted((name for name, fold in folds.items() if fold in lines), key=lambda name: lines[folds[name]])

        training_loss = any(not names.is_evaluation(name) for name in losses)
        return _Kind(
            closing=names.is_closing(layout),
            group=self._groups.setdefault(losses or layout, len(self._groups)),
            evaluation=not training_loss and any(names.is_evaluation(name) for name in layout),
            steps=among(names.STEP),
            epochs=among(names.EPOCH),
            clocks=among(names.CLOCK),
            elapsed=among(names.ELAPSED),
            totals=among(names.TOTAL),
            rank=next(iter(among(names.RANK)), None),
        )

    def see(self, row: Row) -> None:
        """The next row."""
        self._see(row)
        self.rows += 1

    def _see(self, row: Row) -> None:
        values = row.values
        layout = tuple(values)
        if layout not in self._seen and len(self._seen) >= _LAYOUTS_KEPT:
            self._count_layouts()
        self._seen[layout] = self._seen.get(layout, 0) + 1
        if str in {*map(type, values.values())}:
            for name, value in values.items():
                if value.__class__ is str:
                    self.texts[name] = self.texts.get(name, 0) + 1
        kind = self._kinds.get(layout) or self.kind_of(layout)
        rank = values[kind.rank] if kind.rank else None
        if rank is not None and (rank in self.ranks or len(self.ranks) < 1024):
            self.ranks[rank] = self.ranks.get(rank, 0) + 1
        if kind.closing:
            self._closed = True
            self.closing_rows += 1
        elif self._closed and not kind.evaluation:
            self._closed = False
            self._after_closing.append(self.rows)
        epoch_rose = self._see_epoch(row, kind, rank)
        self._see_step(row, kind, rank, epoch_rose)
        for name in kind.totals:
            if (total := whole(values[name])) is not None and total > 0:
                self.total_steps = total
        if row.time is not None:
            self.own_time = True
            return
        for name in kind.clocks:
            if (time := wall_time(values[name])) is not None:
                self._clocks.setdefault(name, Clocks()).see(time)
        for name in kind.elapsed:
            if (secs := duration_secs(values[name])) is not None:
                self._elapsed.setdefault(name, Clocks()).see(secs)

    def _see_epoch(self, row: Row, kind: _Kind, rank: Value | None) -> bool:
        rose = False
        for name in kind.epochs:
            places = self._epochs.get(name) or self._epochs.setdefault(name, Places())
            places.present += 1
            given = row.values[name]
            value = given if given.__class__ is float else number(given)
            if value is None:
                found = whole(given)
                value = None if found is None else float(found)
            if value is None or not math.isfinite(value):
                continue
            if name == kind.epochs[0]:
                rose = value > self._epoch_before
                self._epoch_before = value
            if not kind.closing:
                places.see(self.rows, kind.group if rank is None else (kind.group, rank), value, False)
        return rose

    def _see_step(self, row: Row, kind: _Kind, rank: Value | None, epoch_rose: bool) -> None:
        if row.step is not None:
            self.own_step = True
            places = self._steps.get("") or self._steps.setdefault("", Places())
            places.present += 1
            if not kind.closing:
                places.see(self.rows, kind.group if rank is None else (kind.group, rank), float(row.step), False)
            return
        for name in kind.steps:
            places = self._steps.get(name) or self._steps.setdefault(name, Places())
            places.present += 1
            given = row.values[name]
            step = whole(given)
            if step is None:
                continue
            if given.__class__ is str and (total := whole_after_slash(given)) is not None:
                # An evaluation counts its own batches, which are fewer.
                places.total = max(total, places.total or 0)
            if kind.closing:
                places.read += 1
                places.whole += 1
            else:
                places.see(self.rows, kind.group if rank is None else (kind.group, rank), float(step), epoch_rose)

    def _count_layouts(self) -> None:
        for layout, count in self._seen.items():
            closing = self.kind_of(layout).closing
            for name in layout:
                if name not in self._columns and len(self._columns) >= limits.COLUMNS:
                    continue
                self._columns[name] = None
                if not closing:
                    self._counted[name] = self._counted.get(name, 0) + count
        self._seen.clear()

    def decide(self) -> None:
        """Say what was found in the rows so far; more may follow."""
        self._count_layouts()
        self.told = []
        self.columns = list(self._columns)
        self.counts = {name: count - self.texts.get(name, 0) for name, count in self._counted.items()}
        self.step = "" if self.own_step else self._step_column()
        self.epoch = self._first(names.EPOCH, {name: each.read for name, each in self._epochs.items()})
        self.clock = self._first(names.CLOCK, {name: each.read for name, each in self._clocks.items()})
        steady = {name: each.read for name, each in self._elapsed.items() if _is_elapsed(each, self.rows)}
        self.elapsed = None if self.own_time or self.clock else self._first(names.ELAPSED, steady)
        self.longest_elapsed_secs = self._elapsed[self.elapsed].largest if self.elapsed else 0.0
        if self.own_time:
            self.clock = None
        places = self._steps.get(self.step) if self.step is not None else None
        if places is None and self.epoch is not None:
            places = self._epochs[self.epoch]
        self.step_within_epoch = bool(
            self.step and places and places.back_rows and places.epoch_backs >= len(places.back_rows)
        )
        self.epoch_is_step = bool(
            self.step is None
            and self.epoch is not None
            and places
            and places.read
            and places.whole == places.read
            and not places.repeats
        )
        if places and places.total is not None and not self.step_within_epoch and self.total_steps is None:
            self.total_steps = places.total
        self.epoch_steps = places.total if places and self.step_within_epoch else None
        self.places = {self.step, self.epoch, self.clock, self.elapsed, *names.DROPPED}
        self._decide_runs(places)

    def _decide_runs(self, places: Places | None) -> None:
        parted = [count for count in self.ranks.values() if count >= 0.05 * self.rows]
        self.parted_by_rank = 2 <= len(parted) <= 64
        backs = [] if places is None or self.step_within_epoch else places.back_rows
        if backs and self.rows < SHORTEST_RUN_ROWS * (len(backs) + 1) and len(backs) > 2:
            self.told.append(
                f"the step goes back {len(backs):,} times in {self.rows:,} rows: several processes seem to have "
                "written here; their rows are kept in the file's order as one run"
            )
            backs = []
        if self.parted_by_rank:
            self.told.append(f"{len(self.ranks)} processes wrote here, told apart by their rank: a run each")
            backs = []
        elif places and places.read > 8 and places.repeats > 0.4 * places.read and self.step is not None:
            self.told.append(
                f"{places.repeats:,} of {places.read:,} rows repeat the step before them: several processes may have "
                "written here without saying their rank"
            )
        self.run_starts = sorted({row for row in (*backs, *self._after_closing) if row})
        if self.parted_by_rank:
            self.run_starts = []

    def _step_column(self) -> str | None:
        return self._first(
            names.STEP, {name: each.read for name, each in self._steps.items() if each.read * 10 >= each.present * 9}
        )

    def _first(self, table: tuple[str, ...], read: dict[str, int]) -> str | None:
        """The table's choice among the columns that hold at least half of what the fullest of them holds."""
        most = max(read.values(), default=0)
        return names.chosen(table, [name for name, count in read.items() if count and count * 2 >= most])


def _is_elapsed(clocks: Clocks, rows: int) -> bool:
    """Time since the start never falls but at a restart; a time per step goes up and down."""
    return clocks.read > 0 and clocks.falls * SHORTEST_RUN_ROWS < max(1, clocks.read) and clocks.largest > clocks.first
