"""Who writes a home's store: one process at a time, found by an OS file lock and an address.

The lock is the operating system's, so it goes with its holder, also with one killed by -9, and no clean-up is needed.
The holder leaves its address and token in a file that only its user can read (mode 0600), so that other processes can
ask it to write for them. The address may be older than the lock: who gets no answer there tries the lock.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass

from stepline.errors import HomeError
from stepline.home import Home, replace

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ANSWER_SECS = 600.0
"""How long the writer's answer is awaited: taking in a backlog takes as long as it takes, and one that died is noticed
at once."""


class WriterLock:
    """The right to write a home's store. Not reentrant: two locks on one home exclude each other, also in one process.

    A forked child does not have it, even where its parent had.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._file: int | None = None
        self._guard = threading.Lock()
        _locks.add(self)

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock if it is free. Returns at once: True if it is ours now. Raises HomeError."""
        with self._guard:
            if self._file is not None:
                return True
            # A second try: between opening and locking, the file may have been removed and made anew by another.
            for _ in range(2):
                file = self._open()
                if not _try_lock(file):
                    os.close(file)
                    return False
                if _is_at(file, self.home):
                    self._file = file
                    return True
                os.close(file)
            return False

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        with self._guard:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> int:
        try:
            return os.open(self.home.lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise HomeError(
                f"The lock {self.home.lock} cannot be opened",
                why=error.strerror or str(error),
                action="Allow reading and writing there, or name another folder with --home DIR or STEPLINE_HOME",
            ) from error

    def _forked(self) -> None:
        # The lock belongs to the open file, which the child shares: a data-loader worker that outlives its parent
        # would hold it on. Closing the child's copy leaves the parent's lock as it is.
        self._guard = threading.Lock()
        self.release()


@dataclass(frozen=True)
class Address:
    """Where the writer of a home answers: `address` like "http://127.0.0.1:41234", its token, its process."""

    address: str
    token: str
    pid: int


def publish_address(home: Home, address: str, token: str) -> None:
    """Leave the writer's address in the home, whole at every moment and readable by its user only."""
    draft = home.address_file.with_name(f"{home.address_file.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump(asdict(Address(address, token, os.getpid())), stream)
    replace(draft, home.address_file)


def read_address(home: Home) -> Address | None:
    """The address that a writer left, or None. That writer may have been killed since."""
    try:
        fields = json.loads(home.address_file.read_text("utf-8"))
        return Address(str(fields["address"]), str(fields["token"]), int(fields["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def withdraw_address(home: Home) -> None:
    """Take back the address that this process published; another process's is left alone."""
    published = read_address(home)
    if published is not None and published.pid == os.getpid():
        with suppress(OSError):
            home.address_file.unlink()


def _try_lock(file: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(file: int, home: Home) -> bool:
    """Whether the open lock file is still the one that stands at its path."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(home.lock))
    except OSError:
        return False


def _after_fork() -> None:
    for lock in list(_locks):
        lock._forked()


_locks: weakref.WeakSet[WriterLock] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
