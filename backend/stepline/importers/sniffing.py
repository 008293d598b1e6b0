"""What a file is, from its content. Its name is looked at nowhere here.

A file that is something else, or a stand-in for a file that was never fetched, is refused with what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from stepline.errors import ImportFailed
from stepline.importers import (
    console,
    event_file,
    json_rows,
    metric_files,
    own_export,
    parquet,
    table,
    trainer_state,
    wandb_run,
)
from stepline.importers.imported import Reading
from stepline.importers.lines import document, encoding_of, without_terminal
from stepline.importers.opening import HEAD_BYTES, check_unpacking, head_of
from stepline.importers.tfrecord import is_tfrecord

JOURNAL = "journal"

_READERS: dict[str, Callable[[Path], Reading]] = {
    trainer_state.FORMAT: trainer_state.read,
    event_file.FORMAT: event_file.read,
    wandb_run.FORMAT: wandb_run.read,
    json_rows.FORMAT: json_rows.read,
    json_rows.DOCUMENT: json_rows.read_document,
    table.FORMAT: table.read,
    metric_files.FORMAT: metric_files.read,
    parquet.FORMAT: parquet.read,
    console.FORMAT: console.read,
}
_SOMETHING_ELSE = (
    (b"PK\x03\x04", "a zip archive (so are .npz and .pt files)", "Unpack it and import what is inside"),
    (b"PK\x05\x06", "an empty zip archive", ""),
    (b"\x80\x02", "a Python pickle, which Stepline never opens, for it can run code", ""),
    (b"\x80\x03", "a Python pickle, which Stepline never opens, for it can run code", ""),
    (b"\x80\x04", "a Python pickle, which Stepline never opens, for it can run code", ""),
    (b"\x80\x05", "a Python pickle, which Stepline never opens, for it can run code", ""),
    (b"SQLite format 3", "an SQLite database", ""),
    (b"\x89PNG", "a picture", ""),
    (b"\xff\xd8\xff", "a picture", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x89HDF", "an HDF5 file", ""),
    (b"\x7fELF", "a program", ""),
    (b"version https://git-lfs", "a Git LFS pointer that stands for the file", "Run `git lfs pull` where it came from"),
    (b"/annex/objects/", "a git-annex pointer that stands for the file", "Run `git annex get` where it came from"),
    (b"BZh", "packed with bzip2", "Unpack it first; gzip and zstd are unpacked here"),
    (b"\xfd7zXZ", "packed with xz", "Unpack it first; gzip and zstd are unpacked here"),
)
_SAMPLE_LINES = 60
_BRACKETED = re.compile(r"""\[[^\]\["{]{1,80}\][\s:]*[A-Za-z\[]""")
"""A line that begins with a time or a rank in brackets, which no JSON does."""


def format_of(path: Path) -> str:
    """The format's name. Raises ImportFailed where it is none that is known, or packed too tightly to be a log."""
    check_unpacking(path)
    head = head_of(path)
    if not head.strip(b"\0 \t\r\n"):
        raise ImportFailed(
            f"{path} is empty" if not head else f"{path} holds nothing but blanks",
            why="There is no byte of a history in it",
            action="Check that it was copied whole",
        )
    for magic, what, action in _SOMETHING_ELSE:
        if head.startswith(magic):
            raise _not_one(path, f"It is {what}", action)
    if wandb_run.is_wandb(head):
        return wandb_run.FORMAT
    if is_tfrecord(head):
        return own_export.FORMAT if event_file.RUN_TAG.encode() in head else event_file.FORMAT
    if head.startswith(parquet.MAGIC):
        return own_export.FORMAT if parquet.is_export(path) else parquet.FORMAT
    encoding = encoding_of(head)
    if encoding == "utf-8" and _is_binary(head):
        raise _not_one(
            path, "It is binary, and of no format that is known: its beginning is damaged or it is no log", ""
        )
    words = document(head[: len(head) - len(head) % 4] if encoding != "utf-8" else head)
    return _text_format(path, words.lstrip("\ufeff \t\r\n\0"), whole=len(head) < HEAD_BYTES)


def reading(path: Path, format_name: str | None = None) -> Reading:
    """The source read as what it is. Raises ImportFailed."""
    return _READERS[format_name or format_of(path)](path)


def _text_format(path: Path, words: str, *, whole: bool) -> str:
    start = words[:200].casefold()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise _not_one(path, "It is a web page", "Download the file itself, not the page that shows it")
    sample = [line for each in words.splitlines() if (line := without_terminal(each)).strip()]
    if not whole and len(sample) > 1:
        sample.pop()
    if not sample:
        raise _not_one(path, "It holds nothing but what moves a terminal's cursor", "")
    sample = sample[:_SAMPLE_LINES]
    objects = [found for line in sample if (found := json_rows.parsed(line.strip().rstrip(","))) is not None]
    # A side-car has the first three too.
    if objects and objects[0].keys() >= {"stepline", "task", "run", "time"}:
        return JOURNAL
    if words[0] in "[{":
        if len(objects) * 2 >= len(sample) and (len(objects) > 1 or "log_history" not in objects[0]):
            if own_export.is_export(objects):
                return own_export.FORMAT
            if len(objects) > 1 or not _is_columns(objects[0]):
                return json_rows.FORMAT
            return json_rows.DOCUMENT
        if '"log_history"' in words or (not whole and words[0] == "{" and '"best_' in words[:2000]):
            return trainer_state.FORMAT
        if not _looks_like_log(sample):
            return json_rows.DOCUMENT
    if sample[0].startswith(own_export.CSV_HEAD):
        return own_export.FORMAT
    if metric_files.is_metric_file(sample):
        return metric_files.FORMAT
    rows = console.understood(sample)
    if table.divider_of(sample) is not None and rows * 2 < len(sample):
        return table.FORMAT
    return console.FORMAT


def _is_columns(fields: dict[str, object]) -> bool:
    return any(isinstance(value, list | dict) and len(json.dumps(value)) > 2 for value in fields.values())


def _looks_like_log(sample: list[str]) -> bool:
    """`[2024-01-01 …] {'loss': …}`, or dictionaries of Python's own spelling."""
    if _BRACKETED.match(sample[0]):
        return True
    return console.understood(sample) > 0 and not any('"' in line for line in sample[:3])


def _is_binary(head: bytes) -> bool:
    sample = head[: 1 << 13]
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x08" for byte in sample)
    return odd > len(sample) * 0.05


def _not_one(path: Path, why: str, action: str) -> ImportFailed:
    return ImportFailed(
        f"{path} is no training history",
        why=why,
        action=action or "See docs/importing.md for what can be imported",
    )
