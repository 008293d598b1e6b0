"""What is new, for each client that looks: at most one batch every 300 ms, nothing lost, nothing twice.

A client pulls: whoever writes to it waits until something changed, reads all that is new since the client's cursor, and
sends it. So a client's mailbox holds one mark, "something changed", and its newest subscription; what happens while it
is busy merges into its next batch, and a client that reads slowly costs nobody anything. One that is further behind
than a chart can draw is told so (`Behind`), and fetches a frame again.

What changed is noticed by the store's version, which other processes' commits change too, so it works the same in a
process that reads beside the writer. `nudge` makes it sooner, no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stepline import __version__, facts, history
from stepline.errors import SteplineError
from stepline.history import Smoothing
from stepline.store import Store, TaskRow
from stepline.wire import ErrorBody, Hello, ServerMessage, Subscribe, TaskDetail, TasksChanged

log = logging.getLogger(__name__)

INTERVAL_SECS = 0.3
POLL_SECS = 0.05
RECHECK_SECS = 2.0
"""A task can change without a record, by time alone: a run that stops answering."""
ROWS = 200
TASKS = 500
"""Tasks in one message: a page reads one in 3 ms, ten thousand at once held it up for 95."""
BEHIND_RECORDS = 4000
"""More new records than this are not told one by one: a fresh frame draws them with no more points than that."""


class Source:
    """What the clients look at; the store may be another one after this process has become the writer."""

    def __init__(
        self, store: Callable[[], Store], detail: Callable[[str], TaskDetail], is_writer: Callable[[], bool]
    ) -> None:
        self.store = store
        self.detail = detail
        self.is_writer = is_writer


class Live:
    """Notices that the store changed and wakes the clients; one thread, which sleeps while nobody looks."""

    def __init__(self, source: Source, *, interval_secs: float = INTERVAL_SECS) -> None:
        self.source = source
        self.interval_secs = interval_secs
        self.changed = threading.Condition()
        self.revision = 0
        self.stopped = False
        self.joined = threading.Event()
        """Set with the first client, and with the end."""
        self._clients: set[Client] = set()
        self._nudged = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stepline-live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End every client's messages and the thread. Safe to call twice."""
        with self.changed:
            self.stopped = True
            for client in self._clients:
                client.closed = True
            self.changed.notify_all()
        self._nudged.set()
        self.joined.set()
        if self._thread.is_alive():
            self._thread.join()

    def join(self) -> Client:
        """A new client. Its `messages` are to be sent by a thread of its own, until `leave`."""
        client = Client(self)
        with self.changed:
            client.closed = self.stopped
            self._clients.add(client)
            self.changed.notify_all()
        self.joined.set()
        return client

    def leave(self, client: Client) -> None:
        with self.changed:
            client.closed = True
            self._clients.discard(client)
            self.changed.notify_all()

    def nudge(self) -> None:
        """Something was committed: look now rather than at the next poll. Cheap, never blocks, from any thread."""
        self._nudged.set()

    def _watch(self) -> None:
        known: tuple[int, bool] | None = None
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._clients or self.stopped)
                if self.stopped:
                    return
            try:
                found: tuple[int, bool] | None = (self.source.store().version(), self.source.is_writer())
            except SteplineError as error:
                log.warning("The store could not be asked for its version: %s", error)
                found = known
            if found != known:
                known = found
                with self.changed:
                    self.revision += 1
                    self.changed.notify_all()
            self._nudged.wait(POLL_SECS)
            self._nudged.clear()


@dataclass(slots=True)
class _Watched:
    """One subscription, and how far it has been answered."""

    asked: Subscribe
    cursor: int
    told: TaskDetail | None = None


class Client:
    """One who looks. `subscribe` and `complain` from the thread that hears it, `messages` in the one that tells it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.closed = False
        self._asked: Subscribe | None = None
        self._complaints: list[ErrorBody] = []
        self._watched: _Watched | None = None
        self._tasks: dict[str, TaskRow] = {}

    def subscribe(self, asked: Subscribe) -> None:
        """Look at this from now on. Only the newest counts; it is answered at once, also where nothing is new."""
        with self._live.changed:
            self._asked = asked
            self._live.changed.notify_all()

    def complain(self, error: SteplineError) -> None:
        """Tell the client what was wrong with what it sent."""
        with self._live.changed:
            # One that sends nothing but nonsense gets its first errors and no endless list.
            if len(self._complaints) < 8:
                self._complaints.append(facts.error_body(error))
            self._live.changed.notify_all()

    def messages(self) -> Iterator[ServerMessage | bytes]:
        """What to send, in order, until the client leaves. Waits in between; a batch is read when it is asked for."""
        hello = self._hello()
        yield hello
        yield from self._task_list(first=True)
        seen, looked = -1, float("-inf")
        while True:
            asked, complaints, revision = self._wait(seen, looked)
            if asked is None and self.closed:
                return
            for body in complaints:
                yield {"type": "trouble", "task": None, "error": body}
            if asked is not None:
                self._watched = _Watched(asked, asked["cursor"]) if asked["task"] is not None else None
            looked = time.monotonic()
            if (now := self._hello()) != hello:
                # The writer died and this process took over.
                hello = now
                yield hello
            if revision != seen:
                seen = revision
                yield from self._task_list()
            yield from self._news()

    def _hello(self) -> Hello:
        return {"type": "hello", "version": __version__, "writer": self._live.source.is_writer()}

    def _wait(self, seen: int, looked: float) -> tuple[Subscribe | None, list[ErrorBody], int]:
        """Wait for a subscription, a complaint, or, not before the interval has passed, for a change."""
        live = self._live
        with live.changed:
            while not self.closed:
                since = time.monotonic() - looked
                if self._asked is not None or self._complaints:
                    break
                if live.revision != seen and since >= live.interval_secs:
                    break
                if self._watched is not None and since >= RECHECK_SECS:
                    break
                if live.revision != seen:
                    live.changed.wait(live.interval_secs - since)
                else:
                    live.changed.wait(RECHECK_SECS - since if self._watched is not None else None)
            asked, self._asked = self._asked, None
            complaints, self._complaints = self._complaints, []
            return (None if self.closed else asked), complaints, live.revision

    def _task_list(self, *, first: bool = False) -> Iterator[TasksChanged]:
        """Tasks that are not as they were told, in parts. The store keeps a row's object while it stays the same."""
        rows = self._live.source.store().tasks()
        changed = [row for row in rows if self._tasks.get(row.id) is not row]
        before, self._tasks = self._tasks, {row.id: row for row in rows}
        removed = [] if first else [task_id for task_id in before if task_id not in self._tasks]
        if not (first or changed or removed):
            return
        for part in range(0, max(1, len(changed)), TASKS):
            more = part + TASKS < len(changed)
            tasks = [facts.task(row) for row in changed[part : part + TASKS]]
            yield {"type": "tasks", "tasks": tasks, "removed": [] if more else removed, "more": more}

    def _news(self) -> Iterator[ServerMessage | bytes]:
        watched = self._watched
        if watched is None:
            return
        asked, task_id = watched.asked, watched.asked["task"]
        assert task_id is not None
        source = self._live.source
        try:
            store = source.store()
            behind = store.next_sequence(task_id) - watched.cursor
            if not 0 <= behind <= BEHIND_RECORDS or watched.cursor < 0:
                self._watched = None
                yield {"type": "behind", "task": task_id}
                return
            smoothing = Smoothing(ema=max(0, asked["ema"]), ma=max(0, asked["ma"]))
            frame = history.tail(store, task_id, asked["series"], watched.cursor, smoothing)
            cursor = int(history.decode(frame).metadata["cursor"])
            detail = source.detail(task_id)
            # What was committed after the frame was read comes with the next batch, rows and samples together.
            detail["cursor"] = cursor
            if detail == watched.told:
                return
            newest = store.records(task_id, watched.cursor, cursor, limit=ROWS, newest_first=True)
            rows = [facts.log_row(entry) for entry in newest][::-1]
        except SteplineError as error:
            self._watched = None
            yield {"type": "trouble", "task": task_id, "error": facts.error_body(error)}
            return
        watched.cursor, watched.told = cursor, detail
        yield {"type": "facts", "detail": detail, "rows": rows}
        yield frame
