"""Reading journals back in tests, and running a script as a training process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepline.recording.journal import Header, Heartbeat, Record, Update, parse_header, parse_lines


@dataclass(frozen=True)
class Journal:
    """One journal, read whole: nothing in it is damaged."""

    header: Header
    entries: list[Record | Heartbeat | Update]

    @property
    def records(self) -> list[Record]:
        return [entry for entry in self.entries if isinstance(entry, Record)]

    @property
    def settings(self) -> dict[str, Any]:
        """The header's, and what was told later."""
        settings = dict(self.header.settings)
        for entry in self.entries:
            if isinstance(entry, Update):
                settings |= entry.settings or {}
        return settings

    @property
    def total_steps(self) -> int | None:
        told = [entry.total_steps for entry in self.entries if isinstance(entry, Update) and entry.total_steps]
        return told[-1] if told else self.header.total_steps

    def of(self, kind: str) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    @property
    def steps(self) -> list[int | None]:
        return [record.step for record in self.of("step")]

    @property
    def end(self) -> Record:
        """The last record, which is the end."""
        assert self.records[-1].kind == "train_end"
        assert len(self.of("train_end")) == 1
        return self.records[-1]

    @property
    def status(self) -> str:
        return str(self.end.details["status"])


def read_journal(path: Path) -> Journal:
    header, _, rest = path.read_bytes().partition(b"\n")
    parsed = parse_lines(rest, ended=True)
    assert parsed.damaged == 0
    return Journal(parse_header(header), parsed.entries)


def read_journals(home: Path) -> list[Journal]:
    """All journals of a home, by the time their runs began."""
    journals = [read_journal(path) for path in (home / "journals").glob("*.jsonl") if ".commands." not in path.name]
    return sorted(journals, key=lambda journal: journal.header.time)


def only_journal(home: Path) -> Journal:
    (journal,) = read_journals(home)
    return journal


def run_python(code: str, *arguments: str | Path, strict: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own; without strict, as at a user's."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"STEPLINE_STRICT": "1" if strict else ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
