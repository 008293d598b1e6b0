"""Makes the files that importers read, each in its tool's form, from the formats' public descriptions."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stepline.kernels.crc32c import crc32c, masked

Scalar = tuple[int, str, float]


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: int | float | bytes | str) -> bytes:
    """One protobuf field: int as varint, float as double, text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def single(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def tfrecord(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def simple(tag: str, value: float) -> bytes:
    return field(1, tag) + single(2, value)


def tensor(tag: str, value: float, *, plugin: str = "scalars", content: bool = False) -> bytes:
    """A float32 tensor without dimensions, its number listed or as content."""
    number = (
        field(4, struct.pack("<f", value)) if content else varint(5 << 3 | 2) + varint(4) + struct.pack("<f", value)
    )
    return field(1, tag) + field(8, field(1, 1) + field(2, b"") + number) + field(9, field(1, field(1, plugin)))


def text_summary(tag: str, words: str) -> bytes:
    return field(1, tag) + field(8, field(1, 7) + field(8, words)) + field(9, field(1, field(1, "text")))


def event(step: int, values: Iterable[bytes], time: float = 1_700_000_000.0) -> bytes:
    summary = b"".join(field(1, value) for value in values)
    return tfrecord(field(1, time + step) + field(2, step) + field(5, summary))


def event_file(path: Path, scalars: Iterable[Scalar], *, form: str = "simple", extra: bytes = b"") -> Path:
    """An event file with one event a scalar, `form` one of simple, tensor, content."""
    made = {
        "simple": simple,
        "tensor": tensor,
        "content": lambda tag, value: tensor(tag, value, content=True),
    }[form]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = tfrecord(field(1, 1_700_000_000.0) + field(3, "brain.Event:2"))
    path.write_bytes(head + b"".join(event(step, [made(tag, value)]) for step, tag, value in scalars) + extra)
    return path


def wandb_item(key: str, value: Any, *, nested: Sequence[str] = ()) -> bytes:
    parts = b"".join(field(2, part) for part in nested)
    return field(1, (field(1, key) if key else b"") + parts + field(16, json.dumps(value)))


def wandb_history(row: dict[str, Any]) -> bytes:
    return field(2, b"".join(wandb_item(key, value) for key, value in row.items()))


def wandb_run(run_id: str, config: dict[str, Any], *, project: str = "mine", started: int = 1_700_000_000) -> bytes:
    items = b"".join(wandb_item(key, value) for key, value in config.items())
    return field(17, field(1, run_id) + field(3, project) + field(4, items) + field(17, field(1, started)))


def wandb_exit(code: int) -> bytes:
    return field(18, field(1, code) if code else b"")


def wandb_file(path: Path, messages: Iterable[bytes]) -> Path:
    """Messages in LevelDB's log format, cut into pieces at each block of 32 KiB."""
    data = bytearray(b":W&B\xe1\xbe\x00")
    for number, message in enumerate(messages):
        rest, first = field(1, number) + message, True
        while True:
            room = 32768 - len(data) % 32768
            if room < 7:
                data += bytes(room)
                continue
            piece, rest = rest[: room - 7], rest[room - 7 :]
            sort = (1 if first else 4) if not rest else (2 if first else 3)
            data += struct.pack("<IHB", zlib.crc32(piece, zlib.crc32(bytes([sort]))), len(piece), sort) + piece
            first = False
            if not rest:
                break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def log_history(steps: Iterable[int], *, shift: float = 0.0, closing: bool = False) -> list[dict[str, Any]]:
    """Entries as the trainer writes them, the loss 10/step + shift."""
    rows: list[dict[str, Any]] = [
        {"epoch": step / 100, "grad_norm": 1.0, "learning_rate": 1e-4, "loss": 10 / step + shift, "step": step}
        for step in steps
    ]
    if closing:
        last = rows[-1]["step"]
        rows.append({"epoch": 1.0, "step": last, "total_flos": 1e9, "train_loss": 0.5, "train_runtime": 12.5})
    return rows


def trainer_state(path: Path, history: list[dict[str, Any]], *, max_steps: int = 100, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"best_metric": None, "global_step": history[-1]["step"] if history else 0, "log_history": history}
    path.write_text(json.dumps({**state, "max_steps": max_steps, "train_batch_size": 8, **more}, indent=2))
    return path
