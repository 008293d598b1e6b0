"""The answer of an import: JSON lines, how far it is a few times a second, at last what became of it. Who goes away
meanwhile calls it off."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from stepline.errors import SteplineError
from stepline.facts import error_body
from stepline.intake import Progress, taken
from stepline.server.answers import of_bug
from stepline.wire import ErrorAnswer, Imported, ImportProgress, TakenIn

log = logging.getLogger(__name__)

MIMETYPE = "application/jsonl"
_TELLING_SECS = 0.2

Import = Callable[[Progress, Callable[[], bool]], list[Imported]]
"""Imports, telling how far it is, until it is cancelled."""


def lines_of(work: Import, ended: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """`ended` is called before the last line is said."""
    share = 0.0
    ending = threading.Event()
    last: queue.SimpleQueue[TakenIn | ErrorAnswer] = queue.SimpleQueue()

    def told(_path: Path, done: float) -> None:
        nonlocal share
        share = done

    def run() -> None:
        try:
            last.put(taken(work(told, ending.is_set)))
        except SteplineError as error:
            last.put({"error": error_body(error)})
        except Exception as error:
            log.exception("An import failed")
            last.put({"error": of_bug(error)})

    thread = threading.Thread(target=run, name="stepline-import", daemon=True)
    thread.start()
    try:
        while True:
            try:
                found = last.get(timeout=_TELLING_SECS)
            except queue.Empty:
                yield _line(ImportProgress(share=round(share, 3)))
                continue
            ended()
            yield _line(found)
            return
    finally:
        ending.set()
        thread.join()


def _line(said: TakenIn | ErrorAnswer | ImportProgress) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"
