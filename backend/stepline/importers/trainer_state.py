"""Hugging Face `trainer_state.json`: one JSON document whose `log_history` is the training's history.

The trainer writes it with Python's json, so `NaN` and `Infinity` stand in it bare. A damaged or cut document gives the
entries that are whole. `training_args.bin` beside it is a pickle and is never opened; `config.json` and
`adapter_config.json` are read as settings by `training_folder`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers import limits
from stepline.importers.entry_columns import ENTRIES_FROM, columns_of
from stepline.importers.imported import Reading, Remarks, Row, kept
from stepline.importers.lines import document
from stepline.importers.naming import name_for
from stepline.importers.opening import Opened
from stepline.importers.values import metrics_of, number, whole

FORMAT = "trainer_state"

_HISTORY = re.compile(r'"log_history"\s*:\s*\[')
_STATE_SETTINGS = (
    "train_batch_size",
    "num_train_epochs",
    "logging_steps",
    "eval_steps",
    "save_steps",
    "trial_name",
    "trial_params",
    "best_metric",
    "best_model_checkpoint",
    "best_global_step",
)
_UNLIMITED_EPOCHS = 2**31
"""A data set without a length gives num_train_epochs = sys.maxsize, which is no number of epochs."""


def read(path: Path) -> Reading:
    """The state's history. Raises ImportFailed where the document is none or its history is empty."""
    remarks = Remarks()
    with Opened(path) as opened:
        words = document(opened.read_all(limits.DOCUMENT_BYTES))
        if opened.broken:
            remarks.leave_out("the end", opened.broken)
    try:
        state = json.loads(words)
    except (ValueError, RecursionError) as error:
        state = _salvaged(words, remarks, _place(error))
    return reading_of(state, path, remarks)


def reading_of(state: Any, path: Path, remarks: Remarks, *, columns_from: int = ENTRIES_FROM) -> Reading:
    """`state`: the parsed document, or a bare list of its entries; as columns from so many entries on."""
    if isinstance(state, list):
        state = {"log_history": state}
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise ImportFailed(
            f"{path} is no trainer_state.json",
            why='It is JSON, but has no list "log_history"',
            action="Give the file that the trainer wrote, or its folder",
        )
    entries = state["log_history"]
    columns = columns_of(entries, path.stat().st_mtime) if len(entries) >= columns_from else None
    made = kept(lambda: _rows(entries, remarks))
    if columns is None and not any(True for _ in made()):
        raise ImportFailed(
            f"{path} holds no history",
            why=f'Its "log_history" has {"no entry" if not entries else "no entry that can be read"}',
            action="A checkpoint saved before the first log has none: take a later one",
        )
    settings = {name: state[name] for name in _STATE_SETTINGS if state.get(name) is not None}
    if (number(settings.get("num_train_epochs")) or 0) > _UNLIMITED_EPOCHS:
        del settings["num_train_epochs"]
    total = whole(state.get("max_steps"))
    return Reading(
        FORMAT,
        path,
        name_for(path),
        made,
        remarks=remarks,
        settings=settings,
        total_steps=total if total is not None and total > 0 else None,
        columns=columns,
    )


def _rows(entries: list[Any], remarks: Remarks) -> Iterator[Row]:
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            remarks.leave_out(f"log_history[{index}]", "not an object")
            continue
        values, left_out = metrics_of(entry)
        if left_out:
            remarks.leave_out(f"log_history[{index}]", f"{left_out} values that are neither numbers nor short texts")
        if values:
            # The trainer's own, which counts on over its epochs: one that goes back is another run's.
            step = whole(values.get("step"))
            if step is not None:
                del values["step"]
            yield Row(values, step=step)


def _salvaged(words: str, remarks: Remarks, place: str) -> dict[str, Any]:
    """What is whole of a damaged document: its plain settings, and each entry of the history on its own."""
    found = _HISTORY.search(words)
    if not found:
        return {}
    remarks.leave_out(place, "the document is damaged or cut short; entries that are whole were taken")
    decoder = json.JSONDecoder()
    entries: list[Any] = []
    place_chars = found.end()
    while (begin := words.find("{", place_chars)) >= 0:
        if "]" in words[place_chars:begin] and entries:
            break
        try:
            entry, place_chars = decoder.raw_decode(words, begin)
        except (ValueError, RecursionError) as error:
            remarks.leave_out(_line(words, begin), f"an entry that cannot be read ({_place(error)})")
            place_chars = begin + 1
            continue
        if isinstance(entry, dict) and ("step" in entry or "epoch" in entry):
            entries.append(entry)
    state: dict[str, Any] = {"log_history": entries}
    for name in ("max_steps", "num_train_epochs", "train_batch_size", "logging_steps"):
        if matched := re.search(rf'"{name}"\s*:\s*(\d{{1,15}})\b', words):
            state[name] = int(matched[1])
    return state


def _line(words: str, place_chars: int) -> str:
    return f"line {words.count(chr(10), 0, place_chars) + 1}"


def _place(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number that is too long"
