"""TensorFlow's record format, streamed: length (u64), masked CRC-32C of it, data, masked CRC-32C of the data.

Every length's sum is checked, and the data's sum of every record up to CHECKED_BYTES (longer ones hold graphs and
images, no scalar). Where a sum does not fit, the record is left out; where a length's does not, reading goes on at the
next place that reads as a length with its sum. What is left out is told with its byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stepline.importers import limits
from stepline.importers.imported import Remarks
from stepline.importers.opening import CHUNK_BYTES, Opened
from stepline.kernels.crc32c import crc32c, masked, masked_of_columns

HEADER_BYTES = 12
FOOTER_BYTES = 4
CHECKED_BYTES = 1 << 16
_FEW = 16
"""Records of one length below which the plain loop is faster than setting up a matrix."""

_LENGTH = struct.Struct("<QI")
_SUM = struct.Struct("<I")


def is_tfrecord(head: bytes) -> bool:
    """Whether `head` begins with a length and its sum."""
    if len(head) < HEADER_BYTES:
        return False
    length, total = _LENGTH.unpack_from(head)
    return bool(length < limits.EVENT_BYTES and masked(crc32c(head[:8])) == total)


def records(opened: Opened, remarks: Remarks) -> Iterator[bytes]:
    """The data of each whole record."""
    held = b""
    held_at = 0
    while True:
        data = opened.read(CHUNK_BYTES)
        block = held + data if held else data
        if not block:
            break
        spans, used, lost = _spans(block)
        yield from _checked(block, spans, held_at, remarks)
        if lost:
            found = next_header(block, used + 1)
            remarks.leave_out(f"byte {held_at + used}", "a record's length does not fit its sum")
            used = found if found is not None else max(used + 1, len(block) - HEADER_BYTES + 1)
        elif not data:
            if opened.is_growing:
                opened.unread = len(block) - used
            elif used < len(block):
                remarks.leave_out(f"byte {held_at + used}", opened.broken or "the last record ends early")
            return
        else:
            needed = _needed(block, used)
            while needed > len(block) - used and (more := opened.read(max(CHUNK_BYTES, needed - len(block) + used))):
                block += more
        held, held_at = block[used:], held_at + used


def _spans(block: bytes) -> tuple[list[tuple[int, int]], int, bool]:
    """(start of the data, its length) of the whole records that follow one another, where they end, and whether they
    end because a length does not fit its sum."""
    heads: list[int] = []
    lengths: list[int] = []
    place, end = 0, len(block)
    unpack = _LENGTH.unpack_from
    wrong = False
    while place + HEADER_BYTES <= end:
        length = unpack(block, place)[0]
        if length >= limits.EVENT_BYTES:
            wrong = True
            break
        if place + HEADER_BYTES + length + FOOTER_BYTES > end:
            wrong = masked(crc32c(block[place : place + 8])) != _LENGTH.unpack_from(block, place)[1]
            break
        heads.append(place)
        lengths.append(length)
        place += HEADER_BYTES + length + FOOTER_BYTES
    if heads:
        data = np.frombuffer(block, dtype=np.uint8)
        starts = np.array(heads, dtype=np.int64)
        fits = masked_of_columns(data, starts, 8) == _words_at(data, starts + 8)
        if not fits.all():
            first = int(np.argmin(fits))
            place, wrong = heads[first], True
            heads, lengths = heads[:first], lengths[:first]
    return [(head + HEADER_BYTES, length) for head, length in zip(heads, lengths, strict=True)], place, wrong


def _checked(block: bytes, spans: list[tuple[int, int]], held_at: int, remarks: Remarks) -> Iterator[bytes]:
    by_length: dict[int, list[int]] = {}
    for start, length in spans:
        by_length.setdefault(length, []).append(start)
    data = np.frombuffer(block, dtype=np.uint8)
    damaged: set[int] = set()
    for length, group in by_length.items():
        if length > CHECKED_BYTES:
            continue
        if len(group) < _FEW:
            damaged.update(
                start
                for start in group
                if masked(crc32c(block[start : start + length])) != _SUM.unpack_from(block, start + length)[0]
            )
            continue
        starts = np.array(group, dtype=np.int64)
        fits = masked_of_columns(data, starts, length) == _words_at(data, starts + length)
        damaged.update(starts[~fits].tolist())
    for start, length in spans:
        if start in damaged:
            remarks.leave_out(f"byte {held_at + start}", "a record's data does not fit its sum")
        else:
            yield block[start : start + length]


def _words_at(data: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint32]:
    words = data[places].astype(np.uint32)
    for byte in (1, 2, 3):
        words |= data[places + byte].astype(np.uint32) << np.uint32(8 * byte)
    return words


def _needed(block: bytes, place: int) -> int:
    if len(block) - place < HEADER_BYTES:
        return HEADER_BYTES
    return HEADER_BYTES + int(_LENGTH.unpack_from(block, place)[0]) + FOOTER_BYTES


def next_header(block: bytes | NDArray[np.uint8], begin: int) -> int | None:
    """The next place at which a length stands with its sum."""
    last = len(block) - HEADER_BYTES
    if last < begin:
        return None
    data = np.frombuffer(block, dtype=np.uint8)
    for first in range(begin, last + 1, CHUNK_BYTES):
        places = np.arange(first, min(first + CHUNK_BYTES, last + 1), dtype=np.int64)
        # A length below 16 MiB has five zero bytes; testing these first leaves few places for the sum.
        places = places[(data[places + 7] == 0) & (data[places + 6] == 0) & (data[places + 5] == 0)]
        fits = masked_of_columns(data, places, 8) == _words_at(data, places + 8)
        fits &= _words_at(data, places) > 0
        if fits.any():
            return int(places[int(np.argmax(fits))])
    return None
