"""Whether a window can open on this machine, and what Qt must know before it is loaded.

Asked before pywebview is: a missing library or an unreachable display makes Qt abort the whole process, and with it a
training that runs there. Qt's own message then names `libxcb-cursor0` whatever is missing; here the loader's own words
are kept.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib.util
import locale
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from stepline.errors import Unavailable
from stepline_desktop.binding import stand_in_for_qtpy

log = logging.getLogger(__name__)

INSTALL_PACKAGES = "Install it: pip install 'stepline[desktop]'"
INSTALL_LIBRARIES = (
    "Install the window's libraries, on Debian or Ubuntu: apt-get install libgl1 libegl1 libnss3 libxcb-cursor0 "
    "libxcb-icccm4 libxcb-keysyms1 libxkbcommon-x11-0 libxcomposite1 libxdamage1 libxrandr2 libxtst6 libxkbfile1"
)
RULE = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


def has_display() -> bool:
    """Whether a person could look at a window or a browser here. Only Linux can be without."""
    return sys.platform != "linux" or _wayland_answers() or _x_answers()


def prepare() -> None:
    """Make ready for a window and load its libraries. Raises Unavailable where no window can open; loads Qt if one can.

    To be called in the main thread, before anything else loads Qt.
    """
    if importlib.util.find_spec("webview") is None:
        raise Unavailable("No window can open", why="pywebview is not installed", action=INSTALL_PACKAGES)
    if sys.platform == "win32":
        _find_webview2()
    if sys.platform != "linux":
        return
    displays = [name for name in map(os.environ.get, ("WAYLAND_DISPLAY", "DISPLAY")) if name]
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition("-")[0]
    # Another one, such as "offscreen", needs no display.
    answers = {"": has_display, "xcb": _x_answers, "wayland": _wayland_answers}.get(platform, lambda: True)
    if not displays and not answers():
        raise Unavailable(
            "No window can open",
            why="There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set",
            action="Open the address in a browser; on another machine, forward its port: ssh -L PORT:127.0.0.1:PORT",
        )
    _set_environment()
    _load_qt()
    if not answers():
        raise Unavailable(
            "No window can open",
            why=f"The display {' or '.join(displays)} does not answer",
            action="Check DISPLAY and the right to use it (xhost, XAUTHORITY), or open the address in a browser",
        )


def show_message(text: str) -> bool:
    """Until it is closed, where there is no terminal to tell it in; False where it cannot be shown. Only Windows starts
    a program so."""
    information = 0x40
    return sys.platform == "win32" and bool(ctypes.windll.user32.MessageBoxW(None, text, "Stepline", information))


def _find_webview2() -> None:
    """Without it pywebview would take Internet Explorer's engine, which cannot show the page."""
    if sys.platform == "win32":
        import winreg

        client = r"Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}"
        places = (
            (winreg.HKEY_LOCAL_MACHINE, rf"SOFTWARE\WOW6432Node\{client}"),
            (winreg.HKEY_LOCAL_MACHINE, rf"SOFTWARE\{client}"),
            (winreg.HKEY_CURRENT_USER, rf"Software\{client}"),
        )
        for root, place in places:
            with contextlib.suppress(OSError), winreg.OpenKey(root, place) as key:
                if winreg.QueryValueEx(key, "pv")[0] not in ("", "0.0.0.0"):
                    return
        raise Unavailable(
            "No window can open",
            why="The Microsoft Edge WebView2 Runtime is not installed",
            action="Install its Evergreen Standalone Installer, which needs no network; until then use the browser",
        )


def _set_environment() -> None:
    """Chromium draws on the CPU: the GPU's memory belongs to the training."""
    if os.geteuid() == 0 or forbids_sandboxes():
        os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    wanted = ["--disable-gpu", "--disable-3d-apis", "--log-level=3"]
    flags = os.environ.get("QTWEBENGINE_CHROMIUM_FLAGS", "").split()
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join([*flags, *(flag for flag in wanted if flag not in flags)])
    if "LC_ALL" not in os.environ and locale.nl_langinfo(locale.CODESET).upper() != "UTF-8":
        os.environ["LC_CTYPE"] = "C.UTF-8"  # as Qt itself would, after four lines on standard error
    os.environ.setdefault("QT_QUICK_BACKEND", "software")
    os.environ.setdefault("QT_XCB_GL_INTEGRATION", "none")
    os.environ.setdefault("PYWEBVIEW_GUI", "qt")  # else pywebview tries GTK first, where that is installed


def forbids_sandboxes(rule: Path = RULE) -> bool:
    """Whether the system keeps Chromium's sandbox from what it needs, as it itself does for root: it ends the program
    there. It is for pages of strangers; here it shows the page of this machine's own server. Ubuntu since 23.10 has
    the rule for every program that it has no profile of."""
    try:
        return rule.read_text().strip() == "1"
    except OSError:
        return False


def _load_qt() -> None:
    # Registered before Qt is loaded, so that it runs after Qt's own end.
    atexit.register(_forget)
    stand_in_for_qtpy()
    try:
        from qtpy import QtCore
        from qtpy.QtWebEngineWidgets import QWebEngineView  # type: ignore[attr-defined]  # noqa: F401
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        raise Unavailable(
            "No window can open",
            why=f"Qt is not installed whole ({error})" if missing else f"Qt cannot be loaded ({error})",
            action=INSTALL_PACKAGES if missing else INSTALL_LIBRARIES,
        ) from error
    QtCore.qInstallMessageHandler(_note)
    # The plugin that speaks to the display is loaded late, and Qt aborts where it cannot be.
    plugins = Path(QtCore.QLibraryInfo.path(QtCore.QLibraryInfo.LibraryPath.PluginsPath))
    plugin = plugins / "platforms" / "libqxcb.so"
    if plugin.is_file() and not _wayland_answers():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            raise Unavailable(
                "No window can open", why=f"A library of the window is missing ({error})", action=INSTALL_LIBRARIES
            ) from error


def _note(kind: Any, context: Any, message: str) -> None:
    """Qt writes a dozen lines on Vulkan, OpenGL and D-Bus to standard error that no one can act on."""
    log.debug("Qt: %s", message)


def _forget() -> None:
    """Qt may speak while the interpreter ends, when no handler of ours must be called any more."""
    for name in ("PySide6.QtCore", "PyQt6.QtCore"):
        if qt := sys.modules.get(name):
            qt.qInstallMessageHandler(None)


def _wayland_answers() -> bool:
    """Whether a compositor takes connections. Qt aborts where it finds neither one nor an X server."""
    name = os.environ.get("WAYLAND_DISPLAY")
    if not name:
        return False
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), name))
        except OSError:
            return False
    return True


def _x_answers() -> bool:
    display = os.environ.get("DISPLAY")
    return bool(display) and _answers(str(display))


@functools.cache
def _answers(display: str) -> bool:
    """Connect to an X server once, as Qt will. True where that cannot be tried.

    The connection stays open until the process ends. A bare server resets when its last client leaves, and Qt, coming
    next, is turned away meanwhile: seen one time in ten under Xvfb.
    """
    try:
        xcb = ctypes.CDLL("libxcb.so.1")  # Qt's plugin, which was loaded before, needs it too
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    return not xcb.xcb_connection_has_error(xcb.xcb_connect(display.encode(), None))
