"""The home that a command works on, and what its user should be told of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from stepline.home import Home


def open_home(path: Path | None, *, create: bool = True) -> Home:
    """The home at `path`, else STEPLINE_HOME, else the platform's. Raises HomeError."""
    home = Home.open(path, create=create)
    if home.database_moved:
        say(f"{home.path} lies on a network file system, where a database is not safe; it is kept in {home.folder}.")
    return home


def answer(value: Any) -> None:
    """`value` as JSON on standard output, in letters that it has: what is not one would make it no JSON any more."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").casefold().replace("_", "-")
    print(json.dumps(value, ensure_ascii=encoding not in ("utf-8", "utf8"), indent=2))


def say(line: str) -> None:
    """One line on standard error, beside what the command answers."""
    print(line, file=sys.stderr, flush=True)
