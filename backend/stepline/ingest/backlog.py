"""A backlog's lines into columns, most of them without an object a line.

Lines that differ in their numbers alone are a pattern, learned from the first of them, and the compiled scan takes the
rest. Any other line, an unusual number included, is decoded by itself, so the outcome is always that of
`journal.parse_lines`. Of heartbeats only the last is kept: the one before says nothing that the store remembers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepline.ingest.decoding import decode_lines
from stepline.kernels import lines
from stepline.recording.journal import Heartbeat, Record, Update, parse_lines
from stepline.store import KIND_CODES, NO_STEP, RecordColumns
from stepline.store.content import metrics_of
from stepline.store.rows import RecordLike

BACKLOG_BYTES = 1 << 20
"""Bytes at once from which it is worth it."""
_MOST_PATTERNS = 32
_MOST_NAMES = 256
_MOST_ATTEMPTS = 256
"""Lines that are tried as patterns, 0.1 ms each."""
_SHORTEST_METRIC = len(b'"":0,')

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|-?[0-9][0-9.eE+-]*')
_WORDS = (b'"NaN"', b'"Infinity"', b'"-Infinity"')
_FIRST_MARK = 1_000_001


@dataclass(slots=True)
class Backlog:
    """`consumed`: bytes read, counted from the data's start; `damaged`: lines that were passed over."""

    entries: RecordColumns
    consumed: int
    damaged: int


@dataclass(frozen=True, slots=True)
class _Known:
    pattern: lines.Pattern
    kind: str | None
    """None: a heartbeat."""
    phase: Any = None
    names: tuple[str, ...] = ()


def decode_backlog(data: bytes) -> Backlog:
    """The entries of the whole lines in `data`, which begins at a line's start, as columns."""
    consumed = data.rfind(b"\n") + 1
    decoder = _Decoder(data[:consumed] if consumed < len(data) else data)
    decoder.decode()
    return Backlog(decoder.columns(), consumed, decoder.damaged)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self.damaged = 0
        self._data = data
        self._lines = lines.Lines(data.count(b"\n"), len(data) // _SHORTEST_METRIC + _MOST_NAMES)
        self._known: list[_Known] = []
        self._odd: list[tuple[int, RecordLike]] = []
        """The records that were decoded by themselves, by their lines."""
        self._updates: list[Update] = []
        self._beat: tuple[int, Heartbeat] | None = None
        self._attempts = 0

    def decode(self) -> None:
        data, read = np.frombuffer(self._data, np.uint8), self._lines
        patterns = lines.Patterns([])
        at = 0
        while at < len(data):
            at = lines.scan(data, at, patterns, read)
            if at == len(data):
                break
            end = self._data.index(b"\n", at) + 1
            line = self._data[at:end]
            if self._learned(line):
                patterns = lines.Patterns([known.pattern for known in self._known])
                continue
            self._decode_line(line)
            read.count += 1
            at = end

    def _learned(self, line: bytes) -> bool:
        """Whether this line's pattern is a new one."""
        if not lines.ready() or len(self._known) >= _MOST_PATTERNS or self._attempts >= _MOST_ATTEMPTS:
            return False
        self._attempts += 1
        known = _pattern_of(line)
        if known is None or any(known.pattern == each.pattern for each in self._known):
            return False
        self._known.append(known)
        return True

    def _decode_line(self, line: bytes) -> None:
        decoded = decode_lines(line)
        self.damaged += decoded.damaged
        for entry in decoded.entries:
            if isinstance(entry, Update):
                self._updates.append(entry)
            elif isinstance(entry, Heartbeat):
                self._beat = (self._lines.count, entry)
            else:
                self._odd.append((self._lines.count, entry))

    def columns(self) -> RecordColumns:
        read = self._lines
        pattern = read.pattern
        is_record = np.array([*(known.kind is not None for known in self._known), False])[pattern]
        at_odd = np.array([line for line, _ in self._odd], np.int64)
        is_record[at_odd] = True
        place_of = np.cumsum(is_record) - 1
        kind = np.array([*(KIND_CODES.get(known.kind or "step", 0) for known in self._known), 0], np.uint8)[pattern]
        sizes = np.array([*(known.pattern.metrics for known in self._known), 0], np.int64)[pattern]
        offsets = np.cumsum(sizes) - sizes
        for line, record in self._odd:
            read.time[line] = record.time
            read.step[line] = NO_STEP if record.step is None else record.step
            read.epoch[line] = np.nan if record.epoch is None else record.epoch
            kind[line] = KIND_CODES[record.kind]
        texts, messages, details = {}, {}, {}
        groups: list[tuple[tuple[str, ...], Any, list[Any]]] = []
        for number, known in enumerate(self._known):
            held = np.flatnonzero(pattern == number)
            if known.kind is None:
                if len(held) and (self._beat is None or held[-1] > self._beat[0]):
                    step = int(read.step[held[-1]])
                    beat = Heartbeat(float(read.time[held[-1]]), None if step == NO_STEP else step, known.phase)
                    self._beat = (int(held[-1]), beat)
            elif len(held) and known.names:
                first = offsets[held]
                columns = [read.values[first + metric] for metric in range(len(known.names))]
                groups.append((known.names, place_of[held], columns))
        plain: dict[tuple[str, ...], tuple[list[int], list[list[float]]]] = {}
        for line, record in self._odd:
            place = int(place_of[line])
            written = {name: value for name, value in record.metrics.items() if isinstance(value, str)}
            numbers = {name: float(value) for name, value in record.metrics.items() if not isinstance(value, str)}
            if numbers:
                places, rows = plain.setdefault(tuple(numbers), ([], []))
                places.append(place)
                rows.append(list(numbers.values()))
            if written:
                texts[place] = written
            if record.message is not None:
                messages[place] = record.message
            if record.details:
                details[place] = record.details
        groups += [(names, np.array(places), list(np.array(rows).T)) for names, (places, rows) in plain.items()]
        count = int(is_record.sum())
        sets = list(dict.fromkeys(names for names, _, _ in groups))
        member = np.full(count, -1, np.int64)
        for names, places, _ in groups:
            member[places] = sets.index(names)
        return RecordColumns(
            read.time[is_record],
            read.step[is_record],
            read.epoch[is_record],
            metrics_of(groups, count),
            kind[is_record],
            texts,
            messages,
            details,
            [*self._updates, *([self._beat[1]] if self._beat is not None else [])],
            (sets, member),
        )


def _pattern_of(line: bytes) -> _Known | None:
    """The pattern of a line that is a heartbeat, or a record with nothing but numbers; else None.

    Each number is marked with one of its own, and where the marks come out says what each number is.
    """
    texts: list[bytes] = []
    marked: list[bytes] = []
    end = 0
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token.startswith(b'"') and (found["key"] is not None or token not in _WORDS):
            continue
        texts.append(line[end : found.start()])
        marked += [texts[-1], str(_FIRST_MARK + len(texts) - 1).encode()]
        end = found.end()
    texts.append(line[end:])
    (entry,) = parse_lines(line).entries or (None,)
    (told,) = parse_lines(b"".join([*marked, texts[-1]])).entries or (None,)
    if told is None or told.__class__ is not entry.__class__:
        return None
    places: dict[float, int] = {}
    if isinstance(told, Heartbeat) and isinstance(entry, Heartbeat):
        names: tuple[str, ...] = ()
        kind, phase = None, entry.phase
        if entry.phase != told.phase:
            return None
    elif isinstance(told, Record) and not told.details and told.message is None:
        names = tuple(told.metrics)
        kind, phase = told.kind, None
        places = {value: place for place, value in enumerate(told.metrics.values()) if isinstance(value, float)}
        if len(names) > _MOST_NAMES or len(places) < len(names):
            return None
        if told.epoch is not None:
            places[told.epoch] = lines.EPOCH
    else:
        return None
    places[told.time] = lines.TIME
    if told.step is not None:
        places[told.step] = lines.STEP
    marks = range(_FIRST_MARK, _FIRST_MARK + len(texts) - 1)
    if not places.keys() <= set(marks):
        # Something told is no number of this line's: it is the same in all of them, and not worth a thought.
        return None
    targets = tuple(places.get(mark, lines.IGNORED) for mark in marks)
    return _Known(lines.Pattern(tuple(texts), targets, len(names)), kind, phase, names)
