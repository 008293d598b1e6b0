"""How far a source's rows are made records, and what each run spans so far. It can be copied and gone on with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stepline.importers.imported import Piece
from stepline.recording.journal import Record
from stepline.store import RecordColumns


@dataclass(slots=True)
class Walk:
    """Where the reading of one run stands."""

    step: int | None = None
    numbered: int = 0
    base: int = 0
    highest: int = -1
    time: float | None = None
    closing: Record | None = None

    def close(self, record: Record) -> None:
        """Keep a closing row, put together with those before."""
        if self.closing is not None:
            record = replace(record, metrics={**self.closing.metrics, **record.metrics})
        self.closing = record


@dataclass(slots=True)
class Extent:
    """What the records of a run span."""

    started: float
    last_time: float
    last_step: int | None = None
    at_end: bool = False

    def see(self, record: Record) -> None:
        self.started = min(self.started, record.time)
        self.last_time = max(self.last_time, record.time)
        self._see_step(record.step)
        self.at_end = self.at_end or record.kind == "train_end"

    def see_columns(self, records: RecordColumns) -> None:
        self.started = min(self.started, float(records.time.min()))
        self.last_time = max(self.last_time, float(records.time.max()))
        self._see_step(None if records.step is None else int(records.step.max()))

    def _see_step(self, step: int | None) -> None:
        if step is not None:
            self.last_step = step if self.last_step is None else max(self.last_step, step)


@dataclass(slots=True)
class Course:
    """How far a source's rows are made records: the next row, the part (a run, or a rank's) that it is of, and where
    the reading of each part stands."""

    row: int = 0
    part: int = 0
    walks: dict[int, Walk] = field(default_factory=dict)
    extents: dict[int, Extent] = field(default_factory=dict)
    """Of the parts that have records."""

    def walk(self, part: int) -> Walk:
        return self.walks.get(part) or self.walks.setdefault(part, Walk())

    def see(self, part: int, piece: Piece) -> None:
        """Records of a part."""
        extent = self.extents.get(part) or self.extents.setdefault(part, Extent(math.inf, -math.inf))
        if isinstance(piece, RecordColumns):
            extent.see_columns(piece)
        else:
            for record in piece:
                extent.see(record)


def ended(part: int, walk: Walk) -> Iterator[tuple[int, Record]]:
    if walk.closing is not None:
        walk.closing.details.setdefault("status", "completed")
        yield part, walk.closing
        walk.closing = None
