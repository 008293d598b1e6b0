"""Records as TensorBoard event files: a folder a run, every number at its step and time as a double.

An event is one record. What its numbers do not say (kind, epoch, texts, message, details) is JSON beside them, under
RECORD_TAG and a plugin of our own, so that TensorBoard shows nothing of it. A record without a step stands at the step
before it. The first event of a file tells what is known of the run, under RUN_TAG.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from stepline.exporters import knowledge
from stepline.kernels.crc32c import masked_of
from stepline.recording.plain import spelled
from stepline.store import LogEntry, Store

RUN_TAG = "stepline/run"
RECORD_TAG = "stepline/record"
WHOLE = "whole_records"
"""Said of a run whose events tell all of their records; before 28 November 2026 they told the numbers alone."""

# One encoder for all records: json.dumps makes one each time its options are not the defaults.
_json = json.JSONEncoder(ensure_ascii=False).encode

_AT_ONCE = 4096
_EVENT = struct.Struct("<Bd")
_DOUBLE = struct.Struct("<d")
_LENGTH = struct.Struct("<Q")
_SUM = struct.Struct("<I")
_SCALAR_TENSOR = b"\x08\x02\x12\x00\x32\x08"
"""A double without dimensions, up to its eight bytes."""


def files(store: Store, task_id: str) -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
    """(path, its bytes in pieces) of each run that has records. Raises TaskNotFound."""
    about = knowledge.of_runs(store, task_id)
    for run in store.runs(task_id):
        if run.first_sequence is not None and run.last_sequence is not None:
            place = PurePosixPath(f"run-{run.number}", f"events.out.tfevents.{int(run.started):010d}.stepline")
            found = store.records(task_id, run.first_sequence, run.last_sequence + 1)
            yield place, _pieces(run.started, about[run.id], (each for each in found if each.run_id == run.id))


def archive(store: Store, task_id: str) -> Iterator[bytes]:
    """All of them in a zip. Raises TaskNotFound, at once."""
    store.task(task_id)
    return _archive(store, task_id)


class _Sink(io.RawIOBase):
    """Takes what is written, until it is fetched."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        return data


def _archive(store: Store, task_id: str) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for place, pieces in files(store, task_id):
            with packed.open(str(place), "w", force_zip64=True) as member:
                for data in pieces:
                    member.write(data)
                    yield sink.take()
    yield sink.take()


def _pieces(started: float, about: dict[str, Any], found: Iterator[LogEntry]) -> Iterator[bytes]:
    values: dict[str, bytes] = {}
    version = _EVENT.pack(0x09, started) + _field(3, b"brain.Event:2")
    text = _value(RUN_TAG, b"text", _words({**about, WHOLE: True}))
    held = [version, _EVENT.pack(0x09, started) + _field(5, _field(1, text))]
    step = 0
    for entry in found:
        step = step if entry.step is None else entry.step
        parts = []
        if beside := _beside(entry):
            parts.append(_field(1, _value(RECORD_TAG, b"stepline", _words(beside))))
        for name, value in entry.metrics.items():
            if isinstance(value, str):
                continue
            head = values.get(name)
            if head is None:
                # What a tag is, its first value says.
                tensor = _SCALAR_TENSOR + _DOUBLE.pack(value)
                parts.append(_field(1, _value(name, b"scalars", tensor)))
                bare = _value(name, None, tensor)
                values[name] = _field(1, bare)[:-8]
            else:
                parts.append(head + _DOUBLE.pack(value))
        held.append(_EVENT.pack(0x09, entry.time) + b"\x10" + _varint(step % 2**64) + _field(5, b"".join(parts)))
        if len(held) >= _AT_ONCE:
            yield _records(held)
            held.clear()
    yield _records(held)


def _beside(entry: LogEntry) -> dict[str, Any]:
    """What the numbers, step and time of a record do not say; a step's numbers with nothing more give nothing."""
    texts = {name: value for name, value in entry.metrics.items() if isinstance(value, str)}
    has_numbers = len(entry.metrics) > len(texts)
    found = {
        "kind": None if entry.kind == "step" and has_numbers else entry.kind,
        "epoch": spelled(entry.epoch),
        "message": entry.message,
        "details": entry.details or None,
        "texts": texts or None,
        "no_step": True if entry.step is None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _words(fields: dict[str, Any]) -> bytes:
    """A tensor without dimensions that holds JSON."""
    return b"\x08\x07\x12\x00" + _field(8, _json(fields).encode())


_DATA_CLASS = {b"scalars": b"\x20\x01", b"text": b"\x20\x02", b"stepline": b""}


def _value(tag: str, plugin: bytes | None, tensor: bytes) -> bytes:
    """A summary's value: its tag, what shows it (a plugin's name and the class of its data), its tensor."""
    kind = b"" if plugin is None else _field(9, _field(1, _field(1, plugin)) + _DATA_CLASS[plugin])
    return _field(1, tag.encode()) + kind + _field(8, tensor)


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _records(events: list[bytes]) -> bytes:
    """TensorFlow's record format: length, its masked sum, data, its masked sum."""
    lengths = [_LENGTH.pack(len(event)) for event in events]
    sums = masked_of(lengths)
    data_sums = masked_of(events)
    parts: list[bytes] = []
    for event, length, total, data_total in zip(events, lengths, sums, data_sums, strict=True):
        parts += (length, _SUM.pack(total), event, _SUM.pack(data_total))
    return b"".join(parts)
