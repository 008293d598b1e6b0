"""Records as rows of `training_logs`, and what a batch of them says about its series.

A row's numbers are one blob of little-endian float64 in the order of its metric set, the list of names that many rows
share. A column of 65,536 rows is then one join and one `np.frombuffer`, where JSON takes 2.5 µs a value.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from stepline.journal import Record

ROW_BYTES = 40
"""What a row takes beside its metrics and texts: key, run, kind, step, epoch, time."""

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@lru_cache(maxsize=4096)
def packer(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


def split(metrics: dict[str, float | str]) -> tuple[tuple[str, ...], bytes | None, str | None]:
    """(names of the numbers, their blob, JSON of the texts) of a record's metrics."""
    names = tuple(metrics)
    try:
        return names, packer(len(names)).pack(*metrics.values()), None
    except struct.error:
        numbers = {name: float(value) for name, value in metrics.items() if not isinstance(value, str)}
        texts = {name: value for name, value in metrics.items() if isinstance(value, str)}
        blob = packer(len(numbers)).pack(*numbers.values()) if numbers else None
        return tuple(numbers), blob, _json(texts)


def details_text(details: dict[str, Any]) -> str | None:
    return _json(details) if details else None


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


class SeriesBatch:
    """Gathers the series' news of a batch: numbers by metric set, a few numpy calls each, not one a value."""

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, ...], list[bytes]] = {}
        self._last: dict[tuple[str, ...], tuple[int, int | None]] = {}
        self._texts: list[tuple[int, Record]] = []

    def add(self, names: tuple[str, ...], blob: bytes, sequence: int, step: int | None) -> None:
        blobs = self._blobs.get(names)
        if blobs is None:
            blobs = self._blobs[names] = []
        blobs.append(blob)
        self._last[names] = (sequence, step)

    def add_texts(self, sequence: int, record: Record) -> None:
        self._texts.append((sequence, record))

    def news(self) -> dict[str, SeriesNews]:
        found: dict[str, SeriesNews] = {}
        for names, blobs in self._blobs.items():
            values = np.frombuffer(b"".join(blobs), "<f8").reshape(len(blobs), len(names))
            sequence, step = self._last[names]
            finite = np.isfinite(values)
            lowest = np.where(finite, values, np.inf).min(axis=0).tolist()
            highest = np.where(finite, values, -np.inf).max(axis=0).tolist()
            for name, last, low, high in zip(names, values[-1].tolist(), lowest, highest, strict=True):
                _merge(found, name, SeriesNews("number", len(blobs), last, step, sequence, low, high))
        for sequence, record in self._texts:
            for name, value in record.metrics.items():
                if isinstance(value, str):
                    _merge(found, name, SeriesNews("text", 1, value, record.step, sequence))
        return found


def _merge(found: dict[str, SeriesNews], name: str, news: SeriesNews) -> None:
    before = found.get(name)
    found[name] = news if before is None else merged(before, news)


def merged(one: SeriesNews, other: SeriesNews) -> SeriesNews:
    """Both together. A series that has numbers is a series of numbers: its texts are not counted."""
    if one.kind != other.kind:
        return one if one.kind == "number" else other
    newer = other if other.last_sequence >= one.last_sequence else one
    return SeriesNews(
        one.kind,
        one.count + other.count,
        newer.last_value,
        newer.last_step,
        newer.last_sequence,
        min(one.lowest, other.lowest),
        max(one.highest, other.highest),
    )


def names_text(names: Iterable[str]) -> str:
    return _json(list(names))
