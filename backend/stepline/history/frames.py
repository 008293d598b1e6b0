"""The binary frame of docs/frame.md: windows of several series on their way to a page, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepline.errors import UsageError
from stepline.history.smoothing import Smoothing
from stepline.history.windows import Window
from stepline.kernels import Floats

MAGIC = b"SLF1"


class _Payload:
    """Columns one after another; an array that is there already is not written twice."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[int, int], int] = {}
        self.parts: list[bytes] = []
        self._kept: list[Floats] = []
        self._length = 0

    def place(self, column: Floats) -> list[int]:
        column = np.ascontiguousarray(column, "<f8")
        key = (column.__array_interface__["data"][0], len(column))
        if key not in self._offsets:
            self._offsets[key] = self._length
            # Held until the frame is written: an array that is gone would give its address to the next one.
            self._kept.append(column)
            self.parts.append(column.tobytes())
            self._length += column.nbytes
        return [self._offsets[key], len(column)]


def encode(
    task_id: str,
    axis: str,
    first: int,
    last: int,
    cursor: int,
    smoothing: Smoothing,
    windows: Sequence[Window],
) -> bytes:
    """A frame. first, last: the sequences it covers; cursor: the one that comes next."""
    payload = _Payload()
    described = [_describe(window, axis, payload) for window in windows]
    metadata = json.dumps(
        {
            "task": task_id,
            "axis": axis,
            "from": first,
            "to": last,
            "cursor": cursor,
            "smoothing": {"ema": smoothing.ema, "ma": smoothing.ma},
            "series": described,
        },
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    head = MAGIC + len(metadata).to_bytes(4, "little") + metadata
    return b"".join([head, bytes(-len(head) % 8), *payload.parts])


def _describe(window: Window, axis: str, payload: _Payload) -> dict[str, Any]:
    raw, smooth, marks = window.raw, window.smooth, window.marks
    assert raw.time is not None
    columns = {
        "sequence": payload.place(raw.sequence),
        "x": payload.place(raw.sequence if axis == "sequence" else raw.x),
        "step": payload.place(raw.step),
        "time": payload.place(raw.time),
        "value": payload.place(raw.value),
        "mark_sequence": payload.place(marks.sequence),
        "mark_x": payload.place(marks.sequence if axis == "sequence" else marks.x),
        "mark_step": payload.place(marks.step),
        "mark_count": payload.place(marks.count),
        "mark_value": payload.place(marks.value),
    }
    if smooth is not None:
        columns |= {
            "smooth_sequence": payload.place(smooth.sequence),
            "smooth_x": payload.place(smooth.sequence if axis == "sequence" else smooth.x),
            "smooth_step": payload.place(smooth.step),
            "smooth_value": payload.place(smooth.value),
        }
    lines: list[dict[str, Any]] = []
    for line in window.lines:
        described: dict[str, Any] = {"run": line.run, "raw": line.raw}
        if line.smooth is not None:
            described["smooth"] = line.smooth
        described["marks"] = line.marks
        described["superseded_from"] = line.superseded_from
        lines.append(described)
    return {
        "name": window.name,
        "points": window.points,
        "bucket": window.bucket,
        "columns": columns,
        "lines": lines,
        "lines_left_out": window.lines_left_out,
    }


@dataclass(frozen=True, slots=True)
class DecodedSeries:
    name: str
    points: int
    bucket: int
    columns: Mapping[str, Floats]
    lines: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Decoded:
    metadata: dict[str, Any]
    series: list[DecodedSeries]


def decode(data: bytes) -> Decoded:
    """A frame's columns as read-only views into `data`. UsageError for bytes that are no frame of this version."""
    if data[:4] != MAGIC:
        raise UsageError(
            "These bytes are not a frame.",
            why=f"They begin with {data[:4]!r}, a frame of this version with {MAGIC!r}.",
            action="Fetch the frame again with the same version of Stepline on both sides.",
        )
    length = int.from_bytes(data[4:8], "little")
    metadata = json.loads(data[8 : 8 + length])
    begin = 8 + length + -(8 + length) % 8
    series = []
    for described in metadata["series"]:
        columns = {
            name: np.frombuffer(data, "<f8", count, begin + offset)
            for name, (offset, count) in described["columns"].items()
        }
        series.append(
            DecodedSeries(described["name"], described["points"], described["bucket"], columns, described["lines"])
        )
    return Decoded(metadata, series)
