"""What the window does on Qt beyond what pywebview does there: menus with keys, a menu of the page's texts, the save
dialog, Qt's own words in the page's language, zoom, coming to the front, a page's process that crashed. All but `call`
belong into the window's own thread.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QCoreApplication,
    QDir,
    QEvent,
    QFileInfo,
    QLibraryInfo,
    QObject,
    QPoint,
    QStandardPaths,
    Qt,
    QTimer,
    QTranslator,
    Signal,
)
from qtpy.QtGui import QAction, QColor, QGuiApplication, QKeyEvent, QKeySequence, QPalette  # type: ignore[attr-defined]
from qtpy.QtWebEngineCore import QWebEngineContextMenuRequest, QWebEnginePage, QWebEngineSettings
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox

from stepline_desktop.desktop import DESKTOP_FILE
from stepline_desktop.menus import Menu
from stepline_desktop.place import ZOOM, Place
from stepline_desktop.words import Words

log = logging.getLogger(__name__)

CRASHES, CRASH_SECS = 3, 300.0
"""So often in so long the page is loaded anew by itself; what crashes each time would crash for ever."""


class QtSide(QObject):
    """Beside one pywebview window on Qt; made in the window's own thread."""

    _called = Signal(object)

    def __init__(self, native: Any, words: Callable[[], Words], open_browser: Callable[[], object]) -> None:
        super().__init__(native)
        self._open_browser = open_browser
        self._native = native
        self._view = native.webview
        self._words = words
        self._crashes: list[float] = []
        self._zoom = 1.0
        self._frame = QPoint()
        self._translator: Any = None
        self._theme: str | None = None
        self._grounds: Mapping[str, str] = {}
        native.installEventFilter(self)
        self._called.connect(lambda work: work(), Qt.ConnectionType.QueuedConnection)
        QGuiApplication.setDesktopFileName(DESKTOP_FILE)  # by which a dock finds the icon
        self._active = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        application: Any = QGuiApplication.instance()
        application.applicationStateChanged.connect(self._note_state)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow_system)
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._view.customContextMenuRequested.connect(self._show_text_menu)
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

    def set_words(self, said: Words) -> None:
        """Let the dialogs that Qt makes from now on speak the page's language."""
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
        self._translator = _Translator(self, said)
        QCoreApplication.installTranslator(self._translator)

    def set_theme(self, theme: str | None, grounds: Mapping[str, str]) -> None:
        """ "light" or "dark", each on its ground, else as the system has it: menus and dialogs follow the page."""
        self._theme, self._grounds = theme, grounds
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        with contextlib.suppress(AttributeError):  # before Qt 6.8 it is the system's alone
            QGuiApplication.styleHints().setColorScheme(schemes.get(theme or "", Qt.ColorScheme.Unknown))
        self._paint()

    def _paint(self) -> None:
        """Colours for the theme, also where Qt takes no notice of it: on a desktop without a theme of its own, and on
        GNOME, where without GTK it tells the page that the desktop is dark and keeps the menus light."""
        told = {Qt.ColorScheme.Light: "light", Qt.ColorScheme.Dark: "dark"}.get(
            QGuiApplication.styleHints().colorScheme()
        )
        shown = self._theme if self._theme in self._grounds else told
        QApplication.setPalette(QPalette())
        if shown is not None and (QApplication.palette().window().color().lightness() < 128) != (shown == "dark"):
            QApplication.setPalette(_palette(QColor(self._grounds[shown])))
        # pywebview colours the window's ground alone: the menus' letters were black on black.
        self._native.setPalette(QApplication.palette())

    def _follow_system(self) -> None:
        self._paint()
        # Chromium asks Qt for the scheme only as it takes in what was set: the page went on as it was.
        settings, attribute = self._view.settings(), QWebEngineSettings.WebAttribute.ErrorPageEnabled
        for value in (not settings.testAttribute(attribute), settings.testAttribute(attribute)):
            settings.setAttribute(attribute, value)

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

    def place(self) -> Place:
        """Where it stands now; of a window that fills the screen, the place that it comes back to."""
        native = self._native
        self._note_frame()
        inside = native.normalGeometry() if self._fills_the_screen() else native.geometry()
        # Qt moves a window by its frame: by what is inside, it would sink by a title bar each time.
        at = inside.topLeft() - self._frame
        zoom = round(self.zoom, 3)
        return Place(inside.width(), inside.height(), at.x(), at.y(), maximized=native.isMaximized(), zoom=zoom)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.WindowActivate):
            self._note_frame()
        return False

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

    def _note_frame(self) -> None:
        """How thick the frame is above and left; one that fills the screen has another, or none."""
        if not self._fills_the_screen():
            self._frame = self._native.geometry().topLeft() - self._native.frameGeometry().topLeft()

    def _fills_the_screen(self) -> bool:
        return bool(self._native.isMaximized() or self._native.isFullScreen())

    def _note_state(self, state: Any) -> None:
        self._active = state == Qt.ApplicationState.ApplicationActive

    def _show_text_menu(self, at: QPoint) -> None:
        """What a person does with a text, where there is one: pywebview shows no menu, Qt's own speaks of pages."""
        request, said, action = self._view.lastContextMenuRequest(), self._words(), QWebEnginePage.WebAction
        flag = QWebEngineContextMenuRequest.EditFlag
        entries = [(said.copy, action.Copy, flag.CanCopy)]
        if request.isContentEditable():
            entries = [
                (said.cut, action.Cut, flag.CanCut),
                *entries,
                (said.paste, action.Paste, flag.CanPaste),
                (said.select_all, action.SelectAll, flag.CanSelectAll),
            ]
        elif not request.selectedText():
            return
        menu = QMenu(self._native)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for title, do, able in entries:
            entry = menu.addAction(title)
            entry.triggered.connect(lambda _=False, do=do: self._view.triggerPageAction(do))
            entry.setEnabled(bool(request.editFlags() & able))
        menu.popup(self._view.mapToGlobal(at))

    def _set_title(self, title: str) -> None:
        # Until a page has one, Chromium gives its address, and with it the token.
        if title.endswith("Stepline"):
            self._native.setWindowTitle(title)

    def _crashed(self, status: Any, code: int) -> None:
        """The page holds nothing that the server does not: loaded anew, it is as before."""
        if int(getattr(status, "value", status)) == 0:
            return
        log.warning("The page's process ended (%s, code %s)", status, code)
        now = time.monotonic()
        self._crashes = [*(each for each in self._crashes if now - each < CRASH_SECS), now]
        QTimer.singleShot(0, self._view, self._view.reload if len(self._crashes) <= CRASHES else self._tell_of_crashes)

    def _tell_of_crashes(self) -> None:
        said = self._words()
        box = QMessageBox(QMessageBox.Icon.Warning, said.crashed_title, said.crashed_text, parent=self._native)
        again = box.addButton(said.reload, QMessageBox.ButtonRole.AcceptRole)
        browser = box.addButton(said.open_browser, QMessageBox.ButtonRole.ActionRole)
        box.addButton(said.close, QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(again)
        box.exec()
        self._crashes.clear()
        if box.clickedButton() is again:
            self._view.reload()
        elif box.clickedButton() is browser:
            self._open_browser()
        else:
            self._native.close()

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


class _Translator(QTranslator):
    """Qt's own words in the language of `said`."""

    def __init__(self, parent: QObject, said: Words) -> None:
        super().__init__(parent)
        self._gaps = {"&Look in:": said.look_in, "Files of &type:": said.files_of_type, "Folder": said.folder}
        self.load(f"qtbase_{said.locale}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))

    def translate(self, context: str, text: str, meant: str | None = None, count: int = -1) -> str | None:
        """None, and no empty text, where it has none: Qt shows its source's own then."""
        return self._gaps.get(text) or super().translate(context, text, meant, count) or None


def _palette(ground: QColor) -> QPalette:
    """Colours on that ground. Of one colour alone Qt makes a dark palette with black menus whose edges nobody sees."""
    if ground.lightness() >= 128:
        return QPalette(ground)
    palette = QPalette(ground.lighter(190), ground.lighter(125))
    for role, percent in ((QPalette.ColorRole.Base, 150), (QPalette.ColorRole.AlternateBase, 170)):
        palette.setColor(role, ground.lighter(percent))
    return palette
