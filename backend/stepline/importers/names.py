"""The one table by which columns of other tools' files get Stepline's meaning.

Exactly one column of a source becomes `loss` and one becomes `eval_loss`; every other column keeps the name its
tool gave it. Which one: the first line of `LOSS` (or `EVAL_LOSS`) that fits a column holding numbers. Losses logged
per step stand before losses logged per epoch, whole losses before parts. Names are compared folded: case, and
whether `/`, `.`, `-`, `:` or a space divides the words, make no difference. The same table stands in
docs/importing.md, and a test holds the two together.

The columns for step, epoch, time and total become a record's place and are no metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LOSS = (
    "loss",
    "train/loss",
    "train_loss_step",
    "train/loss_step",
    "loss_step",
    "step_loss",
    "batch_loss",
    "train_batch_loss",
    "training_loss_step",
    "train_loss",
    "training_loss",
    "loss/train",
    "loss_train",
    "losses/train",
    "lm_loss",
    "train/lm_loss",
    "model_loss",
    "total_loss",
    "train/total_loss",
    "loss/total",
    "train_total_loss",
    "avg_loss",
    "mean_loss",
    "train_avg_loss",
    "running_loss",
    "train_loss_epoch",
    "train/loss_epoch",
    "epoch_loss",
    "train_epoch_loss",
    "loss_epoch",
    "training_loss_epoch",
    "train/box_loss",
    "train/nll_loss",
    "nll_loss",
    "train/ce_loss",
    "ce_loss",
    "cross_entropy_loss",
    "policy_loss",
    "cross_entropy",
    "train/cross_entropy",
    "xent",
    "nll",
    "cost",
    "训练损失",
    "损失",
    "损失值",
)
EVAL_LOSS = (
    "eval_loss",
    "eval/loss",
    "val_loss",
    "val/loss",
    "valid_loss",
    "valid/loss",
    "validation_loss",
    "validation/loss",
    "evaluation_loss",
    "dev_loss",
    "val_loss_epoch",
    "val/loss_epoch",
    "val_epoch_loss",
    "validation_loss_epoch",
    "validation_epoch_loss",
    "eval_epoch_loss",
    "epoch_val_loss",
    "loss/val",
    "loss/valid",
    "loss/validation",
    "loss/eval",
    "loss/dev",
    "losses/val",
    "losses/validation",
    "losses/eval",
    "avg_val_loss",
    "eval/lm_loss",
    "val_lm_loss",
    "val/total_loss",
    "val_loss_step",
    "val/loss_step",
    "test_loss",
    "test/loss",
    "loss/test",
    "test_loss_epoch",
    "val/box_loss",
    "val/cross_entropy",
    "val/ce_mean_words",
    "验证损失",
    "评估损失",
    "测试损失",
)
STEP = (
    "step",
    "global_step",
    "train/global_step",
    "trainer/global_step",
    "global_step/max_steps",
    "current_steps",
    "current_step",
    "train_step",
    "train/step",
    "training_step",
    "steps",
    "total_step",
    "iteration",
    "iter",
    "iterations",
    "iters",
    "iter_num",
    "n_iter",
    "it",
    "update",
    "num_updates",
    "updates",
    "batch",
    "batch_idx",
    "time/total_timesteps",
    "total_timesteps",
    "timesteps_total",
    "num_timesteps",
    "timesteps",
    "步数",
    "当前步数",
    "步",
    "迭代次数",
    "迭代",
    "_step",
)
EPOCH = ("epoch", "train/epoch", "trainer/epoch", "current_epoch", "epochs", "epoch_num", "ep", "轮次", "轮数", "轮")
TOTAL = ("total_steps", "max_steps", "num_training_steps", "total_iters", "max_iters", "总步数")
CLOCK = (
    "timestamp",
    "_timestamp",
    "wall_time",
    "walltime",
    "datetime",
    "date",
    "time",
    "ts",
    "created_at",
    "asctime",
    "时间",
)
ELAPSED = ("elapsed_time", "elapsed", "_runtime", "time_elapsed", "elapsed_secs", "total_time", "time", "wall_clock")
RANK = ("rank", "global_rank", "process_index", "process_rank", "local_rank", "worker_rank")
DROPPED = ("_wandb", "remaining_time", "eta", "_step", "_runtime", "_timestamp")
"""Columns that say again what place and time already say, or are the tool's own book-keeping."""

CLOSING = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss")
"""The trainer's closing row: at least two of these, `train_runtime` or `total_flos` among them, and no loss."""

RARE = 20
"""A column is passed over for one that has so many times its numbers: modded-nanogpt's logs begin with the script,
where `loss = 3` is a line of code."""
_HELD_OUT = ("验证", "评估", "测试")
_LOSS_WORDS = frozenset({"loss", "logloss", "mlogloss"})
_ERROR_WORDS = frozenset(
    {"rmse", "mse", "mae", "rmsle", "mape", "smape", "mphe", "l1", "l2", "huber", "quantile", "fair", "poisson",
     "gamma", "tweedie", "error", "merror", "deviance", "nloglik"}
)  # fmt: skip
"""What boosted trees lessen where their objective is no loss by name; `auc` and `ndcg` rise."""
_TRAINING_WORDS = frozenset({"train", "training", "training's"})
_EVALUATION_WORDS = frozenset({"eval", "val", "valid", "validation", "evaluation", "dev", "test"})
_SPLIT = re.compile(r"[\s/.\-:_]+|(?<=[a-z0-9])(?=[A-Z])")


def folded(name: str) -> str:
    """`Train/Loss`, `train.loss` and `trainLoss` are the same name: `train_loss`. A leading underscore stays."""
    words = [word for word in _SPLIT.split(name.strip()) if word]
    return ("_" if name.startswith("_") else "") + "_".join(words).casefold()


def is_evaluation(name: str) -> bool:
    """Whether a column's words say that it was measured on held-out data."""
    return not _EVALUATION_WORDS.isdisjoint(folded(name).split("_")) or any(word in name for word in _HELD_OUT)


def is_loss(name: str) -> bool:
    """Whether a column's words say that it is a loss."""
    return not _LOSS_WORDS.isdisjoint(folded(name).split("_")) or "损失" in name


def is_closing(names: Iterable[str]) -> bool:
    """Whether a row of these columns is the trainer's closing row, which is no training point."""
    bare = {name.casefold().removeprefix("train/") for name in names}
    found = bare.intersection(CLOSING)
    return len(found) >= 2 and not found.isdisjoint(("train_runtime", "total_flos")) and "loss" not in bare


def chosen(table: Iterable[str], columns: Iterable[str]) -> str | None:
    """The column that fits the table's earliest line; the exact spelling goes before a folded one."""
    columns = list(columns)
    by_fold: dict[str, str] = {}
    for each in columns:
        by_fold.setdefault(folded(each), each)
    for name in table:
        if name in columns:
            return name
        column = by_fold.get(folded(name))
        if column is not None:
            return column
    return None


def mapping(counts: Mapping[str, int]) -> dict[str, str]:
    """`{source column: "loss" or "eval_loss"}` for columns with how many numbers each holds.

    Beyond the table: a column whose last word is `loss` stands in, training before evaluation words apart, the one
    with the most numbers first (so per step before per epoch), then in the file's order. Where there is no loss at all,
    the error of the training set (`train-rmse`, `training's l2`) and the same of a held-out one.
    """
    columns = [name for name, count in counts.items() if count]
    result: dict[str, str] = {}
    training = [name for name in columns if not is_evaluation(name)]
    held_out = [name for name in columns if is_evaluation(name)]
    for target, table, candidates in (("loss", LOSS, training), ("eval_loss", EVAL_LOSS, held_out)):
        known = [name for name in candidates if chosen(table, [name]) is not None]
        most = max((counts[name] for name in known), default=0)
        found: str | None = chosen(table, [name for name in known if counts[name] * RARE >= most])
        if found is None:
            ending = [name for name in candidates if is_loss(name)]
            found = max(ending, key=lambda column: counts[column], default=None)
        if found is not None:
            result[found] = target
    return result or _errors(training, held_out)


def _errors(training: Iterable[str], held_out: Iterable[str]) -> dict[str, str]:
    def error_of(name: str) -> str | None:
        *before, last = folded(name).split("_")
        return last if before and last in _ERROR_WORDS else None

    result: dict[str, str] = {}
    found = next((name for name in training if error_of(name) and folded(name).split("_")[0] in _TRAINING_WORDS), None)
    if found is not None:
        result[found] = "loss"
    wanted = _ERROR_WORDS if found is None else {error_of(found)}
    beside = next((name for name in held_out if error_of(name) in wanted), None)
    if beside is not None:
        result[beside] = "eval_loss"
    return result
