"""A task's records as text for other programs, one record at a time, every value as it was logged.

    jsonl   one JSON object a line: sequence, run, step, epoch, time, kind, metrics, message
    csv     one row a record, one column a metric, empty where a record has none

Non-finite numbers are written as the journal writes them: "NaN", "Infinity", "-Infinity". `run` is the run's id, `time`
Unix seconds. Records are streamed: ten million of them take no more memory than ten.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TextIO

from stepline.errors import UsageError


class Entry(Protocol):
    """A record in its place, as the store gives it."""

    @property
    def sequence(self) -> int: ...
    @property
    def run_id(self) -> str: ...
    @property
    def step(self) -> int | None: ...
    @property
    def epoch(self) -> float | None: ...
    @property
    def time(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def metrics(self) -> dict[str, float | str]: ...
    @property
    def message(self) -> str | None: ...


class Metric(Protocol):
    @property
    def name(self) -> str: ...


class Source(Protocol):
    def records(self, task_id: str) -> Iterator[Any]: ...
    def metrics(self, task_id: str) -> Iterable[Metric]: ...


PLACE = ("sequence", "run", "step", "epoch", "time", "kind")


def export(source: Source, task_id: str, format: str, stream: TextIO) -> int:
    """Write a task's records to `stream`; returns how many.

    A stream for CSV should be opened with newline="". UsageError for an unknown format, TaskNotFound.
    """
    writer = FORMATS.get(format)
    if writer is None:
        raise UsageError(
            f"Stepline cannot export as {format!r}",
            why="It knows no such format",
            action=f"Ask for one of {', '.join(FORMATS)}",
        )
    return writer(source, task_id, stream)


def _jsonl(source: Source, task_id: str, stream: TextIO) -> int:
    count = 0
    # One encoder for all records: json.dumps makes one each time its options are not the defaults.
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
    entry: Entry
    for entry in source.records(task_id):
        stream.write(
            encode(
                {
                    "sequence": entry.sequence,
                    "run": entry.run_id,
                    "step": entry.step,
                    "epoch": _number(entry.epoch),
                    "time": _number(entry.time),
                    "kind": entry.kind,
                    "metrics": {name: _number(value) for name, value in entry.metrics.items()},
                    "message": entry.message,
                }
            )
        )
        stream.write("\n")
        count += 1
    return count


def _csv(source: Source, task_id: str, stream: TextIO) -> int:
    count = 0
    # Records that come meanwhile may bring metrics that the heading does not have; these are left out of the rows.
    names = [metric.name for metric in source.metrics(task_id)]
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow([*PLACE, *map(_heading, names), "message"])
    entry: Entry
    for entry in source.records(task_id):
        rows.writerow(
            [
                entry.sequence,
                entry.run_id,
                entry.step,
                _number(entry.epoch),
                _number(entry.time),
                entry.kind,
                *(_number(entry.metrics.get(name)) for name in names),
                entry.message,
            ]
        )
        count += 1
    return count


def _heading(metric: str) -> str:
    """A metric's column; one that is named like a column of the record is told apart."""
    return f"metrics.{metric}" if metric in (*PLACE, "message") else metric


def _number(value: float | str | None) -> float | str | None:
    """As the journal writes it: a non-finite number is a word."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


FORMATS: dict[str, Callable[[Source, str, TextIO], int]] = {"jsonl": _jsonl, "csv": _csv}
