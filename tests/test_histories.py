"""Real histories of other tools, where they lie beside the checkout: all import, with the counts their list gives."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stepline.diagnosis import Diagnosis
from stepline.importers import gathered, import_paths, names
from stepline.importers.imported import ImportedTask
from stepline.store import Store

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "histories"
pytestmark = pytest.mark.skipif(not (FOLDER / "ORIGIN.md").is_file(), reason=f"no histories at {FOLDER}")


def listed() -> list[tuple[str, int, int, str, int, list[str]]]:
    """(file, entries, losses, their column, times the step goes back, columns) of each line of the list."""
    if not (FOLDER / "ORIGIN.md").is_file():
        return []
    lines = []
    for line in (FOLDER / "ORIGIN.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 9 or not cells[3].isdigit():
            continue
        count, _, column = cells[5].partition(" ")
        losses = 0 if count == "none" else int(count)
        lines.append(
            (cells[0], int(cells[4]), losses, column.strip("`"), int(cells[6]), re.findall("`([^`]+)`", cells[7]))
        )
    return lines


def task_of(name: str) -> ImportedTask:
    (task,) = gathered(FOLDER / name).tasks
    return task


# Files of nothing but settings or evaluations belong to the file beside them.
WITH_LOSS = [each for each in listed() if each[2]]


BESIDE = {"buildnanogpt-small.txt": 78, "swift-deepclima.jsonl": -1}
"""Lines that the list does not count (`hella`), or that are no entry (the one that repeats the whole history)."""


@pytest.mark.parametrize(
    ("name", "entries", "losses", "column", "back", "columns"), WITH_LOSS, ids=lambda value: str(value)[:40]
)
def test_counts_are_those_of_the_list(name, entries, losses, column, back, columns):
    task = task_of(name)
    records = [record for _, record in task.records()]
    steps = [record.step for record in records if "loss" in record.metrics]
    assert len(steps) == losses
    assert sum(later < earlier for earlier, later in pairwise(steps)) == back
    assert task.left_out_count == 0
    if task.format != "tensorboard":
        # Of an event file the scalars are counted, and several of them are one record.
        assert sum(record.kind != "checkpoint" for record in records) == entries + BESIDE.get(name, 0)
    if task.format != "text_log":
        assert task.names.get("loss", "loss") == column
    values = Counter(metric for record in records for metric in record.metrics)
    # Every number of a place column is in the record's own fields, so what is left are the metrics.
    places = {*names.STEP, *names.EPOCH, *names.TOTAL, *names.CLOCK, *names.ELAPSED, *names.DROPPED}
    own = {task.names.get(metric, metric).removeprefix("train/") for metric in values}
    wanted = {each for each in columns if each not in places and each not in ("train/epoch", "best_metric", "memory")}
    if task.format != "text_log":
        assert {each.removeprefix("train/") for each in wanted} <= own


def test_non_finite_numbers_are_kept():
    text = (FOLDER / "hf-hrchatbot-inf-gradnorm.json").read_text()
    task = task_of("hf-hrchatbot-inf-gradnorm.json")
    values = [value for _, record in task.records() for value in record.metrics.values() if isinstance(value, float)]
    assert sum(not np.isfinite(value) for value in values) == len(re.findall(r"\b(?:NaN|Infinity)\b", text)) == 1


def test_the_folder_of_event_files_is_one_task_with_its_evaluation():
    task = task_of("tbdir-lain")
    found = Counter(metric for _, record in task.records() for metric in record.metrics)
    assert (found["loss"], found["eval_loss"], found["train_loss"]) == (6, 1, 1)


def test_an_output_folder_counts_each_entry_once_and_knows_its_checkpoints():
    task = task_of("hfdir-chatglm2-prefix")
    (run,) = task.runs
    kinds = Counter(record.kind for record in run.records())
    assert kinds == {"step": 300, "checkpoint": 3, "train_end": 1}


def test_all_of_them_go_into_the_store_and_add_nothing_the_second_time(tmp_path):
    store = Store.open(tmp_path / "stepline.db", writable=True)
    first = import_paths(store, [FOLDER])
    assert {result.state for result in first} == {"imported"}
    counts = {result.path.name: len(store.columns(str(result.task_id), "loss")) for result in first if result.task_id}
    for name, _, losses, *_ in WITH_LOSS:
        if "/" not in name:
            assert counts[name] == losses, name
    tasks = store.tasks()
    diagnosis = Diagnosis(store)
    found = {(task.name, finding["rule"]) for task in tasks for finding in diagnosis.findings(task.id)}
    # Its evaluation loss does rise by a third while its training loss falls to a hundredth; nothing is found in others.
    assert {each for each in found if each[1] != "masked_nan"} == {("hf-whisper-ja-5k", "overfitting")}
    assert {result.state for result in import_paths(store, [FOLDER])} == {"unchanged"}
    assert store.tasks() == tasks
    store.close()
