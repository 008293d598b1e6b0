"""A Stepline journal from elsewhere, taken in as the recorder wrote it: its run keeps its id, task and process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stepline.errors import ImportFailed, JournalError
from stepline.recording.journal import parse_header, parse_lines
from stepline.store import Store

_CHUNK_BYTES = 4 << 20
_HEADER_LIMIT_BYTES = 32 << 20


def begun(path: Path) -> tuple[float, str]:
    """When the journal's run began, to take runs in by their order: run ids tell it to the second only. Of one that
    cannot be read, nothing."""
    with suppress(OSError, JournalError), path.open("rb") as file:
        return parse_header(file.readline(_HEADER_LIMIT_BYTES)).time, path.name
    return 0.0, path.name


def take_journal(store: Store, path: Path) -> tuple[str, int, int]:
    """(task id, records added, damaged lines). What was taken in before is passed over, by the position that the store
    keeps of the run. Raises JournalError, JournalNewer, ImportFailed, StoreError."""
    added = damaged = 0
    with path.open("rb") as file:
        line = file.readline(_HEADER_LIMIT_BYTES)
        if line.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
            raise ImportFailed(f"{path} is a packed journal", why="Journals are taken in unpacked", action="Unpack it")
        if not line.endswith(b"\n"):
            raise JournalError(f"The journal {path} is cut short", why="Its header has no end", action="Copy it again")
        header = parse_header(line)
        store.begin_run(header)
        position = max(store.position(header.run_id) or 0, len(line))
        file.seek(position)
        held = b""
        while True:
            data = file.read(_CHUNK_BYTES)
            parsed = parse_lines(held + data, ended=not data)
            if parsed.consumed:
                added += store.append(
                    header.run_id, parsed.entries, position=position + parsed.consumed, damaged=parsed.damaged
                )
                damaged += parsed.damaged
                position += parsed.consumed
            held = (held + data)[parsed.consumed :]
            if not data:
                return header.task_id, added, damaged
