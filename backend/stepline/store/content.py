"""Records in columns, in memory: what a block holds, and on the way from rows or a backlog to one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepline.errors import StoreError
from stepline.kernels import distinct
from stepline.store.packing import ROW_BYTES, Row, SeriesNews, compact_json, split_metrics
from stepline.store.rows import RecordLike

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KIND_ORDER = ("step", "train_start", "evaluation", "checkpoint", "train_end", "message")
"""A record's kind as a number. Stored: never to be put in another order."""
KIND_CODES = {kind: code for code, kind in enumerate(KIND_ORDER)}
NO_STEP = -(2**63)
"""Stands for an absent step; a journal's steps begin one above it."""

SetId = Callable[[tuple[str, ...]], int]
Names = Callable[[int], tuple[str, ...]]
Note = tuple[int, str | None, str | None, str | None]
"""(place in the content, texts as JSON, message, details as JSON) of a record that has any of them."""


class Values(NamedTuple):
    """One metric: the places of the records that have it, None for all of them, and its values there."""

    places: Ints | None
    values: Floats

    def cut(self, first: int, last: int) -> Values:
        if self.places is None:
            return Values(None, self.values[first:last])
        begin, end = np.searchsorted(self.places, [first, last])
        places = self.places[begin:end] - first
        return Values(None if len(places) == last - first else places, self.values[begin:end])


@dataclass(slots=True)
class Content:
    """Records of one task, ascending by sequence. Arrays have one length, but for those in `metrics`."""

    sequence: Ints
    run: Ints
    """Ids of the runs."""
    kind: NDArray[np.uint8]
    step: Ints
    epoch: Floats
    """NaN where the record has none."""
    time: Floats
    metric_set: Ints
    """Ids of the metric sets, 0 where the record has no number."""
    metrics: dict[str, Values] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sequence)

    def cut(self, first: int, last: int) -> Content:
        metrics = {name: values.cut(first, last) for name, values in self.metrics.items()}
        return Content(
            **self._each(slice(first, last)),
            metrics={name: values for name, values in metrics.items() if len(values.values)},
            notes=[(place - first, *rest) for place, rest in self._noted() if first <= place < last],
        )

    def chosen(self, mask: NDArray[np.bool_]) -> Content:
        """The records where `mask` is true."""
        moved = np.cumsum(mask) - 1
        metrics = {}
        for name, (places, values) in self.metrics.items():
            held = mask if places is None else mask[places]
            if held.any():
                left = np.flatnonzero(mask) if places is None else places[held]
                metrics[name] = Values(None if len(left) == moved[-1] + 1 else moved[left], values[held])
        notes: list[Note] = [(int(moved[place]), *rest) for place, rest in self._noted() if mask[place]]
        return Content(**self._each(mask), metrics=metrics, notes=notes)

    def _noted(self) -> Iterator[tuple[int, tuple[str | None, str | None, str | None]]]:
        return ((place, (texts, message, details)) for place, texts, message, details in self.notes)

    def _each(self, which: slice | NDArray[np.bool_]) -> dict[str, Any]:
        return {name: getattr(self, name)[which] for name in COLUMNS}

    def places_of(self, name: str) -> Ints:
        places = self.metrics[name].places
        return np.arange(len(self)) if places is None else places

    def values_at(self, name: str, where: Ints) -> Floats:
        """A metric's values at places that have it."""
        places, values = self.metrics[name]
        return values[where if places is None else np.searchsorted(places, where)]

    def series(self) -> dict[str, SeriesNews]:
        """What these records add to each series."""
        found: dict[str, SeriesNews] = {}
        for name, (places, values) in self.metrics.items():
            last = len(self) - 1 if places is None else int(places[-1])
            step = int(self.step[last])
            finite = values[np.isfinite(values)]
            low, high = (float(finite.min()), float(finite.max())) if len(finite) else (math.inf, -math.inf)
            found[name] = SeriesNews(
                "number", len(values), float(values[-1]), None if step == NO_STEP else step, int(self.sequence[last]),
                low, high,
            )  # fmt: skip
        for place, texts, _, _ in self.notes:
            for name, text in json.loads(texts).items() if texts else ():
                step = int(self.step[place])
                news = SeriesNews("text", 1, text, None if step == NO_STEP else step, int(self.sequence[place]))
                found[name] = news.after(found[name]) if name in found else news
        return found

    def decoded_bytes(self) -> NDArray[np.int64]:
        """What each record takes in memory."""
        sizes = np.full(len(self), ROW_BYTES, np.int64)
        for places, _ in self.metrics.values():
            if places is None:
                sizes += 8
            else:
                sizes[places] += 8
        for place, *texts in self.notes:
            sizes[place] += sum(len(text) for text in texts if text is not None)
        return sizes


COLUMNS = ("sequence", "run", "kind", "step", "epoch", "time", "metric_set")


def joined(parts: Sequence[Content]) -> Content:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    held: dict[str, list[tuple[int, Content]]] = {}
    notes: list[Note] = []
    for start, part in zip(starts, parts, strict=False):
        for name in part.metrics:
            held.setdefault(name, []).append((start, part))
        notes += [(place + start, *rest) for place, rest in part._noted()]
    metrics = {}
    for name, places in held.items():
        values = np.concatenate([part.metrics[name].values for _, part in places])
        dense = len(values) == starts[-1]
        metrics[name] = Values(
            None if dense else np.concatenate([part.places_of(name) + start for start, part in places]), values
        )
    own: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return Content(**own, metrics=metrics, notes=notes)


def metrics_of(groups: Iterable[tuple[tuple[str, ...], Ints, list[Floats]]], total: int) -> dict[str, Values]:
    """Groups of records that share a metric set: its names, the records' places, a column of values for each name."""
    parts: dict[str, list[tuple[Ints, Floats]]] = {}
    for names, places, columns in groups:
        for name, values in zip(names, columns, strict=True):
            parts.setdefault(name, []).append((places, values))
    metrics = {}
    for name, held in parts.items():
        places, values = held[0]
        if len(held) > 1:
            places = np.concatenate([each for each, _ in held])
            values = np.concatenate([each for _, each in held])
            order = np.argsort(places, kind="stable")
            places, values = places[order], values[order]
        metrics[name] = Values(None if len(places) == total else places, values)
    return metrics


def of_rows(rows: Sequence[Row], names: Names) -> Content:
    """Of rows of `training_logs` with all columns from `sequence` on, ascending."""
    sequence, run, kind, step, epoch, time, sets, blobs, texts, messages, details = zip(*rows, strict=True)
    metric_set = np.array([number or 0 for number in sets], np.int64)
    groups = []
    for number in distinct(metric_set).tolist():
        if number:
            places = np.flatnonzero(metric_set == number)
            data = b"".join([blobs[place] for place in places.tolist()])
            held = names(number)
            groups.append((held, places, list(np.frombuffer(data, "<f8").reshape(-1, len(held)).T)))
    noted = [
        (place, *each)
        for place, each in enumerate(zip(texts, messages, details, strict=True))
        if each != (None, None, None)
    ]
    return Content(
        np.array(sequence, np.int64),
        np.array(run, np.int64),
        np.array([KIND_CODES[each] for each in kind], np.uint8),
        np.array([NO_STEP if each is None else each for each in step], np.int64),
        np.array([math.nan if each is None else each for each in epoch], np.float64),
        np.array(time, np.float64),
        metric_set,
        metrics_of(groups, len(rows)),
        noted,
    )


def of_records(records: Sequence[RecordLike], run_id: int, first: int, set_id: SetId) -> Content:
    """Of a run's records. Raises StoreError."""
    try:
        return _of_records(records, run_id, first, set_id)
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise StoreError("A record cannot be stored", why=str(error), action="Take the run in again") from error


def _of_records(records: Sequence[RecordLike], run_id: int, first: int, set_id: SetId) -> Content:
    count = len(records)
    steps = list(map(_step, records))
    content = Content(
        np.arange(first, first + count),
        np.full(count, run_id, np.int64),
        np.fromiter(map(KIND_CODES.__getitem__, map(_kind, records)), np.uint8, count),
        np.array([NO_STEP if step is None else step for step in steps] if None in steps else steps, np.int64),
        # -0.0 becomes 0.0, as in a row: SQLite has no other.
        np.array(list(map(_epoch, records)), np.float64) + 0.0,
        np.fromiter(map(_time, records), np.float64, count),
        np.zeros(count, np.int64),
    )
    groups: dict[tuple[str, ...], tuple[list[int], list[Any]]] = {}
    for place, record in enumerate(records):
        _sort_in(record, place, groups, content.notes)
    found = []
    for names, (places, values) in groups.items():
        held = np.array(places)
        content.metric_set[held] = set_id(names)
        found.append((names, held, list(np.array(values, np.float64).reshape(len(places), len(names)).T)))
    content.metrics = metrics_of(found, count)
    return content


_kind, _step, _epoch, _time = map(attrgetter, ("kind", "step", "epoch", "time"))


def _sort_in(
    record: RecordLike, place: int, groups: dict[tuple[str, ...], tuple[list[int], list[Any]]], notes: list[Note]
) -> None:
    metrics = record.metrics
    texts = None
    if metrics:
        names, values = tuple(metrics), tuple(metrics.values())
        if str in {value.__class__ for value in values}:
            names, values, texts = split_metrics(metrics)
        if names:
            where, held = groups.setdefault(names, ([], []))
            where.append(place)
            held.append(values)
    details = compact_json(record.details) if record.details else None
    if texts is not None or record.message is not None or details is not None:
        notes.append((place, texts, record.message, details))
