"""Read one thing while the one before is worked on: a thread for what comes out, none that waits for the next time."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")
AHEAD = 2


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, made in a thread of their own while the ones before are used; what making them raises is raised
    here. An iterator that is left early is ended."""
    made: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(AHEAD)
    left = threading.Event()

    def make() -> None:
        ended: BaseException | None = None
        try:
            for item in items:
                if left.is_set():
                    return
                made.put((True, item))
        except BaseException as error:
            ended = error
        made.put((False, ended))

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(make,), name="stepline-read-ahead", daemon=True
    )
    thread.start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if isinstance(item, BaseException):
                    raise item
                return
            yield item  # type: ignore[misc]
    finally:
        left.set()
        while thread.is_alive():
            try:
                made.get(timeout=0.01)
            except queue.Empty:
                continue
        thread.join()
