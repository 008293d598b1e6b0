"""What a task is called: its label, else its given name, else the last part of its path.

Where two tasks read alike and a path names them, more of the path is shown: "qwen/run1" and "llama/run1".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True)
class Named:
    id: str
    name: str
    key: str | None
    label: str | None


def path_parts(key: str | None) -> list[str]:
    """The parts of a key that is an absolute path of either kind of system; empty for any other key."""
    if not key:
        return []
    if _WINDOWS.match(key):
        return [part for part in re.split(r"[\\/]+", key) if part]
    return [part for part in key.split("/") if part] if key.startswith("/") else []


def display_names(tasks: Iterable[Named]) -> dict[str, str]:
    """Task id → name on screen."""
    shown: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for task in tasks:
        path = path_parts(task.key)
        if task.label:
            shown[task.id] = task.label
        elif path and task.name in (task.key, path[-1], task.id, ""):
            parts[task.id] = path
            shown[task.id] = path[-1]
        else:
            shown[task.id] = task.name or task.key or task.id
    depth = 1
    alike = [task_id for task_id in _alike(shown) if task_id in parts]
    while alike:
        depth += 1
        for task_id in alike:
            shown[task_id] = "/".join(parts[task_id][-depth:])
        alike = [task_id for task_id in _alike(shown) if len(parts.get(task_id, ())) > depth]
    return shown


def _alike(shown: dict[str, str]) -> list[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for task_id, name in shown.items():
        groups[name].append(task_id)
    return [task_id for group in groups.values() if len(group) > 1 for task_id in group]
