"""Stepline in other libraries' own words: a Lightning logger, an accelerate tracker, a Keras callback.

Each is a module that imports its library, and nothing but its library and the recorder:

    from stepline.adapters.lightning import SteplineLogger
    from stepline.adapters.accelerate import SteplineTracker
    from stepline.adapters.keras import SteplineKerasCallback
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOSS_NAMES = ("train_loss_step", "train_loss", "train/loss", "training_loss")
EVALUATION_LOSS_NAMES = ("val_loss", "val/loss", "valid_loss", "validation_loss", "eval/loss")
EVALUATION_PREFIXES = ("val_", "val/", "valid_", "eval_", "eval/", "test_", "test/")


def with_known_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the training loss called `loss` and the evaluation loss `eval_loss`, so that their charts show them.

    Where a record has the name already, nothing is renamed; the first name of each list that is there counts.
    """
    renamed = dict(metrics)
    for known, names in (("loss", LOSS_NAMES), ("eval_loss", EVALUATION_LOSS_NAMES)):
        found = next((name for name in names if name in renamed), None)
        if found is not None and known not in renamed:
            renamed[known] = renamed.pop(found)
    return renamed


def is_evaluation(metrics: Mapping[str, Any]) -> bool:
    """Whether all of these come from an evaluation; what a library logs beside them (epoch) does not count."""
    names = [name for name in metrics if name not in ("epoch", "step")]
    return bool(names) and all(name.startswith(EVALUATION_PREFIXES) for name in names)
