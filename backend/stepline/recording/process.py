"""Which process writes a journal, told so that another process can say later whether it still lives.

A process id alone is used again after the process ended, so the process's start time, the boot it belongs to, the host
and the namespace of its process id stand beside it. What a platform does not tell is None; the reader then goes by the
heartbeat. Standard library only.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """`started` in Unix seconds, as psutil's `create_time()` tells it, on Linux and Windows; `boot` and `pid_namespace`
    only on Linux."""

    pid: int
    started: float | None
    host: str
    boot: str | None
    pid_namespace: str | None

    @classmethod
    def current(cls) -> Process:
        return cls(os.getpid(), _started(), socket.gethostname(), _boot(), _pid_namespace())


def _started() -> float | None:
    if sys.platform == "win32":
        import ctypes

        this, made, other = ctypes.c_void_p(-1), ctypes.c_uint64(), ctypes.byref(ctypes.c_uint64())
        if not ctypes.windll.kernel32.GetProcessTimes(this, ctypes.byref(made), other, other, other):
            return None
        # In tenths of microseconds since 1601.
        return made.value / 1e7 - 11_644_473_600
    else:  # noqa: RET505 - mypy takes what follows a return on this platform for dead code
        try:
            with open("/proc/self/stat", "rb") as file:
                # The command's name stands in brackets and may hold blanks and brackets of its own; field 22 counts
                # from 1.
                ticks = int(file.read().rpartition(b")")[2].split()[19])
            with open("/proc/stat", "rb") as file:
                booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
            return booted + ticks / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError, StopIteration, AttributeError):
            return None


def _boot() -> str | None:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, ValueError):
        return None


def _pid_namespace() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except (OSError, ValueError, AttributeError):
        return None
