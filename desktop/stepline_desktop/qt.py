"""What the window does on Qt beyond what pywebview does there: menus with keys, the save dialog, zoom, coming to the
front, a page's process that crashed. All but `call` belong into the window's own thread.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QCoreApplication,
    QDir,
    QEvent,
    QFileInfo,
    QObject,
    QStandardPaths,
    Qt,
    QTimer,
    Signal,
)
from qtpy.QtGui import QAction, QColor, QGuiApplication, QKeyEvent, QKeySequence, QPalette  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from stepline_desktop.desktop import DESKTOP_FILE
from stepline_desktop.menus import Menu
from stepline_desktop.place import ZOOM
from stepline_desktop.words import Words

log = logging.getLogger(__name__)

CRASHES = 3
"""So often the page is loaded anew by itself; what crashes each time would crash for ever."""


class QtSide(QObject):
    """Beside one pywebview window on Qt; made in the window's own thread."""

    _called = Signal(object)

    def __init__(self, native: Any, words: Callable[[], Words]) -> None:
        super().__init__(native)
        self._native = native
        self._view = native.webview
        self._words = words
        self._crashes = 0
        self._zoom = 1.0
        self._called.connect(lambda work: work(), Qt.ConnectionType.QueuedConnection)
        QGuiApplication.setDesktopFileName(DESKTOP_FILE)  # by which a dock finds the icon
        self._active = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        application: Any = QGuiApplication.instance()
        application.applicationStateChanged.connect(self._note_state)
        self._view.page().titleChanged.connect(self._set_title)
        self._view.page().renderProcessTerminated.connect(self._crashed)
        self._view.page().profile().downloadRequested.connect(self._save)
        # Qt forgets the factor where a page's process is a new one.
        self._view.loadFinished.connect(lambda _: self._view.setZoomFactor(self._zoom))

    def call(self, work: Callable[[], None]) -> None:
        """Run `work` in the window's own thread, soon; from any thread."""
        self._called.emit(work)

    def set_menus(self, menus: Iterable[Menu]) -> None:
        bar = self._native.menuBar()
        bar.clear()
        for menu in menus:
            place = bar.addMenu(menu.title)
            for entry in menu.entries:
                if entry is None:
                    place.addSeparator()
                    continue
                action = QAction(entry.title, place)
                action.setShortcut(QKeySequence(entry.keys))
                action.triggered.connect(lambda _=False, do=entry.do: do())
                place.addAction(action)

    def set_theme(self, theme: str | None, ground: str | None) -> None:
        """ "light" or "dark", on that ground, else as the system has it: menus and dialogs follow the page."""
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        QApplication.setPalette(QPalette())
        with contextlib.suppress(AttributeError):  # before Qt 6.8 it is the system's alone
            QGuiApplication.styleHints().setColorScheme(schemes.get(theme or "", Qt.ColorScheme.Unknown))
        if ground is not None and (QApplication.palette().window().color().lightness() < 128) != (theme == "dark"):
            # A desktop without a theme of its own takes no notice.
            QApplication.setPalette(QPalette(QColor(ground)))
        # pywebview colours the window's ground alone: the menus' letters were black on black.
        self._native.setPalette(QApplication.palette())

    def run_script(self, script: str) -> None:
        self._view.page().runJavaScript(script)

    def press_import_key(self) -> None:
        """Let the page choose files. Chromium opens its dialog for what a person does in the page and for no script:
        the page gets a key that no keyboard has, and chooses in that key's handler (`web/src/components/desktop.ts`).
        """
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event = QKeyEvent(kind, Qt.Key.Key_F20, Qt.KeyboardModifier.NoModifier)
            QCoreApplication.sendEvent(self._view.focusProxy(), event)

    @property
    def zoom(self) -> float:
        """The page's zoom as it is now: a wheel with Ctrl changes it too."""
        return float(self._view.zoomFactor())

    def set_zoom(self, zoom: float) -> None:
        self._zoom = min(max(zoom, ZOOM[0]), ZOOM[1])
        self._view.setZoomFactor(self._zoom)

    @property
    def is_active(self) -> bool:
        """Whether the window is the one that a person works in; from any thread."""
        return self._active

    def bring(self) -> None:
        native = self._native
        native.setWindowState(native.windowState() & ~Qt.WindowState.WindowMinimized | Qt.WindowState.WindowActive)
        native.show()
        native.raise_()
        native.activateWindow()

    def confirm(self, said: Words) -> bool:
        """Ask whether to close, in the page's language; pywebview's own buttons are English."""
        box = QMessageBox(QMessageBox.Icon.Question, said.close_title, said.close_question, parent=self._native)
        close = box.addButton(said.yes, QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(said.no, QMessageBox.ButtonRole.RejectRole)
        box.setEscapeButton(stay)
        box.setDefaultButton(close)
        box.exec()
        return bool(box.clickedButton() is close)

    def _note_state(self, state: Any) -> None:
        self._active = state == Qt.ApplicationState.ApplicationActive

    def _set_title(self, title: str) -> None:
        # Until a page has one, Chromium gives its address, and with it the token.
        if title.endswith("Stepline"):
            self._native.setWindowTitle(title)

    def _crashed(self, status: Any, code: int) -> None:
        """The page holds nothing that the server does not: loaded anew, it is as before."""
        if int(getattr(status, "value", status)) == 0:
            return
        self._crashes += 1
        log.warning("The page's process ended (%s, code %s)", status, code)
        if self._crashes <= CRASHES:
            QTimer.singleShot(0, self._view, self._view.reload)

    def _save(self, download: Any) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation) or QDir.homePath()
        name = download.suggestedFileName()
        suffix = QFileInfo(name).suffix()
        chosen, _ = QFileDialog.getSaveFileName(
            self._native, self._words().save, QDir(folder).filePath(name), f"*.{suffix}" if suffix else ""
        )
        if not chosen:
            download.cancel()
            return
        # Qt's dialog adds no ending by itself.
        if suffix and not QFileInfo(chosen).suffix():
            chosen += f".{suffix}"
        place = QFileInfo(chosen)
        download.setDownloadDirectory(place.absolutePath())
        download.setDownloadFileName(place.fileName())
        download.accept()
