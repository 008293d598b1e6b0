"""The window. It shows the server's page and remembers where it stood.

Closing it while a training runs in this program asks first: the training would end with it. Ended from outside
(`close`), it asks nothing.

What pywebview does not do on Qt stands in `qt`; elsewhere the window goes without: menus have no keys, and zoom is
the web view's own and not kept.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import webview

from stepline_desktop import place as places
from stepline_desktop.menus import Doing, menus
from stepline_desktop.words import Words, words

if TYPE_CHECKING:
    from stepline_desktop.qt import QtSide

ON_QT: bool = sys.platform == "linux"
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
        self.on_loaded: list[Callable[[], None]] = []
        """Called, in a thread of their own, each time the page was loaded."""
        self._window: Any = None
        self._qt: QtSide | None = None
        self._asked: list[dict[str, Any]] = []
        self._may_close = threading.Event()
        self._asking = threading.Lock()
        self._maximized = False
        self._wears: tuple[Words, str | None] | None = None

    def show(self) -> None:
        if self._may_close.is_set():
            return
        place = self._place()
        self._maximized = place.maximized
        screen = next(
            (each for each in webview.screens if each.x <= (place.x or 0) < each.x + each.width), webview.screens[0]
        )
        # pywebview counts a place from its screen's corner, and on Windows from the desktop's.
        corner = (0, 0) if sys.platform == "win32" else (screen.x, screen.y)
        window: Any = webview.create_window(
            "Stepline",
            self._url,
            screen=screen,
            width=place.width,
            height=place.height,
            x=None if place.x is None else place.x - corner[0],
            y=None if place.y is None else place.y - corner[1],
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
        if ON_QT:
            window.events.before_show += lambda: self._make_qt(window, place.zoom)
        else:
            webview.settings["ALLOW_DOWNLOADS"] = True
        window.events.closing += self._closing
        window.events.maximized += lambda: self._note_maximized(True)
        window.events.restored += lambda: self._note_maximized(False)
        window.events.shown += self._shown
        window.events.loaded += self._loaded
        self._window = window
        # Elsewhere the window has the program's own icon, and Windows' would not open with an SVG.
        webview.start(gui="qt" if ON_QT else None, icon=icon() if ON_QT else None, menu=self._plain_menus())

    def close(self) -> None:
        """Close without asking; before `show`, keep it from opening."""
        self._may_close.set()
        window = self._window
        if window is not None and window.events.shown.is_set():
            window.destroy()

    def focus(self) -> None:
        """Bring the window before the others."""
        if self._qt is not None:
            self._qt.call(self._qt.bring)
        elif self._window is not None:
            self._window.restore()
            self._window.show()

    def present(self, taken: Mapping[str, Any]) -> None:
        """Let the page show what was taken in (`wire.TakenIn`); once it stands, where it does not yet."""
        self._ask({"taken": dict(taken)})

    @property
    def is_in_front(self) -> bool:
        """Whether a person works in it now; False where that cannot be told."""
        return self._qt is not None and self._qt.is_active

    def _make_qt(self, window: Any, zoom: float) -> None:
        from stepline_desktop.qt import QtSide

        self._qt = QtSide(window.native, self._words, lambda: webbrowser.open(self._url))
        self._qt.set_zoom(zoom)
        self._dress(self._qt, self._worn())

    def follow(self) -> None:
        """Take on the language and the theme that the page was given meanwhile."""
        qt, worn = self._qt, self._worn()
        if qt is not None and worn != self._wears:
            qt.call(lambda: self._dress(qt, worn))

    def _worn(self) -> tuple[Words, str | None]:
        return self._words(), self._memory.setting("theme", None)

    def _dress(self, qt: QtSide, worn: tuple[Words, str | None]) -> None:
        self._wears = worn
        said, theme = worn
        qt.set_words(said)
        qt.set_theme(theme, GROUND)
        qt.set_menus(menus(said, self._doing()))

    def _plain_menus(self) -> list[Any]:
        """pywebview's own, which have no keys; Qt's are made by `_make_qt`."""
        if ON_QT:
            return []
        from webview.menu import Menu, MenuAction, MenuSeparator

        return [
            Menu(menu.title, [MenuAction(each.title, each.do) if each else MenuSeparator() for each in menu.entries])
            for menu in menus(self._words(), self._doing())
        ]

    def _doing(self) -> Doing:
        return Doing(
            ask=self._ask,
            import_=self._import,
            zoom=self._zoom if ON_QT else None,
            reload=lambda: self._run_script("location.reload()"),
            full_screen=lambda: self._window.toggle_fullscreen(),
            close=lambda: self._window.destroy(),
        )

    def _ask(self, asked: dict[str, Any]) -> None:
        """A wish to the page, by the door that `web/src/components/desktop.ts` keeps."""
        self._asked.append(asked)
        if self._window is not None and self._window.events.loaded.is_set():
            self._hand_over()

    def _import(self) -> None:
        qt = self._qt
        if qt is not None:
            qt.call(qt.press_import_key)
        else:
            self._ask({"action": "import"})

    def _hand_over(self) -> None:
        while self._asked:
            asked = json.dumps(self._asked.pop(0))
            self._run_script(
                "window.stepline ??= { asked: [] };"
                f"window.stepline.asked.push({asked}); window.dispatchEvent(new Event('stepline-asked'))"
            )

    def _run_script(self, script: str) -> None:
        qt = self._qt
        if qt is not None:
            qt.call(lambda: qt.run_script(script))
        else:
            self._window.run_js(script)

    def _zoom(self, factor: float | None) -> None:
        qt = self._qt
        if qt is not None:
            qt.call(lambda: qt.set_zoom(1.0 if factor is None else qt.zoom * factor))

    def _words(self) -> Words:
        return words(self._memory.setting("language", None))

    def _loaded(self) -> None:
        self._hand_over()
        for call in self.on_loaded:
            call()

    def _shown(self) -> None:
        if self._may_close.is_set():
            self._window.destroy()

    def _closing(self) -> bool:
        """In the window's own thread. False: stay open."""
        self._remember()
        if self._may_close.is_set() or not self._is_busy():
            return True
        if self._qt is not None:
            qt = self._qt
            if not self._asking.locked():
                qt.call(lambda: self._ask_whether(lambda said: qt.confirm(said)))
            return False
        threading.Thread(target=self._ask_elsewhere, name="window-question", daemon=True).start()
        return False

    def _ask_elsewhere(self) -> None:
        """A dialog of pywebview's waits for the window's thread, so it cannot be asked for from there."""
        self._ask_whether(lambda said: self._window.create_confirmation_dialog(said.close_title, said.close_question))

    def _ask_whether(self, confirmed: Callable[[Words], bool]) -> None:
        if not self._asking.acquire(blocking=False):
            return
        try:
            if confirmed(self._words()):
                self.close()
        finally:
            self._asking.release()

    def _note_maximized(self, maximized: bool) -> None:
        self._maximized = maximized

    def _place(self) -> places.Place:
        screens = [places.Screen(each.x, each.y, each.width, each.height) for each in webview.screens]
        if ON_QT:
            screens = [places.Screen(*each.frame.availableGeometry().getRect()) for each in webview.screens]
        return places.fit(places.from_setting(self._memory.setting(places.SETTING, None)), screens)

    def _remember(self) -> None:
        window = self._window
        if self._qt is not None:
            now = self._qt.place()
        elif self._maximized:  # the size to come back to is the one before
            before = places.from_setting(self._memory.setting(places.SETTING, None))
            now = replace(before, maximized=True)
        else:
            now = places.Place(window.width, window.height, window.x, window.y)
        self._memory.set_setting(places.SETTING, now.to_setting())


def icon() -> str | None:
    """The icon's path: beside this file in an installed package, in icons/ in a checkout."""
    here = Path(__file__)
    known = (here.with_name("stepline.svg"), here.parents[2] / "icons" / "stepline.svg")
    return next((str(path) for path in known if path.is_file()), None)
