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
from stepline.store.content import KIND_ORDER, NO_STEP, Content, Floats, Ints, Names, Note, Values, joined, of_rows
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


def begin_of(sequence: int) -> int:
    """No block that has this sequence begins before. A query is to ask for it: `last` is in no index, and without this
    one edge of a window of a hundred million records looked at all blocks before it, for 4 ms."""
    return sequence // BLOCK_SEQUENCES * BLOCK_SEQUENCES


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
    where = (BlockModel.task_id == task_id) & (BlockModel.first >= begin_of(first)) & (BlockModel.first < last)
    where &= BlockModel.last > first
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
    begin = begin_of(int(content.sequence[0]))
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
    for name, summed in fine.items():
        _write_coarse(database, task_id, name, int(content.sequence[0]), levels.joined(summed))


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
        found[name] = _fine(content, places, values)
        rows.append((name, len(values), levels.encode(found[name], levels.FINE_SHIFT), codec.encode(values)))
    row["bytes"] = sum(len(each) for each in row.values() if isinstance(each, bytes))
    row["bytes"] += sum(len(summed) + len(value) for _, _, summed, value in rows)
    number = BlockModel.insert(row).execute(database)
    statements.insert(database, BlockSeriesModel, _SERIES, [[number, *each] for each in rows])
    return found


def _fine(content: Content, places: Ints | None, values: Floats) -> levels.Levels:
    where: Any = slice(None) if places is None else places
    step = content.step[where]
    steps = step.astype(np.float64)
    steps[step == NO_STEP] = np.nan
    sequence, run, time = content.sequence[where], content.run[where], content.time[where]
    return levels.build(sequence, run, steps, time, values, levels.FINE_SHIFT)


def _write_coarse(database: sqlite.Database, task_id: int, name: str, first: int, fine: levels.Levels) -> None:
    """Write a metric's `levels` anew from the buckets of sequence `first` on. fine: of all records from there on."""
    finer = levels.FINE_SHIFT
    rows: list[list[Any]] = []
    for shift in levels.COARSE_SHIFTS:
        begin = first >> shift << shift
        if begin < first:
            # What stands before in the same bucket.
            older = read_levels(database, task_id, name, finer, begin, first)
            # A block that was cut may end within a bucket of the finest.
            fine = levels.joined([levels.within(older, begin >> finer, -(-first >> finer)), fine])
        fine = levels.coarser(fine, shift - finer)
        rows += _rows(database, task_id, name, shift, begin >> shift, fine)
        first, finer = begin, shift
    columns = ("task_id", "name", "shift", "first", "data")
    statements.insert(database, LevelsModel, columns, rows, key=columns[:-1])


def _rows(
    database: sqlite.Database, task_id: int, name: str, shift: int, bucket: int, new: levels.Levels
) -> Iterator[list[Any]]:
    """Rows of `levels` of one width: what stands before `bucket` in the first of them, and `new`."""
    buckets = 1 << levels.ROW_SHIFT
    for row in np.unique(new.bucket >> levels.ROW_SHIFT).tolist():
        first = row * buckets
        part = levels.within(new, first, first + buckets)
        if first < bucket:
            older = read_levels(database, task_id, name, shift, first << shift, bucket << shift)
            part = levels.joined([levels.within(older, first, bucket), part])
        yield [task_id, name, shift, first << shift, levels.encode(part, shift)]


_FINE = """SELECT block_series.levels FROM blocks JOIN block_series ON block_series.block_id = blocks.id
    WHERE blocks.task_id = ? AND blocks.first >= ? AND blocks.first < ? AND blocks.last > ? AND block_series.name = ?
    ORDER BY blocks.first"""
_COARSE = """SELECT data FROM levels WHERE task_id = ? AND name = ? AND shift = ? AND first < ? AND first > ?
    ORDER BY first"""
# Written out: peewee takes 0.3 ms to build one of these, and reading a row of levels takes as long.


def read_levels(database: sqlite.Database, task_id: int, name: str, shift: int, first: int, last: int) -> levels.Levels:
    """A metric's levels of one stored width, of the blocks or rows that have sequences in [first, last)."""
    if shift == levels.FINE_SHIFT:
        found = sqlite.fetched(database, _FINE, (task_id, begin_of(first), last, first, name))
    else:
        covered = 1 << (shift + levels.ROW_SHIFT)
        found = sqlite.fetched(database, _COARSE, (task_id, name, shift, last, first - covered))
    return levels.joined([levels.decode(data, shift) for (data,) in found])


def sum_up(database: sqlite.Database, task_id: int) -> None:
    """Write all of a task's `levels` anew, out of those of its blocks."""
    LevelsModel.delete().where(LevelsModel.task_id == task_id).execute(database)
    series = BlockSeriesModel
    held = series.select(series.name).distinct().join(BlockModel, on=(BlockModel.id == series.block_id))
    for (name,) in sqlite.raw(database, held.where(BlockModel.task_id == task_id)):
        _write_coarse(database, task_id, name, 0, read_levels(database, task_id, name, levels.FINE_SHIFT, 0, 2**62))


def sum_up_anew(database: sqlite.Database, names: Names) -> None:
    """Of all tasks, from the records themselves: for a database whose levels are of an older form, or are not there."""
    for (task_id,) in sqlite.raw(database, BlockModel.select(BlockModel.task_id).distinct()):
        for block in find(database, task_id, 0, 2**62):
            content = read(database, names, block)
            for name in content.metrics:
                write_metric(database, block, content, name)
        sum_up(database, task_id)


def write_metric(database: sqlite.Database, block: Block, content: Content, name: str) -> None:
    """Write a block's metric anew as its content has it, with its levels; the task's own are not."""
    places, values = content.metrics[name]
    data = levels.encode(_fine(content, places, values), levels.FINE_SHIFT)
    series = BlockSeriesModel.update(levels=data, value=codec.encode(values))
    series.where((BlockSeriesModel.block_id == block.id) & (BlockSeriesModel.name == name)).execute(database)


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
    if touched:
        sum_up(database, task_id)
