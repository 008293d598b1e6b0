"""A screen of our own (Xvfb), the windows on it, and the page inside a window."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stepline.home import Home
from tests.front_door import PATIENCE_SECS, wait_for
from tests.programs import Program

NEEDED = {"Xvfb": "xvfb", "xdotool": "xdotool", "import": "imagemagick"}
CLIENT_MESSAGE = 33


@contextmanager
def screen(width: int = 1400, height: int = 1000) -> Iterator[str]:
    """A virtual screen; its DISPLAY. Skips the test where its programs are missing."""
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"a virtual screen is missing: apt-get install {' '.join(missing)}")
    reading, writing = os.pipe()
    # The server itself picks a number that is free, and tells it.
    command = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        f"{width}x{height}x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def opened(display: str, home: Home, *command: str, port: int | None = None, **changed: str) -> Program:
    """`stepline` with these words on a screen; `port` is for its `Page`."""
    debugging = {} if port is None else {"QTWEBENGINE_REMOTE_DEBUGGING": f"127.0.0.1:{port}"}
    return Program(*command, "--home", home.path, DISPLAY=display, **debugging, **changed)


def xdotool(display: str, *words: str) -> str:
    done = subprocess.run(["xdotool", *words], env={**os.environ, "DISPLAY": display}, capture_output=True, text=True)
    return done.stdout.strip()


def window_on(display: str) -> str:
    """The id of Stepline's window, once it is there."""
    return str(wait_for(lambda: xdotool(display, "search", "--onlyvisible", "--name", "Stepline$").partition("\n")[0]))


def geometry(display: str, window: str) -> dict[str, int]:
    """X, Y, WIDTH and HEIGHT of a window."""
    lines = xdotool(display, "getwindowgeometry", "--shell", window).splitlines()
    return {name: int(value) for name, _, value in (line.partition("=") for line in lines)}


class _Message(ctypes.Structure):
    """XClientMessageEvent of Xlib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("room", ctypes.c_long * 24),  # XEvent is larger than this one of its kinds
    )


def close(display: str, window: str) -> None:
    """Close a window as a window manager does when its cross is pressed: by WM_DELETE_WINDOW."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(display.encode())
    message = _Message(type=CLIENT_MESSAGE, window=int(window), format=32)
    message.message_type = x11.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    message.data[0] = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(connection, int(window), 0, 0, ctypes.byref(message))
    x11.XCloseDisplay(connection)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Page:
    """The page inside a window that was started with QTWEBENGINE_REMOTE_DEBUGGING=127.0.0.1:`port`."""

    def __init__(self, port: int, secs: float = PATIENCE_SECS) -> None:
        websocket = pytest.importorskip("websocket", reason="websocket-client is missing: make setup")
        target = wait_for(lambda: next(iter(self._targets(port)), None), secs)
        self._socket = websocket.create_connection(target, suppress_origin=True, timeout=30)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._socket.close()

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        number = next(self._numbers)
        asked = {"expression": script, "returnByValue": True, "awaitPromise": True}
        self._socket.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": asked}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                # An error instead of a result: the page was being left while it was asked.
                return answer.get("result", {}).get("result", {}).get("value")

    def shows(self, words: str) -> bool:
        return words in (self.run("document.body?.innerText ?? ''") or "")

    @staticmethod
    def _targets(port: int) -> list[str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                listed = json.load(answer)
        except OSError:
            return []
        ours = [each for each in listed if each["type"] == "page" and "127.0.0.1" in each["url"]]
        return [each["webSocketDebuggerUrl"] for each in ours]
