"""Rows as columns, with what a survey of them asks: which tags and layouts there are, and where runs may begin.

What comes as columns brings a step for each row and numbers alone; `event_columns` and `entry_columns` give them so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stepline.importers import names
from stepline.importers.values import whole
from stepline.kernels.events import Rows, Stretches
from stepline.kernels.types import CLOSING, EVALUATION, TRAINING

ROWS_AT_ONCE = 1 << 17
"""Two of the store's blocks."""


class Unsuited(Exception):
    """The source has something that is read row by row: texts, the ranks of several processes, tags without number."""


@dataclass(slots=True)
class RowColumns:
    """`tags`, `layouts`: by the numbers that `Rows` gives them. `has_times`: the rows' times are the source's own."""

    has_times: bool = True
    tags: list[str] = field(default_factory=list)
    layouts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """In the order in which they are met first."""
    stretches: Stretches = field(default_factory=Stretches)
    rows: int = 0
    epochs: dict[str, int] = field(default_factory=dict)
    """Finite numbers of each tag that may be the epoch."""
    total_steps: int | None = None
    _groups: dict[tuple[str, ...], int] = field(default_factory=dict)
    _closing: list[int] = field(default_factory=list)
    _epoch_tags: set[int] = field(default_factory=set)
    _total_tags: dict[int, int] = field(default_factory=dict)
    """Tags that may say the total of steps, with their place in the table."""
    _is_known: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1, np.bool_))

    def parts(self) -> Iterator[Rows]:
        """All rows, once they were looked through."""
        raise NotImplementedError

    def add_tag(self, name: str) -> int:
        """Raises Unsuited where it tells processes apart."""
        if names.chosen(names.RANK, [name]) is not None:
            raise Unsuited
        own = len(self.tags)
        self.tags.append(name)
        if names.chosen(names.EPOCH, [name]) is not None:
            self._epoch_tags.add(own)
        for place, line in enumerate(names.TOTAL):
            if names.chosen([line], [name]) is not None:
                self._total_tags.setdefault(own, place)
        return own

    def see(self, rows: Rows, tags_of: Callable[[int], tuple[int, ...]]) -> None:
        """The next rows, whose layouts have the tags that `tags_of` gives."""
        held = np.flatnonzero(np.bincount(rows.layout))
        if len(held) and held[-1] >= len(self._is_known):
            self._is_known = np.append(self._is_known, np.zeros(int(held[-1]) + 1, np.bool_))
        new = held[~self._is_known[held]].tolist()
        for layout in sorted(new, key=lambda each: int(np.argmax(rows.layout == each))):
            self._learn_layout(layout, tuple(self.tags[tag] for tag in tags_of(layout)))
        for tag in self._epoch_tags.intersection(rows.tags):
            places, values = rows.tags[tag]
            counted = np.isfinite(values) & ~np.isin(rows.layout[places], self._closing)
            self.epochs[self.tags[tag]] = self.epochs.get(self.tags[tag], 0) + int(counted.sum())
        self._see_totals(rows)
        self.stretches.see(rows)
        self.rows += len(rows)

    def _learn_layout(self, layout: int, tags: tuple[str, ...]) -> None:
        self._is_known[layout] = True
        self.layouts[layout] = tags
        losses = tuple(sorted(filter(names.is_loss, tags)))
        group = self._groups.setdefault(losses or tags, len(self._groups))
        has_training = any(not names.is_evaluation(name) for name in losses)
        is_evaluation = not has_training and any(map(names.is_evaluation, tags))
        sort = CLOSING if names.is_closing(tags) else EVALUATION if is_evaluation else TRAINING
        self.stretches.set_layout(layout, group, sort)
        if sort == CLOSING:
            self._closing.append(layout)

    def _see_totals(self, rows: Rows) -> None:
        """The last number that says how many steps there will be."""
        found: list[tuple[int, int, int]] = []
        for tag in rows.tags.keys() & self._total_tags.keys():
            places, values = rows.tags[tag]
            for place, value in zip(places[::-1].tolist(), values[::-1].tolist(), strict=True):
                if (total := whole(value)) is not None and total > 0:
                    found.append((place, self._total_tags[tag], total))
                    break
        if found:
            self.total_steps = max(found)[2]
