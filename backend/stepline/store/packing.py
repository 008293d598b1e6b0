"""Records as rows of `training_logs`, and what a batch of them says about its series.

A row's numbers are one blob of little-endian float64 in the order of its metric set, the list of names that many rows
share. A column of 65,536 rows is then one join and one `np.frombuffer`, where JSON takes 2.5 µs a value.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from stepline.recording.journal import Heartbeat, Update
from stepline.store.rows import Entry, RecordLike

STEP_COLUMNS = ("task_id", "sequence", "run_id", "kind", "step", "epoch", "time", "metric_set_id", "metrics")
LOG_COLUMNS = (*STEP_COLUMNS, "texts", "message", "details")

ROW_BYTES = 40
"""What a row takes beside its metrics and texts: key, run, kind, step, epoch, time."""

Row = tuple[Any, ...]

compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@lru_cache(maxsize=4096)
def packer(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


@dataclass(slots=True)
class SeriesNews:
    """What a batch adds to one series. `lowest` and `highest` are of its finite values."""

    kind: Literal["number", "text"]
    count: int
    last_value: float | str
    last_step: int | None
    last_sequence: int
    lowest: float = math.inf
    highest: float = -math.inf

    def after(self, known: SeriesNews) -> SeriesNews:
        """Both together. A series that has numbers is a series of numbers: its texts are not counted."""
        if self.kind != known.kind:
            return self if self.kind == "number" else known
        newer = self if self.last_sequence >= known.last_sequence else known
        return SeriesNews(
            self.kind,
            self.count + known.count,
            newer.last_value,
            newer.last_step,
            newer.last_sequence,
            min(self.lowest, known.lowest),
            max(self.highest, known.highest),
        )


@dataclass(slots=True)
class _Group:
    """The rows of a batch that share a metric set."""

    set_id: int
    pack: Callable[..., bytes]
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """A run's entries, packed."""

    first: int
    """Sequence of the first record."""
    records: list[RecordLike] = field(default_factory=list)
    parts: list[tuple[bool, list[Row]]] = field(default_factory=list)
    """Rows in order, cut where they change between STEP_COLUMNS (False) and LOG_COLUMNS (True)."""
    marks: list[tuple[int, RecordLike]] = field(default_factory=list)
    """Records that are no steps, with their sequences."""
    learned: list[Heartbeat | Update] = field(default_factory=list)
    bytes: int = 0
    _groups: dict[tuple[str, ...], _Group] = field(default_factory=dict)
    _texts: list[tuple[int, RecordLike]] = field(default_factory=list)

    def series(self) -> dict[str, SeriesNews]:
        """What is new of each series: a few numpy calls a metric set, not one a value."""
        found: dict[str, SeriesNews] = {}
        for names, group in self._groups.items():
            values = np.frombuffer(b"".join([row[8] for row in group.rows]), "<f8").reshape(-1, len(names))
            last = group.rows[-1]
            finite = np.isfinite(values)
            lowest = np.where(finite, values, np.inf).min(axis=0).tolist()
            highest = np.where(finite, values, -np.inf).max(axis=0).tolist()
            for name, value, low, high in zip(names, values[-1].tolist(), lowest, highest, strict=True):
                news = SeriesNews("number", len(values), value, last[4], last[1], low, high)
                found[name] = news.after(found[name]) if name in found else news
        for sequence, record in self._texts:
            for name, text in record.metrics.items():
                if isinstance(text, str):
                    news = SeriesNews("text", 1, text, record.step, sequence)
                    found[name] = news.after(found[name]) if name in found else news
        return found


def pack(
    entries: Sequence[Entry],
    task_id: int,
    run_id: int,
    first: int,
    set_id: Callable[[tuple[str, ...]], int],
) -> Batch:
    """Pack a run's entries; `set_id` gives the id of a metric set, known or new."""
    batch = Batch(first)
    records, parts, marks, groups = batch.records, batch.parts, batch.marks, batch._groups
    rows: list[Row] = []
    rows_full: bool | None = None
    sequence = first
    for record in entries:
        if isinstance(record, (Heartbeat, Update)):
            batch.learned.append(record)
            continue
        metrics = record.metrics
        blob = number = texts = group = details = None
        if metrics:
            names = tuple(metrics)
            group = groups.get(names)
            try:
                blob = group.pack(*metrics.values()) if group else packer(len(names)).pack(*metrics.values())
            except struct.error:
                names, numbers, texts = split_metrics(metrics)
                blob = packer(len(names)).pack(*numbers) if names else None
                group = groups.get(names)
                batch._texts.append((sequence, record))
                batch.bytes += len(texts)
            if blob is not None:
                if group is None:
                    group = groups[names] = _Group(set_id(names), packer(len(names)).pack)
                number = group.set_id
        if record.details:
            details = compact_json(record.details)
            batch.bytes += len(details)
        full = bool(texts or details or record.message is not None)
        if full is not rows_full:
            rows, rows_full = [], full
            parts.append((full, rows))
        row: Row = (task_id, sequence, run_id, record.kind, record.step, record.epoch, record.time, number, blob)
        if group is not None:
            group.rows.append(row)
        if full:
            row = (*row, texts, record.message, details)
            batch.bytes += len(record.message or "")
        rows.append(row)
        records.append(record)
        if record.kind != "step":
            marks.append((sequence, record))
        sequence += 1
    batch.bytes += len(records) * ROW_BYTES + sum(len(group.rows) * 8 * len(names) for names, group in groups.items())
    return batch


def split_metrics(metrics: dict[str, float | str]) -> tuple[tuple[str, ...], tuple[float, ...], str]:
    """(names of the numbers, the numbers, JSON of the texts) where there are texts among the metrics."""
    numbers = {name: float(value) for name, value in metrics.items() if not isinstance(value, str)}
    texts = {name: value for name, value in metrics.items() if isinstance(value, str)}
    return tuple(numbers), tuple(numbers.values()), compact_json(texts)


def names_text(names: Iterable[str]) -> str:
    return compact_json(list(names))
