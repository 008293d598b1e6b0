"""Event files into columns: TensorFlow's records and the scalars in them, scanned; scalars into rows; rows into runs.

The scan has no plain twin: until it is ready nothing is scanned, and the caller reads the file otherwise.
`stepline.importers.event_file` is what it is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.kernels import plain_rows
from stepline.kernels.crc32c import crc32c, masked
from stepline.kernels.types import CLOSING, EITHER, EVALUATION, TRAINING, Bytes, Floats, Ints

MORE, FULL, UNKNOWN, NO_LENGTH, OTHER, DAMAGED, TOO_MANY = range(7)
"""Why a scan stopped: no whole record is left, no room is left, a text is not known, a length does not fit its sum.
What a record is that was not read: another event than it knows, damaged data. Why grouping stopped: too many
layouts."""
LONGEST_CHECKED = 1 << 16
"""Bytes of the longest record whose data's sum is checked: longer ones hold graphs and pictures."""
FORM_BYTES = 256
"""Bytes of an event, without its numbers, by which the next one of its tag is known."""
_MOST_ODD = 1 << 15
_MOST_LAYOUTS = 1 << 14

_scanning: Any = None
_grouping: Any = None


def prepare() -> None:
    """Compile the scan, or load it from numba's cache; calling again is free."""
    global _scanning, _grouping
    from stepline.kernels import jitted_events, jitted_rows

    _scanning, _grouping = jitted_events, jitted_rows


class Texts:
    """Texts that a scan knows by their place."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self.texts: Bytes = np.zeros(0, np.uint8)
        self.ends: Ints = np.zeros(1, np.int64)
        self.slots: Ints = np.full(16, -1, np.int64)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, text: bytes) -> bool:
        """Whether it is new."""
        if text in self._known:
            return False
        self._known[text] = len(self._known)
        self.texts = np.concatenate([self.texts, np.frombuffer(text, np.uint8)])
        self.ends = np.append(self.ends, len(self.texts))
        if len(self._known) * 2 > len(self.slots):
            self.slots = np.full(len(self.slots) * 4, -1, np.int64)
            for each, place in self._known.items():
                self._put(each, place)
        else:
            self._put(text, self._known[text])
        return True

    def _put(self, text: bytes, place: int) -> None:
        slot = masked(crc32c(text)) % len(self.slots)
        while self.slots[slot] >= 0:
            slot = (slot + 1) % len(self.slots)
        self.slots[slot] = place


@dataclass(slots=True)
class Odd:
    """A record that the scan did not read. `what`: OTHER or DAMAGED; `scalars`, `records`: how many came before it."""

    what: int
    begin: int
    length: int
    scalars: int
    records: int


class Scan:
    """Scalars in the order of the file, with room for `room` of them: `time` in Unix seconds, `step`, `tag` (its place
    among `tags`) and `value`, of which the first `count` are filled. `odd`: what was met and not read."""

    def __init__(self, room: int, longest: int) -> None:
        self.tags = Texts()
        self.metas = Texts()
        """What stands beside a scalar's tag and says that it is one."""
        self.time: Floats = np.empty(room)
        self.step: Ints = np.empty(room, np.int64)
        self.tag: NDArray[np.int32] = np.empty(room, np.int32)
        self.value: Floats = np.empty(room)
        self.count = 0
        self.records = 0
        self.odd: list[Odd] = []
        self._longest = longest
        self._odd: Ints = np.empty(5 * _MOST_ODD, np.int64)
        self._following: Ints = np.zeros(0, np.int64)
        self._before = -1
        self._forms: Ints = np.zeros(0, np.int64)
        self._form_bytes: Bytes = np.zeros(0, np.uint8)

    def read(self, data: Bytes, at: int, *, check: bool, left: int = -1) -> tuple[int, int]:
        """Go on at `at`, where a record begins: (why it stopped, where). `left`: the place of a record in which nothing
        is to be learned. Without `check` the sums of data are taken to fit."""
        if len(self._following) < len(self.tags):
            more = len(self.tags) + 8
            self._following = np.append(self._following, np.full(more, -1))
            self._forms = np.append(self._forms, np.zeros(5 * more, np.int64))
            self._form_bytes = np.append(self._form_bytes, np.zeros(FORM_BYTES * more, np.uint8))
        why, at, self.count, self.records, odds, self._before = _scanning.scan(
            data, at, check, left, self.tags.texts, self.tags.ends, self.tags.slots, self.metas.texts, self.metas.ends,
            self.metas.slots, self._before, self._following, self._forms, self._form_bytes, self.count, self.records,
            self.time, self.step, self.tag, self.value, self._odd, self._longest,
        )  # fmt: skip
        self.odd += [Odd(*each) for each in self._odd[: 5 * odds].reshape(-1, 5).tolist()]
        return int(why), int(at)

    def insert(self, place: int, scalars: list[tuple[float, int, int, float]]) -> None:
        """Scalars (time, step, tag, value) before the one at `place`."""
        more = len(scalars)
        if not more:
            return
        if self.count + more > len(self.time):
            self.time, self.step = np.append(self.time, np.empty(more)), np.append(self.step, np.empty(more, np.int64))
            self.tag = np.append(self.tag, np.empty(more, np.int32))
            self.value = np.append(self.value, np.empty(more))
        columns: tuple[Any, ...] = (self.time, self.step, self.tag, self.value)
        for column, new in zip(columns, zip(*scalars, strict=True), strict=True):
            column[place + more : self.count + more] = column[place : self.count].copy()
            column[place : place + more] = new
        self.count += more

    def drop(self, count: int) -> None:
        """Take the first `count` scalars away."""
        left = self.count - count
        columns: tuple[Any, ...] = (self.time, self.step, self.tag, self.value)
        for column in columns:
            column[:left] = column[count : self.count].copy()
        self.count = left


@dataclass(slots=True)
class Rows:
    """Rows of scalars. `layout`: the tags of each, in their order, as a number."""

    time: Floats
    step: Ints
    layout: NDArray[np.int32]
    tags: dict[int, tuple[Ints, Floats]] = field(default_factory=dict)
    """By tag: the rows that have it, ascending, and the values there."""

    def __len__(self) -> int:
        return len(self.time)


class TooManyLayouts(Exception):
    """The rows' tags differ more than rows of one training do."""


class Grouping:
    """Scalars into rows: what follows one another at one step, each tag once, and not of two sorts but EITHER."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._sorts: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._stamps: Ints = np.zeros(0, np.int64)
        self._stamp = 0
        self._keys: Ints = np.full(4 * _MOST_LAYOUTS, -1, np.int64)
        self._nodes: Ints = np.zeros(4 * _MOST_LAYOUTS, np.int64)
        self._likely_tag: Ints = np.full(_MOST_LAYOUTS, -1, np.int64)
        self._likely_node: Ints = np.zeros(_MOST_LAYOUTS, np.int64)
        self._grown: Ints = np.zeros(2 * _MOST_LAYOUTS, np.int64)
        self._layouts = 1
        self._row_time: Floats = np.empty(most_rows)
        self._row_step: Ints = np.empty(most_rows, np.int64)
        self._row_layout: NDArray[np.int32] = np.empty(most_rows, np.int32)

    def add_tag(self, sort: int) -> None:
        """The next tag's sort."""
        self._sorts = np.append(self._sorts, np.uint8(sort))
        self._stamps = np.append(self._stamps, -1)

    def tags_of(self, layout: int) -> tuple[int, ...]:
        tags: list[int] = []
        while layout:
            tags.append(int(self._grown[2 * layout + 1]))
            layout = int(self._grown[2 * layout])
        return tuple(reversed(tags))

    def take(self, scan: Scan, *, ended: bool) -> Rows | None:
        """The rows of its scalars, which are taken out of it; not the last one, which may go on, unless it has `ended`.
        None where there is none yet. Raises TooManyLayouts."""
        row_of = np.empty(scan.count, np.int32)
        why, rows, begin, self._layouts = _grouping.group(
            scan.time, scan.step, scan.tag, scan.count, self._sorts, self._stamps, self._stamp, self._keys,
            self._nodes, self._likely_tag, self._likely_node, self._grown, self._layouts, self._most_rows,
            self._row_time, self._row_step, self._row_layout, row_of,
        )  # fmt: skip
        self._stamp += rows + 1
        if why == TOO_MANY:
            raise TooManyLayouts
        used = int(begin)
        if why == MORE:
            if ended:
                used = scan.count
            else:
                rows -= 1
        if rows <= 0:
            return None
        at = np.zeros(len(self._sorts), np.int64)
        counts = np.bincount(scan.tag[:used], minlength=len(at))
        at[1:] = np.cumsum(counts)[:-1]
        ends = at + counts
        places, values = np.empty(used, np.int64), np.empty(used)
        _grouping.by_tag(scan.tag, scan.value, row_of, used, at, places, values)
        found = Rows(self._row_time[:rows].copy(), self._row_step[:rows].copy(), self._row_layout[:rows].copy())
        for tag in np.flatnonzero(counts).tolist():
            within = slice(int(ends[tag] - counts[tag]), int(ends[tag]))
            found.tags[tag] = places[within], values[within]
        scan.drop(used)
        return found


@dataclass(slots=True)
class Stretch:
    """Rows between two places at which a run may begin. By layout: (first time, last step, how many rows)."""

    first_row: int
    goes_back: bool
    after_closing: bool
    layouts: dict[int, tuple[float, int, int]] = field(default_factory=dict)


class Stretches:
    """Rows cut where a step goes back or a row comes after the closing one, as `importers.survey` says it."""

    def __init__(self) -> None:
        self.found: list[Stretch] = [Stretch(0, False, False)]
        self.repeats = 0
        self._row = 0
        self._clock = 1
        self._closed = 0
        self._groups: Ints = np.zeros(0, np.int64)
        self._sorts: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._last: Floats = np.zeros(_MOST_LAYOUTS)
        self._seen_at: Ints = np.zeros(_MOST_LAYOUTS, np.int64)
        self._first_time: Floats = np.zeros(_MOST_LAYOUTS)
        self._last_step: Ints = np.zeros(_MOST_LAYOUTS, np.int64)
        self._held: Ints = np.zeros(_MOST_LAYOUTS, np.int64)

    def set_layout(self, layout: int, group: int, sort: int) -> None:
        """Which layouts count their steps together, and whether a row is CLOSING, an EVALUATION or any other."""
        if layout >= len(self._groups):
            more = layout + 16 - len(self._groups)
            self._groups = np.append(self._groups, np.zeros(more, np.int64))
            self._sorts = np.append(self._sorts, np.zeros(more, np.uint8))
        self._groups[layout] = group
        self._sorts[layout] = {CLOSING: CLOSING, EVALUATION: EITHER}.get(sort, TRAINING)

    @property
    def is_closed(self) -> bool:
        """Whether a closing row came, and none of training since."""
        return bool(self._closed)

    def last_steps(self, groups: Iterable[int]) -> dict[int, float]:
        """The last step of each group that has one since a step went back."""
        return {group: float(self._last[group]) for group in groups if self._seen_at[group] == self._clock}

    def see(self, rows: Rows) -> None:
        row, passed = 0, -1
        while True:
            row, back, after, self._clock, self._closed, self.repeats = (_grouping or plain_rows).survey(
                rows.time, rows.step, rows.layout, row, len(rows), passed, self._groups, self._sorts, self._last,
                self._seen_at, self._clock, self._closed, self.repeats, self._first_time, self._last_step, self._held,
            )  # fmt: skip
            if row == len(rows):
                break
            self.cut()
            self.found.append(Stretch(self._row + row, bool(back), bool(after)))
            passed = row
        self._row += len(rows)

    def cut(self) -> None:
        """Write down what the last stretch has so far."""
        layouts = self.found[-1].layouts
        for layout in np.flatnonzero(self._held).tolist():
            layouts[layout] = (
                float(self._first_time[layout]), int(self._last_step[layout]), int(self._held[layout])
            )  # fmt: skip
        self._held[:] = 0
