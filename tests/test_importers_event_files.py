"""TensorBoard event files: both forms, damage, restarts, folders."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from stepline.errors import ImportFailed
from stepline.importers import gathered
from stepline.importers.imported import ImportedTask
from tests.import_files import event, event_file, field, simple, tensor, text_summary, tfrecord

NAME = "events.out.tfevents.1700000000.host.1.0"


def only(path: Path) -> ImportedTask:
    (task,) = gathered(path).tasks
    return task


def rows(task: ImportedTask) -> list[tuple[int | None, dict]]:
    return [(record.step, record.metrics) for _, record in task.records()]


@pytest.mark.parametrize("form", ["simple", "tensor", "content"])
def test_every_point_of_each_form(tmp_path, form):
    scalars = [(step, tag, step + 0.5) for step in range(1, 101) for tag in ("train/loss", "train/lr")]
    task = only(event_file(tmp_path / NAME, scalars, form=form))
    assert task.names == {"loss": "train/loss"}
    assert rows(task) == [(step, {"loss": step + 0.5, "train/lr": step + 0.5}) for step in range(1, 101)]
    assert [record.time for _, record in task.records()][:2] == [1_700_000_001.0, 1_700_000_002.0]


def test_non_finite_and_negative_steps(tmp_path):
    path = event_file(tmp_path / NAME, [(-1, "loss", math.nan), (0, "loss", math.inf), (1, "loss", -0.0)])
    values = [(step, metrics["loss"]) for step, metrics in rows(only(path))]
    assert math.isnan(values[0][1])
    assert values[0][0] == -1
    assert values[1:] == [(0, math.inf), (1, 0.0)]


def test_evaluations_and_the_closing_row_are_records_of_their_own(tmp_path):
    scalars = [(10, "train/loss", 1.0), (10, "train/epoch", 1.0), (10, "eval/loss", 2.0), (10, "train/epoch", 1.0)]
    scalars += [(10, "train/train_runtime", 5.0), (10, "train/train_loss", 3.0), (10, "train/epoch", 1.0)]
    task = only(event_file(tmp_path / NAME, scalars))
    found = [(record.kind, record.epoch, record.metrics) for _, record in task.records()]
    assert found == [
        ("step", 1.0, {"loss": 1.0}),
        ("evaluation", 1.0, {"eval_loss": 2.0}),
        ("train_end", 1.0, {"train_runtime": 5.0, "train_loss": 3.0}),
    ]


def test_settings_of_the_trainer_and_what_is_no_scalar(tmp_path):
    extra = tfrecord(field(5, field(1, text_summary("args/text_summary", '{"seed": 7, "max_steps": 4}'))))
    extra += tfrecord(field(5, field(1, field(1, "weights") + field(5, b"histogram"))))
    task = only(event_file(tmp_path / NAME, [(1, "train/loss", 1.0), (2, "train/loss", 0.5)], extra=extra))
    assert task.runs[0].settings["seed"] == 7
    assert any("1 histograms" in sentence for sentence in task.told)


def test_damaged_data_costs_its_record_and_a_damaged_length_what_follows_until_the_next(tmp_path):
    events = [event(step, [simple("loss", step)]) for step in range(1, 41)]
    data = bytearray(b"".join(events))
    at_10 = sum(map(len, events[:9]))
    data[at_10 + 20] ^= 1
    at_20 = sum(map(len, events[:19]))
    data[at_20] ^= 1
    (tmp_path / "log").write_bytes(data)
    task = only(tmp_path / "log")
    assert [step for step, _ in rows(task)] == [step for step in range(1, 41) if step not in (10, 20)]
    assert [remark.place for remark in task.left_out] == [f"byte {at_10 + 12}", f"byte {at_20}"]


def test_a_cut_file_gives_what_is_whole(tmp_path):
    path = event_file(tmp_path / NAME, [(step, "loss", 1.0) for step in range(1, 11)])
    path.write_bytes(path.read_bytes()[:-5])
    task = only(path)
    assert [step for step, _ in rows(task)] == list(range(1, 10))
    assert "ends early" in task.left_out[0].reason


def test_the_checksum_is_checked_in_long_runs_of_like_records_too(tmp_path):
    events = [event(step, [tensor("loss", step)]) for step in range(1, 101)]
    data = bytearray(b"".join(events))
    data[sum(map(len, events[:49])) + 30] ^= 0x40
    (tmp_path / "log").write_bytes(data)
    assert [step for step, _ in rows(only(tmp_path / "log"))] == [step for step in range(1, 101) if step != 50]


def test_a_restart_in_the_same_directory_is_a_run(tmp_path):
    folder = tmp_path / "exp"
    event_file(folder / "events.out.tfevents.1700000000.host.1.0", [(s, "loss", 1.0) for s in range(1, 31)])
    event_file(folder / "events.out.tfevents.1700009000.host.2.0", [(s, "loss", 2.0) for s in range(21, 41)])
    event_file(folder / "events.out.tfevents.1700009900.host.2.1", [(40, "eval/loss", 2.0)])
    task = only(folder)
    assert [(run.last_step, run.status) for run in task.runs] == [(30, "stopped"), (40, "completed")]
    assert rows(task)[-1] == (40, {"eval_loss": 2.0})


def test_a_log_directory_with_many_is_a_task_each(tmp_path):
    for name in ("a", "b"):
        event_file(tmp_path / name / NAME, [(1, "loss", 1.0), (2, "loss", 0.5)])
    event_file(tmp_path / "a" / "1700000000.5" / NAME, [], extra=b"")
    assert sorted(task.name for task in gathered(tmp_path).tasks) == ["a", "b"]


def test_keras_train_and_validation_are_one_task(tmp_path):
    for part, value in (("train", 1.0), ("validation", 2.0)):
        event_file(tmp_path / "logs" / part / NAME, [(s, "epoch_loss", value) for s in range(3)], form="tensor")
    task = only(tmp_path / "logs")
    assert task.names == {"loss": "epoch_loss", "eval_loss": "validation/epoch_loss"}
    assert len(task.runs) == 1


def test_steps_per_batch_and_per_epoch_in_one_file_are_no_restart(tmp_path):
    scalars = []
    for epoch in range(3):
        scalars += [(epoch * 10 + step, "batch_loss", 1.0) for step in range(10)] + [(epoch, "epoch_loss", 1.0)]
    task = only(event_file(tmp_path / NAME, scalars))
    assert len(task.runs) == 1
    assert task.names == {"loss": "batch_loss"}


def test_nothing_but_a_header_is_nothing(tmp_path):
    with pytest.raises(ImportFailed):
        gathered(event_file(tmp_path / NAME, []))
