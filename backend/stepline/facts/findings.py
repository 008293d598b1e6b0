"""What the diagnosis finds, without anybody waiting for it: a task's facts are asked for at every tick.

What is new since the last look is examined at once. A history that nobody has looked at yet is examined by a thread, in
slices so that it can end between two (500,000 records took 3.9 s in one piece); until it is done there are no findings.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from typing import Any, cast

from stepline.diagnosis import Diagnosis
from stepline.diagnosis import Source as Examined
from stepline.errors import SteplineError
from stepline.store import Store
from stepline.wire import Finding

log = logging.getLogger(__name__)

SLICE_RECORDS = 32_768
"""About 0.2 s of examining; what is no longer than this is examined by who asks."""
TASKS_KEPT = 32
LOOK_SECS = 0.1


class _UpTo:
    """A store whose task seems to end at `until`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.until = 0

    def next_sequence(self, task_id: str) -> int:
        return min(self.until, self._store.next_sequence(task_id))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _Examination:
    def __init__(self, store: Store) -> None:
        self.source = _UpTo(store)
        self.generation = 0
        # One for each task: it lets nobody in while it examines.
        self.diagnosis = Diagnosis(cast(Examined, self.source))
        self.queued = False
        self.found: list[Finding] = []


class Findings:
    """Findings of one store's tasks. Safe to ask from several threads; `stop` before the store is closed."""

    def __init__(self, store: Store, may_begin: threading.Event | None = None) -> None:
        """may_begin: what the thread waits for before its first history."""
        self._store = store
        self._may_begin = may_begin
        self._lock = threading.Lock()
        self._examinations: OrderedDict[str, _Examination] = OrderedDict()
        self._queue: queue.SimpleQueue[tuple[str, _Examination] | None] = queue.SimpleQueue()
        self._ending = False
        self._thread: threading.Thread | None = None

    def of(self, task_id: str) -> list[Finding]:
        """The findings that stand now, the newest first; those known so far where much is new. Raises TaskNotFound."""
        cursor, generation = self._store.next_sequence(task_id), self._store.generation(task_id)
        with self._lock:
            known = self._examinations.get(task_id)
            if known is None or known.generation != generation:
                # Records were taken away: nothing that was found of them stands.
                self._examinations[task_id] = known = _Examination(self._store)
                known.generation = generation
            examination = known
            self._examinations.move_to_end(task_id)
            while len(self._examinations) > TASKS_KEPT:
                self._examinations.popitem(last=False)
            if examination.queued or self._ending:
                return examination.found
            if cursor - examination.source.until > SLICE_RECORDS:
                self._examine_apart(task_id, examination)
                return examination.found
        examination.source.until = cursor
        examination.found = examination.diagnosis.findings(task_id)
        return examination.found

    def stop(self) -> None:
        """End the thread, after its slice. Safe to call twice."""
        with self._lock:
            self._ending = True
            thread = self._thread
        self._queue.put(None)
        if thread is not None:
            thread.join()

    def _examine_apart(self, task_id: str, examination: _Examination) -> None:
        examination.queued = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stepline-findings", daemon=True)
            self._thread.start()
        self._queue.put((task_id, examination))

    def _run(self) -> None:
        while self._may_begin is not None and not self._ending and not self._may_begin.wait(LOOK_SECS):
            pass
        while (asked := self._queue.get()) is not None and not self._ending:
            task_id, examination = asked
            try:
                self._examine(task_id, examination)
            except SteplineError as error:
                log.warning("The task %s could not be examined: %s", task_id, error)
            finally:
                examination.queued = False

    def _examine(self, task_id: str, examination: _Examination) -> None:
        source = examination.source
        found: list[Finding] = []
        while not self._ending and source.until < self._store.next_sequence(task_id):
            source.until += SLICE_RECORDS
            found = examination.diagnosis.findings(task_id)
        if not self._ending:
            source.until = self._store.next_sequence(task_id)
            examination.found = found
