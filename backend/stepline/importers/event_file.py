"""TensorBoard event files: scalars of both forms, every point; other summaries are counted and told.

A scalar is a `simple_value` (TF1, torch, Lightning) or a tensor without dimensions (TF2). Events that follow one
another at one step are one row, as they were one log call; an evaluation's and the closing row's are rows of their
own. Settings come from the hparams plugin and from the texts `args` and `model_config` of the Hugging Face trainer.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepline.importers import limits, names
from stepline.importers.event_columns import EventColumns
from stepline.importers.imported import Reading, Remarks, Row, kept, rows_of
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.protobuf import (
    BYTES,
    ProtobufDamaged,
    double,
    fields,
    message,
    packed_varints,
    signed,
    single,
    text,
)
from stepline.importers.row_columns import Unsuited
from stepline.importers.tfrecord import records
from stepline.kernels import events as scanning
from stepline.kernels.types import CLOSING, EITHER, EVALUATION, TRAINING

FORMAT = "tensorboard"
COLUMNS_FROM_BYTES = 4 << 20
"""Files from which loading the compiled scan (0.3 s) is worth it."""
RUN_TAG = "stepline/run"
"""Stands in a file that Stepline exported."""
RECORD_TAG = "stepline/record"
"""What the numbers of a record do not say, in such a file."""

_NUMBERS = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 17: "H", 19: "e", 22: "I", 23: "Q"}
"""TensorFlow's DataType numbers as struct letters; 14 is bfloat16, the upper half of a float32."""
_BFLOAT16, _STRING = 14, 7
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_TEXT_SETTINGS = {"args/text_summary": "", "model_config/text_summary": "model."}


@dataclass(slots=True)
class Events:
    """What was met in a file beside its scalars, filled while its rows are read."""

    others: Counter[str] = field(default_factory=Counter)
    settings: dict[str, Any] = field(default_factory=dict)
    scalars: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    """What is known of the run, in a file that Stepline exported."""
    beside: dict[str, Any] = field(default_factory=dict)
    """What stands beside the numbers of a record there; to be emptied by who reads it."""


def read(*paths: Path, columns_from_bytes: int = COLUMNS_FROM_BYTES) -> Reading:
    """The rows of one or several event files of one directory, one after another in the order given; as columns where
    the files are long enough."""
    remarks = Remarks()
    met = {path: Events() for path in paths}
    reading = Reading(
        FORMAT, paths[0], name_for(paths[0]), kept(lambda: _rows(met, remarks)), remarks=remarks, files=paths
    )
    if sum(path.stat().st_size for path in paths) >= columns_from_bytes:
        reading.columns = _columns(paths, met, remarks)
    if reading.columns is None:
        for _ in reading.rows():
            pass
    others = sum((events.others for events in met.values()), Counter[str]())
    if others:
        counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
        reading.told.append(f"not taken, for they are no scalars: {counted}")
    for events in met.values():
        reading.settings.update(events.settings)
    return reading


def growing_columns(paths: Sequence[Path], columns_from_bytes: int) -> tuple[EventColumns, EventParser] | None:
    """The rows of long files as columns, but for the last one, which may go on, and the parser that goes on with it at
    `EventColumns.place`. None where they are not read as columns."""
    if sum(path.stat().st_size for path in paths) < columns_from_bytes:
        return None
    met = {path: Events() for path in paths}
    columns = _columns(paths, met, Remarks(), is_growing=True)
    if columns is None:
        return None
    settings = {name: value for each in met.values() for name, value in each.settings.items()}
    return columns, EventParser(Remarks(), Events(settings=settings), columns.open_row())


def _columns(
    paths: Sequence[Path], met: dict[Path, Events], remarks: Remarks, *, is_growing: bool = False
) -> EventColumns | None:
    """None where the rows have something that is not read as columns."""
    scanning.prepare()
    columns = EventColumns(
        paths=paths,
        remarks=remarks,
        read_event=lambda path, data: _event(data, met[path]),
        plugin_of=lambda data: _plugin(data)[0],
        sort_of=_sort,
        is_growing=is_growing,
    )
    try:
        columns.look_through()
    except Unsuited:
        return None
    return columns


def _rows(met: dict[Path, Events], remarks: Remarks) -> Iterator[Row]:
    for path in met:
        met[path] = seen = Events()
        own = remarks if len(met) == 1 else Remarks()
        yield from rows_of(EventParser(own, seen), Opened(path))
        if own is not remarks:
            for remark in own.kept:
                remarks.leave_out(f"{path.name}, {remark.place}", remark.reason)


def events(opened: Opened, met: Events, remarks: Remarks) -> Iterator[tuple[float, int, list[tuple[str, float]]]]:
    """(time, step, its scalars) of each event that can be read."""
    tags: dict[bytes, str] = {}
    for place, data in enumerate(records(opened, remarks)):
        try:
            yield _plain_scalar(data, tags) or _event(data, met)
        except (ProtobufDamaged, struct.error) as error:
            remarks.leave_out(f"record {place}", f"no event: {error}")


class EventParser:
    """Groups scalars into rows. `row`: one that goes on perhaps."""

    total_steps = None
    form = ""

    def __init__(self, remarks: Remarks, met: Events | None = None, row: Row | None = None) -> None:
        self._met = met or Events()
        self._remarks = remarks
        self._sorts: dict[str, int] = {}
        self._row = row
        self._row_sort = next((sort for tag in row.values if (sort := _sort(tag)) != EITHER), EITHER) if row else EITHER

    @property
    def settings(self) -> dict[str, Any]:
        return self._met.settings

    def feed(self, opened: Opened) -> Iterator[Row]:
        sorts, row, row_sort = self._sorts, self._row, self._row_sort
        for time, step, scalars in events(opened, self._met, self._remarks):
            for tag, value in scalars:
                sort = sorts.get(tag)
                if sort is None:
                    if len(sorts) >= limits.COLUMNS:
                        self._remarks.leave_out(f"tag {tag}", f"more than {limits.COLUMNS:,} tags")
                        continue
                    sort = sorts[tag] = _sort(tag)
                self._met.scalars += 1
                if (
                    row is None
                    or row.step != step
                    or tag in row.values
                    or (sort is not row_sort and sort is not EITHER and row_sort is not EITHER)
                ):
                    if row is not None:
                        yield row
                    row, row_sort = Row({}, step=step, time=time), EITHER
                if sort is not EITHER:
                    row_sort = sort
                row.values[tag] = value
        self._row, self._row_sort = row, row_sort

    def rest(self) -> Iterator[Row]:
        if self._row is not None:
            yield self._row


def _sort(tag: str) -> int:
    bare = tag.removeprefix("train/")
    if bare in names.CLOSING and (bare != "train_loss" or bare != tag):
        return CLOSING
    if names.folded(tag) in {names.folded(name) for name in names.EPOCH}:
        return EITHER
    return EVALUATION if names.is_evaluation(tag) else TRAINING


def _plain_scalar(data: bytes, tags: dict[bytes, str]) -> tuple[float, int, list[tuple[str, float]]] | None:
    """An event of one simple_value, as nearly all are, at a fifth of the general way's time; None where it is another.

    wall_time (key 9), step (key 16, not there for 0), summary (42) { value (10) { tag (10), simple_value (21) } }
    """
    end = len(data)
    if end < 20 or data[0] != 9:
        return None
    step, place = 0, 9
    if data[9] == 16:
        shift, place = 0, 10
        while place < end and data[place] >= 0x80:
            step |= (data[place] & 0x7F) << shift
            shift += 7
            place += 1
        if shift > 56 or place + 8 > end:
            return None
        step |= data[place] << shift
        place += 1
    if data[place] != 42 or data[place + 1] != end - place - 2 or data[place + 2] != 10 or data[place + 4] != 10:
        return None
    begin = place + 6
    last = begin + data[place + 5]
    if data[place + 3] != end - place - 4 or data[place + 5] >= 0x80 or last + 5 != end or data[last] != 21:
        return None
    name = data[begin:last]
    tag = tags.get(name)
    if tag is None:
        tag = tags[name] = name.decode(errors="replace")
    if not tag:
        return None
    return _DOUBLE.unpack_from(data, 1)[0], step, [(tag, _FLOAT.unpack_from(data, last + 1)[0])]


def _event(data: bytes, events: Events) -> tuple[float, int, list[tuple[str, float]]]:
    time, step = 0.0, 0
    scalars: list[tuple[str, float]] = []
    for number, _, value in fields(data):
        if number == 1:
            time = double(value)
        elif number == 2 and isinstance(value, int):
            step = signed(value)
        elif number == 5:
            for inner, wire, each in fields(message(value)):
                if inner == 1 and wire == BYTES:
                    _summary_value(message(each), events, scalars)
        elif number in (4, 9):
            events.others["graphs"] += 1
    return time, step, scalars


def _summary_value(data: bytes, events: Events, scalars: list[tuple[str, float]]) -> None:
    tag, value, plugin, other, tensor, content = "", None, "", "", None, b""
    for number, _, each in fields(data):
        if number == 1:
            tag = text(each)
        elif number == 2:
            value = single(each)
        elif number == 8:
            tensor = message(each)
        elif number == 9:
            plugin, content = _plugin(message(each))
        elif number in (4, 5, 6):
            other = {4: "images", 5: "histograms", 6: "audio clips"}[number]
    if value is None and tensor is not None and plugin in ("", "scalars"):
        value = _tensor_number(tensor)
    if value is not None and tag:
        scalars.append((tag[:512], value))
        return
    if plugin == "hparams":
        events.settings.update(_hparams(content))
    elif tensor is not None and tag == RUN_TAG:
        events.about.update(_text_settings(tensor, ""))
    elif tensor is not None and tag == RECORD_TAG:
        events.beside = _text_settings(tensor, "")
    elif tensor is not None and tag in _TEXT_SETTINGS:
        events.settings.update(_text_settings(tensor, _TEXT_SETTINGS[tag]))
    else:
        events.others[other or plugin or "tensors"] += 1


def _plugin(data: bytes) -> tuple[str, bytes]:
    for number, _, value in fields(data):
        if number == 1:
            found = {inner: each for inner, _, each in fields(message(value))}
            content = found.get(2, b"")
            return text(found.get(1, b"")), content if isinstance(content, bytes) else b""
    return "", b""


def _tensor_number(data: bytes) -> float | None:
    """The one number of a tensor without dimensions (or of one element), None for any other."""
    dtype, content, listed, size = 0, b"", None, 1
    for number, _, value in fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2:
            for inner, _, dimension in fields(message(value)):
                if inner == 2:
                    for part, _, extent in fields(message(dimension)):
                        if part == 1 and isinstance(extent, int):
                            size *= extent
        elif number == 4:
            content = message(value)
        elif number in (5, 6):
            width, letter = (4, "<f") if number == 5 else (8, "<d")
            raw = message(value)
            listed = struct.unpack(letter, raw)[0] if len(raw) == width else None
        elif number in (7, 10, 11, 16, 17):
            numbers = packed_varints(value)
            listed = float(signed(numbers[0])) if len(numbers) == 1 else None
        elif number == 13:
            numbers = packed_varints(value)
            listed = _half(numbers[0], dtype) if len(numbers) == 1 else None
    if size != 1:
        return None
    if content:
        if dtype == _BFLOAT16 and len(content) == 2:
            return float(struct.unpack("<f", b"\0\0" + content)[0])
        letter = _NUMBERS.get(dtype, "")
        return (
            float(struct.unpack(f"<{letter}", content)[0])
            if letter and struct.calcsize(f"<{letter}") == len(content)
            else None
        )
    # protobuf writes no zero: a number that is not listed is one.
    return listed if listed is not None else 0.0 if dtype in _NUMBERS or dtype == _BFLOAT16 else None


def _half(bits: int, dtype: int) -> float:
    bits &= 0xFFFF
    if dtype == _BFLOAT16:
        return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])
    return float(struct.unpack("<e", struct.pack("<H", bits))[0])


def _hparams(content: bytes) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    try:
        for number, _, value in fields(content):
            if number != 3:
                continue
            for inner, _, entry in fields(message(value)):
                if inner == 1:
                    found = {part: each for part, _, each in fields(message(entry))}
                    settings[text(found.get(1, b""))] = _hparam(message(found.get(2, b"")))
    except ProtobufDamaged:
        pass
    return {name: value for name, value in settings.items() if name and value is not None}


def _hparam(data: bytes) -> float | str | bool | None:
    for number, _, value in fields(data):
        if number == 2:
            return double(value)
        if number == 3:
            return text(value)
        if number == 4:
            return bool(value)
    return None


def _text_settings(tensor: bytes, prefix: str) -> dict[str, Any]:
    """Settings from a text summary that holds JSON."""
    try:
        words = next((text(value) for number, _, value in fields(tensor) if number == 8), "")
        found = json.loads(words)
    except (ValueError, RecursionError):
        return {}
    return {f"{prefix}{name}": value for name, value in found.items()} if isinstance(found, dict) else {}
