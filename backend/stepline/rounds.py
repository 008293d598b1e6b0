"""A thread that does one thing every so often, in a program that runs for weeks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from stepline.errors import SteplineError

log = logging.getLogger(__name__)


class Rounds:
    """`start` it and `stop` it. The first round comes after the first pause."""

    def __init__(self, name: str, every_secs: float, do: Callable[[], None], *, failed: str) -> None:
        """`failed` is what a round that raises is logged as, once as long as the reason stays the same. After a full
        disk, or a process that ended between two looks, the next round may succeed."""
        self._every_secs = every_secs
        self._do = do
        self._failed = failed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stepline-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its round. Safe to call twice."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        told = ""
        while not self._ending.wait(self._every_secs):
            try:
                self._do()
                told = ""
            except Exception as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("%s: %s", self._failed, error, exc_info=not isinstance(error, SteplineError | OSError))
