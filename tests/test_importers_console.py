"""Text logs, pattern by pattern, and whole logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepline.errors import ImportFailed
from stepline.importers import gathered
from stepline.importers.console_patterns import figures, progress
from stepline.importers.imported import ImportedTask

LINES = [
    ("iter 10: loss 3.18, time 35.78ms, mfu 10.41%", {"step": 10, "loss": 3.18, "time": 35.78, "mfu": 10.41}),
    (
        " 100: 2.5, 3.125 avg loss, 0.001000 rate, 4.25 seconds, 6400 images, 12.5 hours left",
        {"step": 100, "loss": 2.5, "avg_loss": 3.125, "rate": 0.001, "seconds": 4.25, "images": 6400},
    ),
    (
        "7: 512.5, 600.25 avg, 0.000000 rate, 2.5 seconds, 448 images",
        {"step": 7, "loss": 512.5, "avg_loss": 600.25, "rate": 0, "seconds": 2.5, "images": 448},
    ),
    ("step 0: train loss 4.348, val loss 4.3422", {"step": 0, "train loss": 4.348, "val loss": 4.3422}),
    ("250 train 6.125", {"step": 250, "train_loss": 6.125}),
    ("250 val 6.0", {"step": 250, "val_loss": 6.0}),
    ("s:250 trl:6.125", {"step": 250, "train_loss": 6.125}),
    ("s:250 tel:6.0", {"step": 250, "val_loss": 6.0}),
    (
        "step    1/19560 | loss 11.0 (+nanz)| norm 15.5 (+nanz)| lr 2.14e-06 | 3087.96 ms | 35.6% bf16 MFU",
        {"step": "1/19560", "loss": 11.0, "norm": 15.5, "lr": 2.14e-06},
    ),
    ("step:10/5100 train_loss:7.125 train_time:123ms", {"step": "10/5100", "train_loss": 7.125, "train_time": 123}),
    (
        " iteration      100/  500000 | lm loss: 9.125E+00 | loss scale: 1.0 | number of nan iterations:   0 |",
        {"step": "100/500000", "lm loss": 9.125, "loss scale": 1.0, "number of nan iterations": 0},
    ),
    (
        "[2023-05-01 10:10:10,123] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[1e-05]",
        {"step": 10, "skipped": 0, "lr": 1e-05},
    ),
    (
        "[2023-05-01 10:10:10,124] [INFO] [timer.py:260:stop] epoch=0/micro_step=20/global_step=10, "
        "RunningAvgSamplesPerSec=12.5, MemAllocated=14.5GB",
        {"epoch": 0, "micro_step": 20, "step": 10, "RunningAvgSamplesPerSec": 12.5, "MemAllocated": 14.5},
    ),
    (
        "steps: 10 loss: 3.5 iter time (s): 0.5 samples/sec: 209.5",
        {"step": 10, "loss": 3.5, "iter time (s)": 0.5, "samples/sec": 209.5},
    ),
    (
        "[host] 2024-05-01 10:00:01,123 (trainer:762) INFO: 2epoch:train:951-1000batch: iter_time=0.5, loss=2.5",
        {"epoch": 2, "step": 1000, "iter_time": 0.5, "loss": 2.5},
    ),
    ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.5", {"epoch": 1, "step": "640/60000", "Loss": 2.5}),
    ("Test set: Average loss: 0.5", {"val/Average loss": 0.5}),
    (
        "Epoch: [0][  10/1000]\tTime  0.125 ( 0.456)\tLoss 6.5e+00 (7.0e+00)",
        {"epoch": 0, "step": "10/1000", "Time": 0.125, "Loss": 6.5},
    ),
    (
        "2023/01/01 10:00:00 - mmengine - INFO - Epoch(train)  [1][  50/1000]  lr: 1.0e-02  eta: 0:01:00  loss: 1.5",
        {"epoch": 1, "step": "50/1000", "lr": 0.01, "loss": 1.5},
    ),
    ("Epoch [1/10], Step [100/600], Loss: 0.25", {"epoch": 1, "step": "100/600", "Loss": 0.25}),
    ("[1,  2000] loss: 2.125", {"epoch": 1, "step": 2000, "loss": 2.125}),
    (
        "| epoch   1 |   200/ 2983 batches | lr 5.00 | ms/batch 12.25 | loss  6.5 | ppl  1012.5",
        {"epoch": 1, "step": "200/2983", "lr": 5, "ms/batch": 12.25, "loss": 6.5, "ppl": 1012.5},
    ),
    (
        "[titan] 2024-09-01 10:00:00,123 - root - INFO - step:  1  loss:  8.5  tps: 1,234",
        {"step": 1, "loss": 8.5, "tps": 1234},
    ),
    ("{'loss': '1.5', 'epoch': '0.25'}", {"loss": 1.5, "epoch": 0.25}),
    ("12/11/2023 05:14:10 - INFO - __main__ -   {'loss': 0.5, 'epoch': 2.5}", {"loss": 0.5, "epoch": 2.5}),
    ("global step 10: train_loss=2.5", {"step": 10, "train_loss": 2.5}),
    ("第3轮 训练损失: 2.5 验证损失：2.25 准确率: 51%", {"epoch": 3, "训练损失": 2.5, "验证损失": 2.25, "准确率": 51}),
    (
        "Train: 0 [  50/1251 (  4%)]  Loss: 6.5 (6.95)  Time: 0.5s",
        {"epoch": 0, "step": "50/1251", "Loss": 6.5, "Time": 0.5},
    ),
    (
        "2024-01-01 10:00:01,123 - mindformers[callback.py:316] - INFO - step:[ 2/ 100], loss:[2.5/2.000]",
        {"step": "2/100", "loss": 2.5},
    ),
]


@pytest.mark.parametrize(("line", "wanted"), LINES, ids=[line[:30] for line, _ in LINES])
def test_what_a_line_says(line, wanted):
    found = figures(line)
    assert found is not None
    assert found[0] == wanted


@pytest.mark.parametrize(
    "line",
    [
        "Namespace(lr=0.1, batch_size=32, epochs=10)",
        "The final loss was 0.5 after 3 epochs",
        "Loading model from checkpoint-500",
        "{'lr': 0.1, 'batch_size': 32}",
        "2024-01-01 10:00:00 starting",
        "x" * 60_000,
        "a " * 30_000,
        "[" * 5_000,
        "epoch " + " " * 5_000,
    ],
)
def test_what_says_nothing_of_a_step(line):
    assert figures(line) is None
    assert progress(line) is None


def read(path: Path, words: str) -> ImportedTask:
    path.write_text(words, encoding="utf-8", newline="")
    (task,) = gathered(path).tasks
    return task


def rows(task: ImportedTask) -> list[tuple[int | None, dict]]:
    return [(record.step, record.metrics) for _, record in task.records()]


def test_the_trainers_console_gets_its_steps_from_the_progress_bar(tmp_path):
    words = "Loading: 100%|████| 2/2 [00:00<00:00]\n  0%|    | 0/30 [00:00<?]\r"
    for step in (10, 20, 30):
        words += f" {step}%|██  | {step - 1}/30 [00:0{step // 10}<00:10]\r\n"
        words += f"{{'loss': {step / 10}, 'epoch': {step / 30}}}\n\r {step}%|██  | {step}/30 [00:01<00:10]\r"
    words += "  0%|   | 0/5 [00:00<?]\r 100%|███| 5/5 [00:01<00:00]\r\n{'eval_loss': 0.5, 'epoch': 1.0}\n"
    words += "{'train_runtime': 5.0, 'train_loss': 1.5, 'epoch': 1.0}\n"
    task = read(tmp_path / "out.log", words)
    assert rows(task) == [
        (10, {"loss": 1.0}),
        (20, {"loss": 2.0}),
        (30, {"loss": 3.0}),
        (30, {"eval_loss": 0.5}),
        (30, {"train_runtime": 5.0, "train_loss": 1.5}),
    ]
    assert task.runs[0].total_steps == 30


def test_without_a_bar_training_rows_are_numbered(tmp_path):
    lines = [f"2024-01-01 10:00:0{place} {{'loss': 1.0, 'epoch': 0.{place}}}" for place in range(1, 4)]
    lines.append("2024-01-01 10:00:09 {'eval_loss': 2.0, 'epoch': 0.3}")
    task = read(tmp_path / "out.log", "\n".join(lines))
    assert [step for step, _ in rows(task)] == [1, 2, 3, 3]
    times = [record.time for _, record in task.records()]
    assert [time - times[0] for time in times] == [0, 1, 2, 8]


def test_keras_prints_an_epoch_and_a_bar(tmp_path):
    words = ""
    for epoch in (1, 2):
        words += f"Epoch {epoch}/2\n 1/50 [>....] - ETA: 5s - loss: 9.0\r"
        words += f"50/50 [=====] - 5s 3ms/step - loss: {epoch}.5 - val_loss: {epoch}.75\n"
    task = read(tmp_path / "log", words)
    assert rows(task) == [(1, {"loss": 1.5, "eval_loss": 1.75}), (2, {"loss": 2.5, "eval_loss": 2.75})]
    assert task.runs[0].total_steps is None


def test_lightning_counts_each_epochs_batches(tmp_path):
    words = ""
    for epoch in (0, 1):
        for step in (10, 20):
            words += f"Epoch {epoch}:  20%|██ | {step}/40 [00:01<00:10, 9.50it/s, v_num=0, train_loss={epoch}.5]\r"
    task = read(tmp_path / "log", words)
    assert rows(task) == [(10, {"loss": 0.5}), (20, {"loss": 0.5}), (50, {"loss": 1.5}), (60, {"loss": 1.5})]


MARIAN = """\
[2021-03-01 10:00:01] [config] learn-rate: 0.0003
[2021-03-01 10:02:00] Ep. 1 : Up. 500 : Sen. 31,872 : Cost 9.5 * 804,113 @ 1,648 after 804,113 : Time 40.55s
[2021-03-01 10:03:00] Ep. 1 : Up. 1,000 : Sen. 63,744 : Cost 8.25 * 8 @ 1 after 16 : Time 40s : L.r. 3.0e-04
[2021-03-01 10:04:30] [valid] Ep. 1 : Up. 1000 : cross-entropy : 120.5 : new best
[2021-03-01 10:04:30] [valid] Ep. 1 : Up. 1000 : bleu : 12.5 : stalled 2 times (last best: 13)
"""
SPACY = """\
ℹ Initial learn rate: 0.001
E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  SCORE
---  ------  ------------  --------  ------  ------
  0       0          0.00     48.25    0.00    0.00
  1     200         78.50   1853.25   55.25    0.55
✔ Saved pipeline to output directory
"""
YOLO5 = """\
       0/1     3.23G   0.125   0.25   0.5   0.875        42       640    0.1   0.2   0.3   0.4    0.5    0.6    0.7
       1/1     3.31G   0.125   0.25   0.5   0.75         12       640    0.1   0.2   0.3   0.4    0.5    0.6    0.7
"""
FAIRSEQ = """\
2021-05-05 10:01:00 | INFO | train_inner | epoch 001:    100 / 1102 loss=13.5, ppl=7647.5, num_updates=100, lr=1.25e-05
2021-05-05 10:04:00 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 9.5 | ppl 362.5 | num_updates 1102
2021-05-05 10:04:01 | INFO | train | epoch 001 | loss 10.5 | ppl 1351.5 | num_updates 1102 | lr 0.5
2021-05-05 10:05:00 | INFO | train_inner | epoch 002:     98 / 1102 loss=8.5, ppl=247.5, num_updates=1200, lr=0.25
"""


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            MARIAN,
            [(500, {"loss": 9.5}), (1000, {"loss": 8.25}), (1000, {"eval_loss": 120.5}), (1000, {"val/bleu": 12.5})],
        ),
        (SPACY, [(0, {"loss": 0.0, "LOSS NER": 48.25}), (200, {"loss": 78.5, "SCORE": 0.55})]),
        (YOLO5, [(0, {"loss": 0.875, "train/box_loss": 0.125, "eval_loss": 0.5}), (1, {"val/cls_loss": 0.7})]),
        (
            FAIRSEQ,
            [(100, {"loss": 13.5}), (1102, {"eval_loss": 9.5}), (1102, {"train_epoch/loss": 10.5}), (1200, {})],
        ),
    ],
    ids=["marian", "spacy", "yolov5", "fairseq"],
)  # fmt: skip
def test_logs_of_other_tools(tmp_path, words, wanted):
    found = rows(read(tmp_path / "train.log", words))
    assert [step for step, _ in found] == [step for step, _ in wanted]
    for (_, metrics), (_, some) in zip(found, wanted, strict=True):
        assert metrics.items() >= some.items()


def test_what_was_not_understood_is_counted(tmp_path):
    words = "\n".join(f"iter {step}: loss 1.5" for step in range(5)) + "\nloss -> 4 x" * 3
    assert any("3 lines" in sentence for sentence in read(tmp_path / "log", words).told)


def test_prose_is_nothing(tmp_path):
    (tmp_path / "log").write_text("We lost 3 games.\nThe end.\n")
    with pytest.raises(ImportFailed):
        gathered(tmp_path / "log")


def task_of(folder: Path, words: str) -> ImportedTask:
    path = folder / "log.txt"
    path.write_text(words, encoding="utf-8")
    (task,) = gathered(path).tasks
    return task


def records_of(folder: Path, words: str) -> list[tuple[int | None, dict]]:
    return [(record.step, record.metrics) for _, record in task_of(folder, words).records()]


def test_a_box_is_a_row(tmp_path):
    edge = "-" * 36
    box = "\n".join(
        [edge, "| time/   |        |", "|    total_timesteps  | {0}   |", "| train/              |        |",
         "|    loss             | {1}    |", edge]
    )  # fmt: skip
    assert records_of(tmp_path, f"{box.format(2048, 0.5)}\n{box.format(4096, 0.25)}\n") == [
        (2048, {"loss": 0.5}),
        (4096, {"loss": 0.25}),
    ]


def test_ultralytics_prints_names_above_and_figures_before_the_bar(tmp_path):
    heading = "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
    bar = "      {0}/3      3.2G      {1}      2.5      1.25         88        640: {2}%|###| 10/10 [00:20<00:00]\r"
    below = "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|#| 1/1\n"
    every = "                   all        300       1200      0.5      0.25      0.125      0.75\n"
    words = "".join(
        heading + bar.format(epoch, 9.0, 40) + bar.format(epoch, 2.0 / epoch, 100) + "\n" + below + every
        for epoch in (1, 2)
    )
    evaluated = {
        "metrics/precision(B)": 0.5, "metrics/recall(B)": 0.25, "metrics/mAP50(B)": 0.125, "metrics/mAP50-95(B)": 0.75,
    }  # fmt: skip
    assert records_of(tmp_path, words) == [
        (1, {"loss": 2.0, "train/cls_loss": 2.5, "train/dfl_loss": 1.25}),
        (1, evaluated),
        (2, {"loss": 1.0, "train/cls_loss": 2.5, "train/dfl_loss": 1.25}),
        (2, evaluated),
    ]


def test_figures_below_a_step_are_at_that_step(tmp_path):
    words = "".join(
        f"2024-01-01 10:00:0{step}\tolmo.train:800\tINFO\t[step={step}0/900]\n    train/CrossEntropyLoss={9 - step}.5\n"
        for step in range(1, 4)
    )
    assert records_of(tmp_path, words) == [(10, {"loss": 8.5}), (20, {"loss": 7.5}), (30, {"loss": 6.5})]


@pytest.mark.parametrize("heading", ["[step={}/900,epoch=0]", "[batch={}/900]:"])
def test_all_figures_below_a_step_are_one_record(tmp_path, heading):
    words = "".join(
        f"{heading.format(step * 10)}\n    train/loss={9 - step}.5\n\t Train time/batch: {step}\n    tokens=4,194,304\n"
        for step in range(1, 4)
    )
    assert records_of(tmp_path, words) == [
        (step * 10, {"loss": 9.5 - step, "Train time/batch": step, "tokens": 4194304}) for step in range(1, 4)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "[{step}]\ttrain-logloss:{loss}\teval-logloss:{held_out}",
        "[10:11:12] [{step}]\ttrain-mlogloss:{loss}+0.01\ttest-mlogloss:{held_out}+0.02",
        "[{step}]\ttraining's binary_logloss: {loss}\tvalid_1's binary_logloss: {held_out}",
        "{step}:\tlearn: {loss}\ttest: {held_out}\tbest: {held_out} ({step})\ttotal: 31ms\tremaining: 1.2s",
    ],
)
def test_boosted_trees_tell_their_rounds(tmp_path, line):
    words = "".join(line.format(step=step, loss=1 / step, held_out=2 / step) + "\n" for step in range(1, 9))
    assert records_of(tmp_path, words) == [(step, {"loss": 1 / step, "eval_loss": 2 / step}) for step in range(1, 9)]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("[{step}]\ttrain-rmse:{loss}\teval-rmse:{held_out}", {}),
        ("[{step}]\ttraining's l2: {loss}\ttraining's l1: 7\tvalid_1's l2: {held_out}", {"training's l1": 7.0}),
        ("[{step}]\ttrain-auc:0.5\ttrain-rmse:{loss}\teval-auc:0.5\teval-rmse:{held_out}",
         {"train-auc": 0.5, "eval-auc": 0.5}),
    ],
)  # fmt: skip
def test_an_error_stands_for_the_loss_that_boosted_trees_do_not_name(tmp_path, line, kept):
    words = "".join(line.format(step=step, loss=1 / step, held_out=2 / step) + "\n" for step in range(1, 9))
    task = task_of(tmp_path, words)
    found = [(record.step, record.metrics) for _, record in task.records()]
    assert found == [(step, {"loss": 1 / step, "eval_loss": 2 / step, **kept}) for step in range(1, 9)]
    assert sum("stands for" in sentence for sentence in task.told) == 2


def test_what_rises_is_no_loss(tmp_path):
    task = task_of(tmp_path, "".join(f"[{step}]\ttrain-auc:0.9\teval-auc:0.8\n" for step in range(8)))
    assert not task.names


def test_the_script_before_a_log_is_no_loss_of_it(tmp_path):
    steps = "".join(f"step:{step}/50 train_loss:{9 - step / 10} train_time:{step}ms\n" for step in range(1, 51))
    found = records_of(tmp_path, "import torch\nloss = 3\nlr = 0.5\n====\n" + steps)
    assert [metrics["loss"] for _, metrics in found if "loss" in metrics] == [9 - step / 10 for step in range(1, 51)]


def test_a_rank_in_brackets_and_colours_are_no_json(tmp_path):
    lines = [
        f"[rank0]:[titan] 2024-01-01 10:00:0{step} - \x1b[31mstep: {step} \x1b[32mloss: {step}.5\x1b[0m"
        for step in (1, 2)
    ]
    assert [(step, found["loss"]) for step, found in records_of(tmp_path, "\n".join(lines))] == [(1, 1.5), (2, 2.5)]


def test_an_evaluation_that_counts_its_own_batches_stands_at_the_step_before(tmp_path):
    head = "2024/05/01 10:00:0{0} - mmengine - INFO - "
    words = "\n".join(
        [
            head.format(1) + "Iter(train) [100/200]  lr: 2.0000e-02  eta: 0:01:00  time: 0.3000  loss: 1.5000",
            head.format(2) + "Iter(val) [10/10]    aAcc: 80.5000  mIoU: 40.2500",
            head.format(3) + "Iter(train) [200/200]  lr: 2.0000e-02  eta: 0:00:00  time: 0.3000  loss: 1.2500",
        ]
    )
    task = task_of(tmp_path, words)
    assert [(record.step, record.kind) for _, record in task.records()] == [
        (100, "step"),
        (100, "evaluation"),
        (200, "step"),
    ]
    assert task.runs[0].total_steps == 200
