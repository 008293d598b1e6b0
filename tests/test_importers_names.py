"""The table of names, and that its page says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepline.importers import limits, names

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "importing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("`loss`", names.LOSS),
        ("`eval_loss`", names.EVAL_LOSS),
        ("step", names.STEP),
        ("epoch", names.EPOCH),
        ("total steps", names.TOTAL),
        ("time", names.CLOCK),
        ("elapsed time", names.ELAPSED),
        ("rank", names.RANK),
        ("left out", names.DROPPED),
    ],
)
def test_the_page_has_the_table(heading, table):
    found = re.search(rf"^- {re.escape(heading)}: (.*(?:\n  .*)*)", PAGE, re.MULTILINE)
    assert found is not None
    assert tuple(re.findall("`([^`]+)`", found[1])) == table


def test_the_page_has_the_limits():
    assert f"{limits.LINE_BYTES >> 20} MiB a line" in PAGE
    assert f"{limits.COLUMNS:,} columns" in PAGE
    assert f"{limits.EXPANSION} times its size" in PAGE


@pytest.mark.parametrize(
    ("columns", "loss", "eval_loss"),
    [
        (["loss", "train_loss", "val_loss"], "loss", "val_loss"),
        (["train_loss_epoch", "train_loss_step"], "train_loss_step", None),
        (["Train/Loss", "Val/Loss"], "Train/Loss", "Val/Loss"),
        (["trainLoss", "validationLoss"], "trainLoss", "validationLoss"),
        (["epoch_loss", "batch_loss"], "batch_loss", None),
        (["eval/loss", "eval_loss", "train/loss"], "train/loss", "eval_loss"),
        (["train/box_loss", "train/cls_loss", "val/box_loss"], "train/box_loss", "val/box_loss"),
        (["eval_a_loss", "eval_b_loss", "loss"], "loss", "eval_a_loss"),
        (["my_strange_loss", "accuracy"], "my_strange_loss", None),
        (["reward", "kl"], None, None),
    ],
)
def test_one_loss_and_one_evaluation_loss(columns, loss, eval_loss):
    found = {target: source for source, target in names.mapping(dict.fromkeys(columns, 1)).items()}
    assert (found.get("loss"), found.get("eval_loss")) == (loss, eval_loss)


def test_a_column_without_numbers_is_no_loss():
    assert names.mapping({"loss": 0, "train_loss": 3}) == {"train_loss": "loss"}


@pytest.mark.parametrize(
    ("columns", "closing"),
    [
        (["train_runtime", "train_loss", "epoch"], True),
        (["train/train_runtime", "train/total_flos"], True),
        (["loss", "train_runtime", "train_tokens_per_second"], False),
        (["train_loss", "val_loss"], False),
        (["train_loss"], False),
    ],
)
def test_the_closing_row(columns, closing):
    assert names.is_closing(columns) is closing
