"""CSV and its kin."""

from __future__ import annotations

import subprocess
import sys
from math import isnan, nan
from pathlib import Path

import polars
import pytest

from stepline.errors import ImportFailed
from stepline.frozen import TRY_PARQUET
from stepline.importers import gathered
from stepline.importers.imported import ImportedTask


def read(folder: Path, words: str, name: str = "metrics.csv", encoding: str = "utf-8") -> ImportedTask:
    path = folder / name
    path.write_bytes(words.encode(encoding))
    (task,) = gathered(path).tasks
    return task


def rows(task: ImportedTask) -> list[tuple[int | None, dict]]:
    return [(record.step, record.metrics) for _, record in task.records()]


def test_lightning_has_blanks_that_are_absence_and_a_loss_per_step(tmp_path):
    words = "epoch,step,train_loss_step,train_loss_epoch,val_loss\r\n0,9,2.5,,\r\n0,9,,,2.0\r\n0,9,,2.25,\r\n"
    task = read(tmp_path, words)
    assert task.names == {"loss": "train_loss_step", "eval_loss": "val_loss"}
    assert rows(task) == [(9, {"loss": 2.5}), (9, {"eval_loss": 2.0}), (9, {"train_loss_epoch": 2.25})]
    assert [record.kind for _, record in task.records()] == ["step", "evaluation", "step"]


def test_keras_counts_epochs_from_zero(tmp_path):
    task = read(tmp_path, "epoch,loss,val_loss\n0,3,3.5\n1,2,2.5\n")
    assert rows(task) == [(0, {"loss": 3.0, "eval_loss": 3.5}), (1, {"loss": 2.0, "eval_loss": 2.5})]
    assert any("'epoch'" in sentence for sentence in task.told)


def test_a_logger_that_appended_a_second_run_makes_two(tmp_path):
    lines = ["step,loss"] + [f"{step},{10 / step}" for step in range(1, 11)]
    task = read(tmp_path, "\n".join([*lines, *lines]) + "\n")
    assert [(run.last_step, run.status) for run in task.runs] == [(10, "stopped"), (10, "completed")]


@pytest.mark.parametrize("divider", [",", "\t", ";", "|", "  "], ids=["comma", "tab", "semicolon", "bar", "blanks"])
def test_dividers_are_found(tmp_path, divider):
    words = "\n".join(divider.join(cells) for cells in [("step", "loss"), ("1", "2.5"), ("2", "2.25")])
    assert rows(read(tmp_path, words)) == [(1, {"loss": 2.5}), (2, {"loss": 2.25})]


def test_a_comma_is_the_decimal_point_where_semicolons_divide(tmp_path):
    assert rows(read(tmp_path, "step;loss\n1;2,5\n2;2,25\n")) == [(1, {"loss": 2.5}), (2, {"loss": 2.25})]


def test_pandas_index_comments_and_quotes(tmp_path):
    task = read(tmp_path, '# made by me\n,step,"loss","text"\n0,1,"2.5","a, b"\n1,2,nan,\n')
    assert rows(task)[0] == (1, {"loss": 2.5, "text": "a, b"})
    assert rows(task)[1][1]["loss"] != rows(task)[1][1]["loss"]


def test_a_short_row_gives_what_it_has_and_a_long_one_is_told(tmp_path):
    task = read(tmp_path, "step,loss,lr\n1,2.5,0.1\n2,2.25\n3,2,0.1,9,9\n4,1,0.1\n")
    assert rows(task) == [(1, {"loss": 2.5, "lr": 0.1}), (2, {"loss": 2.25}), (4, {"loss": 1.0, "lr": 0.1})]
    assert [(remark.place, remark.reason) for remark in task.left_out] == [("line 4", "5 cells where the header has 3")]


def test_tensorboards_download_is_named_by_its_file(tmp_path):
    task = read(tmp_path, "Wall time,Step,Value\n1700000000.5,3,2.5\n1700000001,4,2\n", "run-a-tag-train_loss.csv")
    assert task.names == {"loss": "train_loss"}
    assert [(record.time, record.step) for _, record in task.records()] == [(1700000000.5, 3), (1700000001.0, 4)]


def test_ranks_in_one_file_are_runs(tmp_path):
    lines = ["step,rank,loss"] + [f"{step},{rank},{rank + 1}" for step in range(1, 9) for rank in (0, 1)]
    task = read(tmp_path, "\n".join(lines))
    assert [[record.metrics["loss"] for record in run.records()] for run in task.runs] == [[1.0] * 8, [2.0] * 8]
    assert [run.settings["rank"] for run in task.runs] == [0.0, 1.0]


def test_ranks_that_do_not_say_who_they_are_are_told(tmp_path):
    lines = ["step,loss"] + [f"{step},1" for step in range(1, 9) for _ in (0, 1)]
    task = read(tmp_path, "\n".join(lines))
    assert len(task.runs) == 1
    assert any("repeat the step" in sentence for sentence in task.told)


def test_a_step_within_the_epoch_counts_on(tmp_path):
    lines = ["epoch,batch,loss"] + [f"{epoch},{batch},1" for epoch in (1, 2, 3) for batch in (0, 50, 99)]
    task = read(tmp_path, "\n".join(lines))
    assert [step for step, _ in rows(task)] == [0, 50, 99, 100, 150, 199, 200, 250, 299]
    assert len(task.runs) == 1


def test_chinese_names_in_gbk(tmp_path):
    task = read(tmp_path, "step,loss,准确率\n1,2.5,0.5\n2,2,0.6\n", encoding="gbk")
    assert rows(task)[0] == (1, {"loss": 2.5, "准确率": 0.5})


@pytest.mark.parametrize(("words", "steps"), [("1 2.5\n5 2.25\n", [1, 5]), ("2.5\n2.25\n", [1, 2])])
def test_numbers_without_a_header(tmp_path, words, steps):
    found = rows(read(tmp_path, words))
    assert found == [(steps[0], {"loss": 2.5}), (steps[1], {"loss": 2.25})]


def test_charts_downloaded_from_wandb_are_a_run_each(tmp_path):
    header = (
        '"Step","a - train/loss","a - train/loss__MIN","a - train/loss__MAX","b - train/loss","b - train/loss__MIN"'
    )
    task = read(
        tmp_path, header + "\n" + "".join(f'"{step}","{step}.5","0","0","{step}.25","0"\n' for step in range(4))
    )
    assert [[(each.step, each.metrics) for each in run.records()] for run in task.runs] == [
        [(step, {"loss": step + part}) for step in range(4)] for part in (0.5, 0.25)
    ]
    assert [run.settings["rank"] for run in task.runs] == ["a", "b"]


def test_a_metric_a_row(tmp_path):
    lines = [f"{step},{name},{value}" for step in range(3) for name, value in (("loss", 2.5), ("lr", 0.5))]
    task = read(tmp_path, "\n".join(["step,metric,value", *lines]))
    assert rows(task) == [(step, metrics) for step in range(3) for metrics in ({"loss": 2.5}, {"lr": 0.5})]


def test_chinese_headings(tmp_path):
    task = read(tmp_path, "轮次,训练损失,验证损失\n1,2.5,3\n2,2,2.5\n", encoding="gbk")
    assert rows(task) == [(1, {"loss": 2.5, "eval_loss": 3.0}), (2, {"loss": 2.0, "eval_loss": 2.5})]


def test_parquet_of_another_tool(tmp_path):
    path = tmp_path / "metrics.parquet"
    polars.DataFrame(
        {"step": [1, 2, 3], "loss": [2.5, None, float("nan")], "text": ["a", None, "b"], "list": [[1], [2], [3]]}
    ).write_parquet(path)
    (task,) = gathered(path).tasks
    assert repr(rows(task)) == repr(
        [(1, {"loss": 2.5, "text": "a", "list": 1.0}), (2, {"list": 2.0}), (3, {"loss": nan, "text": "b", "list": 3.0})]
    )
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ImportFailed, match="damaged Parquet"):
        gathered(path)


def test_tensorboards_download_as_json(tmp_path):
    (tmp_path / "run-x-tag-train_loss.json").write_text("[[1700000000.5, 10, 2.5], [1700000001.5, 20, 2.0]]")
    (task,) = gathered(tmp_path / "run-x-tag-train_loss.json").tasks
    assert [(each.step, each.time, each.metrics) for _, each in task.records()] == [
        (10, 1700000000.5, {"loss": 2.5}),
        (20, 1700000001.5, {"loss": 2.0}),
    ]


def test_mlflows_files_of_one_run_are_one_task(tmp_path):
    run = tmp_path / "mlruns" / "1" / "abc"
    (run / "metrics" / "eval").mkdir(parents=True)
    (run / "params").mkdir()
    lines = [f"{1_700_000_000_000 + step * 1000} {step / 4} {step}" for step in range(4)]
    (run / "metrics" / "loss").write_text("\n".join(lines) + "\n17000")
    (run / "metrics" / "eval" / "loss").write_text("1700000002000 nan 2\n")
    (run / "params" / "lr").write_text("0.001")
    (run / "meta.yaml").write_text("run_name: brave-fox\nstatus: 4\n")
    (task,) = gathered(tmp_path).tasks
    assert task.name == "brave-fox"
    assert [(each.step, each.time) for _, each in task.records()] == [
        (step, 1_700_000_000.0 + step) for step in range(4)
    ]
    assert [each.metrics["loss"] for _, each in task.records()] == [0, 0.25, 0.5, 0.75]
    assert isnan(list(task.records())[2][1].metrics["eval_loss"])
    assert (task.runs[0].settings, task.runs[0].status, task.left_out_count) == ({"lr": 0.001}, "failed", 1)


@pytest.mark.parametrize("from_end", [12, 40, 77, 120, 200])
def test_a_flipped_byte_of_a_parquet_file_is_refused_or_read(tmp_path, from_end):
    path = tmp_path / "metrics.parquet"
    polars.DataFrame({"step": [1, 2, 3], "loss": [2.5, 2.0, 1.5]}).write_parquet(path)
    data = bytearray(path.read_bytes())
    data[-from_end] ^= 0xFF
    path.write_bytes(data)
    told = ""
    tasks = []
    try:
        tasks = gathered(path).tasks
    except ImportFailed as error:
        told = error.what
    assert tasks or str(path) in told


def test_the_program_tries_a_parquet_file_by_starting_itself(tmp_path):
    """As the packaged app does, which has no interpreter beside it."""
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    polars.DataFrame({"step": [1, 2, 3], "loss": [2.5, 2.0, 1.5]}).write_parquet(good)
    bad.write_bytes(good.read_bytes()[:-20])
    program = [sys.executable, "-c", "import sys; from stepline.command import main; sys.exit(main())", TRY_PARQUET]
    tried = [subprocess.run([*program, str(path)], capture_output=True, check=False).returncode for path in (good, bad)]
    assert (tried[0], tried[1] != 0) == (0, True)
