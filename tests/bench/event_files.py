"""Event files as TensorBoard's SummaryWriter writes them, in NumPy: an event a scalar, any number of steps."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stepline.kernels.crc32c import masked_of_columns
from tests.import_files import field, tfrecord

TAGS = ("train/loss", "train/grad_norm", "train/learning_rate", "train/entropy", "train/samples_per_second")
NAME = "events.out.tfevents.1700000000.host.1.0"
AT_ONCE = 2**18


def write(folder: Path, steps: int) -> Path:
    """`folder`/NAME with the five scalars at each of these steps, 1, 2 and so on."""
    folder.mkdir(parents=True)
    path = folder / NAME
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(tfrecord(field(1, 1.7e9) + field(3, "brain.Event:2")))
        begin = 1
        while begin <= steps:
            # All steps of one batch take as many bytes as varints.
            width = (begin.bit_length() + 6) // 7
            end = min(begin + AT_ONCE, steps + 1, 1 << 7 * width)
            _write(file, np.arange(begin, end), width, rng)
            begin = end
    return path


def _write(file: BinaryIO, step: NDArray[np.int64], width: int, rng: np.random.Generator) -> None:
    count = len(step)
    varint = np.stack([step >> 7 * place & 0x7F | (0x80 if place < width - 1 else 0) for place in range(width)], axis=1)
    time = 1.7e9 + step * 0.31
    rows = []
    for tag in TAGS:
        value = field(1, tag) + b"\x15" + bytes(4)
        head, summary = b"\x09" + bytes(8) + b"\x10" + bytes(width), field(5, field(1, value))
        length = len(head) + len(summary)
        rows.append(np.empty((count, 8 + 4 + length + 4), np.uint8))
        rows[-1][:] = np.frombuffer(length.to_bytes(8, "little") + bytes(4) + head + summary + bytes(4), np.uint8)
        data = rows[-1][:, 12:-4]
        data[:, 1:9] = _bytes(time)
        data[:, 10 : 10 + width] = varint
        data[:, -4:] = _bytes((3 + rng.normal(0, 0.2, count)).astype(np.float32))
        rows[-1][:, 8:12] = _bytes(_sums(rows[-1][:1, :8]))
        rows[-1][:, -4:] = _bytes(_sums(data))
    file.write(np.concatenate(rows, axis=1).tobytes())


def _bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _sums(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    count, length = rows.shape
    return masked_of_columns(np.ascontiguousarray(rows).ravel(), np.arange(count) * length, length)
