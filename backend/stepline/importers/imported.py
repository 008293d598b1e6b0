"""What an importer gives: rows as the source has them, and tasks as the store takes them.

A parser gives a `Reading`: rows under the source's own names, in the source's order. `shaping.shaped` makes an
`ImportedTask` of it: runs of `recording.journal.Record`, with `loss` and `eval_loss` found by `names`. Rows and records
are read anew at each call, so that a file longer than memory can be gone through twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from stepline.importers.columns import records_of
from stepline.recording.journal import Kind, Record
from stepline.store import RecordColumns

if TYPE_CHECKING:
    from stepline.importers.digests import Digest
    from stepline.importers.opening import Opened
    from stepline.importers.row_columns import RowColumns

Status = Literal["completed", "stopped", "failed"]
Value = float | str

REMARKS_KEPT = 200
"""Places told one by one; beyond them only counted, so that a file of nothing but damage is not told line by line."""


PIECE_RECORDS = 16_384
"""Records that are handed over at once."""

Piece = Sequence[Record] | RecordColumns

ROWS_KEPT = 200_000
"""Rows of a source held in memory, about 120 MB of them; a longer source is read again for each look."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What was left out: where it stands (`line 12`, `byte 4096`, `entry 3`, a path) and why."""

    place: str
    reason: str


class Remarks:
    """What was left out of a source, each place once, however often the source is gone through."""

    def __init__(self) -> None:
        self._kept: dict[Remark, None] = {}
        self._places: set[int] = set()

    def leave_out(self, place: str, reason: str) -> None:
        remark = Remark(place, reason)
        self._places.add(hash(remark))
        if len(self._kept) < REMARKS_KEPT:
            self._kept[remark] = None

    @property
    def count(self) -> int:
        return len(self._places)

    @property
    def kept(self) -> list[Remark]:
        return list(self._kept)


@dataclass(slots=True)
class Row:
    """One row, line or group of events. `values`: numbers and texts under the source's names, what is absent not there.

    `step`, `epoch` and `time` (Unix seconds) where the format itself says which they are; otherwise None, and `shaping`
    finds them among the values.
    """

    values: dict[str, Value]
    step: int | None = None
    epoch: float | None = None
    time: float | None = None
    kind: Kind | None = None
    message: str | None = None
    details: dict[str, Any] | None = None


def kept(make: Callable[[], Iterator[Row]]) -> Callable[[], Iterator[Row]]:
    """`make`, whose rows are kept at the first pass that comes to their end, where they are no more than ROWS_KEPT;
    going through them again then costs no reading."""
    found: list[list[Row]] = []

    def rows() -> Iterator[Row]:
        if found:
            yield from found[0]
            return
        held: list[Row] = []
        for row in make():
            if len(held) <= ROWS_KEPT:
                held.append(row)
            yield row
        if len(held) <= ROWS_KEPT:
            found[:] = [held]

    return rows


class Parser(Protocol):
    """Reads a source from front to back, in one part or several, keeps what earlier parts said, and can be copied."""

    @property
    def settings(self) -> dict[str, Any]: ...

    @property
    def total_steps(self) -> int | None: ...

    @property
    def form(self) -> str:
        """What the beginning of the source decided; where that changes, so may all that was read."""
        ...

    def feed(self, opened: Opened) -> Iterator[Row]:
        """The rows of the next part."""
        ...

    def rest(self) -> Iterator[Row]:
        """What waits for more, once no more comes."""
        ...


def rows_of(parser: Parser, opened: Opened) -> Iterator[Row]:
    """All rows of a source."""
    with opened:
        yield from parser.feed(opened)
    yield from parser.rest()


@dataclass(slots=True)
class Reading:
    """One source as its parser understood it.

    `key`: the source's own identity where it has one (a wandb run id), else None. `finished` is None where the source
    does not say how the training ended.
    """

    format: str
    path: Path
    name: str
    rows: Callable[[], Iterator[Row]]
    remarks: Remarks = field(default_factory=Remarks)
    told: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    total_steps: int | None = None
    finished: Status | None = None
    message: str | None = None
    key: str | None = None
    columns: RowColumns | None = None
    """The same rows as columns, where the format gives them so."""
    files: tuple[Path, ...] = ()
    """The files that it is, one after another, where the last one may grow at its end."""


@dataclass(slots=True)
class ImportedRun:
    """One run of an imported task. `records()` reads them from the source, in the source's order."""

    records: Callable[[], Iterator[Record]]
    started: float
    last_step: int | None
    total_steps: int | None
    settings: dict[str, Any]
    status: Status
    message: str | None = None
    superseded: bool = False
    run_id: str | None = None
    last_time: float | None = None


@dataclass(slots=True)
class Known:
    """What comes before the records of a task that was read from where it was left. `head`: of the first records;
    `before`: of each run that has some; `after`: of each run with what comes now."""

    head: str
    before: list[Digest]
    after: list[Digest]


class Otherwise(Exception):
    """What was written since makes another history of what was read before: it has to be read whole."""


@dataclass(slots=True)
class ImportedTask:
    """A history ready for the store. `names`: `{"loss": the column it was}`. `has_times`: False where all times are the
    file's own date, because the source tells none."""

    name: str
    key: str
    format: str
    paths: list[Path]
    runs: list[ImportedRun]
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[Remark] = field(default_factory=list)
    left_out_count: int = 0
    told: list[str] = field(default_factory=list)
    has_times: bool = True
    stream: Callable[[], Iterator[tuple[int, Record]]] | None = None
    parts: Callable[[], Iterator[tuple[int, Piece]]] | None = None
    """Records in pieces, each of one run, where the source gives columns."""
    count: int = 0
    """How many records there are, where that is known before they are gone through."""
    folder: Path | None = None
    """The output folder, where the task is one: its side-car may name a task that is known."""
    place: str | None = None
    """Where it came from, in place of the path of a file that is here for the moment."""
    tags: tuple[str, ...] = ()
    notes: str = ""
    """What a person said of it, where an export tells."""
    reading: Reading | None = None
    """What it was made of, where that is all of it."""
    known: Known | None = None
    """Where the records are only those after ones that were taken in before."""

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record with its run's index, in the source's order."""
        if self.stream is not None:
            yield from self.stream()
            return
        if self.parts is not None:
            yield from single(self.parts())
            return
        for index, run in enumerate(self.runs):
            for record in run.records():
                yield index, record

    def pieces(self) -> Iterator[tuple[int, Piece]]:
        """The same in pieces, each of one run."""
        if self.parts is not None:
            yield from self.parts()
        else:
            yield from pieces_of(self.records())


def pieces_of(records: Iterator[tuple[int, Record]]) -> Iterator[tuple[int, Piece]]:
    """Records in pieces of one run each."""
    held: list[Record] = []
    run = 0
    for index, record in records:
        if held and (index != run or len(held) >= PIECE_RECORDS):
            yield run, held
            held = []
        run = index
        held.append(record)
    if held:
        yield run, held


def single(pieces: Iterator[tuple[int, Piece]]) -> Iterator[tuple[int, Record]]:
    """The records of pieces."""
    for run, piece in pieces:
        for record in records_of(piece) if isinstance(piece, RecordColumns) else piece:
            yield run, record
