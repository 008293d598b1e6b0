"""Records as columns on the way from a source to the store: cut, bounded, and as records again where those are asked
for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from stepline.recording.journal import Record
from stepline.store import KIND_ORDER, NO_STEP, RecordColumns, Values

LATEST_TIME = 32_503_680_000.0
"""The year 3000, beyond which Windows writes no date."""


def cut(columns: RecordColumns, first: int, last: int) -> RecordColumns:
    """The records [first, last)."""
    if first == 0 and last >= len(columns):
        return columns
    where = slice(first, last)
    metrics = {}
    for name, (places, values) in columns.metrics.items():
        if places is None:
            metrics[name] = Values(None, values[where])
        else:
            begin, end = np.searchsorted(places, [first, last])
            metrics[name] = Values(places[begin:end] - first, values[begin:end])
    return RecordColumns(
        columns.time[where],
        None if columns.step is None else columns.step[where],
        None if columns.epoch is None else columns.epoch[where],
        metrics,
        None if columns.kind is None else columns.kind[where],
        sets=None if columns.sets is None else (columns.sets[0], columns.sets[1][where]),
    )


def part_of(piece: Sequence[Record] | RecordColumns, first: int, last: int) -> Sequence[Record] | RecordColumns:
    """The records [first, last) of either form."""
    return cut(piece, first, min(last, len(piece))) if isinstance(piece, RecordColumns) else piece[first:last]


def bounded(piece: Sequence[Record] | RecordColumns) -> Sequence[Record] | RecordColumns:
    """With times that can be stored and shown; a damaged one is 1970."""
    if isinstance(piece, RecordColumns):
        good = (piece.time >= 0.0) & (piece.time <= LATEST_TIME)
        return piece if good.all() else replace(piece, time=np.where(good, piece.time, 0.0))
    for record in piece:
        record.time = bounded_time(record.time)
    return piece


def bounded_time(time: float) -> float:
    return time if 0.0 <= time <= LATEST_TIME else 0.0


def records_of(columns: RecordColumns) -> Iterator[Record]:
    """Of columns of numbers."""
    count = len(columns)
    steps = [NO_STEP] * count if columns.step is None else columns.step.tolist()
    epochs = [float("nan")] * count if columns.epoch is None else columns.epoch.tolist()
    kinds = [0] * count if columns.kind is None else columns.kind.tolist()
    sets, members = columns.sets or ([], np.full(count, -1))
    values = {name: iter(held.values.tolist()) for name, held in columns.metrics.items()}
    named = [*sets, ()]
    for time, step, epoch, kind, member in zip(
        columns.time.tolist(), steps, epochs, kinds, members.tolist(), strict=True
    ):
        yield Record(
            KIND_ORDER[kind],  # type: ignore[arg-type]
            time,
            None if step == NO_STEP else step,
            None if epoch != epoch else epoch,
            {name: next(values[name]) for name in named[member]},
        )
