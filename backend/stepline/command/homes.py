"""The home that a command works on, and what its user should be told of it."""

from __future__ import annotations

import sys
from pathlib import Path

from stepline.home import Home


def open_home(path: Path | None, *, create: bool = True) -> Home:
    """The home at `path`, else STEPLINE_HOME, else the platform's. Raises HomeError."""
    home = Home.open(path, create=create)
    if home.database_moved:
        say(f"{home.path} lies on a network file system, where a database is not safe; it is kept in {home.folder}.")
    return home


def say(line: str) -> None:
    """One line on standard error, beside what the command answers."""
    print(line, file=sys.stderr, flush=True)
