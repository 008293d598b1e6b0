"""Journal files on disk: their headers, their sizes, and their bytes from a position on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stepline.errors import JournalError
from stepline.recording.journal import Header, parse_header

HEADER_LIMIT_BYTES = 32 << 20
"""No header is longer; a file that has no line end until here is something else."""
_FIRST_READ_BYTES = 16_384


@dataclass(slots=True)
class JournalFile:
    """A file that holds a run's journal, or a copy of it."""

    path: Path
    header: Header
    header_bytes: int
    size: int = -1
    """At the last look that took in what there was; -1 before the first."""
    grew: float | None = None
    """When news came last, by the monotonic clock; None while only what lay there before was read."""


def journal_names(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files of a folder that may be journals; none where the folder is not there."""
    try:
        with os.scandir(folder) as entries:
            # "<run id>.commands.jsonl" are requests to a run.
            yield from (e for e in entries if e.name.endswith(".jsonl") and not e.name.endswith(".commands.jsonl"))
    except FileNotFoundError:
        return


def open_journal(path: Path) -> JournalFile | None:
    """The journal at `path`; None while its header is not all there. Raises JournalError, JournalNewer."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_FIRST_READ_BYTES)
            if not line.endswith(b"\n"):
                line += file.readline(HEADER_LIMIT_BYTES)
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be read",
            why=error.strerror or str(error),
            action="Allow reading it, or move it away",
        ) from error
    if not line.endswith(b"\n") and len(line) < HEADER_LIMIT_BYTES:
        return None
    return JournalFile(path, parse_header(line), len(line))


def size_of(path: Path, *, on_network: bool) -> int:
    """Bytes of a file; -1 where it is gone."""
    try:
        if not on_network:
            return os.stat(path).st_size
        # A network file system may answer a stat from memory up to a minute old, but asks its server on opening.
        file = os.open(path, os.O_RDONLY)
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)
    except OSError:
        return -1


def read_from(path: Path, position: int, limit: int) -> bytes:
    """Up to `limit` bytes from `position` on, more where they hold no line's end. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        file.seek(position)
        parts = [file.read(limit)]
        while len(parts[-1]) >= limit and b"\n" not in parts[-1]:
            parts.append(file.read(limit))
    return parts[0] if len(parts) == 1 else b"".join(parts)
