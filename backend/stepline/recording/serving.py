"""The page from the training process itself, for a machine that is reached by ssh: `SteplineCallback(serve=True)`.

The app is loaded only when it is asked for, by name, because the recorder stands below it. It serves on after the
training, until the process ends: scripts evaluate and save after it.
"""

from __future__ import annotations

import atexit
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from stepline.errors import Unavailable
from stepline.home import Home

_serving: dict[tuple[int, Path], Any] = {}


def serve(home: Home) -> str | None:
    """Serve the home's page from this process; its address, or None where that was done before.

    Raises Unavailable where the app's libraries are not installed, else what the app raises.
    """
    process = os.getpid()
    if (process, home.path) in _serving:
        return None
    try:
        app = import_module("stepline.app").App(home)
    except ImportError as error:
        raise Unavailable(
            "The page cannot be served from this process",
            why=f"{error.name} is not installed",
            action="Install it with: pip install 'stepline[app]'",
        ) from error
    app.start()
    _serving[process, home.path] = app

    def stop() -> None:
        # A forked child inherits this hook, but none of the app's threads.
        if os.getpid() == process:
            app.stop()

    atexit.register(stop)
    return str(app.url)
