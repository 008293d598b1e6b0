"""A loss that is not a number, in the real Trainer, which logs 0.0 for it: found, with what was clean before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

import torch
from transformers import Trainer

from stepline.diagnosis import Diagnosis
from stepline.home import Home
from stepline.visit import take_in
from stepline.wire import Finding
from tests.journals import only_journal
from tests.trainings import build

SAVING = {"save_strategy": "steps", "save_steps": 10}


def found_in(home: Home) -> list[Finding]:
    with take_in(home) as store:
        (task,) = store.tasks()
        return Diagnosis(store).findings(task.id)


def losses(home: Home) -> dict[int | None, float | str]:
    return {record.step: record.metrics["loss"] for record in only_journal(home.path).of("step")}


def test_weights_that_became_nan_are_found_with_the_last_clean_step_and_checkpoint(home: Home, tmp_path: Path) -> None:
    class Diverges(Trainer):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            return loss * float("nan") if self.state.global_step >= 24 else loss

    build(tmp_path / "out", home.path, trainer_class=Diverges, logging_steps=1, **SAVING).train()
    assert [step for step, loss in losses(home).items() if loss == 0.0] == list(range(25, 41))
    (found,) = found_in(home)
    assert (found["rule"], found["severity"]) == ("masked_nan", "error")
    assert found["evidence"] == {
        "sign": "certain",
        "records": 16.0,
        "first_step": 25.0,
        "last_step": 40.0,
        "clean_step": 24.0,
        "clean_checkpoint": 20.0,
    }


def test_a_loss_that_was_nan_for_some_steps_is_found_where_it_was(home: Home, tmp_path: Path) -> None:
    class BadBatches(Trainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            return loss * float("nan") if 24 <= self.state.global_step < 28 else loss

    build(tmp_path / "out", home.path, trainer_class=BadBatches, logging_steps=1, **SAVING).train()
    assert [step for step, loss in losses(home).items() if loss == 0.0] == [25, 26, 27, 28]
    (found,) = found_in(home)
    assert found["rule"] == "masked_nan"
    assert (found["evidence"]["first_step"], found["evidence"]["last_step"]) == (25.0, 28.0)
    assert (found["evidence"]["clean_step"], found["evidence"]["clean_checkpoint"]) == (24.0, 20.0)


def test_without_the_filter_the_loss_is_told_as_it_is(home: Home, tmp_path: Path) -> None:
    class Diverges(Trainer):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            return loss + torch.nan if self.state.global_step >= 24 else loss

    options = {"logging_steps": 1, "logging_nan_inf_filter": False}
    build(tmp_path / "out", home.path, trainer_class=Diverges, **options).train()
    (found,) = found_in(home)
    assert found["evidence"]["sign"] == "plain"
