"""How the program is asked to end: Ctrl-C, SIGTERM, a closed terminal, or its own reasons. One event for all.

Python runs a signal's handler in the main thread, between two of its own instructions, and there are none while Qt's
loop runs. So the signal is taken where the interpreter's C code leaves it, in the wakeup pipe, by a thread.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Those that the system knows."""


class Quitting:
    """Set once when the program is to end; a context manager that belongs around all that has to be ended in order.

    Entered in the main thread. A second Ctrl-C raises KeyboardInterrupt there.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._calls: list[Callable[[], None]] = []
        self._guard = threading.Lock()
        self._before: dict[signal.Signals, object] = {}
        self._seen = 0

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, secs: float | None = None) -> bool:
        """Wait until the end is asked for, at most `secs`. True: it was."""
        return self._event.wait(secs)

    def on_end(self, call: Callable[[], None]) -> None:
        """`call` when the end is asked for, from any thread; at once where it was already."""
        with self._guard:
            if not self._event.is_set():
                self._calls.append(call)
                return
        call()

    def now(self) -> None:
        """Ask for the end."""
        with self._guard:
            if self._event.is_set():
                return
            self._event.set()
            calls = self._calls
        for call in calls:
            call()

    def __enter__(self) -> Quitting:
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        for name in SIGNALS:
            if hasattr(signal, name):
                number = signal.Signals[name]
                self._before[number] = signal.signal(number, self._handle)
        self._wakeup_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._reader = threading.Thread(target=self._listen, name="stepline-signals", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            self._write.shutdown(socket.SHUT_WR)
        self._reader.join()
        self._read.close()
        self._write.close()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._seen += 1
        if self._seen > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        wanted = {int(number) for number in self._before}
        while received := self._read.recv(64):
            if wanted.intersection(received):
                self.now()
