"""wandb's offline runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepline.errors import ImportFailed
from stepline.importers import gathered
from stepline.importers.imported import ImportedTask
from tests.import_files import field, wandb_exit, wandb_file, wandb_history, wandb_item, wandb_run


def only(path: Path) -> ImportedTask:
    (task,) = gathered(path).tasks
    return task


def history(steps: range) -> list[bytes]:
    return [
        wandb_history(
            {"train/loss": 1 / step, "train/global_step": step, "_step": step - 1, "_timestamp": 1.7e9 + step}
        )
        for step in steps
    ]


def test_history_configuration_and_end(tmp_path):
    messages = [wandb_run("abcd1234", {"lr": 0.5, "model": {"depth": 2}}), *history(range(1, 11)), wandb_exit(0)]
    task = only(wandb_file(tmp_path / "run-abcd1234.wandb", messages))
    (run,) = task.runs
    assert (task.name, task.names, run.status) == ("mine/abcd1234", {"loss": "train/loss"}, "completed")
    assert run.settings == {"lr": 0.5, "model.depth": 2}
    records = list(run.records())
    assert [(record.step, record.time) for record in records[:2]] == [(1, 1.7e9 + 1), (2, 1.7e9 + 2)]
    assert records[0].metrics == {"loss": 1.0}


def test_what_has_a_type_is_no_figure_and_is_counted(tmp_path):
    parts = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    nested = [wandb_item("", value, nested=("weights", part)) for part, value in parts.items()]
    media = wandb_item("table", {"_type": "table-file", "nrows": 3}) + b"".join(nested)
    rows = [field(2, wandb_item("loss", 1 / step) + media) for step in range(1, 5)]
    task = only(wandb_file(tmp_path / "a.wandb", [wandb_run("abcd1234", {}), *rows, wandb_exit(0)]))
    assert [record.metrics for record in task.runs[0].records()] == [{"loss": 1 / step} for step in range(1, 5)]
    assert task.told[0] == "not taken: 8 media"


@pytest.mark.parametrize(
    ("end", "status"), [([], "stopped"), ([wandb_exit(0)], "completed"), ([wandb_exit(3)], "failed")]
)
def test_how_it_ended(tmp_path, end, status):
    messages = [wandb_run("abcd1234", {}), *history(range(1, 4)), *end]
    assert only(wandb_file(tmp_path / "a.wandb", messages)).runs[0].status == status


def test_a_summary_of_its_own_closes_the_run(tmp_path):
    summary = field(3, wandb_item("test_accuracy", 0.75) + wandb_item("train/loss", 1.0))
    messages = [wandb_run("abcd1234", {}), *history(range(1, 4)), summary, wandb_exit(0)]
    last = list(only(wandb_file(tmp_path / "a.wandb", messages)).runs[0].records())[-1]
    assert (last.kind, last.metrics, last.details) == ("train_end", {"test_accuracy": 0.75}, {"status": "completed"})


def test_records_across_blocks(tmp_path):
    wide = [wandb_history({"_step": step, **{f"metric/{place}": 0.5 for place in range(400)}}) for step in range(40)]
    task = only(wandb_file(tmp_path / "a.wandb", [wandb_run("abcd1234", {}), *wide]))
    assert [record.step for _, record in task.records()] == list(range(40))


def test_damage_costs_a_block_at_most_and_a_cut_the_last_record(tmp_path):
    path = wandb_file(tmp_path / "a.wandb", [wandb_run("abcd1234", {}), *history(range(1, 2001))])
    data = bytearray(path.read_bytes())
    data[40_000] ^= 1
    path.write_bytes(data[:-3])
    task = only(path)
    steps = [record.step for _, record in task.records()]
    assert steps[0] == 1
    assert steps[-1] == 1999
    assert len(steps) > 1400
    assert len(task.left_out) == 2


def test_nested_keys_and_texts_that_are_no_finite_json(tmp_path):
    row = field(2, field(1, field(2, "eval") + field(2, "loss") + field(16, "NaN")) + wandb_item("_step", 3))
    (record,) = only(wandb_file(tmp_path / "a.wandb", [wandb_run("abcd1234", {}), row])).runs[0].records()
    assert record.metrics["eval_loss"] != record.metrics["eval_loss"]


def test_a_resumed_run_in_two_folders_is_one_task(tmp_path):
    for number, steps in enumerate((range(1, 11), range(11, 21))):
        messages = [wandb_run("abcd1234", {}, started=1_700_000_000 + number), *history(steps)]
        wandb_file(tmp_path / f"offline-run-{number}-abcd1234" / "run-abcd1234.wandb", messages)
    task = only(tmp_path)
    assert [run.last_step for run in task.runs] == [10, 20]


def test_a_run_that_logged_nothing(tmp_path):
    with pytest.raises(ImportFailed, match="logged nothing"):
        gathered(wandb_file(tmp_path / "a.wandb", [wandb_run("abcd1234", {}), wandb_exit(0)]))
