"""Which task a run belongs to: by a key its user gave, by a side-car in its output folder, or by that folder's path.

The side-car `stepline.json` lies in the output folder and in each checkpoint. It ties them to their task, so that a
folder that was renamed or copied elsewhere goes on as the same task. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from dataclasses import dataclass
from typing import Any

from stepline.recording.plain import text

SIDE_CAR = "stepline.json"
NAME_LIMIT = 200
"""Characters of a task's name. The key, which tells tasks apart, is hashed whole."""


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """`id` is what tells tasks apart, `name` what people read, `key` what named the task."""

    id: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class SideCar:
    """What lies beside a training's files: its task, and the run (and step) that wrote it."""

    task_id: str
    run_id: str | None
    step: int | None


def task_of_key(key: object, name: str | None = None) -> TaskIdentity:
    """The task that `key` names. `name`: the label, by default the key."""
    words = _words(key)
    return TaskIdentity(_hashed(f"key:{words}"), task_name(name or words), text(words))


def task_of_folder(folder: str | os.PathLike[str], name: str | None = None) -> TaskIdentity:
    """The task that trains into `folder`: its side-car's, else one named by the folder's real path on this host."""
    path = os.path.realpath(folder)
    side_car = read_side_car(path)
    task_id = side_car.task_id if side_car else _hashed(f"path:{socket.gethostname()}:{path}")
    return TaskIdentity(task_id, task_name(name or os.path.basename(path) or path), text(path))


def task_name(words: str) -> str:
    """`words` as a label: one line, not empty, at most 200 characters."""
    name = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", _words(words)).split())
    return text(name, NAME_LIMIT) or "untitled"


def read_side_car(folder: str | os.PathLike[str]) -> SideCar | None:
    """The side-car in `folder`; None where there is none, or none that can be read."""
    try:
        with open(os.path.join(folder, SIDE_CAR), encoding="utf-8") as file:
            fields = json.load(file)
        task_id, run_id, step = fields["task"]["id"], fields.get("run"), fields.get("step")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(task_id, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", task_id):
        return None
    return SideCar(task_id, run_id if isinstance(run_id, str) else None, step if isinstance(step, int) else None)


def write_side_car(folder: str | os.PathLike[str], task: TaskIdentity, run_id: str, step: int | None = None) -> None:
    """Leave the side-car in `folder`, whole at every moment. Raises OSError."""
    fields: dict[str, Any] = {
        "stepline": "1.0",
        "task": {"id": task.id, "name": task.name, "key": task.key},
        "run": run_id,
    }
    if step is not None:
        fields["step"] = step
    path = os.path.join(folder, SIDE_CAR)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(fields, file, ensure_ascii=False)
        file.write("\n")
    os.replace(draft, path)


def _words(value: object) -> str:
    return str(value).encode(errors="replace").decode()


def _hashed(words: str) -> str:
    return "t" + hashlib.sha256(words.encode()).hexdigest()[:15]
