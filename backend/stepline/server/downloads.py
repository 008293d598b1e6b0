"""A task's whole history as a file, streamed: what an exporter writes goes through a pipe to the browser.

The exporter runs in a thread of its own and waits for a slow reader; one that goes away closes the pipe, which ends it.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote

from flask import Response

from stepline import exporters
from stepline.errors import SteplineError, UsageError
from stepline.store import Store

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 16
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


def answer(store: Store, task_id: str, form: str) -> Response:
    """Raises TaskNotFound, UsageError."""
    if form not in TYPES:
        raise UsageError(f"There is no format {form!r}", action=f"Formats are {', '.join(TYPES)}")
    name = re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "-", store.task(task_id).name).strip(" .") or "task"
    response = Response(_chunks(store, task_id, form), mimetype=TYPES[form])
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(f'{name}.{form}')}"
    return response


def _chunks(store: Store, task_id: str, form: str) -> Iterator[bytes]:
    reading, writing = os.pipe()

    def write() -> None:
        try:
            with open(writing, "w", encoding="utf-8", newline="") as stream:
                exporters.export(store, task_id, form, stream)
        except BrokenPipeError:
            log.debug("The reader of an export went away")
        except SteplineError as error:
            log.warning("An export ended early: %s", error)

    thread = threading.Thread(target=write, name="stepline-export", daemon=True)
    thread.start()
    try:
        with open(reading, "rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    finally:
        thread.join()
