"""Beside the window: tells what happens to trainings, shows how far they are, keeps the machine awake.

A person who has the window in front sees it there and is told nothing. What is told of, and whether the machine is kept
awake, are settings of the page: `notify` (a kind each) and `keepAwake`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from stepline.errors import SteplineError
from stepline.news import Happening, Looked
from stepline_desktop.desktop import this_desktop
from stepline_desktop.words import Words, words

if TYPE_CHECKING:
    from stepline_desktop.desktop import Desktop
    from stepline_desktop.window import Memory, Window

log = logging.getLogger(__name__)

LOOK_SECS = 0.5
MOST_LETTERS = 300
"""Of the reason why a training ended; desktops cut longer ones as they like."""


class Companion:
    """A thread from `start` to `stop`. `look` is `stepline.news.News.look`."""

    def __init__(self, window: Window, memory: Memory, look: Callable[[], Looked], *, icon: str | None) -> None:
        self._window = window
        self._memory = memory
        self._look = look
        self._icon = icon
        self._unseen = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepline-companion", daemon=True)

    def start(self) -> None:
        """Nothing happens where it has begun."""
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Let the machine sleep again; safe to call where it was not started."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        desktop = this_desktop(self._icon)
        shown: tuple[float | None, int] = (None, 0)
        try:
            while not self._ending.is_set():
                try:
                    looked = self._look()
                    now = self._serve(desktop, looked)
                except SteplineError as error:  # the store was closed, or is another one in a moment
                    log.info("The companion could not look: %s", error)
                    now = shown
                if now != shown:
                    desktop.show_progress(*now)
                    shown = now
                desktop.wait(LOOK_SECS)
            if shown != (None, 0):
                desktop.show_progress(None, 0)
        finally:
            desktop.close()

    def _serve(self, desktop: Desktop, looked: Looked) -> tuple[float | None, int]:
        """What the task bar is to show: the mean progress, in hundredths, and the number of unseen news."""
        self._window.follow()
        said = words(self._memory.setting("language", None))
        wanted = self._memory.setting("notify", None)
        in_front = self._window.is_in_front
        for each in looked.happenings:
            if in_front or (isinstance(wanted, dict) and wanted.get(each.kind) is False):
                continue
            self._unseen += 1
            desktop.notify(each.task_id, *sentence(each, said))
        if in_front:
            self._unseen = 0
        for task_id in desktop.clicked():
            self._window.focus()
            self._window.present({"tasks": [task_id], "imported": []})
        keep = looked.runs_here and self._memory.setting("keepAwake", True) is not False
        desktop.keep_awake(keep, said.close_title)
        known = [each.progress for each in looked.trainings if each.progress is not None]
        return (round(sum(known) / len(known), 2) if known else None), self._unseen


def sentence(happening: Happening, said: Words) -> tuple[str, str]:
    """Title and text of a notification."""
    task = happening.task
    if happening.kind == "stalled":
        return said.stalled, f"{task}\n{said.stalled_text}"
    if happening.kind == "finding":
        return said.finding, f"{task}\n{said.masked_nan_text if happening.rule == 'masked_nan' else said.finding_text}"
    title = {"completed": said.completed, "failed": said.failed}.get(happening.status, said.stopped)
    return title, f"{task}\n{happening.why[:MOST_LETTERS]}" if happening.why else task
