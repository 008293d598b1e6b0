"""The window. It shows the server's page and remembers where it stood.

Closing it while a training runs in this program asks first: the training would end with it. Ended from outside
(`close`), it asks nothing.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import webview

from stepline_desktop import place as places
from stepline_desktop.words import words

GROUND = {"light": "#ffffff", "dark": "#121417"}
"""The page's ground, shown until it is drawn."""


class Memory(Protocol):
    """Where settings are kept: the store."""

    def setting(self, name: str, default: Any) -> Any: ...

    def set_setting(self, name: str, value: Any) -> None: ...


class Window:
    """One window on `url`. `show` runs in the main thread and returns when it is closed; the rest from any thread."""

    def __init__(self, url: str, memory: Memory, *, is_busy: Callable[[], bool]) -> None:
        """`is_busy`: whether closing would stop a training, so that it has to be asked for."""
        self._url = url
        self._memory = memory
        self._is_busy = is_busy
        self.on_loaded: Callable[[], None] = lambda: None
        """Called, in a thread of its own, each time the page was loaded."""
        self._window: Any = None
        self._may_close = threading.Event()
        self._asking = threading.Lock()
        self._maximized = False

    def show(self) -> None:
        if self._may_close.is_set():
            return
        place = self._place()
        self._maximized = place.maximized
        screen = next(
            (each for each in webview.screens if each.x <= (place.x or 0) < each.x + each.width), webview.screens[0]
        )
        window: Any = webview.create_window(
            "Stepline",
            self._url,
            screen=screen,
            width=place.width,
            height=place.height,
            x=None if place.x is None else place.x - screen.x,
            y=None if place.y is None else place.y - screen.y,
            maximized=place.maximized,
            min_size=places.MINIMUM,
            text_select=True,
            zoomable=True,
            background_color=GROUND["dark" if self._memory.setting("theme", None) == "dark" else "light"],
        )
        # pywebview's Qt puts a handler in place that quits by itself, beside whoever ends this program in order: the
        # window would be closed twice. This event comes after that, in the main thread, as signal.signal wants it.
        handler = signal.getsignal(signal.SIGINT)
        window.events.before_show += lambda: bool(signal.signal(signal.SIGINT, handler))
        window.events.closing += self._closing
        window.events.maximized += lambda: self._note_maximized(True)
        window.events.restored += lambda: self._note_maximized(False)
        window.events.shown += self._shown
        window.events.loaded += lambda: self.on_loaded()
        self._window = window
        webview.start(gui="qt" if sys.platform == "linux" else None, icon=icon())

    def close(self) -> None:
        """Close without asking; before `show`, keep it from opening."""
        self._may_close.set()
        window = self._window
        if window is not None and window.events.shown.is_set():
            window.destroy()

    def focus(self) -> None:
        """Bring the window before the others."""
        window = self._window
        if window is None:
            return
        if sys.platform == "linux":
            _raise_in_qt(window.native)
        else:
            window.restore()
            window.show()

    def reload(self) -> None:
        """Load the page anew."""
        if self._window is not None and self._window.events.loaded.is_set():
            self._window.load_url(self._url)

    def _shown(self) -> None:
        if self._may_close.is_set():
            self._window.destroy()

    def _closing(self) -> bool:
        """In the window's own thread. False: stay open."""
        self._remember()
        if self._may_close.is_set() or not self._is_busy():
            return True
        threading.Thread(target=self._ask, name="window-question", daemon=True).start()
        return False

    def _ask(self) -> None:
        """A dialog waits for the window's thread, so it cannot be asked for from there."""
        if not self._asking.acquire(blocking=False):
            return
        try:
            said = words(self._memory.setting("language", None))
            if self._window.create_confirmation_dialog(said.close_title, said.close_question):
                self.close()
        finally:
            self._asking.release()

    def _note_maximized(self, maximized: bool) -> None:
        self._maximized = maximized

    def _place(self) -> places.Place:
        screens = [places.Screen(each.x, each.y, each.width, each.height) for each in webview.screens]
        return places.fit(places.from_setting(self._memory.setting(places.SETTING, None)), screens)

    def _remember(self) -> None:
        window = self._window
        if self._maximized:  # the size to come back to is the one before
            before = places.from_setting(self._memory.setting(places.SETTING, None))
            now = places.Place(before.width, before.height, before.x, before.y, True)
        else:
            # Qt's own position counts the frame, pywebview's does not: the window would sink by a title bar each time.
            at = window.native if sys.platform == "linux" else window
            x, y = (at.x(), at.y()) if sys.platform == "linux" else (at.x, at.y)
            now = places.Place(window.width, window.height, x, y)
        self._memory.set_setting(places.SETTING, now.to_setting())


def icon() -> str | None:
    """The icon's path: beside this file in an installed package, in icons/ in a checkout."""
    here = Path(__file__)
    known = (here.with_name("stepline.svg"), here.parents[2] / "icons" / "stepline.svg")
    return next((str(path) for path in known if path.is_file()), None)


def _raise_in_qt(native: Any) -> None:
    from qtpy.QtCore import Qt, QTimer

    def bring() -> None:
        native.setWindowState(native.windowState() & ~Qt.WindowState.WindowMinimized | Qt.WindowState.WindowActive)
        native.show()
        native.raise_()
        native.activateWindow()

    QTimer.singleShot(0, native, bring)
