"""What lies in a trainer's output folder beside the history: its checkpoints, and the model's configuration.

Only JSON is read. `training_args.bin` is a pickle, which can run code when it is opened, and never is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stepline.recording.journal import Record
from stepline.recording.plain import flat_settings

_CONFIGURATIONS = (("config.json", "model."), ("adapter_config.json", "peft."))
_SETTINGS_BYTES = 4 << 20
_LEFT_OUT = frozenset({"id2label", "label2id", "task_specific_params", "vocab"})


def folder_settings(folder: Path) -> dict[str, Any]:
    """The model's and the adapter's configuration as flat settings, under the names that the recorder gives them."""
    settings: dict[str, Any] = {}
    for name, prefix in _CONFIGURATIONS:
        path = folder / name
        try:
            if path.stat().st_size > _SETTINGS_BYTES:
                continue
            found = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            kept = {key: value for key, value in found.items() if key not in _LEFT_OUT}
            settings.update(flat_settings(kept, prefix))
    return settings


def checkpoint_marks(folders: list[Path]) -> list[Record]:
    """A checkpoint record for each `checkpoint-N`: its place, and the bytes of all its files."""
    marks = []
    for folder in folders:
        matched = re.fullmatch(r"checkpoint-(\d{1,12})", folder.name)
        if not matched:
            continue
        try:
            files = [path for path in folder.rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files)
            time = max(path.stat().st_mtime for path in files)
        except (OSError, ValueError):
            continue
        marks.append(
            Record("checkpoint", time, int(matched[1]), details={"path": str(folder.absolute()), "bytes": size})
        )
    return marks
