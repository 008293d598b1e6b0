"""Tables: CSV, TSV and their kin (Lightning's and Keras's CSVLogger, Ultralytics' results.csv, pandas, plain).

The divider is found from the first lines; the header is the first line without numbers. A table without one has its
columns numbered; but one column alone is the loss, and two are step and loss. A blank cell is absence, not 0. A row
with too few cells has those it has; one with too many, or one in which nothing can be read, is left out and told.
Where the divider is `;` a comma is the decimal point. TensorBoard's own download (`Wall time,Step,Value`) takes the
metric's name from the file's name. wandb's (`run - metric`, `run - metric__MIN` …) gives each run its own rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers import limits
from stepline.importers.imported import Otherwise, Reading, Remarks, Row, Value, rows_of
from stepline.importers.lines import lines
from stepline.importers.naming import name_for, named_tag
from stepline.importers.opening import Opened
from stepline.importers.values import ABSENT, NAME_LIMIT, TEXT_LIMIT, number

FORMAT = "table"

_DIVIDERS = (",", "\t", ";", "|")
_SAMPLE_LINES = 50
_FIELD_LIMIT = 1 << 20
_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_INDEX = re.compile(r"(unnamed: ?\d+|index|)", re.IGNORECASE)


def divider_of(sample: list[str]) -> str | None:
    """What divides these lines into cells, or None where they are no table: the one that gives a header without
    numbers (or none), and below it rows of the header's width, most of whose filled cells are numbers."""
    best: tuple[int, str] | None = None
    sample = [words for words in sample if not words.lstrip().startswith("#")]
    for divider in (*_DIVIDERS, " "):
        rows = [row for row in csv.reader(_ready(sample, divider), delimiter=divider, skipinitialspace=True) if row]
        if len(rows) < 2 or (len(rows[0]) < 2 and divider != ","):
            continue
        header, body = rows[0], rows[1:]
        if any(number(cell) is not None for cell in header):
            if divider == " " and len(header) != 2:
                continue
            body = rows
        if len({cell.strip() for cell in header}) < len(header) and body is not rows:
            continue
        wide = [row for row in body if len(row) == len(header)]
        cells = [cell for row in wide for cell in row if cell.strip().casefold() not in ABSENT]
        numbers = sum(number(_decimal(cell, divider)) is not None for cell in cells)
        if len(wide) * 2 < len(body) or numbers * 10 < len(cells) * 4 or not numbers:
            continue
        if len(header) == 1 and numbers < len(cells) * 0.9:
            continue
        if best is None or len(header) > best[0]:
            best = (len(header), divider)
    return best[1] if best else None


def read(path: Path) -> Reading:
    """The table's rows. Raises ImportFailed where it has no rows of numbers."""
    divider = _divider(path)
    remarks = Remarks()
    return Reading(
        FORMAT,
        path,
        name_for(path),
        lambda: rows_of(TableParser(path, divider, remarks), Opened(path)),
        remarks=remarks,
        files=(path,),
    )


def parser(path: Path) -> TableParser:
    """Of the table at a path. Raises ImportFailed."""
    return TableParser(path, _divider(path), Remarks())


def _divider(path: Path) -> str:
    with Opened(path) as opened:
        sample = [words for _, words in islice(lines(opened, Remarks()), _SAMPLE_LINES)]
    divider = divider_of(sample)
    if divider is None:
        raise ImportFailed(
            f"{path} is no table of numbers",
            why="No divider gives its first lines the same number of cells with numbers in them",
            action="Give a CSV or TSV file with a header",
        )
    return divider


class TableParser:
    """Of rows of cells."""

    settings: dict[str, Any]
    total_steps = None

    def __init__(self, path: Path, divider: str, remarks: Remarks) -> None:
        self.settings = {}
        self.form = divider
        self._path = path
        self._remarks = remarks
        self._line = 0
        self._quotes = 0
        self._header: list[str] | None = None

    def feed(self, opened: Opened) -> Iterator[Row]:
        """Raises Otherwise where a part ends within a quoted cell."""
        reader = csv.reader(_ready(self._lines(opened), self.form), delimiter=self.form, skipinitialspace=True)
        csv.field_size_limit(_FIELD_LIMIT)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                self._remarks.leave_out(f"line {self._line}", f"no row of a table: {error}")
                continue
            yield from self._of_cells(cells)
        if opened.is_growing and self._quotes % 2:
            raise Otherwise

    def rest(self) -> Iterator[Row]:
        return iter(())

    def _lines(self, opened: Opened) -> Iterator[str]:
        for place, words in lines(opened, self._remarks, self._line + 1):
            self._line = place
            if not words.lstrip().startswith("#"):
                self._quotes += words.count('"')
                yield words

    def _of_cells(self, cells: list[str]) -> Iterator[Row]:
        if not cells:
            return
        if self._header is None:
            self._header = _header(cells, self._path)
            if self._header is not None:
                return
            self._header = [f"column_{place}" for place in range(1, len(cells) + 1)]
            if len(self._header) <= 2:
                self._header = ["step", "loss"][-len(self._header) :]
        elif [cell.strip() for cell in cells] == self._header:
            # A logger that starts again on the same file writes its header again.
            return
        header = self._header
        row = _row(cells, header, self.form)
        if row is None or (len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :])):
            self._remarks.leave_out(
                f"line {self._line}",
                f"{len(cells)} cells where the header has {len(header)}" if row else "no number in it",
            )
        elif charts := _wandb_charts(header):
            yield from _of_runs(row, charts)
        else:
            yield row


def _ready(source: Iterable[str], divider: str) -> Iterator[str]:
    """For columns divided by blanks: however many blanks divide once."""
    if divider != " ":
        return iter(source)
    return (" ".join(words.split()) for words in source)


def _header(cells: list[str], path: Path) -> list[str] | None:
    if any(number(cell) is not None for cell in cells):
        return None
    header = [cell.strip()[:NAME_LIMIT] for cell in cells[: limits.COLUMNS]]
    if [name.casefold() for name in header] == ["wall time", "step", "value"]:
        header = ["wall_time", "step", named_tag(path) or "value"]
    return header


def _row(cells: list[str], header: list[str], divider: str) -> Row | None:
    values: dict[str, Value] = {}
    has_number = False
    for name, cell in zip(header, cells, strict=False):
        words = cell.strip()
        if not words or _INDEX.fullmatch(name):
            continue
        found = number(_decimal(words, divider))
        if found is not None:
            values[name] = found
            has_number = True
        elif words.casefold() not in ABSENT and len(words) <= TEXT_LIMIT:
            values[name] = words
    return Row(values) if has_number else None


@lru_cache(maxsize=4)
def _charts(header: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    spans = {name.removesuffix("__MIN") for name in header if name.endswith("__MIN")}
    parted = {name: name.split(" - ", 1) for name in header if name in spans and " - " in name}
    return {name: (run, metric) for name, (run, metric) in parted.items()}


def _wandb_charts(header: list[str]) -> dict[str, tuple[str, str]]:
    """Of a chart that wandb let one download, each column's run and metric; nothing of any other table."""
    return _charts(tuple(header)) if any(name.endswith("__MIN") for name in header) else {}


def _of_runs(row: Row, charts: dict[str, tuple[str, str]]) -> Iterator[Row]:
    place = {name: value for name, value in row.values.items() if " - " not in name and not name.endswith("__MIN")}
    runs: dict[str, dict[str, Value]] = {}
    for name, (run, metric) in charts.items():
        if name in row.values:
            runs.setdefault(run, {})[metric] = row.values[name]
    several = len({run for run, _ in charts.values()}) > 1
    for run, values in runs.items():
        yield Row({**place, **({"rank": run} if several else {}), **values})


def _decimal(words: str, divider: str) -> str:
    return words.replace(",", ".") if divider == ";" and _COMMA_DECIMAL.fullmatch(words.strip()) else words
