"""A list of JSON objects that hold numbers alone, as columns: 100,000 entries of a trainer's state in a tenth of the
time that a row each takes. Whatever has a text, a list, an absent number or no step in one of its entries is read row
by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from stepline.importers import limits, names
from stepline.importers.row_columns import ROWS_AT_ONCE, RowColumns, Unsuited
from stepline.importers.values import LARGEST_STEP, NAME_LIMIT, WIDTH_LIMIT
from stepline.kernels.events import Rows
from stepline.recording.plain import text

ENTRIES_FROM = 1_000
_STEP = "step"
_NUMBERS = frozenset((int, float))
_MOST_LAYOUTS = 256
_PLACED = (*names.RANK, *names.CLOCK, *names.ELAPSED)
"""What says a row's process or time: the survey of rows looks at those."""


def columns_of(entries: list[Any], file_time: float) -> EntryColumns | None:
    """None where they are read row by row. `file_time`: the time that all of them bear."""
    columns = EntryColumns(has_times=False, entries=entries, file_time=file_time)
    try:
        columns.look_through()
    except (Unsuited, OverflowError):
        return None
    return columns


@dataclass(slots=True)
class EntryColumns(RowColumns):
    entries: list[Any] = field(default_factory=list)
    file_time: float = 0.0
    _layout_of: dict[tuple[str, ...], int] = field(default_factory=dict)
    _tag_of: dict[str, int] = field(default_factory=dict)
    _made: list[Rows] = field(default_factory=list)

    def look_through(self) -> None:
        """Raises Unsuited, OverflowError."""
        for first in range(0, len(self.entries), ROWS_AT_ONCE):
            rows = self._rows(self.entries[first : first + ROWS_AT_ONCE])
            keys = list(self._layout_of)
            self.see(rows, lambda layout: tuple(self._tag_of[key] for key in keys[layout] if key != _STEP))  # noqa: B023
            self._made.append(rows)
        self.stretches.cut()
        self.entries = []

    def parts(self) -> Iterator[Rows]:
        yield from self._made

    def _rows(self, entries: list[Any]) -> Rows:
        if {*map(type, entries)} != {dict}:
            raise Unsuited
        keys = list(map(tuple, entries))
        for each in dict.fromkeys(keys):
            if each not in self._layout_of:
                self._learn_keys(each)
        count = len(entries)
        rows = Rows(np.full(count, self.file_time), np.zeros(count, np.int64), np.zeros(count, np.int32))
        rows.layout[:] = list(map(self._layout_of.__getitem__, keys))
        held: dict[int, tuple[list[Any], list[Any]]] = {}
        for each, layout in self._layout_of.items():
            places = np.flatnonzero(rows.layout == layout)
            if not len(places):
                continue
            own = entries if len(places) == count else [entries[place] for place in places.tolist()]
            for key in each:
                values = list(map(itemgetter(key), own))
                if not _NUMBERS.issuperset(map(type, values)):
                    raise Unsuited
                numbers = np.array(values, np.float64)
                if key == _STEP:
                    if not ((np.floor(numbers) == numbers) & (np.abs(numbers) <= LARGEST_STEP)).all():
                        raise Unsuited
                    rows.step[places] = numbers.astype(np.int64)
                else:
                    where, found = held.setdefault(self._tag_of[key], ([], []))
                    where.append(places)
                    found.append(numbers)
        for tag, (where, found) in held.items():
            places, values_of = np.concatenate(where), np.concatenate(found)
            order = np.argsort(places, kind="stable") if len(where) > 1 else slice(None)
            rows.tags[tag] = places[order], values_of[order]
        return rows

    def _learn_keys(self, keys: tuple[Any, ...]) -> None:
        if _STEP not in keys or not 1 < len(keys) <= WIDTH_LIMIT or len(self._layout_of) >= _MOST_LAYOUTS:
            raise Unsuited
        for key in keys:
            if key == _STEP or key in self._tag_of:
                continue
            if key != text(key, NAME_LIMIT) or names.chosen(_PLACED, [key]) is not None:
                raise Unsuited
            if len(self._tag_of) >= limits.COLUMNS:
                raise Unsuited
            self._tag_of[key] = self.add_tag(key)
        self._layout_of[keys] = len(self._layout_of)
