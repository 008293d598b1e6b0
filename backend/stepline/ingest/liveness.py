"""Whether a run's process still lives, from what its journal's header says of the process.

On the same host, boot and process id namespace the process itself is looked at: its id, and its start time, because ids
are used again. A zombie is dead. Elsewhere, another host or a container, only the heartbeat speaks; what was inferred
from silence is taken back when the run is heard of again. A run that hangs lives: being slow is no status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psutil

from stepline.recording.journal import Process
from stepline.store import RunRow

SILENCE_SECS = 90.0
"""Silence after which a run elsewhere counts as dead: it beats every 5 s, but network file systems hide news for 60."""
SILENCE_WITHOUT_HEARTBEAT_SECS = 900.0
"""The same for journals without any heartbeat, such as a shell script's."""
RESTART_SILENCE_SECS = 30.0
"""On this host name but of another boot: restarting takes longer than this, and a namesake of this host beats on."""
DOUBT_SECS = 8.0
"""Silence asked for where the process seems gone but its id could not be told apart for certain."""
START_TOLERANCE_SECS = 2.0
"""Start times are read with the clock of their moment: the boot time moves with each correction of the clock."""


@dataclass(frozen=True, slots=True)
class Death:
    status: Literal["stopped", "failed"]
    """`failed`, or `stopped` for a run that had not begun."""
    message: str


def death(run: RunRow, here: Process, silent_secs: float) -> Death | None:
    """How `run` ended, or None while it lives. `here`: this process; `silent_secs`: since the run was last heard of."""
    if "imported.format" in run.settings:
        # What another tool writes does not beat: whoever follows its file ends the run.
        return None
    message = _ended(run, here, silent_secs)
    if message is None:
        return None
    if run.status == "pending":
        return Death("stopped", "It ended before the training began")
    return Death("failed", message)


def _ended(run: RunRow, here: Process, silent_secs: float) -> str | None:
    process = run.process
    gone = "The process ended without a word: it was killed, or the system ended it"
    if process.pid > 0 and process.host == here.host and _alike(process.pid_namespace, here.pid_namespace):
        if not _alike(process.boot, here.boot):
            return "The machine was restarted" if silent_secs > RESTART_SILENCE_SECS else None
        certain = process.boot == here.boot and process.pid_namespace == here.pid_namespace
        alive = is_alive(process.pid, process.started)
        if alive:
            return None
        return gone if (alive is False and certain) or silent_secs > DOUBT_SECS else None
    # The recorder tells its start time, and beats wherever it has nothing else to write.
    beats = run.heartbeat_time is not None or process.started is not None
    silence = SILENCE_SECS if beats else SILENCE_WITHOUT_HEARTBEAT_SECS
    return f"Nothing was heard of it for {silence:g} seconds" if silent_secs > silence else None


def is_alive(pid: int, started: float | None) -> bool | None:
    """Whether the process of that id and start time lives; None where another seems to have its id now."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if started is None or abs(process.create_time() - started) <= START_TOLERANCE_SECS:
            return True
        # Or the clock was set since, and it is the same process: the caller asks for silence too.
        return None
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def is_gone(process: Process, here: Process) -> bool | None:
    """Whether that process can write no more; None where it cannot be looked at from `here`."""
    ours = (process.host, process.boot, process.pid_namespace) == (here.host, here.boot, here.pid_namespace)
    if process.pid <= 0 or process.boot is None or not ours:
        return None
    alive = is_alive(process.pid, process.started)
    return None if alive is None else not alive


def _alike(told: str | None, ours: str | None) -> bool:
    """What was not told does not count as different."""
    return told is None or ours is None or told == ours
