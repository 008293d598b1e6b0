"""Blocks: older records in columns, each column compressed by itself.

A block lies within [k·65,536, (k+1)·65,536) of its task's sequences and takes 16 MiB decoded at most, but for a record
that is longer by itself. Blocks come before the loose rows: all sequences below the task's `packed` lie in blocks. What
is packed is put together with the last block of its range where that is not full, so there is one block a range, cut
only where it would be too large. A full block of six columns takes 9 ms to write and 2 ms to read.

All that writes here runs inside the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peewee import fn

from stepline.store import codec, levels, sqlite, statements
from stepline.store.content import KIND_ORDER, Content, Names, Note, Values, joined, of_rows
from stepline.store.models import BlockModel, BlockSeriesModel, LevelsModel, TaskModel, TrainingLogModel

BLOCK_SEQUENCES = 65_536
BLOCK_BYTES = 16 << 20
LOOSE_RECORDS = 8_192
"""A task's rows are packed when there are so many: reading them takes ten times as long as reading a block."""
BACKLOG_RECORDS = 4_096
"""So many at once go into blocks without becoming rows."""

_SERIES = ("block_id", "name", "count", "levels", "value")


@dataclass(frozen=True, slots=True)
class Block:
    """A row of `blocks` without its long columns."""

    id: int
    first: int
    last: int
    count: int
    kinds: dict[str, int]
    runs: list[int]
    metric_sets: list[int]


_META = (
    BlockModel.id,
    BlockModel.first,
    BlockModel.last,
    BlockModel.count,
    BlockModel.kinds,
    BlockModel.runs,
    BlockModel.metric_sets,
)


def find(
    database: sqlite.Database,
    task_id: int,
    first: int,
    last: int,
    *,
    newest_first: bool = False,
    limit: int | None = None,
) -> list[Block]:
    """A task's blocks that have sequences in [first, last), in their order."""
    where = (BlockModel.task_id == task_id) & (BlockModel.first < last) & (BlockModel.last > first)
    query = BlockModel.select(*_META).where(where)
    query = query.order_by(BlockModel.first.desc() if newest_first else BlockModel.first).limit(limit)
    return [
        Block(number, begin, end, count, json.loads(kinds), json.loads(runs), json.loads(sets))
        for number, begin, end, count, kinds, runs, sets in sqlite.raw(database, query)
    ]


def read(database: sqlite.Database, names: Names, block: Block, *, metrics: bool = True) -> Content:
    """A block's records, without their numbers where `metrics` is False."""
    columns = ("kind", "run", "metric_set", "sequence", "step", "epoch", "time", "notes")
    ((kind, run, metric_set, sequence, *rest, notes),) = statements.select(database, BlockModel, columns, id=block.id)
    step, epoch, time = map(column, rest)
    content = Content(
        sequence=sequences(block.first, block.count, sequence), run=column(run), kind=column(kind), step=step,
        epoch=epoch, time=time, metric_set=column(metric_set), notes=_notes(notes),
    )  # fmt: skip
    if metrics:
        read_metrics(database, names, block, content)
    return content


def read_metrics(database: sqlite.Database, names: Names, block: Block, content: Content) -> None:
    """Put a block's numbers into its content."""
    held = {number: set(names(number)) for number in block.metric_sets}
    columns = ("name", "count", "value")
    for name, count, value in statements.select(database, BlockSeriesModel, columns, block_id=block.id):
        places = None
        if count < block.count:
            places = places_with(content.metric_set, [number for number, has in held.items() if name in has])
        content.metrics[name] = Values(places, column(value))


def column(data: bytes) -> NDArray[Any]:
    """The one array that was encoded."""
    return codec.decode(data)[0]


def sequences(first: int, count: int, data: bytes | None) -> NDArray[np.int64]:
    return np.arange(first, first + count) if data is None else column(data)


def places_with(metric_set: NDArray[np.int64], sets: Sequence[int]) -> NDArray[np.int64]:
    """Where the records have one of these metric sets."""
    return np.flatnonzero(np.isin(metric_set, sets))


def _notes(data: bytes | None) -> list[Note]:
    return [] if data is None else [tuple(note) for note in json.loads(codec.decompress(data))]


# Writing


def pack_rows(database: sqlite.Database, task_id: int, names: Names, newer: Content | None = None) -> None:
    """Put all rows of a task into blocks, and after them `newer`; the rows go."""
    log = TrainingLogModel
    query = log.select(
        log.sequence, log.run_id, log.kind, log.step, log.epoch, log.time, log.metric_set_id, log.metrics,
        log.texts, log.message, log.details,
    ).where(log.task_id == task_id).order_by(log.sequence)  # fmt: skip
    parts = [of_rows(rows, names) for rows in sqlite.fetch(database, query)]
    if parts:
        log.delete().where(log.task_id == task_id).execute(database)
    if newer is not None:
        parts.append(newer)
    if parts:
        add(database, task_id, names, joined(parts))


def add(database: sqlite.Database, task_id: int, names: Names, content: Content) -> None:
    """Append records to a task's blocks."""
    begin = int(content.sequence[0]) // BLOCK_SEQUENCES * BLOCK_SEQUENCES
    for block in find(database, task_id, begin, int(content.sequence[0]), newest_first=True, limit=1):
        older = read(database, names, block)
        if older.decoded_bytes().sum() + content.decoded_bytes()[0] <= BLOCK_BYTES:
            content = joined([older, content])
            remove(database, [block])
    write(database, task_id, content)
    statements.update(database, TaskModel, {"packed": int(content.sequence[-1]) + 1}, id=task_id)
    count_bytes(database, task_id)


def count_bytes(database: sqlite.Database, task_id: int) -> None:
    """Write what a task that has no rows takes."""
    held = BlockModel.select(fn.SUM(BlockModel.bytes)).where(BlockModel.task_id == task_id)
    ((size,),) = sqlite.raw(database, held)
    statements.update(database, TaskModel, {"bytes": size or 0}, id=task_id)


def remove(database: sqlite.Database, blocks: Sequence[Block]) -> None:
    """Without what the task's levels say of them."""
    for block in blocks:
        BlockSeriesModel.delete().where(BlockSeriesModel.block_id == block.id).execute(database)
        BlockModel.delete().where(BlockModel.id == block.id).execute(database)


def write(database: sqlite.Database, task_id: int, content: Content) -> None:
    """Blocks of these records, and the task's levels from the first of them on anew."""
    fine: dict[str, list[levels.Levels]] = {}
    for part in _parts(content):
        for name, found in _write_block(database, task_id, part).items():
            fine.setdefault(name, []).append(found)
    first = int(content.sequence[0])
    chunk = first >> levels.CHUNK_SHIFT << levels.CHUNK_SHIFT
    model = LevelsModel
    query = model.select(model.name, model.data).where((model.task_id == task_id) & (model.first == chunk))
    held = dict(sqlite.raw(database, query))
    for name, summed in fine.items():
        _write_coarse(database, task_id, name, first, levels.joined(summed), held.get(name))


def _parts(content: Content) -> Iterator[Content]:
    ranges = content.sequence // BLOCK_SEQUENCES
    edges = [0, *(np.flatnonzero(np.diff(ranges)) + 1).tolist(), len(content)]
    sizes = np.cumsum(content.decoded_bytes())
    for begin, end in pairwise(edges):
        while begin < end:
            before = int(sizes[begin - 1]) if begin else 0
            cut = int(np.searchsorted(sizes, before + BLOCK_BYTES, side="right"))
            cut = min(max(cut, begin + 1), end)
            yield content.cut(begin, cut)
            begin = cut


def _write_block(database: sqlite.Database, task_id: int, content: Content) -> dict[str, levels.Levels]:
    first, last = int(content.sequence[0]), int(content.sequence[-1]) + 1
    counts = np.bincount(content.kind, minlength=len(KIND_ORDER)).tolist()
    notes = codec.compress(json.dumps(content.notes, ensure_ascii=False).encode()) if content.notes else None
    columns = ("kind", "run", "metric_set", "step", "epoch", "time")
    blobs = {name: codec.encode(getattr(content, name)) for name in columns}
    row: dict[str, Any] = {
        "task_id": task_id, "first": first, "last": last, "count": len(content), "bytes": 0,
        "kinds": {kind: count for kind, count in zip(KIND_ORDER, counts, strict=True) if count},
        "runs": np.unique(content.run).tolist(),
        "metric_sets": [number for number in np.unique(content.metric_set).tolist() if number],
        **blobs,
        "sequence": None if last - first == len(content) else codec.encode(content.sequence),
        "notes": notes,
    }  # fmt: skip
    found: dict[str, levels.Levels] = {}
    rows: list[tuple[str, int, bytes, bytes]] = []
    for name, (places, values) in content.metrics.items():
        sequence, run = (
            (content.sequence, content.run) if places is None else (content.sequence[places], content.run[places])
        )
        found[name] = levels.build(sequence, run, values, levels.FINE_SHIFT)
        rows.append((name, len(values), levels.encode(found[name], levels.FINE_SHIFT), codec.encode(values)))
    row["bytes"] = sum(len(each) for each in row.values() if isinstance(each, bytes))
    row["bytes"] += sum(len(summed) + len(value) for _, _, summed, value in rows)
    number = BlockModel.insert(row).execute(database)
    statements.insert(database, BlockSeriesModel, _SERIES, [[number, *each] for each in rows])
    return found


def _write_coarse(
    database: sqlite.Database, task_id: int, name: str, first: int, fine: levels.Levels, held: bytes | None
) -> None:
    """Write a metric's `levels` anew from the bucket of sequence `first` on.

    fine: of all records from `first` on; held: the row that `first` lies in, as it is.
    """
    shift, chunk_shift = levels.COARSE_SHIFT, levels.CHUNK_SHIFT
    bucket = first >> shift
    parts = [fine]
    if first > bucket << shift:
        # A block that was cut ends within the bucket.
        older = read_fine(database, task_id, name, bucket << shift, first)
        parts.insert(0, levels.within(older, bucket << (shift - levels.FINE_SHIFT), 2**62))
    coarse = levels.coarser(levels.joined(parts), shift - levels.FINE_SHIFT)
    rows = []
    for chunk in np.unique(coarse.bucket >> (chunk_shift - shift)).tolist():
        chunk_first = chunk << chunk_shift
        new = levels.within(coarse, chunk_first >> shift, (chunk_first >> shift) + (1 << (chunk_shift - shift)))
        if held is not None and chunk == first >> chunk_shift:
            new = levels.joined([levels.within(levels.decode(held, shift), 0, bucket), new])
        rows.append([task_id, name, chunk_first, levels.encode(new, shift)])
    statements.insert(
        database, LevelsModel, ("task_id", "name", "first", "data"), rows, key=("task_id", "name", "first")
    )


def read_fine(database: sqlite.Database, task_id: int, name: str, first: int, last: int) -> levels.Levels:
    """The finest levels of the blocks that have sequences in [first, last)."""
    series = BlockSeriesModel
    query = (
        series.select(series.levels)
        .join(BlockModel, on=(BlockModel.id == series.block_id))
        .where((BlockModel.task_id == task_id) & (BlockModel.first < last) & (BlockModel.last > first))
        .where(series.name == name)
        .order_by(BlockModel.first)
    )
    return levels.joined([levels.decode(data, levels.FINE_SHIFT) for (data,) in sqlite.raw(database, query)])


def read_coarse(database: sqlite.Database, task_id: int, name: str, first: int, last: int) -> levels.Levels:
    """Likewise from `levels`, in buckets of 2^COARSE_SHIFT."""
    model = LevelsModel
    query = (
        model.select(model.data)
        .where((model.task_id == task_id) & (model.name == name))
        .where((model.first < last) & (model.first > first - (1 << levels.CHUNK_SHIFT)))
        .order_by(model.first)
    )
    return levels.joined([levels.decode(data, levels.COARSE_SHIFT) for (data,) in sqlite.raw(database, query)])


def drop_runs(database: sqlite.Database, task_id: int, runs: Sequence[int], names: Names) -> None:
    """Take the records of these runs out of a task's blocks; their sequences stay empty."""
    gone = set(runs)
    touched = False
    for block in find(database, task_id, 0, 2**62):
        if gone.isdisjoint(block.runs):
            continue
        touched = True
        left = None
        if not gone.issuperset(block.runs):
            content = read(database, names, block)
            left = content.chosen(~np.isin(content.run, runs))
        remove(database, [block])
        if left is not None:
            _write_block(database, task_id, left)
    if not touched:
        return
    LevelsModel.delete().where(LevelsModel.task_id == task_id).execute(database)
    series = BlockSeriesModel
    held = series.select(series.name).distinct().join(BlockModel, on=(BlockModel.id == series.block_id))
    for (name,) in sqlite.raw(database, held.where(BlockModel.task_id == task_id)):
        _write_coarse(database, task_id, name, 0, read_fine(database, task_id, name, 0, 2**62), None)
