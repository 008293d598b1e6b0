"""Records of one run as columns: how a large batch is handed to the store, without an object a record.

A million records of five metrics go into blocks in half a second. One block takes 65,536 records, and what is appended
after a part of one is put together with it: hand over a few hundred thousand records at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.errors import StoreError
from stepline.recording.journal import Heartbeat, Update
from stepline.store.content import NO_STEP, Content, Floats, Ints, Note, SetId, Values
from stepline.store.packing import compact_json

_BITS = 62
"""Metrics that one number tells the presence of."""


@dataclass(slots=True)
class RecordColumns:
    """Records in the order of their run. All arrays have one length, that of `time`, but for those in `metrics`.

    Texts, messages and details are few: they are given by the place of their record.
    """

    time: Floats
    """Unix seconds, finite."""
    step: Ints | None = None
    """NO_STEP where the record has none; None: no record has one."""
    epoch: Floats | None = None
    """NaN where the record has none; None: no record has one."""
    metrics: Mapping[str, Values] = field(default_factory=dict)
    """`Values(None, values)` for a metric that all records have, else `Values(places, values)`: the places of the
    records that have it, ascending, and its values there. A value may be NaN or infinite, an absent one is no NaN."""
    kind: NDArray[np.uint8] | None = None
    """Of KIND_CODES; None: all are steps."""
    texts: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """Metrics that are text."""
    messages: Mapping[int, str] = field(default_factory=dict)
    details: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """What JSON can carry."""
    learned: Sequence[Heartbeat | Update] = ()
    """What the run told beside its records, in its order."""
    sets: tuple[Sequence[tuple[str, ...]], Ints] | None = None
    """(sets of metric names in their order, the place in there of each record's, -1 for none), where that is known;
    otherwise it is found from `metrics`."""

    def __len__(self) -> int:
        return len(self.time)


def content_of(columns: RecordColumns, run_id: int, first: int, set_id: SetId) -> Content:
    """As a task's records from sequence `first` on. Raises StoreError where the columns do not fit together."""
    try:
        return _content_of(columns, run_id, first, set_id)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise StoreError("Columns of records cannot be stored", why=str(error)) from error


def _content_of(columns: RecordColumns, run_id: int, first: int, set_id: SetId) -> Content:
    count = len(columns)
    time = _column("time", columns.time, np.float64, count)
    if not np.isfinite(time).all():
        raise ValueError("a time is not finite")
    step, epoch, kind = columns.step, columns.epoch, columns.kind
    metrics = {name: _values(name, values, count) for name, values in columns.metrics.items()}
    metrics = {name: values for name, values in metrics.items() if len(values.values)}
    sets, members = columns.sets or _found_sets(metrics, count)
    ids = np.array([*(set_id(names) for names in sets), 0], np.int64)
    return Content(
        np.arange(first, first + count),
        np.full(count, run_id, np.int64),
        np.zeros(count, np.uint8) if kind is None else _column("kind", kind, np.uint8, count),
        np.full(count, NO_STEP) if step is None else _column("step", step, np.int64, count),
        np.full(count, np.nan) if epoch is None else _column("epoch", epoch, np.float64, count) + 0.0,
        time,
        ids[members],
        metrics,
        _notes(columns, count),
    )


def _column(name: str, array: NDArray[Any], dtype: type, count: int) -> NDArray[Any]:
    array = np.ascontiguousarray(array)
    if array.dtype != dtype or array.shape != (count,):
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, not {np.dtype(dtype)} of {count}")
    return array


def _values(name: str, given: Values, count: int) -> Values:
    places, values = given
    if places is None:
        return Values(None, _column(name, values, np.float64, count))
    places = _column(f"the places of {name}", places, np.int64, len(values))
    if len(places) and (places[0] < 0 or places[-1] >= count or (np.diff(places) <= 0).any()):
        raise ValueError(f"the places of {name} do not ascend within the records")
    return Values(None if len(places) == count else places, _column(name, values, np.float64, len(places)))


def _found_sets(metrics: Mapping[str, Values], count: int) -> tuple[list[tuple[str, ...]], Ints]:
    names = list(metrics)
    code, kinds = np.zeros(count, np.int64), 1
    for begin in range(0, len(names), _BITS):
        some = [metrics[name].places for name in names[begin : begin + _BITS]]
        bits = np.zeros(count, np.int64)
        for bit, places in enumerate(some):
            bits[slice(None) if places is None else places] |= 1 << bit
        if count and (bits != bits[0]).any():
            code = np.unique(bits, return_inverse=True)[1] * kinds + code
            found, code = np.unique(code, return_inverse=True)
            kinds = len(found)
    sets: list[tuple[str, ...]] = []
    place_of = np.full(kinds, -1, np.int64)
    for each, at in zip(*np.unique(code, return_index=True), strict=True):
        held = tuple(name for name in names if _has(metrics[name].places, int(at)))
        if held:
            place_of[each] = len(sets)
            sets.append(held)
    return sets, place_of[code]


def _has(places: Ints | None, place: int) -> bool:
    if places is None:
        return True
    at = int(np.searchsorted(places, place))
    return at < len(places) and int(places[at]) == place


def _notes(columns: RecordColumns, count: int) -> list[Note]:
    notes: list[Note] = []
    for place in sorted({*columns.texts, *columns.messages, *columns.details}):
        if not 0 <= place < count:
            raise IndexError(f"there is no record at place {place}")
        texts, details = columns.texts.get(place), columns.details.get(place)
        notes.append(
            (
                place,
                compact_json(dict(texts)) if texts else None,
                columns.messages.get(place),
                compact_json(dict(details)) if details else None,
            )
        )
    return notes
