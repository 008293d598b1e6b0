"""Arrays as bytes: each split into planes, one for each byte of its numbers, and all planes compressed together.

A plane whose bytes are all alike is only named, so a column that never changes takes 20 bytes. What a trainer logs is
float32 at heart: such a column is split as that, into four planes in the place of eight, and is read in half the time.
Whole numbers that go on in even steps, as a step or a run do, are only the beginnings of their stretches. The numbers
come back to the bit, NaN's payload included.

    count of arrays (uint8)
    of each: its form (uint8: place in TYPES, NARROW or STRETCHES), count of numbers (uint32), planes that are alike
        (uint8, a bit each), and the byte of each of those; of STRETCHES, their count (uint32)
    the other planes, array by array, as one zstd frame; nothing where there are none. Of STRETCHES: where each begins
        (uint32), its first number and the distance between its numbers (int64), one column after another
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
NARROW = len(TYPES)
"""float64 numbers, each of them a float32 too, and split as that."""
STRETCHES = NARROW + 1
"""int64 numbers in stretches of even steps."""
_DTYPES = (*map(np.dtype, TYPES), np.dtype("<f8"), np.dtype("<i8"))
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES[:NARROW])}
_HEAD = struct.Struct("<BIB")
_COUNT = struct.Struct("<I")
_STRETCH_BYTES = 4 + 8 + 8
POINTS_A_STRETCH = 32
"""Fewer on average, and planes are about as small."""
LOOKED_AT = 64
"""Numbers that tell of most columns that they are not float32."""
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


def decompress(data: bytes | memoryview) -> bytes:
    """Raises DatabaseDamaged."""
    try:
        return _zstd.decompress(data)
    except zstandard.ZstdError as error:
        raise _damaged(str(error)) from error


def encode(*arrays: Array) -> bytes:
    heads, planes = [bytes([len(arrays)])], []
    for array in arrays:
        array = np.ascontiguousarray(array)
        code, count = _CODES[array.dtype], len(array)
        stretches = _stretches(array) if array.dtype == np.int64 else None
        if stretches is not None:
            heads += [_HEAD.pack(STRETCHES, count, 0), _COUNT.pack(len(stretches[0]))]
            planes += [column.tobytes() for column in stretches]
            continue
        if array.dtype == np.float64:
            narrow = _narrow(array)
            code, array = (code, array) if narrow is None else (NARROW, narrow)
        width = array.dtype.itemsize
        split = np.ascontiguousarray(array.view(np.uint8).reshape(-1, width).T)
        if count:
            alike = (split == split[:, :1]).all(axis=1)
            same = split[alike, 0].tobytes()
            planes.append(split[~alike].tobytes())
        else:
            alike, same = np.ones(width, bool), bytes(width)
        heads += [_HEAD.pack(code, count, int(np.packbits(alike, bitorder="little")[0])), same]
    data = b"".join(planes)
    return b"".join(heads) + (compress(data) if data else b"")


def _narrow(array: Array) -> Array | None:
    """float64 numbers as float32, where each comes back to the bit."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for some in (array[:LOOKED_AT], array):
            narrow = some.astype(np.float32)
            if not np.array_equal(narrow.astype(np.float64).view(np.int64), some.view(np.int64)):
                return None
    return narrow


def _stretches(array: Array) -> tuple[Array, Array, Array] | None:
    """(where each stretch begins, its first number, the distance between its numbers), where there are few."""
    if len(array) < POINTS_A_STRETCH or bool((array == array[0]).all()):
        return None
    steps = np.diff(array)
    begins = np.concatenate([[0], np.flatnonzero(steps[1:] != steps[:-1]) + 2])
    if len(begins) * POINTS_A_STRETCH > len(array):
        return None
    return begins.astype(np.uint32), array[begins], np.append(steps, 0)[begins]


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


def single(data: bytes) -> np.int64 | None:
    """The number that all of the one array of int64 are; None where they differ. Raises DatabaseDamaged."""
    try:
        heads, _ = _read(data)
        of_ints = len(heads) == 1 and heads[0].code == _CODES[np.dtype("<i8")] and heads[0].length > 0
        if of_ints and len(heads[0].alike) == 8:
            number: np.int64 = np.frombuffer(heads[0].alike, np.int64)[0]
            return number
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged(str(error)) from error
    return None


def decode_as_floats(data: bytes, out: NDArray[np.float64], absent: int) -> None:
    """Likewise one array of int64 as float64, with NaN for each number that is `absent`, -2^62 or less."""
    try:
        heads, planes = _read(data)
        head = heads[0]
        if head.code == STRETCHES and head.length == len(out):
            begins, firsts, distances = _stretches_of(planes, head.stretches, head.length)
            # As 2^32 numbers at most go on from there, none of them is as low as that.
            if firsts.min() > -(2**61) and distances.min() > -(2**29) and distances.max() < 2**29:
                kernels.stretches(begins, firsts, distances, out)
                return
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged(str(error)) from error
    numbers = np.empty(len(out), np.int64)
    decode_into(data, numbers)
    out[:] = numbers
    out[numbers == absent] = np.nan


class _Head(NamedTuple):
    code: int
    length: int
    mask: int
    alike: bytes
    stretches: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return _DTYPES[self.code]


def _read(data: bytes) -> tuple[list[_Head], NDArray[np.uint8]]:
    at = 1
    heads = []
    for _ in range(data[0]):
        code, count, mask = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        stretches = 0
        if code == STRETCHES:
            (stretches,) = _COUNT.unpack_from(data, at)
            at += _COUNT.size
        alike = data[at : at + mask.bit_count()]
        if len(alike) < mask.bit_count() or code >= len(_DTYPES):
            raise ValueError("a column's head is cut off, or of no form")
        heads.append(_Head(code, count, mask, alike, stretches))
        at += len(alike)
    return heads, np.frombuffer(decompress(memoryview(data)[at:]) if at < len(data) else b"", np.uint8)


def _fill(heads: list[_Head], planes: NDArray[np.uint8], arrays: list[Array]) -> None:
    used = 0
    for (code, count, mask, alike, stretches), array in zip(heads, arrays, strict=True):
        if code == STRETCHES:
            size = stretches * _STRETCH_BYTES
            _fill_stretches(planes[used : used + size], stretches, array)
            used += size
            continue
        width = 4 if code == NARROW else _DTYPES[code].itemsize
        size = (width - len(alike)) * count
        _fill_planes(planes[used : used + size], code, width, mask, alike, array)
        used += size


def _fill_planes(planes: NDArray[np.uint8], code: int, width: int, mask: int, alike: bytes, array: Array) -> None:
    if len(alike) == width:
        array.fill(np.frombuffer(alike, np.float32 if code == NARROW else array.dtype)[0])
        return
    known = iter(alike)
    if width == 8 or code == NARROW:
        varying = ~mask & (1 << width) - 1
        held = sum(next(known) << 8 * place for place in range(width) if mask >> place & 1)
        if len(planes) != varying.bit_count() * len(array):
            raise ValueError("a column is shorter than its block")
        if code == NARROW:
            kernels.widen(planes, varying, held, array)
        else:
            kernels.interleave(planes, varying, held, array.view(np.uint64))
        return
    split = array.view(np.uint8).reshape(-1, width)
    used = 0
    for place in range(width):
        if mask >> place & 1:
            split[:, place] = next(known)
        else:
            split[:, place] = planes[used : used + len(array)]
            used += len(array)


def _fill_stretches(data: NDArray[np.uint8], count: int, array: Array) -> None:
    kernels.stretches(*_stretches_of(data, count, len(array)), array)


def _stretches_of(data: NDArray[np.uint8], count: int, length: int) -> tuple[Array, Array, Array]:
    begins = data[: 4 * count].view(np.uint32).astype(np.int64)
    numbers = np.frombuffer(data[4 * count :].tobytes(), np.int64)
    ends = np.append(begins[1:], length)
    if len(begins) != count or len(numbers) != 2 * count or begins[0] != 0 or bool((ends <= begins).any()):
        raise ValueError("stretches do not fit their column")
    return begins, numbers[:count], numbers[count:]


def _damaged(why: str) -> DatabaseDamaged:
    return DatabaseDamaged(
        "A block of records in the database is damaged",
        why=why,
        action="Restore a copy of the database. The journals that still lie in the home are taken in anew",
    )
