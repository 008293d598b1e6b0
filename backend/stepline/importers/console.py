"""Text logs that print a training's figures: what the trainer, nanoGPT, llm.c, DeepSpeed, Keras and others print.

A small set of patterns, each with its test; `console_patterns` holds them. A progress bar with a count says the step of
the dictionary printed beside it. What a line says stays under the line's own names. Lines without figures are no
rows; lines with figures that were not understood are counted and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers import console_patterns as patterns
from stepline.importers.console_tables import PrintedTables
from stepline.importers.imported import Reading, Remarks, Row, Value, kept, rows_of
from stepline.importers.lines import lines
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.values import wall_time

FORMAT = "text_log"

_STAMP = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?|\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)(?:Z|[+-]\d\d:?\d\d)?"
)
_RANK = re.compile(r"^\s*(?:\[?(?:default|rank) ?(\d{1,5})\]?:|\[rank ?(\d{1,5})\])", re.IGNORECASE)
_STAMP_WITHIN_CHARS = 80


def read(path: Path) -> Reading:
    """The log's rows. Raises ImportFailed where no line is understood."""
    remarks = Remarks()
    first = ConsoleParser(remarks)
    parsers = [first]
    rows = kept(lambda: rows_of(parsers.pop() if parsers else ConsoleParser(remarks), Opened(path)))
    if not sum(1 for _ in rows()):
        raise ImportFailed(
            f"{path} holds no training history",
            why="No line of it prints a loss or a step in a form that is known",
            action="See docs/importing.md for the forms; a table or JSON lines are always understood",
        )
    told = []
    if first.unread:
        told.append(f"{first.unread:,} lines with a loss in them were not understood")
    if first.bar_step is not None and first.bar_total:
        told.append("steps are read from the progress bar beside each line")
    return Reading(
        FORMAT,
        path,
        name_for(path),
        rows,
        remarks=remarks,
        told=told,
        total_steps=first.total_steps,
        files=(path,),
    )


def understood(sample: list[str]) -> int:
    """How many of these lines are rows."""
    tables = PrintedTables()
    return sum(1 for words in sample if tables.rows(words) is not None or patterns.figures(words) is not None)


class ConsoleParser:
    """Of lines that print figures."""

    settings: dict[str, Any]
    form = ""

    def __init__(self, remarks: Remarks) -> None:
        self.settings = {}
        self.unread = 0
        self.bar_step: int | None = None
        self.bar_total = 0
        self._remarks = remarks
        self._line = 0
        self._tables = PrintedTables()
        self._epoch: float | None = None
        self._time: float | None = None
        self._step: float | None = None
        self._bar_counts = False
        self._bar_shown: tuple[float | None, int] | None = None
        self._waiting: Row | None = None
        self._block: Row | None = None

    @property
    def total_steps(self) -> int | None:
        return self.bar_total or None

    def feed(self, opened: Opened) -> Iterator[Row]:
        for place, words in lines(opened, self._remarks, self._line + 1):
            self._line = place
            yield from self._of_line(words)

    def rest(self) -> Iterator[Row]:
        yield from self._of_block()
        if self._waiting is not None:
            yield self._placed()

    def _of_line(self, words: str) -> Iterator[Row]:
        if self._block is not None:
            if below := patterns.figure_below(words):
                self._block.values[below[0]] = below[1]
                return
            yield from self._of_block()
        if stamp := _STAMP.search(words[:_STAMP_WITHIN_CHARS]):
            self._time = wall_time(stamp[0]) or self._time
        if (of_table := self._tables.rows(words)) is not None:
            for row in of_table:
                row.time = self._time
                yield row
            return
        if bar := patterns.progress(words):
            yield from self._on_bar(bar)
            return
        if (epoch := patterns.epoch_heading(words)) is not None:
            self._epoch = epoch
            return
        if heading := patterns.step_heading(words):
            self._step, total = heading
            self.bar_total = max(self.bar_total, total)
            self._block = Row({"step": self._step}, time=self._time)
            return
        found = patterns.figures(words)
        if found is None:
            self.unread += patterns.looks_like_figures(words)
            return
        values, is_dictionary = found
        if rank := _RANK.match(words):
            values["rank"] = float(rank[1] or rank[2])
        row = Row(values, time=self._time)
        if self._epoch is not None and not any(name in values for name in ("epoch", "step", "iter")):
            row.values["epoch"] = self._epoch
        if self._step is not None and not any(name in values for name in ("step", "iter", "global_step")):
            row.values["step"] = self._step
        if self._waiting is not None:
            yield self._placed()
        if is_dictionary and "step" not in values and "global_step" not in values:
            # The bar is drawn anew right after the line, with the step at which it was printed.
            self._waiting = row
        else:
            yield row

    def _of_block(self) -> Iterator[Row]:
        """The figures below a heading, once another line comes."""
        block, self._block = self._block, None
        if block is not None and len(block.values) > 1:
            yield block

    def _on_bar(self, bar: patterns.Bar) -> Iterator[Row]:
        if bar.epoch is not None:
            self._epoch = bar.epoch
        if bar.values:
            if self._bar_shown != (self._epoch, bar.step):
                self._bar_shown = (self._epoch, bar.step)
                yield Row(self._with_place(bar), time=self._time)
            return
        if bar.is_within_epoch:
            return
        if bar.total >= self.bar_total:
            # The training's bar is the longest; an evaluation's bar within it is shorter.
            self.bar_total, self.bar_step = bar.total, bar.step
            if self._waiting is not None:
                yield self._placed()

    def _with_place(self, bar: patterns.Bar) -> dict[str, Value]:
        """A bar's figures at their step; those at an epoch's end, all that is taken of Keras, at their epoch."""
        if self._epoch is None:
            return {"step": float(bar.step), **bar.values}
        self._bar_counts = self._bar_counts or bar.step < bar.total
        if not self._bar_counts:
            return {"epoch": self._epoch, **bar.values}
        return {"epoch": self._epoch, "step": f"{bar.step}/{bar.total}", **bar.values}

    def _placed(self) -> Row:
        row, self._waiting = self._waiting, None
        assert row is not None
        if self.bar_step is not None:
            row.values["step"] = float(self.bar_step)
        return row
