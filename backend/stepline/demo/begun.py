"""The demo as a page begins it: trained in a process of its own where transformers is here, else a recorded one.

A process of its own, because torch takes Python's lock for seconds while it loads, and the server would wait for it.
It trains until its standard input ends, so that it ends with the app, in order, also where the app is killed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading

from stepline.demo import recorded
from stepline.home import Home
from stepline.wire import DemoBegun

STOP_SECS = 10.0


class BegunDemo:
    """At most one at a time; `begin` while one goes on says of which kind it is. Safe from any thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._playing: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self) -> DemoBegun:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return {"kind": "training"}
            if self._playing is not None and self._playing.is_alive():
                return {"kind": "recorded"}
            if can_train():
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "stepline.demo", str(self._home.path)],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                return {"kind": "training"}
            self._playing = threading.Thread(
                target=recorded.play, args=(self._home, self._stopping), name="stepline-demo", daemon=True
            )
            self._playing.start()
            return {"kind": "recorded"}

    def stop(self) -> None:
        """End what goes on, after its current step. Safe to call twice."""
        self._stopping.set()
        with self._lock:
            process, playing = self._process, self._playing
        if playing is not None:
            playing.join()
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(STOP_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def can_train() -> bool:
    """Whether this program's own Python can train: a packaged one has no interpreter to start, nor torch."""
    if getattr(sys, "frozen", False):
        return False
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers", "accelerate"))
