"""`stepline run -- COMMAND…`: a training script, unchanged, recorded."""

from __future__ import annotations

from pathlib import Path

from stepline.command.homes import open_home, say
from stepline.launcher import launch

NOTHING_RECORDED = (
    "stepline: The command ended well, and nothing was recorded in {home}. No transformers Trainer trained in it, or "
    "its Python ignores PYTHONPATH. Record a loop of your own with stepline.record, or take in the figures that it "
    "printed: stepline import LOG"
)


def run(path: Path | None, task: str | None, command: tuple[str, ...]) -> int:
    """The exit code that a shell gives `command`: its own, or 128 and the signal's number."""
    home = open_home(path)
    ending = launch(command, home, task=task)
    if ending.status == "failed":
        say(f"stepline: {ending.text}")
    elif ending.status == "completed" and not ending.has_run:
        say(NOTHING_RECORDED.format(home=home.path))
    return ending.returncode if ending.returncode >= 0 else 128 - ending.returncode
