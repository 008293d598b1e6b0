"""What the server asks of the Stepline that it is the front door of. `stepline.app.App` has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from stepline.home import Home
from stepline.intake import Progress
from stepline.live import Live
from stepline.store import Store
from stepline.wire import DemoBegun, Imported, TakenIn, TaskDetail, Trash
from stepline.writer import Address


class Door(Protocol):
    @property
    def home(self) -> Home: ...
    @property
    def store(self) -> Store: ...
    @property
    def live(self) -> Live: ...
    @property
    def is_writer(self) -> bool: ...
    def detail(self, task_id: str) -> TaskDetail: ...
    def take_in(
        self,
        paths: Sequence[Path],
        growing: bool = False,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Imported]:
        """Take in what lies in the home and at these paths; what became of each. Nothing new of these once `cancelled`
        says so."""
        ...

    def take_in_uploaded(self, folder: Path, progress: Progress, cancelled: Callable[[], bool]) -> list[Imported]:
        """Take in what lies in `folder` for the moment; nothing of it once `cancelled` says so."""
        ...

    def trash(self) -> Trash: ...
    def put_in_trash(self, task_ids: Sequence[str]) -> None: ...
    def restore(self, task_ids: Sequence[str]) -> None: ...
    def remove(self, task_ids: Sequence[str]) -> None:
        """Remove tasks in the trash for good."""
        ...

    def demo(self) -> DemoBegun:
        """Begin the demo's training, or play a recorded one."""
        ...

    def notes(self) -> list[str]: ...
    def focus(self, taken: TakenIn | None) -> None:
        """Bring the window forward, where there is one, and show there what was taken in for it."""
        ...

    def writer_address(self) -> Address | None:
        """Where the writer answers while this is not it."""
        ...
