"""Folders: what is one task, what are several, and what lies there that is none."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from stepline.errors import ImportFailed
from stepline.importers import gathered
from stepline.importers.imported import ImportedTask
from tests.import_files import event_file, field, log_history, tfrecord, trainer_state


def only(path: Path) -> ImportedTask:
    (task,) = gathered(path).tasks
    return task


def steps(task: ImportedTask) -> list[list[int | None]]:
    return [[record.step for record in run.records() if "loss" in record.metrics] for run in task.runs]


def test_an_output_folder_counts_each_entry_once(tmp_path):
    out = tmp_path / "out"
    history = log_history(range(10, 101, 10), closing=True)
    trainer_state(out / "trainer_state.json", history)
    for step in (50, 100):
        folder = out / f"checkpoint-{step}"
        trainer_state(folder / "trainer_state.json", history[: step // 10])
        (folder / "model.safetensors").write_bytes(bytes(1000))
        (folder / "training_args.bin").write_bytes(b"\x80\x04 never opened")
    (out / "config.json").write_text(json.dumps({"hidden_size": 64, "id2label": {"0": "a"}}))
    (out / "adapter_config.json").write_text(json.dumps({"r": 8}))
    task = only(out)
    assert task.name == "out"
    assert steps(task) == [list(range(10, 101, 10))]
    settings = task.runs[0].settings
    assert (settings["model.hidden_size"], settings["peft.r"]) == (64, 8)
    marks = [record for _, record in task.records() if record.kind == "checkpoint"]
    assert [record.step for record in marks] == [50, 100]
    assert marks[0].details["path"] == str(out / "checkpoint-50")
    assert marks[0].details["bytes"] > 1000
    kinds = [record.kind for _, record in task.records()]
    assert kinds[5] == "checkpoint"
    assert kinds[-1] == "train_end"


def test_a_superseded_tail_is_a_run_of_its_own(tmp_path):
    shared = log_history(range(10, 31, 10))
    trainer_state(tmp_path / "checkpoint-50" / "trainer_state.json", shared + log_history([40, 50], shift=1.0))
    trainer_state(tmp_path / "checkpoint-60" / "trainer_state.json", shared + log_history([40, 50, 60]))
    task = only(tmp_path)
    assert steps(task) == [[40, 50], [10, 20, 30, 40, 50, 60]]
    assert [run.superseded for run in task.runs] == [True, False]


def test_the_newer_of_two_states_leads_though_it_is_shorter(tmp_path):
    old = trainer_state(tmp_path / "checkpoint-50" / "trainer_state.json", log_history(range(10, 51, 10), shift=3.0))
    new = trainer_state(tmp_path / "checkpoint-20" / "trainer_state.json", log_history([10, 20]))
    os.utime(old, (1.7e9, 1.7e9))
    os.utime(new, (1.7e9 + 3600, 1.7e9 + 3600))
    assert steps(only(tmp_path)) == [[10, 20, 30, 40, 50], [10, 20]]


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
def test_a_link_that_leads_to_itself_or_nowhere_stops_nothing(tmp_path):
    trainer_state(tmp_path / "trainer_state.json", log_history([10, 20, 30]))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("not there")
    (tmp_path / "up").symlink_to(tmp_path)
    assert steps(only(tmp_path)) == [[10, 20, 30]]


def test_a_folder_trained_into_again_is_two_runs_and_their_checkpoints_theirs(tmp_path):
    """The first losses of both differ by 4e-4, less than a rounded log's would."""
    for last in (20, 30, 40):
        history = log_history(range(10, last + 1, 10))
        old = trainer_state(tmp_path / f"checkpoint-{last}" / "trainer_state.json", history, max_steps=40)
        os.utime(old, (1.7e9 + last, 1.7e9 + last))
    again = log_history([10])
    again[0]["loss"] *= 1.0004
    new = trainer_state(tmp_path / "checkpoint-10" / "trainer_state.json", again, max_steps=10)
    os.utime(new, (1.7e9 + 3600, 1.7e9 + 3600))
    task = only(tmp_path)
    assert steps(task) == [[10, 20, 30, 40], [10]]
    assert [(run.last_step, run.total_steps) for run in task.runs] == [(40, 40), (10, 10)]
    marks = [[record.step for record in run.records() if record.kind == "checkpoint"] for run in task.runs]
    assert marks == [[20, 30, 40], [10]]


def test_what_went_on_from_another_loss_does_not_go_on_from_the_newest(tmp_path):
    """Trained to 50, resumed at 20 with other settings, stopped at 40."""
    shared = log_history([10, 20])
    old = trainer_state(
        tmp_path / "checkpoint-50" / "trainer_state.json", shared + log_history([30, 40, 50], shift=1.0)
    )
    new = trainer_state(tmp_path / "checkpoint-40" / "trainer_state.json", shared + log_history([30, 40]))
    os.utime(old, (1.7e9, 1.7e9))
    os.utime(new, (1.7e9 + 3600, 1.7e9 + 3600))
    task = only(tmp_path)
    assert steps(task) == [[30, 40, 50], [10, 20, 30, 40]]
    assert [run.last_step for run in task.runs][1] == 40


def test_state_log_and_events_of_one_directory_are_one_task(tmp_path):
    history = log_history(range(10, 51, 10))
    trainer_state(tmp_path / "trainer_state.json", history, max_steps=80)
    lines = [
        {"current_steps": row["step"], "total_steps": 80, "loss": round(row["loss"], 4), "elapsed_time": "0:00:10"}
        for row in log_history(range(10, 81, 10))
    ]
    (tmp_path / "trainer_log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    scalars = [(row["step"], "train/loss", row["loss"]) for row in history]
    event_file(tmp_path / "runs" / "Jan01" / "events.out.tfevents.1700000000.host.1.0", scalars)
    task = only(tmp_path)
    assert steps(task) == [list(range(10, 81, 10))]
    assert task.has_times
    assert [record.time for _, record in task.records()][:2] == [1_700_000_010.0, 1_700_000_020.0]
    assert task.runs[0].status == "completed"


def test_several_tasks_in_one_folder_are_several(tmp_path):
    for name, shift in (("a", 0.0), ("b", 2.0)):
        trainer_state(tmp_path / name / "trainer_state.json", log_history([10, 20, 30], shift=shift))
        trainer_state(tmp_path / f"{name}.json", log_history([10, 20, 30], shift=shift + 7))
    assert sorted(task.name for task in gathered(tmp_path).tasks) == ["a", "a", "b", "b"]


def test_data_and_configurations_are_no_histories(tmp_path):
    trainer_state(tmp_path / "trainer_state.json", log_history([10, 20, 30]))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 1}}}))
    (tmp_path / "all_results.json").write_text(json.dumps({"epoch": 1.0, "train_accuracy": 0.5}))
    (tmp_path / "train.jsonl").write_text("\n".join(json.dumps({"text": "hi", "label": n}) for n in range(50)))
    (tmp_path / "prices.csv").write_text("day,price\n1,2.5\n2,2.75\n3,2.5\n")
    (tmp_path / "README.md").write_text("# loss: 0.5\n\nstep 1: loss 0.5\n")
    (tmp_path / "train.py").write_text("print(f'step {step}: loss {loss}')\n")
    assert len(gathered(tmp_path).tasks) == 1


def test_links_that_lead_out_are_not_followed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    trainer_state(outside / "trainer_state.json", log_history([10, 20, 30]))
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "trainer_state.json").symlink_to(outside / "trainer_state.json")
    (inside / "loop").symlink_to(inside)
    with pytest.raises(ImportFailed):
        gathered(inside)


def test_a_damaged_state_beside_a_good_one_is_told(tmp_path):
    trainer_state(tmp_path / "good" / "trainer_state.json", log_history([10, 20, 30]))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "trainer_state.json").write_text("{}")
    found = gathered(tmp_path)
    assert len(found.tasks) == 1
    assert Counter(type(error).__name__ for error in found.refused) == {"ImportFailed": 1}


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "empty"])
def test_nothing_there(tmp_path, make):
    make(tmp_path / "it")
    with pytest.raises(ImportFailed, match="it"):
        gathered(tmp_path / "it")


def test_what_was_said_of_hyperparameters_is_no_training_of_its_own(tmp_path):
    content = field(3, field(1, field(1, "lr") + field(2, field(2, 0.5))))
    said = field(1, "_hparams_") + field(9, field(1, field(1, "hparams") + field(2, content)))
    run = tmp_path / "run"
    event_file(run / "events.out.tfevents.1700000000.h", [(step, "loss", 1 / step) for step in range(1, 9)])
    event_file(
        run / "1700000009.5" / "events.out.tfevents.1700000009.h", [(0, "hparam/accuracy", 0.75)],
        extra=tfrecord(field(1, 1_700_000_000.0) + field(5, field(1, said))),
    )  # fmt: skip
    (task,) = gathered(tmp_path).tasks
    assert task.runs[0].settings == {"lr": 0.5, "hparam/accuracy": 0.75}


def test_where_nothing_tells_times_checkpoints_make_no_duration(tmp_path):
    for last in (10, 20):
        state = trainer_state(tmp_path / f"checkpoint-{last}" / "trainer_state.json", log_history(range(1, last + 1)))
        os.utime(state, (1_700_000_000 + last, 1_700_000_000 + last))
        (state.parent / "model.safetensors").write_bytes(b"0")
    (task,) = gathered(tmp_path).tasks
    assert {record.time for record in task.runs[0].records()} == {1_700_000_020.0}
    assert [record.step for record in task.runs[0].records() if record.kind == "checkpoint"] == [10, 20]
