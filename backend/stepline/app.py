"""One running Stepline on a home: the writer's lock, ingest, what is live, and the server.

The first on a home writes it. Any further one reads the same database beside it, serves its own page, hands on what
would write, and takes over within a second when the writer ends, however it ends: the lock is the operating system's.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from stepline import facts, kernels, trash
from stepline.demo.begun import BegunDemo
from stepline.errors import SteplineError, Unavailable
from stepline.facts.findings import Findings
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.intake import Progress, end_abandoned, take_in_all, take_in_found, take_in_uploaded
from stepline.live import Live, Source
from stepline.rounds import Rounds
from stepline.samplers import Sampling
from stepline.server import Server
from stepline.server.uploads import uploads_folder
from stepline.store import Store
from stepline.visit import open_beside
from stepline.watching import SEEN_SETTING, Watching, watched_folders
from stepline.wire import DemoBegun, Finding, Imported, TakenIn, TaskDetail, Trash
from stepline.writer import Address, WriterLock, publish_address, read_address, withdraw_address

if TYPE_CHECKING:
    from stepline.importers import Following

log = logging.getLogger(__name__)

TAKE_OVER_SECS = 0.3
"""How often a reader tries the lock: one system call."""
FIRST_PAGE_SECS = 3.0
"""How long the first page is waited for; where none comes, nothing is held up."""
DRAWING_SECS = 0.3
"""From a page's socket, which it opens once it has its first lines, until they are drawn."""


class App:
    """`start` it, open `url`, `stop` it.

    Takes its port when it is made: AddressInUse, UsageError. `start` raises HomeError and StoreError.
    """

    def __init__(self, home: Home, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.home = home
        self.on_focus: Callable[[TakenIn | None], None] | None = None
        """Called, in a request's thread, when a second start asks for this one's window."""
        self._lock = WriterLock(home)
        self._store: Store | None = None
        self._left_stores: list[Store] = []
        self._ingest: Ingest | None = None
        self._findings: Findings | None = None
        self._watching: Watching | None = None
        self._sampling: Sampling | None = None
        self._trash: Rounds | None = None
        self._demo = BegunDemo(home)
        self._ending = threading.Event()
        self._first_drawn = threading.Event()
        self._watch: threading.Thread | None = None
        self.live = Live(Source(lambda: self.store, self.detail, lambda: self.is_writer))
        self._server = Server(self, host=host, port=port)

    @property
    def url(self) -> str:
        """The page's address, with its token."""
        return self._server.url

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def token(self) -> str:
        return self._server.token

    @property
    def store(self) -> Store:
        if self._store is None:
            raise Unavailable("This Stepline is not running", action="Start it first")
        return self._store

    @property
    def is_writer(self) -> bool:
        return self._ingest is not None

    @cached_property
    def _following(self) -> Following:
        """What is known of the files that grow; all importers are loaded with it."""
        from stepline.importers import Following

        return Following()

    def start(self) -> None:
        """Serve, and write the home or read beside its writer. What was begun is undone where this raises."""
        try:
            if self._lock.acquire():
                self._write()
            else:
                self._store = open_beside(self.home)
                self._findings = Findings(self._store, self._first_drawn)
                self._watch = threading.Thread(target=self._wait_for_lock, name="stepline-take-over", daemon=True)
            self.live.start()
            self._server.start()
            threading.Thread(target=self._go_on, name="stepline-going-on", daemon=True).start()
            if self._watch is not None:
                self._watch.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything in order, clients first; no thread, port or lock is left. Safe to call twice."""
        self._ending.set()
        self._demo.stop()
        if self._watch is not None and self._watch.is_alive():
            self._watch.join()
        if self._lock.held:
            withdraw_address(self.home)
        self.live.stop()
        self._server.stop()
        if self._watching is not None:
            self._watching.stop()
        if self._ingest is not None:
            self._ingest.stop()
        if self._sampling is not None:
            self._sampling.stop()
        if self._trash is not None:
            self._trash.stop()
        if self._findings is not None:
            self._findings.stop()
        for store in (*self._left_stores, *([self._store] if self._store is not None else [])):
            store.close()
        self._lock.release()

    def detail(self, task_id: str) -> TaskDetail:
        """All that is known of a task but its samples. Raises TaskNotFound."""
        return facts.detail(self.store, task_id, findings=self.findings(task_id), journals=self.home.journals)

    def findings(self, task_id: str) -> list[Finding]:
        """What the diagnosis found by now. Raises TaskNotFound."""
        return self._findings.of(task_id) if self._findings is not None else []

    def take_in(
        self,
        paths: Sequence[Path] = (),
        growing: bool = False,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Imported]:
        """Take in all that lies in the home, and the histories at these paths; what became of each of them."""
        found = take_in_all(
            self._writing_ingest(),
            self.store,
            paths,
            progress,
            cancelled,
            growing=growing,
            following=self._following if growing else None,
        )
        self.live.nudge()
        return found

    def take_in_uploaded(self, folder: Path, progress: Progress, cancelled: Callable[[], bool]) -> list[Imported]:
        """Take in what a page sent, which lies in `folder` for the moment; what became of each."""
        found = take_in_uploaded(self._writing_ingest(), self.store, folder, progress, cancelled)
        self.live.nudge()
        return found

    def _take_in_found(self, ingest: Ingest, store: Store, path: Path, growing: bool) -> None:
        found = take_in_found(ingest, store, path, growing, self._following, self._ending.is_set)
        if any(each["records"] or each["state"] == "unchanged" for each in found):
            self.live.nudge()

    def trash(self) -> Trash:
        return trash.content(self.home, self.store)

    def put_in_trash(self, task_ids: Sequence[str]) -> None:
        """Raises TaskNotFound, and TaskIsLive where one still trains; then none is put there."""
        trash.put(self.home, self.store, self._writing_ingest(), task_ids)

    def restore(self, task_ids: Sequence[str]) -> None:
        """Raises TaskNotFound."""
        trash.restore(self.home, self.store, self._writing_ingest(), task_ids)

    def remove(self, task_ids: Sequence[str]) -> None:
        """Remove tasks in the trash for good."""
        trash.empty(self.home, self.store, self._writing_ingest(), task_ids)

    def demo(self) -> DemoBegun:
        """Begin the demo's training, or play a recorded one."""
        return self._demo.begin()

    def notes(self) -> list[str]:
        """What a person should know: journals that were refused, lines that were left out. The writer alone knows."""
        return [] if self._ingest is None else list(self._ingest.notes)

    def focus(self, taken: TakenIn | None = None) -> None:
        if self.on_focus is None:
            raise Unavailable("This Stepline has no window", action="Open its address in a browser")
        self.on_focus(taken)

    def writer_address(self) -> Address | None:
        return read_address(self.home)

    def _writing_ingest(self) -> Ingest:
        if self._ingest is None:
            raise Unavailable("This Stepline reads beside the writer", action="Ask the writer")
        return self._ingest

    def _write(self) -> None:
        """Become the writer; the lock is held."""
        # Left by a writer that was killed while a page sent it files.
        shutil.rmtree(uploads_folder(self.home), ignore_errors=True)
        store = Store.open(self.home.database, writable=True)
        if self._store is not None:
            # Requests may be reading from it; it is closed at the end.
            self._left_stores.append(self._store)
        if self._findings is not None:
            self._findings.stop()
        self._store, self._findings = store, Findings(store, self._first_drawn)
        ingest = Ingest(self.home, store)
        trash.tidy(self.home, store, ingest)
        ingest.on_change = lambda tasks: self.live.nudge()
        ingest.start()
        self._ingest = ingest
        publish_address(self.home, self._server.address, self._server.token)
        end_abandoned(store)
        self._watching = Watching(
            lambda: watched_folders(store),
            partial(self._take_in_found, ingest, store),
            store.setting(SEEN_SETTING, {}),
            partial(store.set_setting, SEEN_SETTING),
        )
        self._watching.start()
        self._sampling = Sampling(store)
        self._sampling.start()
        self._trash = trash.ageing(self.home, store, ingest)
        self._trash.start()

    def _go_on(self) -> None:
        """What no first data need, and would wait for: threads take turns at the interpreter. Loading the kernels
        alone kept the window's first data waiting for 0.5 s of 1.7, and examining a long history comes on top."""
        self.live.joined.wait(FIRST_PAGE_SECS)
        if not self._ending.wait(DRAWING_SECS):
            kernels.prepare(self.home.kernels_cache)
            self._first_drawn.set()

    def _wait_for_lock(self) -> None:
        told = ""
        while not self._ending.wait(TAKE_OVER_SECS):
            try:
                if self._lock.acquire():
                    self._write()
                    self.live.nudge()
                    return
            except SteplineError as error:
                self._lock.release()
                if str(error) != told:
                    told = str(error)
                    log.error("This Stepline could not take over as the writer: %s", error)
