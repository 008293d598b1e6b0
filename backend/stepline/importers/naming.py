"""What an imported task is called: its own name, or the folder's where the file bears its tool's usual name."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

_USUAL = re.compile(
    r"(trainer_state|trainer_log|training_log|training_logs|train_log|log|logs|logging|metrics|results|history|main|record"
    r"|output|stdout|stderr|train|training|console|debug|log_history|all_results|progress|wandb-history"
    r"|events\.out\.tfevents\..*)(\.(json|jsonl|csv|tsv|txt|log|out|err|v2|gz|zst))*",
    re.IGNORECASE,
)
_EMPTY_FOLDERS = re.compile(
    r"(checkpoint-\d+|logs?|runs|outputs?|files|tensorboard|lightning_logs|train|wandb)", re.IGNORECASE
)
_TAG = re.compile(r"tag[-_](?P<tag>.+?)(\.(csv|json).*)?$", re.IGNORECASE)
_VERSION = re.compile(r"(version_\d+|v\d+|run_?\d+|exp\d*|seed_?\d+)", re.IGNORECASE)
_PACKED = re.compile(r"(\.(jsonl?|csv|tsv|txt|log|out|tfevents|wandb|v2|gz|zst|zstd))+$", re.IGNORECASE)


def name_for(path: Path) -> str:
    """A name for people; two alike are told apart by whoever lists them."""
    path = Path(path.absolute())
    if path.is_dir():
        return folder_name(path)
    if _USUAL.fullmatch(path.name):
        return folder_name(path.parent)
    return unpacked_name(path)


def says_nothing(name: str) -> bool:
    """Whether every training of its tool has a file or folder of that name."""
    return _USUAL.fullmatch(name) is not None or _EMPTY_FOLDERS.fullmatch(name) is not None


def named_tag(path: Path) -> str | None:
    """The tag in the name that TensorBoard gives a series it lets one download: `run-x-tag-train_loss.csv`."""
    found = _TAG.search(path.name)
    return found["tag"] if found else None


def unpacked_name(path: Path) -> str:
    """The file's name without what says its form."""
    return _PACKED.sub("", path.name) or path.name


def folder_name(folder: PurePath) -> str:
    """The folder's name, with its parent's where it says only `version_0` or `checkpoint-500`."""
    parts: list[str] = []
    for each in (folder, *folder.parents):
        if not each.name:
            break
        if _EMPTY_FOLDERS.fullmatch(each.name):
            continue
        parts.insert(0, each.name)
        if not _VERSION.fullmatch(each.name):
            break
    return "/".join(parts) or folder.name or "imported"
