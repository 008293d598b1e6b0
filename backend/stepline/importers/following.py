"""Paths that are followed: what was read of their sources, so that what grew is read from where that was left.

A path is read whole again where a file came or went, or one changed that does not grow at its end. Forgetting costs a
whole read and nothing else, so nothing of this is stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stepline.importers.event_file import COLUMNS_FROM_BYTES
from stepline.importers.growing import Growth
from stepline.importers.imported import ImportedTask, Otherwise

MOST_PATHS = 64
"""Beyond which the one that was looked at longest ago is forgotten."""

Marks = dict[Path, tuple[int, int]]
"""Size and date of each file."""


@dataclass(frozen=True, slots=True)
class _Followed:
    marks: Marks
    growths: dict[Path, Growth]


class Following:
    """What is known of each path. Several threads may use it: a path that one of them looks at is unknown to others."""

    def __init__(self, *, columns_from_bytes: int = COLUMNS_FROM_BYTES) -> None:
        self._columns_from_bytes = columns_from_bytes
        self._paths: dict[Path, _Followed] = {}

    def go_on(self, path: Path, take: Callable[[ImportedTask], None], *, growing: bool) -> bool:
        """Call `take` with what was written to the path's sources since; whether that was all. Where not, the path is
        to be read whole. What is not `growing` any more is looked at in any case, for its end. Raises ImportFailed,
        OSError, and what `take` raises."""
        known = self._paths.pop(path, None)
        if known is None:
            return False
        marks = marks_of(path)
        changed = {file for file, mark in marks.items() if known.marks.get(file) != mark}
        if marks.keys() != known.marks.keys() or not changed <= known.growths.keys():
            return False
        try:
            for file, growth in known.growths.items():
                if file in changed or not growing:
                    take(growth.look())
        except Otherwise:
            return False
        self._keep(path, _Followed(marks, known.growths))
        return True

    def begin(self, path: Path, marks: Marks, tasks: Sequence[ImportedTask]) -> None:
        """Remember a path that was read whole. `marks`: of its files, from before it was read."""
        growths = {}
        for task in tasks:
            with suppress(Otherwise, OSError):
                growth = Growth(task, columns_from_bytes=self._columns_from_bytes)
                growths[growth.path] = growth
        if growths:
            self._keep(path, _Followed(marks, growths))

    def _keep(self, path: Path, followed: _Followed) -> None:
        self._paths[path] = followed
        while len(self._paths) > MOST_PATHS:
            self._paths.pop(next(iter(self._paths)), None)


def marks_of(path: Path) -> Marks:
    """Of a file, or of all files below a folder."""
    marks: Marks = {}
    files = (Path(folder) / name for folder, _, names in os.walk(path) for name in names) if path.is_dir() else [path]
    for file in files:
        with suppress(OSError):
            stat = file.stat()
            marks[file] = (stat.st_size, stat.st_mtime_ns)
    return marks
