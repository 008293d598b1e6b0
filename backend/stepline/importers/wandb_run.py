"""wandb's offline runs (`*.wandb`): history, configuration, summary and how the run ended.

The file is a log of LevelDB's public log format: after a header of seven bytes, blocks of 32 KiB hold pieces of records
(crc32 of type and data, length u16, type u8: whole, first, middle, last). Each record is one protobuf message, of which
the run, its configuration, history rows, summary and exit code are read. A damaged piece costs the rest of its block.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers.imported import Reading, Remarks, Row, Status, kept
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.protobuf import ProtobufDamaged, fields, message, signed, text
from stepline.importers.values import metrics_of
from stepline.recording.plain import flat_settings

FORMAT = "wandb"
HEADER = b":W&B\xe1\xbe\x00"

_BLOCK_BYTES = 1 << 15
_PIECE = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_RECORD_LIMIT_BYTES = 1 << 28
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18
_SYSTEM = {4: "console lines", 7: "system figures", 13: "console lines", 8: "artifacts", 10: "alerts"}


@dataclass(slots=True)
class _Run:
    """What a run's records say of it."""

    run_id: str = ""
    project: str = ""
    display_name: str = ""
    started: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    others: Counter[str] = field(default_factory=Counter)


def is_wandb(head: bytes) -> bool:
    return head.startswith(HEADER[:6])


def read(path: Path) -> Reading:
    """The run's history. Raises ImportFailed where the file is none."""
    remarks = Remarks()
    run = _Run()
    rows = kept(lambda: _rows(path, remarks, run))
    if not sum(row.kind is None for row in rows()):
        raise ImportFailed(
            f"{path} holds no history",
            why="The wandb run in it logged nothing" if run.run_id else "No whole record stands in it",
            action="Give the .wandb file of a run that logged",
        )
    finished: Status
    words: str | None
    if run.exit_code is None:
        finished, words = "stopped", "the file has no exit record: the run was killed, or still goes on"
    elif run.exit_code:
        finished, words = "failed", f"exit code {run.exit_code}"
    else:
        finished, words = "completed", None
    told = []
    if others := [f"{count:,} {kind}" for kind, count in sorted(run.others.items()) if count]:
        told.append(f"not taken: {', '.join(others)}")
    named = run.display_name or "/".join(part for part in (run.project, run.run_id) if part)
    return Reading(
        FORMAT,
        path,
        named or name_for(path),
        rows,
        remarks=remarks,
        told=told,
        settings=flat_settings({name: value for name, value in run.config.items() if name != "_wandb"}),
        finished=finished,
        message=words,
        key=f"wandb:{run.run_id}:{run.started}" if run.run_id else None,
    )


def _rows(path: Path, remarks: Remarks, run: _Run) -> Iterator[Row]:
    columns: set[str] = set()
    with Opened(path) as opened:
        for place, data in _records(opened, remarks):
            try:
                row = _row(data, run)
            except (ProtobufDamaged, ValueError) as error:
                remarks.leave_out(f"byte {place}", f"no record: {error}")
                continue
            if row is not None:
                columns.update(row.values)
                yield row
    if run.exit_code is not None:
        values, _ = metrics_of(_without(run.summary, _media(run.summary)))
        closing = {name: value for name, value in values.items() if name not in columns and name[0] != "_"}
        if closing:
            yield Row(closing, kind="train_end", details={"status": "failed" if run.exit_code else "completed"})


def _row(data: bytes, run: _Run) -> Row | None:
    for number, _, value in fields(data):
        if number == _HISTORY:
            items = _items(message(value))
            media = _media(items)
            values, left_out = metrics_of(_without(items, media), divider=".")
            run.others.update({"media": len(media), "lists and long texts": left_out})
            return Row(values) if any(name[:1] != "_" for name in values) else None
        if number == _CONFIG:
            run.config.update(_items(message(value)))
        elif number == _SUMMARY:
            run.summary.update(_items(message(value)))
        elif number == _RUN:
            _learn_run(message(value), run)
        elif number == _EXIT:
            codes = [each for inner, _, each in fields(message(value)) if inner == 1 and isinstance(each, int)]
            run.exit_code = signed(codes[0]) if codes else 0
        elif number in _SYSTEM:
            run.others[_SYSTEM[number]] += 1
    return None


def _media(items: dict[str, Any]) -> set[str]:
    """The names of pictures, tables and histograms, which have a `_type`: what wandb says of them is no figure of the
    training."""
    nested = {name for name, item in items.items() if isinstance(item, dict) and "_type" in item}
    return nested | {name.removesuffix("._type") for name in items if name.endswith("._type")}


def _without(items: dict[str, Any], media: set[str]) -> dict[str, Any]:
    if not media:
        return items
    below = tuple(f"{name}." for name in media)
    return {name: item for name, item in items.items() if name not in media and not name.startswith(below)}


def _items(data: bytes) -> dict[str, Any]:
    """The `{key: value}` of a list of items, each a key (or the parts of a nested one) and a value in JSON."""
    items: dict[str, Any] = {}
    for number, _, item in fields(data):
        if number != 1:
            continue
        key, nested, value = "", [], ""
        for inner, _, each in fields(message(item)):
            if inner == 1:
                key = text(each)
            elif inner == 2:
                nested.append(text(each))
            elif inner == 16:
                value = text(each)
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            continue
        name = key or ".".join(nested)
        if name:
            items[name] = found
    return items


def _learn_run(data: bytes, run: _Run) -> None:
    for number, _, value in fields(data):
        if number == 1:
            run.run_id = text(value)
        elif number == 3:
            run.project = text(value)
        elif number == 4:
            run.config.update(_items(message(value)))
        elif number == 8:
            run.display_name = text(value)
        elif number == 17:
            parts = {inner: each for inner, _, each in fields(message(value)) if isinstance(each, int)}
            run.started = float(parts.get(1, 0))


def _records(opened: Opened, remarks: Remarks) -> Iterator[tuple[int, bytes]]:
    """(byte where it begins, data) of each whole record."""
    held: list[bytes] | None = None
    held_bytes = begin = 0
    block_at = 0
    while block := _block(opened):
        place = len(HEADER) if block_at == 0 else 0
        while place + _PIECE.size <= len(block):
            total, length, sort = _PIECE.unpack_from(block, place)
            data = block[place + _PIECE.size : place + _PIECE.size + length]
            if not sort and not length:
                # A crash leaves zeros to the block's end.
                break
            if len(data) < length or zlib.crc32(data, zlib.crc32(bytes([sort]))) != total:
                cut = len(data) < length and len(block) < _BLOCK_BYTES
                remarks.leave_out(
                    f"byte {block_at + place}",
                    "the last record ends early" if cut else "a piece does not fit its sum; the rest of its block",
                )
                held = None
                break
            if sort == _WHOLE:
                yield block_at + place, data
                held = None
            elif sort == _FIRST:
                held, held_bytes, begin = [data], length, block_at + place
            elif held is not None and sort in (_MIDDLE, _LAST):
                held.append(data)
                held_bytes += length
                if sort == _LAST:
                    yield begin, b"".join(held)
                    held = None
                elif held_bytes > _RECORD_LIMIT_BYTES:
                    remarks.leave_out(f"byte {begin}", f"a record of more than {_RECORD_LIMIT_BYTES:,} bytes")
                    held = None
            place += _PIECE.size + length
        block_at += len(block)
    if held is not None:
        remarks.leave_out(f"byte {begin}", opened.broken or "the last record ends early")


def _block(opened: Opened) -> bytes:
    block = opened.read(_BLOCK_BYTES)
    while 0 < len(block) < _BLOCK_BYTES and (more := opened.read(_BLOCK_BYTES - len(block))):
        block += more
    return block
