"""How a run ends when nobody says so: by an exception that nobody catches, or with its process.

Hooks are chained onto sys.excepthook, threading.excepthook and atexit when the first run begins; they call what stood
there before. IPython shows a cell's exception itself and calls none of them: what it tells after each cell is heard
too. It ends the runs that this cell began; one of an earlier cell goes on, whatever else a notebook's user mistypes.
No signal handler is set: where Ctrl-C or SIGTERM raise, they come by here as exceptions, and where they kill, the
reader of the journal sees that the process is gone.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

from stepline.recording.plain import text

EndStatus = Literal["completed", "stopped", "failed"]

TRACEBACK_LIMIT = 20_000
"""Characters kept of a traceback, from its end, where the cause stands."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. `error`: type, text and traceback of the exception that ended it."""

    status: EndStatus
    message: str | None = None
    error: dict[str, str] | None = None


class Open(Protocol):
    """A run that is open, begun in `thread` of `process`. A forked child inherits it and leaves it alone."""

    process: int
    thread: int
    pending: bool

    def end(self, ending: Ending) -> None: ...

    def withdraw(self) -> None: ...


def ending_of(error: BaseException) -> Ending:
    """The ending that `error`, on its way out of a training, makes."""
    if isinstance(error, KeyboardInterrupt):
        return Ending("stopped", "Interrupted (Ctrl-C)")
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return Ending("stopped", "The program left the training (SystemExit)")
    if isinstance(error, GeneratorExit):
        return Ending("stopped", "The program left the training")
    name, words = type(error).__qualname__, text(error)
    lines = "".join(traceback.format_exception(error))
    return Ending(
        "failed",
        f"{name}: {words}" if words else name,
        {"type": name, "text": words, "traceback": text(lines[-TRACEBACK_LIMIT:], TRACEBACK_LIMIT)},
    )


def watch(run: Open) -> None:
    """End `run` when an exception ends its thread or the process ends, unless it is forgotten before."""
    global _hooked
    _open.append(run)
    if not _hooked:
        _hooked = True
        _chain_hooks()


def begun(run: Open) -> None:
    """`run` is no longer pending: the notebook's cell that runs now is the one that trains."""
    _listen_to_cells()
    _of_cell.append(run)


def forget(run: Open) -> None:
    for runs in (_open, _of_cell):
        with suppress(ValueError):
            runs.remove(run)


# Without a lock, on purpose: a child forked while another thread holds one could never begin a run of its own.
_open: list[Open] = []
_of_cell: list[Open] = []
_hooked = False
_shell: Any = None


def _chain_hooks() -> None:
    main_before, thread_before = sys.excepthook, threading.excepthook

    def main_hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # An exception here ends the main thread and with it the process.
        _end(_ours(), error)
        main_before(kind, error, trace)

    def thread_hook(args: Any) -> None:
        if args.exc_value is not None:
            here = threading.get_ident()
            _end([run for run in _ours() if run.thread == here and not run.pending], args.exc_value)
        thread_before(args)

    def exit_hook() -> None:
        for run in _ours():
            run.withdraw()
            run.end(Ending("stopped", "The process ended before the run did"))

    sys.excepthook = main_hook
    threading.excepthook = thread_hook
    atexit.register(exit_hook)


def _listen_to_cells() -> None:
    global _shell
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and shell is not _shell:
        _shell = shell
        shell.events.register("post_run_cell", _cell_ended)


def _cell_ended(result: Any) -> None:
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        here = threading.get_ident()
        _end([run for run in _ours() if run in _of_cell and run.thread == here], error)
    _of_cell.clear()


def _ours() -> list[Open]:
    return [run for run in _open if run.process == os.getpid()]


def _end(runs: list[Open], error: BaseException) -> None:
    if runs:
        ending = ending_of(error)
        for run in runs:
            run.end(ending)
