"""Parquet files: a column of numbers is a metric, texts are texts, what is nested is left out. Read a batch at a time.

The library reads the file by its index at the end, so a cut file gives nothing; a packed one has to be unpacked first.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from stepline import frozen
from stepline.errors import ImportFailed
from stepline.importers import limits
from stepline.importers.imported import Reading, Remarks, Row
from stepline.importers.naming import name_for
from stepline.importers.opening import told_reading
from stepline.importers.values import metrics_of

FORMAT = "parquet"
MAGIC = b"PAR1"
_BATCH_VALUES = 1 << 18
_INDEX = "__index_level_"
_TRIAL = "import sys; from arro3.io import read_parquet\nfor batch in read_parquet(open(sys.argv[1], 'rb')): pass"
_END = struct.Struct("<I4s")


@dataclass(slots=True)
class Table:
    columns: list[str]
    metadata: dict[str, str]
    _reader: Any
    _path: Path

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Raises ImportFailed where a page is damaged."""
        try:
            for batch in self._reader:
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        except BaseException as error:
            if not _is_the_librarys(error):
                raise
            raise _damaged(self._path, str(error)) from error


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """Raises ImportFailed."""
    try:
        with path.open("rb") as file:
            told_reading(path, 0)
            yield _table(path, file)
    except OSError as error:
        raise ImportFailed(
            f"{path} cannot be read", why=error.strerror or str(error), action="Check the path and its permissions"
        ) from error


def _table(path: Path, file: BinaryIO) -> Table:
    # Only such a file needs the library, and loading it takes 40 ms.
    from arro3.io import read_parquet

    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    index_bytes, magic = _END.unpack(file.read(8).rjust(8, b"\0"))
    if magic != MAGIC or index_bytes > size - 12:
        raise _damaged(path, "its index is not at its end")
    if not _can_be_read(str(path), size, path.stat().st_mtime_ns):
        raise _damaged(path, "its index or one of its pages does not hold together")
    try:
        names = read_parquet(file, batch_size=1).schema.names
        reader = read_parquet(file, batch_size=max(64, min(1 << 13, _BATCH_VALUES // max(1, len(names)))))
        return Table(names[: limits.COLUMNS], dict(reader.schema.metadata_str), reader, path)
    except BaseException as error:
        if not _is_the_librarys(error):
            raise
        raise _damaged(path, str(error)) from error


def read(path: Path) -> Reading:
    """The table's rows."""
    remarks = Remarks()
    return Reading(FORMAT, path, name_for(path), lambda: _rows(path, remarks), remarks=remarks)


def is_export(path: Path) -> bool:
    """Whether Stepline wrote it. Raises ImportFailed."""
    with opened(path) as table:
        return "stepline.runs" in table.metadata


def _rows(path: Path, remarks: Remarks) -> Iterator[Row]:
    with opened(path) as table:
        columns = [None if name.startswith(_INDEX) else name for name in table.columns]
        for place, row in enumerate(table.rows()):
            fields = {name: _plain(value) for name, value in zip(columns, row, strict=False) if name is not None}
            values, left_out = metrics_of(fields)
            if left_out:
                remarks.leave_out(f"row {place}", f"{left_out} values that are neither numbers nor short texts")
            if values:
                yield Row(values)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


@lru_cache(maxsize=256)
def _can_be_read(path: str, size: int, date_ns: int) -> bool:
    """Tried in a process of its own: a flipped byte in a length makes the library ask for terabytes, and abort."""
    # A packaged app has no interpreter beside it, and tries the file by starting itself.
    is_packaged = frozen.folder() is not None
    words = [frozen.TRY_PARQUET] if is_packaged else ["-I", "-c", _TRIAL]
    environment = {**frozen.outer_environment(), "PYINSTALLER_RESET_ENVIRONMENT": "1"} if is_packaged else None
    tried = subprocess.run(
        [sys.executable, *words, path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        env=environment,
    )
    return tried.returncode == 0


def try_reading(path: str) -> int:
    """What that process does in a packaged app: the exit code, where the library lives to tell it."""
    from arro3.io import read_parquet

    try:
        with open(path, "rb") as file:
            for _ in read_parquet(file):
                pass
    except BaseException as error:
        if not _is_the_librarys(error) and not isinstance(error, OSError):
            raise
        return 1
    return 0


def _is_the_librarys(error: BaseException) -> bool:
    """It has an exception for each of its layers and none above them all; a panic is not even an Exception."""
    return not isinstance(error, ImportFailed) and (
        isinstance(error, Exception) or type(error).__name__ == "PanicException"
    )


def _damaged(path: Path, why: str) -> ImportFailed:
    return ImportFailed(
        f"{path} is a damaged Parquet file",
        why=why.splitlines()[0] if why else "It cannot be read",
        action="Copy it again, whole: its index stands at its end",
    )
