"""Takes journals into the store: those in the home as they grow, and any that is imported.

- A journal is known by the run id in its header, never by its path: a copy adds only what the run does not have yet.
- Where a run's journal was read to is committed with the records, so a restart neither loses nor doubles one.
- Live journals are looked at every 50 ms, by one `stat` each. Ended ones are not: the folder is listed when it changed,
  and now and then, the less often the longer a listing takes (a thousandth of the time at most).
- Within a task, what waits is taken in run by run in the order of their starts; what grows live interleaves.
- The journals of tasks in the trash are listed too: one that grows brings its task back. Runs of removed tasks are not
  taken in again, unless somebody imports them.
- A damaged line is left out, counted and told; an unended last line is waited for while the run lives.
- An ended run's journal is removed by the thread once the store gives it back (stepline.ingest.removal).

Only the holder of the home's writer lock may have one. All methods may be called from any thread.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from stepline import kernels
from stepline.errors import JournalError, SteplineError
from stepline.home import Home
from stepline.ingest.backlog import BACKLOG_BYTES, Backlog, decode_backlog
from stepline.ingest.decoding import Decoded, decode_lines
from stepline.ingest.journals import JournalFile, journal_names, open_journal, read_from, size_of
from stepline.ingest.liveness import death
from stepline.ingest.removal import Removal
from stepline.recording.journal import Process
from stepline.store import RunRow, Store

log = logging.getLogger(__name__)

POLL_SECS = 0.05
NETWORK_POLL_SECS = 0.25
LIVENESS_SECS = 1.0
RESCAN_SECS = 2.0
RESCAN_PART = 0.001
"""Part of the time that listing the journals' folder may take where nothing happens."""
CHUNK_BYTES = 16 << 20
"""Taken in at once and in one transaction: about 80,000 records."""
QUIET_SECS = 60.0
"""How long an ended run's journal is looked at still: an evaluation may follow the training."""
ROUND_SECS = 0.25
"""How long what waits may keep what grows live, and `stop`, waiting."""
TROUBLE_SECS = 1.0


class Ingest:
    """`take_in_all` for one pass; `start` and `stop` for a thread that keeps the store up to date."""

    def __init__(self, home: Home, store: Store) -> None:
        self._began = time.monotonic()
        self.on_change: Callable[[set[str]], None] | None = None
        """Called after a commit with the ids of the tasks that changed, in the thread that committed."""
        self.polls = 0
        self.files_examined = 0
        """Files whose size was asked for or that were opened: what watching costs."""
        self._home = home
        self._store = store
        self._lock = threading.RLock()
        self._notes: dict[str, str] = {}
        self._positions: dict[str, int] | None = None
        self._watched: dict[Path, JournalFile] = {}
        self._settled: dict[str, int] = {}
        self._here = Process.current()
        self._removal = Removal(store, home.journals, self._tell)
        self._listed_at: int | None = None
        self._listings_due = 0
        self._next_listing = 0.0
        self._next_liveness = 0.0
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def notes(self) -> list[str]:
        """What a person should know: journals that were refused, lines that were left out."""
        return list(self._notes.values())

    def start(self) -> None:
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="stepline-ingest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is being committed is committed first."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def take_in_all(self) -> None:
        """One full pass: every journal in the home to its end, and a look at every run that has not ended.

        Raises StoreError. Journals that cannot be taken in are told in `notes`.
        """
        with self._lock:
            self._list()
        more = True
        while more:
            with self._lock:
                more = self._take_in_round(list(self._watched.values()))
        with self._lock:
            self._look_for_dead()

    def import_journal(self, path: Path) -> str:
        """Take in the journal at `path`, wherever it lies; the id of its task.

        It is watched like one in the home while its run lives. Raises JournalError, JournalNewer, StoreError.
        """
        path = Path(path).absolute()
        journal = open_journal(path)
        if journal is None:
            raise JournalError(
                f"{path} is not a Stepline journal",
                why="Its first line has no end",
                action="See docs/journal.md for the format",
            )
        with self._lock:
            self._watched[path] = journal
            self._store.welcome_run(journal.header.run_id)
        more = True
        while more:
            with self._lock:
                more = self._take_in_round([journal])
        with self._lock:
            run = self._store.run(journal.header.run_id)
            assert run is not None, "it was begun by the round above"
            self._end_if_dead(run)
            return run.task_id

    # The trash

    @contextmanager
    def let_go(self, task_ids: Collection[str]) -> Iterator[None]:
        """Take in what these tasks' journals still hold, then look at none of them, and take nothing in, while the
        block moves them. Raises StoreError."""
        with self._lock:
            self._list()
            mine = [each for each in self._watched.values() if each.header.task_id in task_ids]
            while self._take_in_round(mine):
                pass
            for journal in mine:
                self._watched.pop(journal.path, None)
            try:
                yield
            finally:
                self._settled.clear()
                self._positions = None
                self._next_listing = 0.0

    # The thread

    def _run(self) -> None:
        pause = NETWORK_POLL_SECS if self._home.database_moved else POLL_SECS
        more = False
        while not self._ending.wait(0 if more else pause):
            try:
                more = self.poll()
            except SteplineError as error:
                self._tell("store", str(error))
                more = False
                self._ending.wait(TROUBLE_SECS)
            except Exception as error:
                # Whatever it is, the next look may succeed, and a viewer that stopped without a word would lie.
                log.exception("Taking in journals failed; trying again")
                self._tell("store", f"Taking in journals failed: {error}. It is tried again.")
                more = False
                self._ending.wait(TROUBLE_SECS)

    def poll(self) -> bool:
        """One look at what may have changed; whether there is more to take in at once."""
        with self._lock:
            self.polls += 1
            now = time.monotonic()
            if self._folder_changed() or now >= self._next_listing:
                self._list()
            more = self._take_in_round(list(self._watched.values()))
            if now >= self._next_liveness and not more:
                self._next_liveness = now + LIVENESS_SECS
                self._look_for_dead()
                self._let_go_of_quiet(now)
            if not more:
                for gone in self._removal.work():
                    # Copied back, it is looked at again.
                    self._settled.pop(gone.name, None)
            return more

    def _folder_changed(self) -> bool:
        try:
            changed = os.stat(self._home.journals).st_mtime_ns
        except OSError:
            return False
        if changed != self._listed_at:
            # File systems stamp with a clock that stands still for some milliseconds: a file made right after the
            # listing may leave the stamp as it is, so the next two looks list again.
            self._listed_at = changed
            self._listings_due = 3
        self._listings_due -= self._listings_due > 0
        return self._listings_due > 0

    def _list(self) -> None:
        """Find the journals in the home that have something to take in."""
        begun = time.monotonic()
        if self._positions is None:
            self._positions = {run: position for run, (position, _) in self._store.positions().items()}
            self._positions |= dict.fromkeys(self._store.removed_runs(), sys.maxsize)
        for entry in chain(journal_names(self._home.journals), journal_names(self._home.trash)):
            path = Path(entry.path)
            if path in self._watched:
                continue
            self.files_examined += 1
            try:
                size = entry.stat().st_size
            except OSError:
                continue
            if self._settled.get(entry.name) == size:
                continue
            if size <= self._positions.get(entry.name.removesuffix(".jsonl"), -1):
                self._settled[entry.name] = size
                self._removal.consider(path)
                continue
            self._open(path, size)
        took = time.monotonic() - begun
        self._next_listing = begun + max(RESCAN_SECS, took / RESCAN_PART)

    def _open(self, path: Path, size: int) -> None:
        try:
            self.files_examined += 1
            journal = open_journal(path)
        except JournalError as error:
            self._settled[path.name] = size
            self._tell(f"refused:{path}", f"{path.name} was not taken in. {error}")
            return
        if journal is None:
            self._settled[path.name] = size
            return
        assert self._positions is not None, "read by _list before it opens one"
        if size <= self._positions.get(journal.header.run_id, -1):
            self._settled[path.name] = size
            self._removal.consider(path)
        else:
            self._watched[path] = journal

    def _take_in_round(self, journals: Iterable[JournalFile]) -> bool:
        """One chunk of each journal that grew, what grows live first; whether there is more."""
        more = False
        busy: set[str] = set()
        changed: set[str] = set()
        ends = time.monotonic() + ROUND_SECS
        for journal in sorted(journals, key=_order):
            task_id = journal.header.task_id
            if journal.size < 0 and time.monotonic() > ends:
                more = True
                break
            if task_id in busy:
                continue
            self.files_examined += 1
            size = size_of(journal.path, on_network=self._home.database_moved)
            if size == journal.size:
                continue
            if size < 0:
                self._watched.pop(journal.path, None)
                continue
            if self._take_in_chunk(journal, size):
                more = True
                busy.add(task_id)
            changed.add(task_id)
        if changed and self.on_change is not None:
            self.on_change(changed)
        return more

    def _take_in_chunk(self, journal: JournalFile, size: int, *, ended: bool = False) -> bool:
        """Take in up to a chunk of what the run does not have yet; whether there is more in the file."""
        run_id = journal.header.run_id
        position = self._store.position(run_id)
        if position is None:
            self._store.begin_run(journal.header)
            position = 0
        start = position or journal.header_bytes
        if size <= start and position:
            journal.size = size
            return False
        try:
            data = read_from(journal.path, start, CHUNK_BYTES)
        except OSError as error:
            self._tell(
                f"unread:{journal.path}", f"{journal.path.name} cannot be read: {error.strerror}. It is tried again."
            )
            return False
        decoded: Decoded | Backlog
        if data.rfind(b"\n") >= BACKLOG_BYTES:
            kernels.prepare(self._home.kernels_cache)
            decoded = decode_backlog(data)
        else:
            decoded = decode_lines(data, ended=ended)
        taken = start + decoded.consumed
        if taken > position:
            self._store.append(run_id, decoded.entries, position=taken, damaged=decoded.damaged, since=position)
            if self._positions is not None:
                self._positions[run_id] = taken
            if journal.size >= 0:
                journal.grew = time.monotonic()
        if decoded.damaged:
            self._tell_damage(run_id)
        more = len(data) >= CHUNK_BYTES or (ended and decoded.consumed < len(data))
        if more and decoded.consumed:
            return True
        journal.size = max(size, start + len(data))
        return False

    # Who still lives

    def _look_for_dead(self) -> None:
        for run in self._store.live_runs():
            self._end_if_dead(run)

    def _end_if_dead(self, run: RunRow) -> None:
        files = [each for each in self._watched.values() if each.header.run_id == run.id]
        if run.status == "pending" and not files and not (self._home.journals / f"{run.id}.jsonl").exists():
            self._forget(run)
            return
        grew = max((each.grew for each in files if each.grew is not None), default=None)
        heard = max(run.started, run.updated or 0, run.heartbeat_time or 0)
        silent_secs = time.time() - heard
        if grew is not None:
            # Its clock may be another than ours, or be set back; what grew before our eyes needs no clock of day.
            silent_secs = time.monotonic() - grew
        elif silent_secs < 0:
            silent_secs = time.monotonic() - self._began
        found = death(run, self._here, silent_secs)
        if found is None:
            return
        # What it wrote last comes first: its own word about its end counts.
        for journal in files:
            size = size_of(journal.path, on_network=self._home.database_moved)
            while self._take_in_chunk(journal, size, ended=True):
                pass
        ended = min(time.time(), heard) if silent_secs > LIVENESS_SECS * 10 else time.time()
        self._store.end_run(run.id, found.status, found.message, ended)
        for journal in files:
            # `stepline run` may name the end of its child a moment later: looked at for a while like any ended run's.
            journal.grew = time.monotonic()
        if self.on_change is not None:
            self.on_change({run.task_id})

    def _forget(self, run: RunRow) -> None:
        """Its trainer never trained, and took the journal back."""
        if not self._store.forget_run(run.id):
            return
        if self._positions is not None:
            self._positions.pop(run.id, None)
        if self.on_change is not None:
            self.on_change({run.task_id})

    def _let_go_of_quiet(self, now: float) -> None:
        """Ended runs' journals are looked at for a minute more, then only when the folder is listed."""
        live = {run.id for run in self._store.live_runs()} if self._watched else set()
        for journal in list(self._watched.values()):
            if journal.header.run_id in live or journal.size < 0:
                continue
            if journal.grew is None or now - journal.grew > QUIET_SECS:
                self._settle(journal)

    def _settle(self, journal: JournalFile) -> None:
        self._watched.pop(journal.path, None)
        if journal.path.parent in (self._home.journals, self._home.trash):
            self._settled[journal.path.name] = journal.size
            self._removal.consider(journal.path)

    def _tell_damage(self, run_id: str) -> None:
        run = self._store.run(run_id)
        if run is not None:
            lines, were = ("1 line", "was") if run.damaged == 1 else (f"{run.damaged} lines", "were")
            self._tell(f"damaged:{run_id}", f"Journal {run_id}: {lines} could not be read and {were} left out")

    def _tell(self, about: str, note: str) -> None:
        if self._notes.get(about) != note:
            log.warning("%s", note)
        self._notes[about] = note


def _order(journal: JournalFile) -> tuple[bool, float, str, str]:
    """What grows live first; what waits by when its run began: run ids tell that in whole seconds."""
    return (journal.size < 0, journal.header.time, journal.header.run_id, str(journal.path))
