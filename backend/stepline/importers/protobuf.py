"""The part of protobuf's wire format that event files and wandb's runs need: walking through a message's fields.

Written from the format's public description (varints, 64-bit, length-delimited, 32-bit). Nothing is generated and no
message is built. Raises ProtobufDamaged where a message does not hold together.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")


class ProtobufDamaged(ValueError):
    """A message that does not hold together."""


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) of each field; VARINT values as unsigned 64 bit, all others as their bytes."""
    place, end = 0, len(data)
    while place < end:
        key = data[place]
        place += 1
        if key >= 0x80:
            key, place = _varint(data, place - 1, end)
        wire = key & 7
        if wire == VARINT:
            value, place = _varint(data, place, end)
            yield key >> 3, wire, value
            continue
        if wire == BYTES:
            length, place = _varint(data, place, end)
        elif wire == FIXED64:
            length = 8
        elif wire == FIXED32:
            length = 4
        else:
            raise ProtobufDamaged(f"wire type {wire} at byte {place}")
        if place + length > end:
            raise ProtobufDamaged(f"a field of {length} bytes at byte {place} of {end}")
        yield key >> 3, wire, data[place : place + length]
        place += length


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
        if shift > 63:
            raise ProtobufDamaged(f"a varint of more than ten bytes at byte {place}")
    raise ProtobufDamaged("a varint without its end")


def signed(value: int) -> int:
    """A VARINT as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value


def double(value: int | bytes) -> float:
    if not isinstance(value, bytes) or len(value) != 8:
        raise ProtobufDamaged("a double of another width")
    return float(_DOUBLE.unpack(value)[0])


def single(value: int | bytes) -> float:
    """A float32. NaN and infinities as themselves."""
    if not isinstance(value, bytes) or len(value) != 4:
        raise ProtobufDamaged("a float of another width")
    return float(_FLOAT.unpack(value)[0])


def text(value: int | bytes) -> str:
    if not isinstance(value, bytes):
        raise ProtobufDamaged("a text of another type")
    return value.decode(errors="replace")


def message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufDamaged("a message of another type")
    return value


def packed_varints(value: int | bytes) -> list[int]:
    """A repeated integer field, packed or not."""
    if not isinstance(value, bytes):
        return [value]
    numbers, place = [], 0
    while place < len(value):
        number, place = _varint(value, place, len(value))
        numbers.append(number)
    return numbers
