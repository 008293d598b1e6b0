"""JSON lines (LLaMA-Factory's trainer_log.jsonl, ms-swift's logging.jsonl, plain) and small JSON documents of rows.

Python's `NaN`, `Infinity` and `-Infinity` are read as such. A line that is no JSON object is left out and told. A line
that repeats a whole log history (ms-swift's last one) tells settings and is no row, for its entries were lines before.
A document may be a list of rows, or a mapping of columns to lists (Keras's history).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers import limits, names, trainer_state
from stepline.importers.imported import Reading, Remarks, Row, Value, rows_of
from stepline.importers.lines import document, lines
from stepline.importers.naming import name_for, named_tag
from stepline.importers.opening import Opened
from stepline.importers.values import metrics_of, number

FORMAT = "json_lines"
DOCUMENT = "json"

_PLACES = frozenset(map(names.folded, (*names.STEP, *names.EPOCH)))
_PREAMBLE_LINES = 2
"""Lines at the beginning that may be of the machine and not of the training."""
_SUMMARY_SETTINGS = ("train_dataset", "val_dataset", "model_parameter_info", "best_model_checkpoint", "best_metric")


def read(path: Path) -> Reading:
    """The rows of a file of JSON lines."""
    remarks = Remarks()
    settings: dict[str, Any] = {}
    return Reading(
        FORMAT,
        path,
        name_for(path),
        lambda: rows_of(LinesParser(remarks, settings), Opened(path)),
        remarks=remarks,
        settings=settings,
        files=(path,),
    )


def read_document(path: Path) -> Reading:
    """The rows of one JSON document. Raises ImportFailed where it holds none."""
    remarks = Remarks()
    with Opened(path) as opened:
        words = document(opened.read_all(limits.DOCUMENT_BYTES))
    try:
        found = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise ImportFailed(
            f"{path} is damaged JSON",
            why=f"{error}" if isinstance(error, ValueError) else "It is nested too deeply",
            action="Give the file as its tool wrote it",
        ) from error
    if isinstance(found, dict) and isinstance(found.get("log_history"), list):
        return trainer_state.reading_of(found, path, remarks)
    for inner in ("history", "logs", "metrics", "data", "rows", "log"):
        if isinstance(found, dict) and isinstance(found.get(inner), dict | list) and found[inner]:
            found = found[inner]
            break
    rows = list(_document_rows(found, path, remarks))
    if not rows:
        raise ImportFailed(
            f"{path} holds no training history",
            why="It is JSON, but neither a list of rows nor a mapping of columns to lists of numbers",
            action="See docs/importing.md for what can be imported",
        )
    return Reading(DOCUMENT, path, name_for(path), lambda: iter(rows), remarks=remarks)


def parsed(words: str) -> dict[str, Any] | None:
    """One line's object, or None where it is none."""
    try:
        fields = json.loads(words)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _is_row(values: dict[str, Value]) -> bool:
    """Whether a line has a place or a loss: mmdetection's first line has the seed and the machine instead."""
    folds = {names.folded(name) for name in values}
    return not folds.isdisjoint(_PLACES) or any(map(names.is_loss, values))


class LinesParser:
    """Of JSON lines."""

    total_steps = None
    form = ""

    def __init__(self, remarks: Remarks, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._remarks = remarks
        self._line = 0
        self._begun = False
        self._trained: tuple[float, float] | None = None

    def feed(self, opened: Opened) -> Iterator[Row]:
        for place, words in lines(opened, self._remarks, self._line + 1):
            self._line = place
            fields = parsed(words.strip().rstrip(","))
            if fields is None:
                if words.strip() not in {"[", "]", "],"}:
                    self._remarks.leave_out(f"line {place}", "not a whole JSON object")
                continue
            if isinstance(fields.get("log_history"), list):
                told = {name: fields[name] for name in _SUMMARY_SETTINGS if fields.get(name) is not None}
                self.settings.update(told)
                continue
            values, left_out = metrics_of(fields)
            if left_out:
                self._remarks.leave_out(f"line {place}", f"{left_out} values that are neither numbers nor short texts")
            self._begun = self._begun or place > _PREAMBLE_LINES or _is_row(values)
            if self._begun and any(value.__class__ is float for value in values.values()):
                yield self._placed(values)
            else:
                self.settings.update(values)

    def _placed(self, values: dict[str, Value]) -> Row:
        """mmengine counts an evaluation's `step` in epochs where it trains by them, and a training row's in batches,
        which `iter` says again: the evaluation stands at the step that was trained before it."""
        step, batches, epoch = values.get("step"), values.get("iter"), values.get("epoch")
        if isinstance(step, float) and step == batches:
            self._trained = (step, epoch if isinstance(epoch, float) else step)
        elif self._trained is not None and batches is None and epoch is None and step in self._trained:
            trained, epochs = self._trained
            place = {"epoch": epochs} if epochs != trained else {}
            return Row({**values, "step": trained, **place}, kind="evaluation")
        return Row(values)

    def rest(self) -> Iterator[Row]:
        return iter(())


def _document_rows(found: Any, path: Path, remarks: Remarks) -> Iterator[Row]:
    if isinstance(found, list) and found and all(map(_is_point, found)):
        # TensorBoard's download of a series, and a bare list of losses.
        tag = named_tag(path) or "loss"
        for each in found:
            yield Row(
                {"wall_time": float(each[0]), "step": float(each[1]), tag: float(each[2])}
                if isinstance(each, list)
                else {"loss": float(each)}
            )
        return
    if isinstance(found, list):
        for index, fields in enumerate(found):
            if isinstance(fields, dict):
                values, _ = metrics_of(fields)
                if values:
                    yield Row(values)
            else:
                remarks.leave_out(f"entry {index}", "not an object")
        return
    if not isinstance(found, dict):
        return
    columns = {name: _column(column) for name, column in found.items()}
    columns = {name: column for name, column in columns.items() if column}
    if not columns:
        return
    if any("epoch" in name or "step" in name for name in columns):
        numbered: dict[str, Any] = {}
    else:
        numbered = {"epoch": True}
    for index in range(max(map(len, columns.values()))):
        fields = {name: column[index] for name, column in columns.items() if index < len(column)}
        values, _ = metrics_of(fields)
        if values:
            if numbered:
                values["epoch"] = float(index)
            yield Row(values)


def _is_point(each: Any) -> bool:
    if isinstance(each, list):
        return len(each) == 3 and all(isinstance(part, int | float) for part in each) and each[0] > 1e8
    return isinstance(each, int | float) and not isinstance(each, bool)


def _column(column: Any) -> list[Any]:
    """A list of numbers; pandas writes a column as `{"0": 1.5, "1": 1.4}`."""
    if isinstance(column, dict) and column and all(str(place).isdigit() for place in column):
        column = [column[place] for place in sorted(column, key=int)]
    if isinstance(column, list) and any(number(value) is not None for value in column):
        return column
    return []
