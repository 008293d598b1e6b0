"""JSON lines and small JSON documents."""

from __future__ import annotations

import json
from pathlib import Path

from stepline.importers import gathered
from stepline.importers.imported import ImportedTask


def read(folder: Path, words: str, name: str = "log.jsonl") -> ImportedTask:
    path = folder / name
    path.write_text(words, encoding="utf-8")
    (task,) = gathered(path).tasks
    return task


def rows(task: ImportedTask) -> list[tuple[int | None, dict]]:
    return [(record.step, record.metrics) for _, record in task.records()]


def test_llama_factory_tells_total_and_elapsed_time(tmp_path):
    lines = [
        {"current_steps": 10, "total_steps": 30, "loss": 2.5, "lr": 0.1, "epoch": 0.5, "elapsed_time": "0:01:00"},
        {"current_steps": 20, "total_steps": 30, "eval_loss": 2.0, "epoch": 1.0, "elapsed_time": "1:01:00"},
        {"current_steps": 30, "total_steps": 30, "loss": 1.5, "lr": 0.0, "epoch": 1.5, "elapsed_time": "1:02:00"},
    ]
    task = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert rows(task) == [(10, {"loss": 2.5, "lr": 0.1}), (20, {"eval_loss": 2.0}), (30, {"loss": 1.5, "lr": 0.0})]
    times = [record.time for _, record in task.records()]
    assert [time - times[0] for time in times] == [0, 3600, 3660]
    assert (task.runs[0].total_steps, task.runs[0].status) == (30, "completed")


def test_swift_has_its_step_in_a_text_and_a_history_in_its_last_line(tmp_path):
    lines = [{"loss": 1.0 / step, "global_step/max_steps": f"{step}/20"} for step in (5, 10, 20)]
    lines.append({"log_history": [{"loss": 9.0, "step": 5}], "best_metric": 0.5, "memory": 12.5})
    task = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert rows(task) == [(5, {"loss": 0.2}), (10, {"loss": 0.1}), (20, {"loss": 0.05})]
    assert task.runs[0].total_steps == 20
    assert task.runs[0].settings["best_metric"] == 0.5


def test_a_damaged_line_is_told_and_the_rest_taken(tmp_path):
    task = read(tmp_path, '{"step": 1, "loss": 2}\n{"step": 2, "lo\n{"step": 3, "loss": NaN}\n{"step": 4, "loss": 1')
    assert [step for step, _ in rows(task)] == [1, 3]
    assert [remark.place for remark in task.left_out] == ["line 2", "line 4"]


def test_the_split_says_which_loss_is_which(tmp_path):
    lines = [{"split": split, "step": step, "loss": step + 0.5} for step in (1, 2) for split in ("train", "val")]
    task = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert [metrics.get("loss") for _, metrics in rows(task)] == [1.5, None, 2.5, None]
    assert [metrics.get("eval_loss") for _, metrics in rows(task)] == [None, 1.5, None, 2.5]


def test_keras_history_and_lists_of_rows_are_documents(tmp_path):
    columns = read(tmp_path, json.dumps({"loss": [3, 2, 1], "val_loss": [3.5, 2.5, 1.5]}), "history.json")
    assert rows(columns)[1] == (1, {"loss": 2.0, "eval_loss": 2.5})
    listed = read(tmp_path, json.dumps([{"step": 1, "loss": 2}, {"step": 2, "loss": 1}], indent=1), "rows.json")
    assert rows(listed) == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]


def test_two_trainings_in_one_file_are_two_runs(tmp_path):
    lines = [{"step": step, "loss": 1.0} for step in range(1, 9)] * 2
    assert [run.last_step for run in read(tmp_path, "\n".join(map(json.dumps, lines))).runs] == [8, 8]


def test_nested_values_are_flattened_and_lists_told(tmp_path):
    task = read(tmp_path, '{"step": 1, "loss": 2, "eval": {"acc": "50%"}, "grads": [1, 2]}\n' * 3)
    assert rows(task)[0] == (1, {"loss": 2.0, "eval/acc": 50.0})
    assert task.left_out_count == 3


def test_mmdetection_has_a_line_of_the_machine_first_and_counts_in_epochs(tmp_path):
    lines: list[dict] = [{"env_info": "Linux", "seed": 7}]
    for epoch in (1, 2):
        lines += [{"mode": "train", "epoch": epoch, "iter": n, "loss": 1.5} for n in (50, 100)]
        lines.append({"mode": "val", "epoch": epoch, "iter": 40, "loss": 0.5})
    task = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert [step for step, metrics in rows(task) if "loss" in metrics] == [50, 100, 150, 200]
    assert [metrics["eval_loss"] for _, metrics in rows(task) if "eval_loss" in metrics] == [0.5, 0.5]
    assert task.runs[0].settings["seed"] == 7


def test_mmengine_counts_evaluations_in_epochs_and_steps_in_batches(tmp_path):
    lines: list[dict] = []
    for epoch in (1, 2, 3):
        lines += [{"loss": 1.5, "epoch": epoch, "iter": n, "step": n} for n in (100 * epoch - 50, 100 * epoch)]
        lines.append({"coco/bbox_mAP": epoch / 10, "time": 0.05, "step": epoch})
    task = read(tmp_path, "\n".join(map(json.dumps, lines)), "scalars.json")
    evaluations = [record for _, record in task.records() if record.kind == "evaluation"]
    assert [(each.step, each.epoch, each.metrics["coco/bbox_mAP"]) for each in evaluations] == [
        (100, 1.0, 0.1), (200, 2.0, 0.2), (300, 3.0, 0.3)
    ]  # fmt: skip
    assert len(task.runs) == 1


def test_mmengine_that_trains_by_steps_evaluates_at_them(tmp_path):
    lines: list[dict] = []
    for step in (50, 100, 150):
        lines += [{"loss": 1.5, "iter": step, "step": step}, {"mIoU": 40.5, "step": step}]
    task = read(tmp_path, "\n".join(map(json.dumps, lines)), "scalars.json")
    assert [(each.step, each.kind) for _, each in task.records()] == [
        (step, kind) for step in (50, 100, 150) for kind in ("step", "evaluation")
    ]
