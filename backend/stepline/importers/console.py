"""Text logs that print a training's figures: what the trainer, nanoGPT, llm.c, DeepSpeed, Keras and others print.

A small set of patterns, each with its test; `console_patterns` holds them. A progress bar with a count says the step of
the dictionary printed beside it. What a line says stays under the line's own names. Lines without figures are no
rows; lines with figures that were not understood are counted and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stepline.errors import ImportFailed
from stepline.importers import console_patterns as patterns
from stepline.importers.console_tables import PrintedTables
from stepline.importers.imported import Reading, Remarks, Row, Value, kept
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


@dataclass(slots=True)
class _State:
    """What lines before have said."""

    epoch: float | None = None
    time: float | None = None
    bar_step: int | None = None
    bar_total: int = 0
    bar_counts: bool = False
    bar_shown: tuple[float | None, int] | None = None
    waiting: Row | None = None
    step: float | None = None
    unread: int = 0
    tables: PrintedTables = field(default_factory=PrintedTables)
    settings: dict[str, Value] = field(default_factory=dict)


def read(path: Path) -> Reading:
    """The log's rows. Raises ImportFailed where no line is understood."""
    remarks = Remarks()
    state = _State()
    states = [state]
    rows = kept(lambda: _rows(path, remarks, states.pop() if states else _State()))
    if not sum(1 for _ in rows()):
        raise ImportFailed(
            f"{path} holds no training history",
            why="No line of it prints a loss or a step in a form that is known",
            action="See docs/importing.md for the forms; a table or JSON lines are always understood",
        )
    told = []
    if state.unread:
        told.append(f"{state.unread:,} lines with a loss in them were not understood")
    if state.bar_step is not None and state.bar_total:
        told.append("steps are read from the progress bar beside each line")
    return Reading(
        FORMAT,
        path,
        name_for(path),
        rows,
        remarks=remarks,
        told=told,
        total_steps=state.bar_total or None,
    )


def understood(sample: list[str]) -> int:
    """How many of these lines are rows."""
    tables = PrintedTables()
    return sum(1 for words in sample if tables.rows(words) is not None or patterns.figures(words) is not None)


def _rows(path: Path, remarks: Remarks, state: _State) -> Iterator[Row]:
    with Opened(path) as opened:
        for _, words in lines(opened, remarks):
            if stamp := _STAMP.search(words[:_STAMP_WITHIN_CHARS]):
                state.time = wall_time(stamp[0]) or state.time
            if (of_table := state.tables.rows(words)) is not None:
                for row in of_table:
                    row.time = state.time
                    yield row
                continue
            if bar := patterns.progress(words):
                yield from _on_bar(bar, words, state)
                continue
            if (epoch := patterns.epoch_heading(words)) is not None:
                state.epoch = epoch
                continue
            if heading := patterns.step_heading(words):
                state.step, total = heading
                state.bar_total = max(state.bar_total, total)
                continue
            found = patterns.figures(words)
            if found is None:
                state.unread += patterns.looks_like_figures(words)
                continue
            values, is_dictionary = found
            if rank := _RANK.match(words):
                values["rank"] = float(rank[1] or rank[2])
            row = Row(values, time=state.time)
            if state.epoch is not None and not any(name in values for name in ("epoch", "step", "iter")):
                row.values["epoch"] = state.epoch
            if state.step is not None and not any(name in values for name in ("step", "iter", "global_step")):
                row.values["step"] = state.step
            if state.waiting is not None:
                yield _placed(state)
            if is_dictionary and "step" not in values and "global_step" not in values:
                # The bar is drawn anew right after the line, with the step at which it was printed.
                state.waiting = row
            else:
                yield row
    if state.waiting is not None:
        yield _placed(state)


def _on_bar(bar: patterns.Bar, words: str, state: _State) -> Iterator[Row]:
    if bar.epoch is not None:
        state.epoch = bar.epoch
    if bar.values:
        if state.bar_shown != (state.epoch, bar.step):
            state.bar_shown = (state.epoch, bar.step)
            yield Row(_with_place(bar, state), time=state.time)
        return
    if bar.is_within_epoch:
        return
    if bar.total >= state.bar_total:
        # The training's bar is the longest; an evaluation's bar within it is shorter.
        state.bar_total, state.bar_step = bar.total, bar.step
        if state.waiting is not None:
            yield _placed(state)


def _with_place(bar: patterns.Bar, state: _State) -> dict[str, Value]:
    """A bar's figures at their step; those at an epoch's end, which is all that is taken of Keras, at their epoch."""
    if state.epoch is None:
        return {"step": float(bar.step), **bar.values}
    state.bar_counts = state.bar_counts or bar.step < bar.total
    if not state.bar_counts:
        return {"epoch": state.epoch, **bar.values}
    return {"epoch": state.epoch, "step": f"{bar.step}/{bar.total}", **bar.values}


def _placed(state: _State) -> Row:
    row = state.waiting
    assert row is not None
    state.waiting = None
    if state.bar_step is not None:
        row.values["step"] = float(state.bar_step)
    return row
