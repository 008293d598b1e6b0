"""What a person changed in the settings between two runs of a task: what stands on the line where the second begins.

A trainer's settings hold a hundred names, and some differ at every start without anybody having changed them: dates,
folders named by a date, the name of the run, versions of a process. Those would bury "learning_rate 2e-4 → 1e-4".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from stepline.wire import SettingChange

TEXT_LIMIT = 200

NOISE = frozenset(
    (
        "run_name",
        "run_id",
        "logging_dir",
        "output_dir",
        "overwrite_output_dir",
        "resume_from_checkpoint",
        "local_rank",
        "process_index",
        "pid",
        "host",
        "hostname",
        "date",
        "time",
        "timestamp",
        "started",
        "start_time",
        "created",
        "cache_dir",
        "hub_model_id",
        "transformers_version",
        "_name_or_path",
        "_commit_hash",
    )
)
"""Last parts of names that differ without meaning: where a run writes, when it began, by what it is called."""

_DATE = re.compile(r"(19|20)\d\d[-_/]?(0[1-9]|1[0-2])[-_/]?([0-2]\d|3[01])|[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d")


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    """What differs, by name; None where a setting is not there. Values are texts, at most TEXT_LIMIT characters."""
    # Nearly all are the same at each start: only what differs is made into text (1 ms a pair of runs else).
    differing = [name for name in before.keys() | after.keys() if not _same(before, after, name)]
    old = dict(_flat({name: before[name] for name in differing if name in before}))
    new = dict(_flat({name: after[name] for name in differing if name in after}))
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was != now and not _is_noise(name, was, now):
            changes.append(SettingChange(name=name, before=was, after=now))
    return changes


def find_setting(settings: Mapping[str, Any], name: str) -> Any:
    """The value of `name`, or of the first dotted name that ends with it; None where there is none."""
    if name in settings:
        return settings[name]
    ending = "." + name
    return next((value for key, value in settings.items() if key.endswith(ending)), None)


def positive_number(settings: Mapping[str, Any], name: str) -> float | None:
    value = find_setting(settings, name)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    return None


def _same(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    return name in before and name in after and bool(before[name] == after[name])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(dotted name, text) of every setting that has a value. Journals are flat already; other writers may nest."""
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif value is not None:
            found.append((f"{prefix}{name}", _text(value)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        # 3 and 3.0 are one value: JSON writers disagree on which to write.
        text = str(int(value))
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _is_noise(name: str, before: str | None, after: str | None) -> bool:
    if name.rpartition(".")[2] in NOISE:
        return True
    # "runs/Nov23_19-02-11_box" and "out/2026-11-23" differ by their date alone.
    if before is None or after is None or not (_DATE.search(before) or _DATE.search(after)):
        return False
    return _undated(before) == _undated(after)


def _undated(text: str) -> str:
    return re.sub(r"\d+", "", _DATE.sub("", text))
