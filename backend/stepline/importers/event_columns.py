"""A long event file as columns, without an object an event: what `event_file` says of its rows, 60 times as fast.

The file is gone through in windows of WINDOW_BYTES, once to learn which tags, layouts and runs it has and once more to
be taken in; what is short enough is kept from the first time. Records that hold anything but scalars are read by
`event_file`, each by itself. The file is read and not mapped: a mapped file that somebody cuts meanwhile ends the
process (SIGBUS), and reading costs 0.25 s a gigabyte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stepline.importers import limits
from stepline.importers.imported import Remarks, Row
from stepline.importers.opening import Opened
from stepline.importers.protobuf import ProtobufDamaged, fields, message
from stepline.importers.row_columns import ROWS_AT_ONCE, RowColumns, Unsuited
from stepline.importers.tfrecord import HEADER_BYTES, next_header
from stepline.kernels import events
from stepline.kernels.events import Grouping, Odd, Rows, Scan, TooManyLayouts
from stepline.kernels.types import Bytes

WINDOW_BYTES = 1 << 24
_ROOM = 1 << 20
_KEPT_SCALARS = 1 << 21
"""Scalars of a file that is held from the first time it is gone through: 50 MB."""

Scalars = tuple[float, int, list[tuple[str, float]]]
ReadEvent = Callable[[Path, bytes], Scalars]
"""Reads one event: (time, step, its scalars). Raises ProtobufDamaged, struct.error."""


@dataclass(slots=True)
class EventColumns(RowColumns):
    """The scalars of one or several event files as rows."""

    paths: Sequence[Path] = ()
    remarks: Remarks = field(default_factory=Remarks)
    read_event: ReadEvent = field(kw_only=True)
    plugin_of: Callable[[bytes], str] = field(kw_only=True)
    """The plugin that a value's metadata names."""
    sort_of: Callable[[str], int] = field(kw_only=True)
    """A tag's sort, of `kernels.events`."""
    is_growing: bool = False
    """The last file may go on: what is not whole there is left, and told by nobody, and so is its last row."""
    place: int = 0
    """The byte up to which whole records of the last file were read, where it is growing."""
    _tag_of: dict[str, int] = field(default_factory=dict)
    _scan: Scan = field(default_factory=lambda: Scan(_ROOM, limits.EVENT_BYTES))
    _grouping: Grouping = field(default_factory=lambda: Grouping(ROWS_AT_ONCE))
    _kept: list[Rows] | None = field(default_factory=list)
    _damaged: int = 0
    _ends: dict[Path, int] = field(default_factory=dict)
    """Up to where each file was gone through: what is written to it meanwhile is left to the next time."""

    def look_through(self) -> None:
        """Go through the files once. Raises Unsuited."""
        held = 0
        try:
            for rows in self._read(check=True):
                self.see(rows, self._grouping.tags_of)
                held += sum(len(values) for _, values in rows.tags.values())
                if self._kept is not None:
                    self._kept.append(rows)
                    if held > _KEPT_SCALARS:
                        self._kept = None
        except TooManyLayouts as error:
            raise Unsuited from error
        self.stretches.cut()

    def open_row(self) -> Row | None:
        """The last row of files that are growing, which may go on. To be asked for right after `look_through`."""
        scan = self._scan
        if not scan.count:
            return None
        values = zip(scan.tag[: scan.count].tolist(), scan.value[: scan.count].tolist(), strict=True)
        row = Row({self.tags[tag]: value for tag, value in values})
        row.step, row.time = int(scan.step[0]), float(scan.time[0])
        return row

    def parts(self) -> Iterator[Rows]:
        """All rows, once they were looked through."""
        if self._kept is not None:
            yield from self._kept
        else:
            yield from self._read(check=self._damaged > 0)

    def _read(self, *, check: bool) -> Iterator[Rows]:
        for path in self.paths:
            own = self.remarks if len(self.paths) == 1 else Remarks()
            with Opened(path) as opened:
                yield from self._read_file(opened, own, check=check)
            if own is not self.remarks:
                for remark in own.kept:
                    self.remarks.leave_out(f"{path.name}, {remark.place}", remark.reason)

    def _read_file(self, opened: Opened, remarks: Remarks, *, check: bool) -> Iterator[Rows]:
        scan, window = self._scan, _Window(opened, self._ends.get(opened.path))
        scan.count = scan.records = 0
        at, left = 0, -1
        window.more(0)
        while True:
            why, at = scan.read(window.data, at, check=check, left=left)
            self._read_odd(opened.path, window, remarks)
            if why == events.UNKNOWN:
                if not self._learn(window.record(at)):
                    left = at
            elif why == events.NO_LENGTH:
                remarks.leave_out(f"byte {window.begin + at}", "a record's length does not fit its sum")
                at, left = window.to_header(at + 1), -1
            elif why == events.FULL:
                if (rows := self._grouping.take(scan, ended=False)) is not None:
                    yield rows
            elif window.more(at):
                at, left = 0, -1
            else:
                break
        is_open = self.is_growing and opened.path == self.paths[-1]
        if is_open:
            self._ends[opened.path] = self.place = window.begin
            while (rows := self._grouping.take(scan, ended=False)) is not None:
                yield rows
            return
        if len(window.data):
            remarks.leave_out(f"byte {window.begin}", opened.broken or "the last record ends early")
        self._ends[opened.path] = window.begin + len(window.data)
        while (rows := self._grouping.take(scan, ended=True)) is not None:
            yield rows

    def _learn(self, record: bytes) -> bool:
        """Whether something of an event is new: a tag, or what stands beside one."""
        learned = False
        try:
            for number, _, summary in fields(record):
                for inner, _, value in fields(message(summary)) if number == 5 else ():
                    for part, _, each in fields(message(value)) if inner == 1 else ():
                        if part == 1:
                            learned |= self._learn_tag(message(each))
                        elif part == 9 and self.plugin_of(message(each)) in ("", "scalars"):
                            learned |= self._scan.metas.add(message(each))
        except ProtobufDamaged:
            pass
        return learned

    def _learn_tag(self, text: bytes) -> bool:
        tag = text.decode(errors="replace")[:512]
        if not tag or not self._scan.tags.add(text):
            return False
        if tag in self._tag_of or len(self.tags) >= limits.COLUMNS:
            raise Unsuited
        self._tag_of[tag] = self.add_tag(tag)
        self._grouping.add_tag(self.sort_of(tag))
        return True

    def _read_odd(self, path: Path, window: _Window, remarks: Remarks) -> None:
        scan = self._scan
        odd, scan.odd = scan.odd, []
        moved = 0
        for each in odd:
            if each.what == events.DAMAGED:
                self._damaged += 1
                remarks.leave_out(f"byte {window.begin + each.begin}", "a record's data does not fit its sum")
                continue
            data = window.data[each.begin : each.begin + each.length].tobytes()
            try:
                time, step, scalars = self.read_event(path, data)
            except (ProtobufDamaged, struct.error) as error:
                remarks.leave_out(f"record {each.records}", f"no event: {error}")
                continue
            for tag, _ in scalars:
                if tag not in self._tag_of:
                    self._learn_tag(tag.encode(errors="replace"))
                if tag not in self._tag_of:
                    raise Unsuited
            self._insert(each, moved, [(time, step, self._tag_of[tag], value) for tag, value in scalars])
            moved += len(scalars)

    def _insert(self, odd: Odd, moved: int, scalars: list[tuple[float, int, int, float]]) -> None:
        if scalars:
            self._scan.insert(odd.scalars + moved, scalars)


class _Window:
    """A part of the file's unpacked bytes: `data`, which begin at its byte `begin`. Nothing from `limit` on is read."""

    def __init__(self, opened: Opened, limit: int | None) -> None:
        self.begin = 0
        self._opened = opened
        self._limit = limit
        self._room: Bytes = np.empty(WINDOW_BYTES, np.uint8)
        self.data = self._room[:0]

    def more(self, at: int) -> bool:
        """Let go of what is before `at`, so that this is place 0 now, and read on; whether there was more."""
        held = self.data[at:]
        if 2 * len(held) > len(self._room):
            self._room = np.empty(4 * len(held), np.uint8)
        elif at:
            held = held.copy()
        self._room[: len(held)] = held
        self.begin += at
        free = self._room[len(held) :]
        if self._limit is not None:
            free = free[: max(0, self._limit - self.begin - len(held))]
        filled = self._opened.read_into(free)
        self.data = self._room[: len(held) + filled]
        return filled > 0

    def record(self, at: int) -> bytes:
        """The data of the whole record at `at`."""
        begin = at + HEADER_BYTES
        length = int.from_bytes(self.data[at : at + 8].tobytes(), "little")
        return self.data[begin : begin + length].tobytes()

    def to_header(self, at: int) -> int:
        """The place of the next length that fits its sum; where there is none, of the last bytes, too few for it."""
        while (found := next_header(self.data, at)) is None:
            if not self.more(min(max(at, len(self.data) - HEADER_BYTES + 1), len(self.data))):
                return 0
            at = 0
        return found
