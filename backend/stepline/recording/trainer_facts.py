"""What a transformers training says about itself, read from its arguments, state, model and, where known, its trainer.

These objects differ between releases and between libraries built on them, so each fact has its fallback. Nothing here
imports transformers or torch, and no tensor is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stepline.recording.commands import CommandName
from stepline.recording.journal import Kind
from stepline.recording.plain import flat_settings, text

MODEL_SETTINGS = (
    "model_type",
    "architectures",
    "_name_or_path",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "n_embd",
    "n_layer",
    "n_head",
    "n_positions",
    "dtype",
)


def settings_of(args: Any, state: Any, model: Any, trainer: Any) -> dict[str, Any]:
    """The run's settings, flat: the arguments under their own names, then "model.…", "peft.…" and "trial.…"."""
    settings: dict[str, Any] = {}
    for source in (_of_arguments, _of_model, _of_adapters, _of_trial):
        # Other people's classes: one that cannot be read must not cost the run, nor the other settings.
        with suppress(Exception):
            settings |= source(args, state, model, trainer)
    return settings


def _of_arguments(args: Any, state: Any, model: Any, trainer: Any) -> dict[str, Any]:
    return {**flat_settings(args.to_dict()), "total_train_batch_size": effective_batch(args, trainer)}


def _of_model(args: Any, state: Any, model: Any, trainer: Any) -> dict[str, Any]:
    config = getattr(model, "config", None)
    basics = {name.lstrip("_"): getattr(config, name, None) for name in MODEL_SETTINGS}
    if hasattr(model, "parameters"):
        basics["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    return flat_settings({name: value for name, value in basics.items() if value is not None}, "model.")


def _of_adapters(args: Any, state: Any, model: Any, trainer: Any) -> dict[str, Any]:
    adapters = getattr(model, "peft_config", None) or {}
    return flat_settings({name: adapter.to_dict() for name, adapter in adapters.items()}, "peft.")


def _of_trial(args: Any, state: Any, model: Any, trainer: Any) -> dict[str, Any]:
    return flat_settings(state.trial_params or {}, "trial.")


def total_steps(state: Any) -> int | None:
    """Steps the training will make; None where it has no known length."""
    return int(state.max_steps) if state.max_steps and state.max_steps > 0 else None


def effective_batch(args: Any, trainer: Any) -> int:
    """Samples of one optimizer step, over all devices and accumulated batches."""
    if hasattr(trainer, "get_total_train_batch_size"):
        # Knows of tensor, context and sequence parallel ranks, which share their samples.
        return int(trainer.get_total_train_batch_size(args))
    return int(args.train_batch_size * args.gradient_accumulation_steps * args.world_size)


def has_evaluation_set(args: Any, trainer: Any) -> bool:
    if trainer is not None:
        return getattr(trainer, "eval_dataset", None) is not None
    return _word(args.eval_strategy) != "no"


def controls(args: Any, trainer: Any) -> list[CommandName]:
    """The commands that make sense for this training."""
    return ["stop", "save", "evaluate", "log"] if has_evaluation_set(args, trainer) else ["stop", "save", "log"]


def output_folder(args: Any, trainer: Any) -> Path:
    """Where this training's checkpoints lie: the trials of a hyperparameter search have folders of their own."""
    if hasattr(trainer, "_get_output_dir"):
        return Path(trainer._get_output_dir(trial=getattr(trainer, "_trial", None))).absolute()
    return Path(args.output_dir).absolute()


def checkpoint_folder(args: Any, state: Any, trainer: Any) -> Path | None:
    """Where the checkpoint of the present step lies; no event says so. None where there is none."""
    name = f"checkpoint-{state.global_step}"
    folder = output_folder(args, trainer) / name
    if folder.is_dir():
        return folder
    found = [path for path in Path(args.output_dir).absolute().glob(f"*/{name}") if path.is_dir()]
    return max(found, key=os.path.getmtime, default=None)


def checkpoints_since(begun: float, args: Any, trainer: Any) -> list[Path]:
    """Checkpoints that were written since `begun` (Unix seconds) and are whole, by step."""
    folders = [path for path in output_folder(args, trainer).glob("checkpoint-*") if step_of(path) >= 0]
    # A file system's stamps may lie a few milliseconds behind the clock.
    since = begun - 0.1
    whole = [path for path in folders if not (path / "checkpoint-is-incomplete.txt").exists()]
    return sorted((path for path in whole if path.stat().st_mtime >= since), key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step in a checkpoint folder's name; -1 where there is none."""
    digits = checkpoint.name.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1


def why_stopped(trainer: Any) -> str | None:
    """Early stopping, where that is what ended the training before its last step."""
    for callback in getattr(getattr(trainer, "callback_handler", None), "callbacks", ()):
        patience = getattr(callback, "early_stopping_patience", None)
        waited = getattr(callback, "early_stopping_patience_counter", 0)
        if patience is not None and waited >= patience:
            metric = getattr(trainer.args, "metric_for_best_model", None) or "the watched metric"
            return f"Early stopping: {metric} did not improve in {waited} evaluations"
    return None


def history(log_history: list[Any], up_to_step: int) -> Iterator[tuple[Kind, int, float | None, dict[str, Any]]]:
    """(kind, step, epoch, metrics) of each row that the trainer logged before Stepline was there."""
    for row in log_history:
        if not isinstance(row, Mapping) or not isinstance(row.get("step"), int) or row["step"] > up_to_step:
            continue
        metrics = {text(name): value for name, value in row.items() if name not in ("step", "epoch")}
        kind: Kind = "step"
        if is_closing(metrics):
            # The end of an earlier training, which is no training point and not the end of this one.
            kind = "message"
        elif is_evaluation(metrics):
            kind = "evaluation"
        yield kind, row["step"], row.get("epoch"), metrics


def is_closing(logs: Mapping[str, Any]) -> bool:
    """Whether this is the row that the trainer logs once, when a training has ended."""
    return "train_loss" in logs and "train_runtime" in logs and "loss" not in logs


def is_evaluation(logs: Mapping[str, Any]) -> bool:
    return any(str(name).startswith("eval_") for name in logs)


def _word(value: Any) -> str:
    return str(getattr(value, "value", value))
