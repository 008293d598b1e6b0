"""One series out of many blocks: ten million points in a tenth of a second a column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepline import kernels
from stepline.kernels.halves import TWO, both
from stepline.store import codec, sqlite
from stepline.store.blocks import begin_of, places_with
from stepline.store.blocks import column as decoded
from stepline.store.content import NO_STEP
from stepline.store.levels import is_of_one
from stepline.store.rows import Columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PLACES = ("step", "epoch", "time")


class Points(NamedTuple):
    """The records that have a metric, as `Columns`; `run` holds ids."""

    sequence: Ints
    run: Ints
    step: Floats
    epoch: Floats
    time: Floats
    value: Floats

    def columns(self, runs: Ints) -> Columns:
        """runs: (id, number), by id."""
        # Most blocks are of one run: looking up every point's took a sixth of the time of smoothing a long series, and
        # going through them for it another fourteenth.
        one = is_of_one(self.run)
        ids = self.run[:1] if one else self.run
        numbers = runs[np.searchsorted(runs[:, 0], ids), 1].astype(np.int32)
        if one and len(numbers):
            numbers = np.broadcast_to(numbers[0], len(self.run))
        return Columns(self.sequence, numbers, self.step, self.epoch, self.time, self.value)

    def within(self, first: int, last: int) -> Points:
        """Those with first <= sequence < last."""
        begin, end = np.searchsorted(self.sequence, [first, last])
        return self.chosen(slice(int(begin), int(end)))

    def chosen(self, which: slice) -> Points:
        return Points(
            self.sequence[which], self.run[which], self.step[which], self.epoch[which], self.time[which],
            self.value[which],
        )  # fmt: skip


def _empty(length: int) -> Points:
    ints, floats = np.empty((2, length), np.int64), np.empty((4, length))
    return Points(ints[0], ints[1], floats[0], floats[1], floats[2], floats[3])


def joined(parts: Sequence[Points]) -> Points:
    return parts[0] if len(parts) == 1 else Points(*(np.concatenate(part) for part in zip(*parts, strict=True)))


_SELECT = """SELECT {} FROM blocks JOIN block_series ON block_series.block_id = blocks.id
    WHERE blocks.task_id = ? AND blocks.first >= ? AND blocks.first < ? AND blocks.last > ? AND block_series.name = ?
    ORDER BY blocks.first"""


class _Block(NamedTuple):
    """Where a block's columns lie, and those that are short as they are."""

    id: int
    first: int
    records: int
    series: int
    held: int
    """Records that have the metric, of `records`."""
    run: bytes
    sequence: bytes | None


_HEADS = "blocks.id, blocks.first, blocks.count, block_series.id, block_series.count, run, sequence"


def _heads(database: sqlite.Database, task_id: int, metric: str, first: int, last: int) -> list[_Block]:
    values = task_id, begin_of(first), last, first, metric
    return [_Block(*row) for row in sqlite.fetched(database, _SELECT.format(_HEADS), values)]


def read(
    database: sqlite.Database,
    task_id: int,
    metric: str,
    sets: Sequence[int],
    first: int,
    last: int,
    *,
    columns: Collection[str] = PLACES,
) -> list[Points]:
    """The points in blocks with first <= sequence < last, ascending; `sets`: the metric sets that have the metric.

    columns: which of step, epoch and time are read; the others hold anything.
    """
    heads = _heads(database, task_id, metric, first, last)
    if not heads:
        return []
    ends = np.cumsum([0, *(head.held for head in heads)]).tolist()
    points = _empty(ends[-1])
    work = [(head, slice(*ends[at : at + 2])) for at, head in enumerate(heads)]
    if TWO and len(work) > 1:
        # The first thread's connection serves both: another one would see another moment.
        connection = database.connection()
        both(
            lambda: _decode(connection, work[::2], sets, columns, points),
            lambda: _decode(connection, work[1::2], sets, columns, points),
        )
    else:
        _decode(database.connection(), work, sets, columns, points)
    return [points.within(first, last)]


def one_by_one(
    database: sqlite.Database,
    task_id: int,
    metric: str,
    sets: Sequence[int],
    first: int,
    last: int,
    columns: Collection[str],
) -> Iterator[Points]:
    """Likewise, each block for itself: a long series goes by in the memory of a block."""
    connection = database.connection()
    for head in _heads(database, task_id, metric, first, last):
        points = _empty(head.held)
        _decode(connection, [(head, slice(None))], sets, columns, points)
        run = codec.single(head.run)
        if run is not None:
            points = points._replace(run=np.broadcast_to(run, head.held))
        yield points.within(first, last)


def _decode(
    connection: sqlite.Connection,
    work: list[tuple[_Block, slice]],
    sets: Sequence[int],
    columns: Collection[str],
    points: Points,
) -> None:
    for head, where in work:
        out = points.chosen(where)
        codec.decode_into(sqlite.blob(connection, "block_series", "value", head.series), out.value)
        # All records of the block, of which those that have the metric are chosen.
        own = out if head.held == head.records else _empty(head.records)
        if head.sequence is None:
            kernels.stretches(np.zeros(1, np.int64), np.full(1, head.first), np.ones(1, np.int64), own.sequence)
        else:
            codec.decode_into(head.sequence, own.sequence)
        codec.decode_into(head.run, own.run)
        for name in columns:
            column = sqlite.blob(connection, "blocks", name, head.id)
            if name == "step":
                codec.decode_as_floats(column, own.step, NO_STEP)
            else:
                codec.decode_into(column, getattr(own, name))
        if own is not out:
            places = places_with(decoded(sqlite.blob(connection, "blocks", "metric_set", head.id)), sets)
            for target, each in zip(out[:5], own[:5], strict=True):
                target[:] = each[places]
