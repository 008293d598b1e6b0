"""Requests to a training, read from the file beside its journal. The format is in docs/journal.md.

The file is named by the run, so a request never reaches a later one. Standard library only.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

CommandName = Literal["stop", "save", "evaluate", "log"]
COMMANDS: tuple[CommandName, ...] = ("stop", "save", "evaluate", "log")

LOOK_EVERY_SECS = 0.3


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    name: CommandName


def commands_path(journals: Path, run_id: str) -> Path:
    return journals / f"{run_id}.commands.jsonl"


class CommandFile:
    """Reads what is new in a run's command file; each id is given once."""

    def __init__(self, journals: Path, run_id: str) -> None:
        self.path = commands_path(journals, run_id)
        self._position = 0
        self._seen: set[str] = set()

    def new(self) -> list[Command]:
        """The commands that came since the last call. Raises OSError where the file is there and cannot be read."""
        try:
            # Mostly there is none: stat says so in 2 µs, where opening takes 10 to fail.
            if os.stat(self.path).st_size <= self._position:
                return []
        except FileNotFoundError:
            return []
        with open(self.path, "rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._position += whole
        return [command for line in data[:whole].splitlines() if (command := self._command(line)) is not None]

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()

    def _command(self, line: bytes) -> Command | None:
        try:
            fields = json.loads(line)
            command_id, name = fields["id"], fields["command"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if not isinstance(command_id, str) or name not in COMMANDS or command_id in self._seen:
            return None
        self._seen.add(command_id)
        return Command(command_id, cast(CommandName, name))
