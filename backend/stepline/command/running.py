"""`stepline run -- COMMAND…`: a training script, unchanged, recorded."""

from __future__ import annotations

from pathlib import Path

from stepline.command.homes import open_home, say
from stepline.launcher import launch


def run(path: Path | None, task: str | None, command: tuple[str, ...]) -> int:
    """The exit code that a shell gives `command`: its own, or 128 and the signal's number."""
    ending = launch(command, open_home(path), task=task)
    if ending.status == "failed":
        say(f"stepline: {ending.text}")
    return ending.returncode if ending.returncode >= 0 else 128 - ending.returncode
