"""A digest of a run's records, by which a source that was imported before is known again.

It is one of eight-byte words, those of a record after those of the one before: its layout (kind, names of its metrics,
which of them are texts, whether it has a message), its step, its epoch, its metrics by name, its message. So records
and columns of them have the same. The time of a record is left out: a source that tells none bears its file's date,
which a copy changes. Details are left out too.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.recording.journal import Record
from stepline.store import KIND_ORDER, NO_STEP, RecordColumns
from stepline.store.rows import RecordLike

HEAD_RECORDS = 4
"""Records that find the imports a source may be a copy of; whether it is one, all of them say."""

_WORD = struct.Struct("<d")
_PLACE = struct.Struct("<qd")
_NAN = _WORD.pack(math.nan)
_NAN_BITS = np.frombuffer(_NAN, np.int64)[0]

Words = NDArray[np.int64]


class Digest:
    """The digest of the records added so far, and how many they are."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.records = 0

    def add(self, record: RecordLike) -> None:
        self._hash.update(_of_record(record))
        self.records += 1

    def add_all(self, records: Sequence[Record] | RecordColumns) -> None:
        if isinstance(records, RecordColumns):
            self._hash.update(_words(records).data)
            self.records += len(records)
        else:
            for record in records:
                self.add(record)

    def copied(self) -> Digest:
        copy = Digest()
        copy._hash, copy.records = self._hash.copy(), self.records
        return copy

    def value(self) -> str:
        return self._hash.hexdigest()


def _of_record(record: RecordLike) -> bytes:
    metrics = record.metrics
    step = NO_STEP if record.step is None else record.step
    # -0.0 and 0.0 are one epoch to the store.
    epoch = math.nan if record.epoch is None else record.epoch + 0.0
    if metrics and record.message is None:
        layout, pack, ordered = _form(record.kind, tuple(metrics))
        values = ordered(metrics)
        try:
            # NaNs differ in bits that mean nothing; with one among them the sum is one.
            if math.isfinite(sum(values)):
                return layout + pack(step, epoch if epoch == epoch else math.nan, *values)
        except TypeError:
            # There is a text among them.
            pass
    return _of_any(record, step, epoch)


def _of_any(record: RecordLike, step: int, epoch: float) -> bytes:
    metrics = record.metrics
    names = sorted(metrics)
    texts = tuple(name for name in names if isinstance(metrics[name], str))
    parts = [
        _layout(record.kind, tuple(names), texts, record.message is not None),
        _PLACE.pack(step, math.nan if epoch != epoch else epoch),
    ]
    for name in names:
        value = metrics[name]
        if isinstance(value, str):
            parts.append(_text(value))
        else:
            parts.append(_NAN if value != value else _WORD.pack(value))
    if record.message is not None:
        parts.append(_text(record.message))
    return b"".join(parts)


@lru_cache(maxsize=8192)
def _form(
    kind: str, names: tuple[str, ...]
) -> tuple[bytes, Callable[..., bytes], Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """Of a record of numbers: its layout, what packs step, epoch and numbers, and what gives the numbers by name."""
    ordered = sorted(names)
    get = itemgetter(*ordered) if len(ordered) > 1 else lambda metrics: (metrics[ordered[0]],)
    return _layout(kind, tuple(ordered), (), False), struct.Struct(f"<q{1 + len(ordered)}d").pack, get


@lru_cache(maxsize=8192)
def _layout(kind: str, names: tuple[str, ...], texts: tuple[str, ...], has_message: bool) -> bytes:
    """`names` are sorted."""
    return _text(repr((kind, names, texts, has_message)))


def _text(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


def _words(columns: RecordColumns) -> Words:
    """Of columns of numbers, without texts and messages."""
    count = len(columns)
    sets, members = columns.sets or ([], np.full(count, -1))
    kinds = np.zeros(count, np.uint8) if columns.kind is None else columns.kind
    # A record's layout: its kind and its set of metrics.
    layouts = kinds.astype(np.int64) * (len(sets) + 1) + members + 1
    held = np.flatnonzero(np.bincount(layouts, minlength=1)).tolist()
    names_of = {each: (KIND_ORDER[each // (len(sets) + 1)], _set(sets, each % (len(sets) + 1) - 1)) for each in held}
    width = np.zeros(max(held, default=0) + 1, np.int64)
    key = np.zeros(len(width), np.int64)
    for each, (kind, names) in names_of.items():
        width[each] = 3 + len(names)
        key[each] = np.frombuffer(_layout(kind, names, (), False), np.int64)[0]
    widths = width[layouts]
    begin = np.cumsum(widths) - widths
    words = np.empty(int(widths.sum()), np.int64)
    step = np.full(count, NO_STEP) if columns.step is None else columns.step
    epoch = np.full(count, np.nan) if columns.epoch is None else columns.epoch + 0.0
    if len(held) == 1:
        # One layout, as in most parts: a matrix, where scattering takes three times as long.
        rows = words.reshape(count, -1)
        rows[:, 0], rows[:, 1], rows[:, 2] = key[held[0]], step, _bits(epoch)
        for place, name in enumerate(names_of[held[0]][1]):
            rows[:, 3 + place] = _bits(columns.metrics[name].values)
        return words
    words[begin], words[begin + 1], words[begin + 2] = key[layouts], step, _bits(epoch)
    for name, (places, values) in columns.metrics.items():
        offset = np.zeros(len(width), np.int64)
        for each, (_, names) in names_of.items():
            offset[each] = 3 + names.index(name) if name in names else 0
        at = np.arange(count) if places is None else places
        words[begin[at] + offset[layouts[at]]] = _bits(values)
    return words


def _set(sets: Sequence[tuple[str, ...]], member: int) -> tuple[str, ...]:
    return tuple(sorted(sets[member])) if member >= 0 else ()


def _bits(values: NDArray[np.float64]) -> Words:
    bits = np.ascontiguousarray(values).view(np.int64)
    has_nan = np.isnan(values)
    return np.where(has_nan, _NAN_BITS, bits) if has_nan.any() else bits
