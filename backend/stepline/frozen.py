"""The packaged app: one folder that brings its own Python. What differs in it, for whoever starts other programs.

Its starter sets LD_LIBRARY_PATH to that folder, so that Qt finds its libraries. A training that inherited it would load
this folder's libstdc++ or libssl in place of its own, and so would a browser; both are given the path as it was.
"""

from __future__ import annotations

import os
import shutil
import sys
import webbrowser
from pathlib import Path

TRY_PARQUET = "--try-parquet"
"""The packaged app's first argument where it is to try whether a file can be read, and do nothing else."""
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def folder() -> Path | None:
    """The packaged app's folder; None where Stepline runs from an ordinary installation."""
    return Path(sys.executable).resolve().parent if getattr(sys, "frozen", False) else None


def outer_environment() -> dict[str, str]:
    """The environment as it was before the packaged app's starter changed it; a copy."""
    environment = dict(os.environ)
    if folder() is None:
        return environment
    for name in LIBRARY_PATHS:
        before = environment.pop(f"{name}_ORIG", None)
        if before is None:
            environment.pop(name, None)
        else:
            environment[name] = before
    # The starter of another frozen program would take these for its own.
    return {name: value for name, value in environment.items() if not name.startswith("_PYI_")}


def open_browsers_outside() -> None:
    """Let `webbrowser` start the desktop's browser with the environment as it was. Does nothing elsewhere."""
    opener = shutil.which("xdg-open")
    if folder() is not None and sys.platform == "linux" and opener is not None:
        outer = outer_environment()
        gone = [word for name in os.environ if name not in outer for word in ("-u", name)]
        changed = [f"{name}={value}" for name, value in outer.items() if os.environ.get(name) != value]
        browser = webbrowser.BackgroundBrowser(["env", *gone, *changed, opener, "%s"])
        webbrowser.register("stepline-outside", None, browser, preferred=True)
