"""Journals of ended runs are removed from the home once the store holds all they say.

One goes when, in this order,

1. its run has ended, its process is gone, nothing was added for a minute, and all of it was taken in, each line;
2. its task's records lie in blocks, and these on the disk, not only in the system's memory;
3. it was read again, and the store gave back the same records, to the bit;
4. where the setting `keepJournals` says so, it lies compressed beside (`<run id>.jsonl.zst`).

What somebody wrote even then is taken in from the file, which stays open until its name is gone. A process killed
anywhere in between leaves the journal, and the next begins anew. Only files in the home's own folder are touched.
"""

from __future__ import annotations

import heapq
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import zstandard

from stepline.errors import JournalError
from stepline.ingest.backlog import decode_backlog
from stepline.ingest.decoding import decode_lines
from stepline.ingest.journals import JournalFile, open_journal, read_from
from stepline.ingest.liveness import is_gone
from stepline.recording.commands import commands_path
from stepline.recording.journal import Process
from stepline.store import RunRow, Store
from stepline.store.rows import LIVE

SETTING = "keepJournals"
QUIET_SECS = 60.0
"""Since the last line: `stepline run` may name the end of its child a moment after that."""
ELSEWHERE_SECS = 86_400.0
"""The same where the process cannot be looked at: a run elsewhere may say more, an evaluation hours later."""
AGAIN_SECS = (60.0, 3_600.0)
"""When a file that may not go yet is looked at again: at first, and then each time after twice as long, at most."""
TURN_SECS = 0.02
"""What a look at the journals may spend on this."""
_PIECE_BYTES = 4 << 20


class Removal:
    """`consider` files, then `work` now and then. For one thread at a time."""

    def __init__(self, store: Store, folder: Path, tell: Callable[[str, str], None]) -> None:
        self._store = store
        self._folder = folder
        self._tell = tell
        self._here = Process.current()
        self._due: list[tuple[float, Path]] = []
        self._waits: dict[Path, float] = {}
        self._going: tuple[Path, Iterator[None]] | None = None
        self._removed: list[Path] = []

    def consider(self, path: Path) -> None:
        """Look at a file that was taken in whole, as far as is known, again and again until it may go."""
        if path.parent == self._folder and path not in self._waits:
            self._waits[path] = AGAIN_SECS[0]
            heapq.heappush(self._due, (0.0, path))

    def work(self) -> list[Path]:
        """A little of what there is to do; the files that are gone now. Raises StoreError: begun anew later."""
        ends = time.monotonic() + TURN_SECS
        self._removed = []
        while time.monotonic() < ends:
            if self._going is None:
                if not self._due or self._due[0][0] > time.monotonic():
                    break
                path = heapq.heappop(self._due)[1]
                self._going = (path, self._remove(path))
            path, steps = self._going
            self._going = None
            try:
                next(steps)
            except StopIteration:
                continue
            except BaseException:
                self._again(path)
                raise
            self._going = (path, steps)
        return self._removed

    def _again(self, path: Path) -> None:
        wait = self._waits[path]
        self._waits[path] = min(2 * wait, AGAIN_SECS[1])
        heapq.heappush(self._due, (time.monotonic() + wait, path))

    def _remove(self, path: Path) -> Iterator[None]:
        """Each step a short piece of work."""
        try:
            journal = open_journal(path)
            run = None if journal is None else self._store.run(journal.header.run_id)
            with open(path, "rb", opener=_opened_to_go) as file:
                told = os.fstat(file.fileno())
                if journal is None or run is None or not self._may_go(journal, run, told):
                    self._again(path)
                    return
                self._store.settle(run.task_id)
                yield
                for alike in self._compared(journal, run, told.st_size):
                    if not alike:
                        self._tell(
                            f"kept:{path}",
                            f"The journal {path.name} is kept: the database does not give back what it says",
                        )
                        return
                    yield
                if self._store.setting(SETTING, False):
                    yield from _compressed(path, told.st_size)
                if os.fstat(file.fileno()).st_size != told.st_size or not os.path.samefile(path, file.fileno()):
                    self._again(path)
                    return
                path.unlink()
                self._take_in_late(journal, file, told.st_size)
        except (OSError, JournalError):
            # It is gone, or cannot be read just now.
            if path.exists():
                self._again(path)
            else:
                del self._waits[path]
            return
        with suppress(OSError):
            commands_path(self._folder, journal.header.run_id).unlink(missing_ok=True)
        del self._waits[path]
        self._removed.append(path)

    def _may_go(self, journal: JournalFile, run: RunRow, told: os.stat_result) -> bool:
        # A copy may be shorter than what was taken in.
        if run.status in LIVE or run.damaged or told.st_size > max(run.position, journal.header_bytes):
            return False
        silent_secs = time.time() - told.st_mtime
        gone = is_gone(journal.header.process, self._here)
        return gone is not False and silent_secs > (QUIET_SECS if gone else ELSEWHERE_SECS)

    def _compared(self, journal: JournalFile, run: RunRow, size: int) -> Iterator[bool]:
        """Whether each piece of it, and then the whole, is what the store has."""
        check = self._store.check(run.id)
        at = journal.header_bytes
        while at < size:
            data = read_from(journal.path, at, _PIECE_BYTES)
            if at + len(data) >= size and not data.endswith(b"\n"):
                # The run's last line has no end, but was whole. That of a shorter copy is cut.
                data = data + b"\n" if size == run.position else data[: data.rfind(b"\n") + 1]
                size = min(size, at + len(data))
            backlog = decode_backlog(data)
            at += backlog.consumed
            yield backlog.damaged == 0 and check.matches(backlog.entries)
        yield size < run.position or not check.has_more()

    def _take_in_late(self, journal: JournalFile, file: BinaryIO, size: int) -> None:
        file.seek(size)
        late = file.read()
        if late:
            decoded = decode_lines(late, ended=True)
            self._store.append(
                journal.header.run_id, decoded.entries, position=size + len(late), damaged=decoded.damaged, since=size
            )


def _opened_to_go(path: str, flags: int) -> int:
    """Windows removes no open file, unless whoever has it open allows that: we do, and a training does not."""
    if sys.platform == "win32":
        import _winapi
        import msvcrt

        all_shared = 7
        handle = _winapi.CreateFile(path, _winapi.GENERIC_READ, all_shared, 0, _winapi.OPEN_EXISTING, 0, 0)
        return msvcrt.open_osfhandle(handle, os.O_RDONLY)
    else:  # noqa: RET505 - mypy takes what follows a return on this platform for dead code
        return os.open(path, flags)


def _compressed(path: Path, size: int) -> Iterator[None]:
    """Leave the file compressed beside, unless a longer copy of it lies there."""
    target = path.with_name(path.name + ".zst")
    draft = path.with_name(path.name + ".zst.part")
    if target.exists():
        with open(target, "rb") as kept:
            if zstandard.frame_content_size(kept.read(32)) >= size:
                return
    with open(path, "rb") as source, open(draft, "wb") as out:
        compressor = zstandard.ZstdCompressor(level=9, write_checksum=True)
        with compressor.stream_writer(out, size=size, closefd=False) as writer:
            while data := source.read(_PIECE_BYTES):
                writer.write(data)
                yield
        out.flush()
        os.fsync(out.fileno())
    with open(path, "rb") as source, open(draft, "rb") as written:
        reader = zstandard.ZstdDecompressor().stream_reader(written)
        while data := source.read(_PIECE_BYTES):
            if reader.read(len(data)) != data:
                raise OSError("the compressed journal is not what was written")
            yield
    os.replace(draft, target)
