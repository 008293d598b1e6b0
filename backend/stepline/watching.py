"""Folders that are watched: histories that appear or grow in them come into the store, for as long as the writer runs.

- Looked at by asking the size and date of each file, which holds for mounted and synchronised folders too, where no
  events come; nothing is ever written there. A look takes a hundredth of the time at most, so what lies still costs
  next to nothing, and a file is read again only when it changed.
- What is taken in at once is a *unit*: a journal, any other file by itself, or a folder below the watched one; the
  watched folder itself where it is a training's own.
- A history that grew within LIVE_SECS is running; once it stands still, the end that its source tells counts. What was
  seen is kept in the store's settings, so a start reads nothing again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stepline.errors import SteplineError
from stepline.store import Store

log = logging.getLogger(__name__)

SETTING = "watchFolders"
SEEN_SETTING = "watchSeen"
LEAST_PAUSE_SECS = 1.0
LOOKING_PART = 0.01
TAKING_PART = 0.1
"""Part of the time that looking, and reading again what grew, may take."""
LIVE_SECS = 120.0
"""A training that logs less often than this is shown as ended in between."""
_TROUBLE_SECS = 5.0
_OWN = re.compile(r"trainer_state\.json|.*tfevents.*|checkpoint-\d+")
"""What lies directly in a training's own folder."""

Take = Callable[[Path, bool], object]
"""Takes a unit in: (its path, whether it is growing now)."""


@dataclass(slots=True)
class _Unit:
    mark: str
    """Digest of its files' names, sizes and dates."""
    grew: float | None
    """When it was last seen to change, by the monotonic clock; None once its end counts."""


class Units:
    """What changed below some paths since the last look."""

    def __init__(self, seen: dict[str, str] | None = None) -> None:
        self._known = {path: _Unit(mark, None) for path, mark in (seen or {}).items()}

    def look(self, paths: Sequence[Path], take: Take) -> bool:
        """Look once and take in what is new, grew, or has come to its end; whether anything was taken."""
        found: dict[str, tuple[str, float]] = {}
        is_whole = True
        for path in paths:
            try:
                found |= {str(unit): _mark(files) for unit, files in _units(path)}
            except OSError:
                # `problem_of` tells it; a mount that is away for a moment has forgotten nothing.
                is_whole = False
        taken = False
        for path_text, (mark, newest) in found.items():
            known = self._known.get(path_text)
            now = time.monotonic()
            if known is None or known.mark != mark:
                # A file that is new to us is growing where its date says so; one that changed before our eyes is.
                is_live = known is not None or abs(time.time() - newest) < LIVE_SECS
                self._known[path_text] = _Unit(mark, now if is_live else None)
            elif known.grew is not None and now - known.grew > LIVE_SECS:
                is_live, known.grew = False, None
            else:
                continue
            taken = True
            take(Path(path_text), is_live)
        if is_whole:
            self._known = {path: unit for path, unit in self._known.items() if path in found}
        return taken

    def settled(self) -> dict[str, str]:
        """The marks of what has ended, by path."""
        return {path: unit.mark for path, unit in self._known.items() if unit.grew is None}


def watched_folders(store: Store) -> list[Path]:
    """Those that the person named in the settings."""
    named = store.setting(SETTING, [])
    named = named if isinstance(named, list) else []
    return [Path(each).expanduser() for each in named if isinstance(each, str) and each.strip()]


def problem_of(folder: Path) -> str | None:
    """Why a folder cannot be looked at; None where it can."""
    try:
        if not folder.is_absolute():
            return "Not a whole path"
        with os.scandir(folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


class Watching:
    """`start` a thread that looks at the folders which `folders` gives; `stop` it."""

    def __init__(
        self,
        folders: Callable[[], Sequence[Path]],
        take: Take,
        seen: dict[str, str],
        keep: Callable[[dict[str, str]], None],
    ) -> None:
        self._folders = folders
        self._take = take
        self._keep = keep
        self._units = Units(seen)
        self._kept = dict(seen)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepline-watching", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is being taken in is taken in first."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            begun = time.monotonic()
            part, pause = LOOKING_PART, LEAST_PAUSE_SECS
            folders: Sequence[Path] = ()
            try:
                folders = self._folders()
                if self._units.look(folders, self._taking):
                    part = TAKING_PART
                if (settled := self._units.settled()) != self._kept:
                    self._keep(settled)
                    self._kept = settled
            except _Ending:
                return
            except SteplineError as error:
                log.warning("Watched folders could not be taken in: %s", error)
                pause = _TROUBLE_SECS
            except Exception:
                # The next look may succeed, and a viewer that stopped without a word would lie.
                log.exception("Looking at the watched folders failed; trying again")
                pause = _TROUBLE_SECS
            self._rest(max(pause, (time.monotonic() - begun) / part), folders)

    def _rest(self, secs: float, folders: Sequence[Path]) -> None:
        """Until it is time to look again, or the person named other folders."""
        ends = time.monotonic() + secs
        while time.monotonic() < ends and not self._ending.wait(min(secs, LEAST_PAUSE_SECS)):
            with suppress(SteplineError):
                if self._folders() != folders:
                    return

    def _taking(self, path: Path, is_live: bool) -> None:
        if self._ending.is_set():
            raise _Ending
        self._take(path, is_live)


class _Ending(Exception):
    """The watching was told to stop."""


Files = list[tuple[str, int, int]]
"""Paths, sizes, dates in nanoseconds."""


def _units(path: Path) -> Iterator[tuple[Path, Files]]:
    """Raises OSError where the path cannot be looked at."""
    if not path.is_dir():
        stat = path.stat()
        yield path, [(str(path), stat.st_size, stat.st_mtime_ns)]
        return
    from stepline.importers import limits  # with them come all importers

    with os.scandir(path) as entries:
        direct = sorted(entries, key=lambda entry: entry.name)
    if any(_OWN.fullmatch(entry.name) for entry in direct):
        yield path, list(_files(str(path), limits.FOLDER_DEPTH))
        return
    for entry in direct:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if files := list(_files(entry.path, limits.FOLDER_DEPTH - 1)):
                yield Path(entry.path), files
        elif entry.is_file():
            stat = entry.stat()
            yield Path(entry.path), [(entry.path, stat.st_size, stat.st_mtime_ns)]


def _files(folder: str, depth: int) -> Iterator[tuple[str, int, int]]:
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir(follow_symlinks=False):
                    if depth > 0 and not entry.name.startswith("."):
                        yield from _files(entry.path, depth - 1)
                elif entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    yield entry.path, stat.st_size, stat.st_mtime_ns
    except OSError:
        # One that went away between two looks, or may not be read.
        return


def _mark(files: Files) -> tuple[str, float]:
    digest = hashlib.blake2b(digest_size=12)
    for path, size, date in files:
        digest.update(f"{path}\0{size}\0{date}\0".encode(errors="surrogatepass"))
    return digest.hexdigest(), max(date for _, _, date in files) / 1e9
