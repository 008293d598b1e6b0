"""A source that grows at its end: what was written to it since is read from where its reading was left.

The outcome is that of reading it whole. Kept are the parser, the survey of the rows, the reading of each run and the
digests of the records, all as they were after the last whole line or record; what comes later is read from there, and
what is not whole yet is read anew each time. Where the bytes before are others, or the new rows change what was made of
the earlier ones (another column is the loss now), Otherwise is raised, and the source is to be read whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from stepline.importers import console, event_file, json_rows, sniffing, table
from stepline.importers.column_shape import ColumnShape
from stepline.importers.columns import part_of
from stepline.importers.course import Course
from stepline.importers.digests import HEAD_RECORDS, Digest
from stepline.importers.imported import (
    ROWS_KEPT,
    ImportedTask,
    Known,
    Otherwise,
    Parser,
    Piece,
    Reading,
    Remarks,
    Row,
    pieces_of,
    rows_of,
    single,
)
from stepline.importers.lines import encoding_of
from stepline.importers.opening import HEAD_BYTES, Opened
from stepline.importers.row_shape import RowShape, told_apart
from stepline.importers.survey import Survey
from stepline.kernels.ahead import read_ahead
from stepline.recording.journal import Record

_PARSERS: dict[str, Callable[[Path], Parser]] = {
    json_rows.FORMAT: lambda _: json_rows.LinesParser(Remarks(), {}),
    table.FORMAT: table.parser,
    console.FORMAT: lambda _: console.ConsoleParser(Remarks()),
    event_file.FORMAT: lambda _: event_file.EventParser(Remarks()),
}
_SEALED_BYTES = HEAD_BYTES
"""At the beginning, and before the place that was reached: by them a file is known as the one that was read."""

Go = Callable[[Course], Iterator[tuple[int, Piece]]]


@dataclass(slots=True)
class _Left:
    """Where a reading was left: after the last whole line or record."""

    parser: Parser
    place: int = 0
    seal: bytes = b""
    survey: Survey = field(default_factory=Survey)
    course: Course = field(default_factory=Course)
    digests: dict[int, Digest] = field(default_factory=dict)
    head: list[Record] = field(default_factory=list)
    decisions: tuple[object, ...] = ()


@dataclass(slots=True)
class _New:
    """What was read from there on: whole lines or records, `go` to make records of them, then rows that are late: of
    what is not whole, or may go on."""

    parser: Parser
    place: int
    survey: Survey
    late: list[Row]
    shape: RowShape
    go: Go


class Growth:
    """One source. `look` as often as it may have grown."""

    def __init__(self, task: ImportedTask, *, columns_from_bytes: int = event_file.COLUMNS_FROM_BYTES) -> None:
        """`task`: of the whole source. Raises Otherwise where such a source can only be read whole."""
        reading = task.reading
        if reading is None or not reading.files or reading.format not in _PARSERS:
            raise Otherwise
        self.path = reading.files[-1]
        self._files = reading.files
        self._reading = replace(reading, rows=lambda: iter(()), columns=None, remarks=Remarks(), told=[])
        self._task = replace(
            task, runs=[], told=[], left_out=[], left_out_count=0, stream=None, parts=None, reading=None
        )
        self._columns_from_bytes = columns_from_bytes
        self._left: _Left | None = None
        with Opened(self.path) as opened:
            is_text = reading.format != event_file.FORMAT
            if opened.packed or (is_text and encoding_of(opened.read(HEAD_BYTES)) != "utf-8"):
                raise Otherwise

    def look(self) -> ImportedTask:
        """The task with what comes after the whole lines or records of the look before. Raises Otherwise,
        ImportFailed."""
        left, new = self._left, None
        if left is None:
            left = _Left(_PARSERS[self._task.format](self.path))
            new = self._columns()
        elif not self._is_still(left):
            raise Otherwise
        new = new or self._rows(left)
        if left.course.row and new.shape.decisions(left.course.row) != left.decisions:
            raise Otherwise
        now = _Left(
            new.parser, new.place, _seal(self.path, new.place), new.survey, deepcopy(left.course),
            {part: digest.copied() for part, digest in left.digests.items()}, list(left.head),
        )  # fmt: skip
        for part, piece in new.go(now.course):
            _see(now.course, now.digests, part, piece)
            if len(now.head) < HEAD_RECORDS:
                now.head += [record for _, record in single(iter([(part, part_of(piece, 0, HEAD_RECORDS))]))]
        now.decisions = new.shape.decisions(now.course.row)
        self._left = now
        return self._grown(left, now, new)

    def _grown(self, left: _Left, now: _Left, new: _New) -> ImportedTask:
        course = deepcopy(now.course)
        digests = {part: digest.copied() for part, digest in now.digests.items()}
        late = [*pieces_of(new.shape.go(course, new.late)), *pieces_of(new.shape.close(course))]
        for part, piece in late:
            _see(course, digests, part, piece)
        parts = sorted(digests)
        if parts[: len(left.digests)] != sorted(left.digests):
            # One of several processes logs for the first time, whose run stands between the others'.
            raise Otherwise
        head = Digest()
        for _, record in [*((0, record) for record in now.head), *single(iter(late))][:HEAD_RECORDS]:
            head.add(record)
        known = Known(
            head.value(), [left.digests[part] for part in sorted(left.digests)], [digests[part] for part in parts]
        )
        return replace(
            self._task,
            runs=new.shape.runs_of(course),
            parts=lambda: ((parts.index(part), piece) for part, piece in chain(new.go(deepcopy(left.course)), late)),
            count=sum(digest.records for digest in known.after),
            known=known,
        )

    def _is_still(self, left: _Left) -> bool:
        """Whether the file begins with what was read of it."""
        return (
            self.path.stat().st_size >= left.place
            and _seal(self.path, left.place) == left.seal
            and sniffing.format_of(self.path) == self._task.format
            and _PARSERS[self._task.format](self.path).form == left.parser.form
        )

    def _rows(self, left: _Left) -> _New:
        parser, survey = deepcopy(left.parser), deepcopy(left.survey)
        held: list[Row] = []
        with Opened(self.path, left.place, is_growing=True) as opened:
            for row in map(told_apart, chain(self._of_earlier(left), parser.feed(opened))):
                survey.see(row)
                if len(held) <= ROWS_KEPT:
                    held.append(row)
            place, end = opened.place, opened.place + opened.unread

        def rows() -> Iterator[Row]:
            if len(held) <= ROWS_KEPT:
                yield from held
                return
            again = deepcopy(left.parser)
            with Opened(self.path, left.place, place) as opened:
                yield from map(told_apart, chain(self._of_earlier(left), again.feed(opened)))

        last = deepcopy(parser)
        with Opened(self.path, place, end) as opened:
            late = [*map(told_apart, last.feed(opened))]
        late += map(told_apart, last.rest())
        shape = RowShape(self._told_by(last), _with_rows(survey, late))
        return _New(parser, place, survey, late, shape, lambda course: pieces_of(shape.go(course, rows())))

    def _of_earlier(self, left: _Left) -> Iterator[Row]:
        """The rows of the files before the last one, which are read at the first look."""
        if not left.place:
            for path in self._files[:-1]:
                yield from rows_of(_PARSERS[self._task.format](path), Opened(path))

    def _columns(self) -> _New | None:
        """Long event files at the first look; None for any other."""
        if self._task.format != event_file.FORMAT:
            return None
        found = event_file.growing_columns(self._files, self._columns_from_bytes)
        if found is None or any(tag.endswith(" (other)") for tag in found[0].tags):
            return None
        columns, parser = found
        survey = Survey.of_columns(columns)
        late = [*map(told_apart, deepcopy(parser).rest())]
        shape = ColumnShape(self._told_by(parser), columns, _with_rows(survey, late))
        return _New(parser, columns.place, survey, late, shape, lambda course: read_ahead(shape.go_through(course)))

    def _told_by(self, parser: Parser) -> Reading:
        settings = {**self._reading.settings, **parser.settings}
        return replace(self._reading, settings=settings, total_steps=parser.total_steps)


def _with_rows(survey: Survey, rows: Iterable[Row]) -> Survey:
    whole = deepcopy(survey)
    for row in rows:
        whole.see(row)
    whole.decide()
    return whole


def _see(course: Course, digests: dict[int, Digest], part: int, piece: Piece) -> None:
    course.see(part, piece)
    digests.setdefault(part, Digest()).add_all(piece)


def _seal(path: Path, place: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(min(place, _SEALED_BYTES)))
        file.seek(max(0, place - _SEALED_BYTES))
        digest.update(file.read(min(place, _SEALED_BYTES)))
    return digest.digest()
