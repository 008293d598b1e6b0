"""What a desktop does for a window beside showing it, and who does it on this system.

On Windows and macOS it was written by their manuals and never run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import Any, Protocol

DESKTOP_FILE = "org.stepline.Stepline"
"""The name of the menu entry, by which a Linux desktop knows the program."""
ES_CONTINUOUS, ES_SYSTEM_REQUIRED = 0x80000000, 0x00000001


class Desktop(Protocol):
    """All of one thread. Where the desktop lacks something, nothing happens."""

    def notify(self, key: str, title: str, text: str) -> None:
        """Show a notification; one of the same key that still stands is replaced."""

    def clicked(self) -> list[str]:
        """Keys of the notifications that a person clicked since the last call."""

    def show_progress(self, part: float | None, count: int) -> None:
        """In the task bar: part of the training that is done (None: none runs), and how much is new (0: nothing)."""

    def keep_awake(self, wanted: bool, why: str) -> None:
        """Keep the machine from going to sleep by itself, until it is not wanted any more."""

    def wait(self, secs: float) -> None:
        """Wait so long, and hear meanwhile what is clicked."""

    def close(self) -> None:
        """Let the machine sleep, and end all connections."""


def this_desktop(icon: str | None) -> Desktop:
    """`icon`: the program's icon as a file."""
    if sys.platform == "win32":
        return Windows()
    if sys.platform == "darwin":
        return MacOS()
    from stepline_desktop.freedesktop import Freedesktop

    return Freedesktop(icon)


class Windows:
    """Balloons of the notification area; the badge in the task bar is left out."""

    def __init__(self) -> None:
        self._tray: Any = None
        self._awake = False

    def notify(self, key: str, title: str, text: str) -> None:
        import clr  # pythonnet, which pywebview brings there

        clr.AddReference("System.Windows.Forms")
        clr.AddReference("System.Drawing")
        from System.Drawing import SystemIcons
        from System.Windows.Forms import NotifyIcon, ToolTipIcon

        if self._tray is None:
            self._tray = NotifyIcon()
            self._tray.Icon = SystemIcons.Information
            self._tray.Visible = True
        self._tray.ShowBalloonTip(10_000, title, text, ToolTipIcon.Info)

    def clicked(self) -> list[str]:
        return []

    def show_progress(self, part: float | None, count: int) -> None:
        pass

    def keep_awake(self, wanted: bool, why: str) -> None:
        if wanted != self._awake and sys.platform == "win32":
            self._awake = wanted
            import ctypes

            # It holds for the thread that asked, as long as that lives.
            wish = ES_CONTINUOUS | (ES_SYSTEM_REQUIRED if wanted else 0)
            ctypes.windll.kernel32.SetThreadExecutionState(wish)

    def wait(self, secs: float) -> None:
        time.sleep(secs)

    def close(self) -> None:
        self.keep_awake(False, "")
        if self._tray is not None:
            self._tray.Dispose()


class MacOS:
    """Notifications by the system's own script host, the badge on the dock's icon, `caffeinate`."""

    def __init__(self) -> None:
        self._caffeine: subprocess.Popen[bytes] | None = None
        self._badge = ""

    def notify(self, key: str, title: str, text: str) -> None:
        lines = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
        words = [word for line in lines for word in ("-e", line)]
        subprocess.run(["/usr/bin/osascript", *words, title, text], capture_output=True, check=False)

    def clicked(self) -> list[str]:
        return []

    def show_progress(self, part: float | None, count: int) -> None:
        badge = f"{part:.0%}" if part is not None else str(count) if count else ""
        if badge != self._badge:
            self._badge = badge
            from AppKit import NSApp  # pyobjc, which pywebview brings there
            from PyObjCTools import AppHelper

            AppHelper.callAfter(lambda: NSApp.dockTile().setBadgeLabel_(badge))

    def keep_awake(self, wanted: bool, why: str) -> None:
        if wanted and self._caffeine is None:
            with contextlib.suppress(OSError):
                # -w: it ends with this process, however that ends.
                self._caffeine = subprocess.Popen(["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())])
        elif not wanted and self._caffeine is not None:
            self._caffeine.terminate()
            self._caffeine.wait()
            self._caffeine = None

    def wait(self, secs: float) -> None:
        time.sleep(secs)

    def close(self) -> None:
        self.keep_awake(False, "")
