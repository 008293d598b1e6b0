"""One journal's file, appended to by one process, through whatever happens to the disk.

A line goes out in one `write` before `append` returns. What cannot be written waits in memory, at most 8 MiB, and goes
out before the next line: a disk that was full for a while loses nothing. A write that came out short is continued where
it stopped, which is sound because nobody else appends here. Where a whole line failed, the next begins with a newline:
a file system that wrote some of it nevertheless leaves one torn line, and not two lines in one.

A file that is removed while it is written can still be read through its open descriptor, so `check` puts all of it
back. Standard library only. Not thread-safe; the recorder holds a lock.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

WAITING_LIMIT_BYTES = 8 * 2**20
OPEN_AGAIN_SECS = 1.0
"""How long to leave a file alone that could not be opened: on a dead network mount each try may take seconds."""


class JournalFile:
    """The file at `path`, which is made with the first `append`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost_lines = 0
        self._fd: int | None = None
        self._identity = (0, 0)
        self._waiting = bytearray()
        self._inside_line = False
        self._next_open = 0.0

    def append(self, line: bytes) -> None:
        """Write `line`. Raises OSError where it is not written yet: it then waits, or is counted in `lost_lines`."""
        if self._fd is not None and not self._waiting:
            try:
                written = os.write(self._fd, line)
            except OSError:
                self._waiting += b"\n"
                self._keep(line)
                raise
            if written == len(line):
                return
            self._inside_line = True
            self._waiting += line[written:]
        else:
            self._keep(line)
        self.flush()

    def append_late(self, line: bytes) -> None:
        """Write `line` after `close`. Raises FileNotFoundError where the file is gone meanwhile, else OSError."""
        fd = os.open(self.path, _FLAGS & ~os.O_CREAT)
        try:
            while line:
                line = line[os.write(fd, line) :]
        finally:
            os.close(fd)

    def flush(self) -> None:
        """Write what waits. Raises OSError where some of it still does."""
        if self._fd is None:
            self._open()
        fd = self._fd
        while self._waiting and fd is not None:
            try:
                written = os.write(fd, self._waiting)
            except OSError:
                if not self._inside_line and not self._waiting.startswith(b"\n"):
                    self._waiting[:0] = b"\n"
                raise
            self._inside_line = not self._waiting[:written].endswith(b"\n")
            del self._waiting[:written]

    def check(self) -> bool:
        """Put the file back where it was removed or replaced; True where that was needed. Raises OSError."""
        if sys.platform == "win32" or self._fd is None:
            # Windows lets nobody remove a file that is open.
            return False
        ours = os.fstat(self._fd)
        if (ours.st_dev, ours.st_ino) != self._identity:
            # A program that closed every descriptor (to become a daemon, say) closed ours, and its number was given
            # to another file, which must not get our lines.
            self._fd = None
            return False
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(ours, os.stat(self.path)):
                return False
        self._restore(self._fd)
        return True

    def close(self) -> None:
        """Close the file. What still waits is tried once more, and else counted in `lost_lines`."""
        self._next_open = 0.0
        with suppress(OSError):
            self.flush()
        with suppress(OSError):
            self.check()
        self.lost_lines += sum(1 for line in self._waiting.split(b"\n") if line)
        self._waiting.clear()
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = None

    def discard(self) -> None:
        """Close the file and remove it; nothing in it is wanted."""
        self._waiting.clear()
        self.close()
        with suppress(OSError):
            os.unlink(self.path)

    def _keep(self, line: bytes) -> None:
        if len(self._waiting) + len(line) > WAITING_LIMIT_BYTES:
            self.lost_lines += 1
        else:
            self._waiting += line

    def _open(self) -> None:
        now = time.monotonic()
        if now < self._next_open:
            raise FileNotFoundError(f"{self.path} could not be opened a moment ago")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The run's id is new, so nobody else's file can stand there.
            fd = os.open(self.path, _FLAGS, 0o600)
        except OSError:
            self._next_open = now + OPEN_AGAIN_SECS
            raise
        self._use(fd)

    def _use(self, fd: int) -> None:
        status = os.fstat(fd)
        self._fd, self._identity = fd, (status.st_dev, status.st_ino)

    def _restore(self, fd: int) -> None:
        if sys.platform == "win32":
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.path.with_name(f".{self.path.name}.restored")
        copy = os.open(draft, _FLAGS | os.O_TRUNC, 0o600)
        try:
            place = 0
            while piece := os.pread(fd, 2**20, place):
                place += len(piece)
                while piece:
                    piece = piece[os.write(copy, piece) :]
            os.replace(draft, self.path)
        except BaseException:
            os.close(copy)
            with suppress(OSError):
                os.unlink(draft)
            raise
        os.close(fd)
        self._use(copy)


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
