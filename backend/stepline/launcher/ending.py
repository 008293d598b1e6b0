"""Why a process ended, from its exit code, the last of its standard error and what the kernel counted.

The words are looked for in the last lines only: a training that met "out of memory", caught it and went on did not end
of it.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Cause = Literal[
    "completed", "interrupted", "cuda_out_of_memory", "system_out_of_memory", "disk_full", "exception", "signal", "exit"
]

TAIL_LINES = 60
SIGKILL = 9
"""Named here, because Windows does not know it."""
HIGHEST_SIGNAL = 64
FROM_THE_SYSTEM = 0xC0000000
"""From here on an exit code is one that Windows gave: an NTSTATUS, such as 0xC0000005 for an access to memory."""
CONTROL_C = 0xC000013A
_LAST_LINE_OF_TRACEBACK = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Iteration|Warning)\b.*")


@dataclass(frozen=True, slots=True)
class Ending:
    """`returncode` as subprocess gives it: negative for a signal. `text`: one sentence for the log. `has_run`: whether
    a run was recorded in the home."""

    cause: Cause
    returncode: int
    text: str
    has_run: bool = False

    @property
    def status(self) -> Literal["completed", "stopped", "failed"]:
        if self.cause == "completed":
            return "completed"
        return "stopped" if self.cause == "interrupted" else "failed"


def memory_kills() -> int:
    """Processes the kernel has killed for memory since boot (in this control group where it tells); 0 where unknown."""
    for path, key in (("/sys/fs/cgroup/memory.events", "oom_kill"), ("/proc/vmstat", "oom_kill")):
        try:
            for line in Path(path).read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == key:
                    return int(count)
        except (OSError, ValueError):
            continue
    return 0


def name_ending(returncode: int, errors: str, *, memory_kills_meanwhile: int = 0) -> Ending:
    """`errors`: the last of standard error. `memory_kills_meanwhile`: by how much `memory_kills()` rose meanwhile."""
    lines = errors.splitlines()[-TAIL_LINES:]
    last = next((line.strip() for line in reversed(lines) if _LAST_LINE_OF_TRACEBACK.match(line)), "")
    tail = "\n".join(lines)
    if returncode == 0:
        return Ending("completed", returncode, "The process ended by itself.")
    if returncode in (-signal.SIGINT, 128 + signal.SIGINT, CONTROL_C) or last.startswith("KeyboardInterrupt"):
        return Ending("interrupted", returncode, "Interrupted from the keyboard.")
    if "CUDA out of memory" in tail or "torch.OutOfMemoryError" in tail or "cudaErrorMemoryAllocation" in tail:
        return Ending("cuda_out_of_memory", returncode, f"CUDA ran out of memory. {last}".strip())
    if "No space left on device" in tail:
        return Ending("disk_full", returncode, f"The disk is full. {last}".strip())
    if returncode in (-SIGKILL, 128 + SIGKILL):
        if memory_kills_meanwhile > 0:
            return Ending("system_out_of_memory", returncode, "Killed by the system: memory ran out.")
        return Ending("signal", returncode, "Killed (SIGKILL).")
    if returncode >= FROM_THE_SYSTEM:
        return Ending("signal", returncode, f"Ended by the system (0x{returncode:08X}).")
    if returncode < 0 or 128 < returncode <= 128 + HIGHEST_SIGNAL:
        number = -returncode if returncode < 0 else returncode - 128
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return Ending("signal", returncode, f"Ended by {name}.")
    if last:
        return Ending("exception", returncode, last)
    return Ending("exit", returncode, f"Ended with exit code {returncode}.")
