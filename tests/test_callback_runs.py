"""Which run of which task a real training becomes: started again, resumed, moved, tried smaller, searched."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

from transformers import Trainer

from stepline import SteplineCallback
from stepline.home import Home
from tests.journals import read_journals
from tests.trainings import EVALUATING, At, build, windows


def test_restarted_in_the_same_folder_is_the_next_run_of_the_task(home: Home, output: Path) -> None:
    def stop(args: Any, state: Any, control: Any) -> None:
        control.should_training_stop = True

    build(output, home.path, callbacks=(At(30, stop),)).train()
    build(output, home.path, learning_rate=1e-3).train()
    first, second = read_journals(home.path)
    assert first.header.task_id == second.header.task_id
    assert (first.steps, second.steps) == ([10, 20, 30], [10, 20, 30, 40])
    assert (first.status, second.status) == ("stopped", "completed")
    assert first.end.message == "The training ended at step 30 of 40"
    assert second.header.settings["learning_rate"] == 1e-3
    assert "resumed_from_step" not in second.records[0].details


def test_a_moved_folder_goes_on_as_its_task_and_a_key_names_one(home: Home, output: Path) -> None:
    build(output, home.path, max_steps=10).train()
    moved = output.rename(output.with_name("moved"))
    build(moved, home.path, max_steps=10).train()
    recorder = SteplineCallback(task="pilot", name="Pilot", home=home)
    build(moved, home.path, max_steps=10, recorder=recorder).train()
    build(output, home.path, max_steps=10, recorder=SteplineCallback(task="pilot", home=str(home.path))).train()
    one, other, keyed, again = (journal.header for journal in read_journals(home.path))
    assert one.task_id == other.task_id
    assert other.task_name == "moved"
    assert keyed.task_id == again.task_id != one.task_id
    assert (keyed.task_name, again.task_name, again.task_key) == ("Pilot", "pilot", "pilot")


def test_a_resumed_run_begins_at_its_checkpoint(home: Home, output: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 20}
    build(output, home.path, **saving).train()
    build(output, home.path, **saving, max_steps=60).train(resume_from_checkpoint=str(output / "checkpoint-20"))
    journal = read_journals(home.path)[1]
    begin = journal.records[0]
    assert (begin.step, begin.details["resumed_from_step"]) == (20, 20)
    assert "backfilled" not in begin.details
    assert journal.steps == [30, 40, 50, 60]


def test_a_second_training_in_one_process_is_the_next_run(home: Home, output: Path) -> None:
    trainer = build(output, home.path)
    trainer.train()
    trainer.train()
    first, second = read_journals(home.path)
    assert first.header.task_id == second.header.task_id
    assert first.steps == second.steps == [10, 20, 30, 40]
    assert first.status == second.status == "completed"


def test_a_smaller_batch_after_an_out_of_memory_is_the_next_run(home: Home, output: Path) -> None:
    class Tight(Trainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            if self._train_batch_size > 2 and self.state.global_step >= 11:
                raise RuntimeError("CUDA out of memory.")
            return super().training_step(*args, **kwargs)

    build(output, home.path, trainer_class=Tight, auto_find_batch_size=True, max_steps=20).train()
    first, *_, last = read_journals(home.path)
    assert (first.status, first.steps) == ("failed", [10])
    assert first.end.message.startswith("Out of memory")  # type: ignore[union-attr]
    assert (last.status, last.steps) == ("completed", [10, 20])
    assert last.header.settings["total_train_batch_size"] <= 2


def test_the_trials_of_a_search_are_runs_of_one_task(home: Home, output: Path) -> None:
    optuna = pytest.importorskip("optuna", reason="optuna is missing: make setup")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    class Second(optuna.pruners.BasePruner):  # type: ignore[name-defined,misc]
        def prune(self, study: Any, trial: Any) -> bool:
            return bool(trial.number == 1)

    model = build(output, home.path, recorder=None).model
    trainer = build(
        output, home.path, max_steps=20, **EVALUATING, eval_dataset=windows(4), save_strategy="steps", save_steps=20,
        model_init=lambda: copy.deepcopy(model),
    )  # fmt: skip
    trainer.hyperparameter_search(
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2)},
        n_trials=3,
        backend="optuna",
        sampler=optuna.samplers.RandomSampler(seed=1),
        pruner=Second(),
    )
    trials = read_journals(home.path)
    assert [trial.status for trial in trials] == ["completed", "stopped", "completed"]
    assert trials[1].end.message == "The search gave this trial up at step 10 of 20"
    assert len({trial.header.task_id for trial in trials}) == 1
    rates = [trial.settings["learning_rate"] for trial in trials]
    assert len(set(rates)) == 3
    assert rates == [trial.settings["trial.learning_rate"] for trial in trials]
    assert [trial.records[0].details["trial"] for trial in trials] == ["run-0", "run-1", "run-2"]
    (saved,) = trials[2].of("checkpoint")
    assert saved.details["path"] == str(output / "run-2" / "checkpoint-20")
