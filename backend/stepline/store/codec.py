"""Arrays as bytes: each split into planes, one for each byte of its numbers, and all planes compressed together.

A plane whose bytes are all alike is only named: the numbers of a trainer are float32 at heart, so three of eight planes
are zeros, and a column that never changes takes 20 bytes. The numbers come back to the bit, NaN's payload included.

    count of arrays (uint8)
    of each: its type (uint8, see TYPES), count of numbers (uint32), planes that are alike (uint8, a bit each), and the
        byte of each of those
    the other planes, array by array, as one zstd frame; nothing where there are none
"""

from __future__ import annotations

import struct
import threading
from typing import Any, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from stepline import kernels
from stepline.errors import DatabaseDamaged

Array = NDArray[Any]

TYPES = ("<f8", "<i8", "<i4", "<u4", "<u2", "|u1")
_DTYPES = tuple(map(np.dtype, TYPES))
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES)}
_HEAD = struct.Struct("<BIB")
LEVEL = 1
"""Of zstd. Level 3 takes a third longer and saves 1 % of shuffled float32 numbers."""


class _Threads(threading.local):
    """zstd's contexts: not to be shared between threads, and costly to make for each column."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Threads()


def compress(data: bytes) -> bytes:
    return _zstd.compress(data)


def decompress(data: bytes) -> bytes:
    """Raises DatabaseDamaged."""
    try:
        return _zstd.decompress(data)
    except zstandard.ZstdError as error:
        raise _damaged(str(error)) from error


def encode(*arrays: Array) -> bytes:
    heads, planes = [bytes([len(arrays)])], []
    for array in arrays:
        array = np.ascontiguousarray(array)
        width = array.dtype.itemsize
        split = np.ascontiguousarray(array.view(np.uint8).reshape(-1, width).T)
        if len(array):
            alike = (split == split[:, :1]).all(axis=1)
            same = split[alike, 0].tobytes()
            planes.append(split[~alike].tobytes())
        else:
            alike, same = np.ones(width, bool), bytes(width)
        heads += [_HEAD.pack(_CODES[array.dtype], len(array), int(np.packbits(alike, bitorder="little")[0])), same]
    data = b"".join(planes)
    return b"".join(heads) + (compress(data) if data else b"")


def decode(data: bytes) -> list[Array]:
    """What `encode` was given. Raises DatabaseDamaged."""
    try:
        heads, planes = _read(data)
        arrays = [np.empty(head.length, head.dtype) for head in heads]
        _fill(heads, planes, arrays)
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged(str(error)) from error
    return arrays


def decode_into(data: bytes, out: Array) -> None:
    """The one array that was encoded, into `out`, which has its length. Raises DatabaseDamaged.

    A column of ten million numbers goes to its place block by block, without an array for each block between.
    """
    try:
        heads, planes = _read(data)
        if len(heads) != 1 or heads[0].length != len(out) or heads[0].dtype != out.dtype:
            raise ValueError("a column has another length or type than its block")
        _fill(heads, planes, [out])
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged(str(error)) from error


class _Head(NamedTuple):
    dtype: np.dtype[Any]
    length: int
    mask: int
    alike: bytes


def _read(data: bytes) -> tuple[list[_Head], NDArray[np.uint8]]:
    at = 1
    heads = []
    for _ in range(data[0]):
        code, count, mask = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        alike = mask.bit_count()
        heads.append(_Head(_DTYPES[code], count, mask, data[at : at + alike]))
        at += alike
    return heads, np.frombuffer(decompress(data[at:]) if at < len(data) else b"", np.uint8)


def _fill(heads: list[_Head], planes: NDArray[np.uint8], arrays: list[Array]) -> None:
    used = 0
    for (dtype, count, mask, alike), array in zip(heads, arrays, strict=True):
        width = dtype.itemsize
        if len(alike) == width:
            array.fill(np.frombuffer(alike, dtype)[0])
            continue
        known = iter(alike)
        if width == 8:
            varying = ~mask & 0xFF
            held = sum(next(known) << 8 * place for place in range(8) if mask >> place & 1)
            array.view(np.uint64).fill(held)
            size = varying.bit_count() * count
            kernels.interleave(planes[used : used + size], varying, array.view(np.uint64))
            used += size
            continue
        split = array.view(np.uint8).reshape(count, width)
        for place in range(width):
            if mask >> place & 1:
                split[:, place] = next(known)
            else:
                split[:, place] = planes[used : used + count]
                used += count


def _damaged(why: str) -> DatabaseDamaged:
    return DatabaseDamaged(
        "A block of records in the database is damaged",
        why=why,
        action="Restore a copy of the database. The journals that still lie in the home are taken in anew",
    )
