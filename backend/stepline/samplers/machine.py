"""What psutil tells: of the whole machine, and of a run's process with its children (data-loader workers, ranks).

system.cpu       percent of all cores          process.cpu      percent of one core: 400 are four cores
system.memory    bytes in use                  process.memory   bytes resident; pages that workers share count in each
disk.used        percent of the file system    process.read, process.written   bytes a second, from and to disks
                 that the run writes to
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

MIB = 1 << 20
"""Memory is kept in whole MiB: a third of the bytes on disk, and nobody reads a chart finer."""


class Machine:
    def __init__(self) -> None:
        # The first answer is meaningless: it is since the one before.
        psutil.cpu_percent(None)

    def read(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            "system.cpu": psutil.cpu_percent(None),
            "system.memory": _mib(memory.total - memory.available),
        }


@dataclass(frozen=True, slots=True)
class Sample:
    values: dict[str, float]
    pids: frozenset[int]
    """The process and its children."""


@dataclass(slots=True)
class _Used:
    """What a process has used since it began."""

    cpu_secs: float
    read_bytes: int
    written_bytes: int


class RunFigures:
    """One run's process, looked at again and again: rates are since the look before."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._folder = _folder(process)
        self._used: dict[tuple[int, float], _Used] = {}
        self._looked: float | None = None

    def read(self) -> Sample | None:
        """None where the process is gone."""
        now = time.monotonic()
        used: dict[tuple[int, float], _Used] = {}
        memory, pids = 0, []
        for process in self._family():
            try:
                with process.oneshot():
                    used[process.pid, process.create_time()] = _used(process)
                    memory += process.memory_info().rss
                    pids.append(process.pid)
            except psutil.Error:
                # A worker that ended meanwhile, or one of another user.
                continue
        if self._process.pid not in pids:
            return None
        values = {"process.memory": _mib(memory), **_disk(self._folder)}
        if self._looked is not None and now > self._looked:
            values |= self._rates(used, now - self._looked)
        self._used, self._looked = used, now
        return Sample(values, frozenset(pids))

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []

    def _rates(self, used: dict[tuple[int, float], _Used], secs: float) -> dict[str, float]:
        nothing = _Used(0.0, 0, 0)
        before = [self._used.get(each, nothing) for each in used]
        pairs = list(zip(used.values(), before, strict=True))
        return {
            "process.cpu": round(100 * sum(now.cpu_secs - was.cpu_secs for now, was in pairs) / secs, 1),
            "process.read": round(sum(now.read_bytes - was.read_bytes for now, was in pairs) / secs),
            "process.written": round(sum(now.written_bytes - was.written_bytes for now, was in pairs) / secs),
        }


def _used(process: psutil.Process) -> _Used:
    times = process.cpu_times()
    read, written = 0, 0
    # macOS has none, and another user's are not told.
    if hasattr(process, "io_counters"):
        try:
            disks = process.io_counters()
            read, written = disks.read_bytes, disks.write_bytes
        except (psutil.AccessDenied, OSError):
            pass
    return _Used(times.user + times.system, read, written)


def _folder(process: psutil.Process) -> str | None:
    """Where the run writes, as far as is known: its working folder."""
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return None


def _disk(folder: str | None) -> dict[str, float]:
    if folder is None:
        return {}
    try:
        return {"disk.used": psutil.disk_usage(folder).percent}
    except OSError:
        return {}


def _mib(size: int) -> float:
    return float(size // MIB * MIB)
