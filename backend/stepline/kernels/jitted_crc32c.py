# mypy: ignore-errors
# These bodies are written for numba: with a signed integer beside an unsigned one it computes in floats.
"""CRC-32C, eight bytes at a time by eight tables: 1 GB/s, where a byte at a time takes three times as long."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from stepline.kernels.crc32c import table

_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_u4, _u8 = types.uint32, types.uint64


def _tables():
    """Eight tables of 256: the sum of a byte that 0, 1 … 7 bytes of zero follow."""
    tables = np.empty((8, 256), np.uint32)
    tables[0] = table()
    for place in range(1, 8):
        tables[place] = (tables[place - 1] >> np.uint32(8)) ^ tables[0][tables[place - 1] & np.uint32(0xFF)]
    return tables.ravel()


_TABLES = _tables()
_FF = np.uint32(0xFF)
_ONES = np.uint32(0xFFFF_FFFF)
_8, _15, _16, _17, _24 = np.uint32(8), np.uint32(15), np.uint32(16), np.uint32(17), np.uint32(24)
_DELTA = np.uint32(0xA282EAD8)


@njit(_u4(_bytes, _u8), nogil=True, cache=True, forceinline=True)
def word(data, at):
    return (
        np.uint32(data[at])
        | np.uint32(data[at + np.uint64(1)]) << _8
        | np.uint32(data[at + np.uint64(2)]) << _16
        | np.uint32(data[at + np.uint64(3)]) << _24
    )


@njit(_u8(_bytes, _u8), nogil=True, cache=True, forceinline=True)
def long(data, at):
    return np.uint64(word(data, at)) | np.uint64(word(data, at + np.uint64(4))) << np.uint64(32)


@njit(_u4(_bytes, _u8, _u8), nogil=True, cache=True)
def masked_sum(data, at, end):
    """The masked CRC-32C of data[at:end]."""
    crc = _ONES
    while at + np.uint64(8) <= end:
        low = crc ^ word(data, at)
        high = word(data, at + np.uint64(4))
        crc = (
            _TABLES[np.uint64(1792) + np.uint64(low & _FF)]
            ^ _TABLES[np.uint64(1536) + np.uint64((low >> _8) & _FF)]
            ^ _TABLES[np.uint64(1280) + np.uint64((low >> _16) & _FF)]
            ^ _TABLES[np.uint64(1024) + np.uint64(low >> _24)]
            ^ _TABLES[np.uint64(768) + np.uint64(high & _FF)]
            ^ _TABLES[np.uint64(512) + np.uint64((high >> _8) & _FF)]
            ^ _TABLES[np.uint64(256) + np.uint64((high >> _16) & _FF)]
            ^ _TABLES[np.uint64(high >> _24)]
        )
        at += np.uint64(8)
    while at < end:
        crc = _TABLES[np.uint64((crc ^ np.uint32(data[at])) & _FF)] ^ (crc >> _8)
        at += np.uint64(1)
    crc ^= _ONES
    return ((crc >> _15) | (crc << _17)) + _DELTA
