"""The callback in real trainings: transformers' own Trainer, small, on the CPU."""

from __future__ import annotations

import gc
import itertools
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

import torch
from transformers import Trainer, TrainerCallback

from stepline import SteplineCallback
from stepline.home import Home
from stepline.recording.journal import Update
from stepline.visit import take_in
from tests.journals import Journal, only_journal, read_journals
from tests.trainings import EVALUATING, build, windows


def logged(trainer: Trainer, kind: str) -> list[dict[str, Any]]:
    """The trainer's own rows of one kind, as its log_history has them."""
    rows = [dict(row) for row in trainer.state.log_history]
    if kind == "evaluation":
        return [row for row in rows if any(name.startswith("eval_") for name in row)]
    return [row for row in rows if "loss" in row]


def recorded(journal: Journal, kind: str) -> list[dict[str, Any]]:
    """Our rows in the same form, without what we add."""
    added = {"samples_per_second", "tokens_per_second"}
    return [
        {name: value for name, value in record.metrics.items() if name not in added}
        | {"step": record.step, "epoch": record.epoch}
        for record in journal.of(kind)
    ]


@pytest.mark.parametrize("order", ["told last", "told first", "added later", "both plain", "both told"])
def test_two_callbacks_of_one_trainer_record_it_once(
    home: Home, output: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`report_to="stepline"` beside a callback of the script's own: the one that was told something records."""
    monkeypatch.setenv("STEPLINE_HOME", str(home.path))
    told, plain = SteplineCallback(task="mine"), SteplineCallback()
    first, second = {
        "told last": (plain, told),
        "told first": (told, plain),
        "added later": (plain, None),
        "both plain": (plain, SteplineCallback()),
        "both told": (told, SteplineCallback(task="mine", home=home)),
    }[order]
    trainer = build(output, home.path, recorder=first, callbacks=(second,) if second else (), logging_steps=20)
    if order == "added later":
        trainer.add_callback(told)
    trainer.train()
    journal = only_journal(home.path)
    assert journal.steps == [20, 40]
    assert journal.status == "completed"
    assert journal.header.task_key == (str(output) if order in ("added later", "both plain") else "mine")


def test_what_is_evaluated_after_the_training_is_the_runs(home: Home, output: Path) -> None:
    trainer = build(output, home.path, logging_steps=20, eval_dataset=windows(6))
    trainer.train()
    measured = trainer.evaluate()
    trainer.evaluate(windows(4), metric_key_prefix="test")
    with take_in(home) as store:
        (task,) = store.tasks()
        (run,) = store.runs(task.id)
        *_, end, evaluation, test = store.records(task.id)
    assert (task.status, run.status, run.ended) == ("completed", "completed", end.time)
    assert [(each.kind, each.step) for each in (end, evaluation, test)] == [
        ("train_end", 40),
        ("evaluation", 40),
        ("evaluation", 40),
    ]
    assert evaluation.metrics["eval_loss"] == measured["eval_loss"]
    assert test.metrics["test_loss"] > 0
    trainer.train()
    trainer.evaluate()
    assert sorted(len(journal.of("evaluation")) for journal in read_journals(home.path)) == [1, 2]


def test_a_journal_that_is_gone_takes_no_later_evaluation(home: Home, output: Path) -> None:
    trainer = build(output, home.path, logging_steps=20, eval_dataset=windows(6))
    trainer.train()
    (journal,) = home.journals.glob("*.jsonl")
    journal.unlink()
    trainer.evaluate()
    assert not list(home.journals.glob("*.jsonl"))


def test_two_callbacks_with_tasks_of_their_own_both_record(home: Home, output: Path) -> None:
    pair = (SteplineCallback(task="a", home=home), SteplineCallback(task="b", home=home))
    build(output, home.path, recorder=pair[0], callbacks=pair[1:], logging_steps=20).train()
    assert sorted(str(journal.header.task_key) for journal in read_journals(home.path)) == ["a", "b"]


def test_a_plain_training_is_recorded_as_the_trainer_logs_it(home: Home, output: Path) -> None:
    trainer = build(
        output,
        home.path,
        logging_steps=5,
        **EVALUATING,
        eval_dataset={"near": windows(6), "far": windows(9)},
        save_strategy="steps",
        save_steps=20,
        include_num_input_tokens_seen=True,
    )
    result = trainer.train()
    journal = only_journal(home.path)
    assert journal.header.task_name == "out"
    assert journal.header.task_key == str(output)
    assert journal.header.total_steps == 40
    assert journal.header.settings["learning_rate"] == 3e-3
    assert journal.header.settings["total_train_batch_size"] == 4
    assert journal.header.settings["model.n_embd"] == 32
    assert journal.header.settings["model.parameters"] == trainer.model.num_parameters()

    assert journal.records[0].kind == "train_start"
    assert journal.records[0].step == 0
    assert recorded(journal, "step") == logged(trainer, "step")
    assert recorded(journal, "evaluation") == logged(trainer, "evaluation")
    assert len(journal.of("evaluation")) == 8
    assert journal.status == "completed"
    assert journal.end.step == 40
    assert journal.end.metrics["train_loss"] == result.metrics["train_loss"]
    assert journal.end.metrics["train_runtime"] == result.metrics["train_runtime"]

    assert [record.step for record in journal.of("checkpoint")] == [20, 40]
    for record in journal.of("checkpoint"):
        folder = Path(record.details["path"])
        assert folder == output / f"checkpoint-{record.step}"
        files = [file for file in folder.iterdir() if file.name != "stepline.json"]
        assert record.details["bytes"] == sum(file.stat().st_size for file in files)
        assert record.details["secs"] > 0
    for folder in (output, output / "checkpoint-20"):
        side_car = json.loads((folder / "stepline.json").read_text("utf-8"))
        assert side_car["task"]["id"] == journal.header.task_id
        assert side_car["run"] == journal.header.run_id
    assert side_car["step"] == 20

    (update,) = [entry for entry in journal.entries if isinstance(entry, Update)]
    assert update.settings is not None
    assert update.settings["versions.torch"] == torch.__version__


def test_report_to_stepline_records_a_training(home: Home, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPLINE_HOME", str(home.path))
    build(output, home.path, recorder=None, report_to="stepline", max_steps=10).train()
    journal = only_journal(home.path)
    assert (journal.steps, journal.status) == ([10], "completed")


def test_history_from_before_stepline_is_filled_in_once(home: Home, output: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 20, **EVALUATING, "eval_dataset": windows(4)}
    before = build(output, home.path, recorder=None, **saving)
    before.train()
    assert not list(home.journals.iterdir())
    resumed, again = (build(output, home.path, **saving, max_steps=60) for _ in range(2))
    for trainer in (resumed, again):
        trainer.train(resume_from_checkpoint=str(output / "checkpoint-40"))
    first, second = read_journals(home.path)
    assert first.steps == [10, 20, 30, 40, 50, 60]
    assert recorded(first, "step") == logged(resumed, "step")
    assert recorded(first, "evaluation") == logged(resumed, "evaluation")
    assert [record.step for record in first.records if record.details.get("backfilled") is True] == [
        *(10, 10, 20, 20, 30, 30, 40, 40)
    ]
    assert first.records[0].details["backfilled"] == 8
    assert second.steps == [50, 60]


def test_evaluations_beside_the_training_are_recorded_once(home: Home, output: Path) -> None:
    class Curious(TrainerCallback):
        trainer: Trainer

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 15:
                self.trainer.evaluate(metric_key_prefix="probe")
                self.trainer.predict(windows(3))
                self.trainer.log({"remark": "halfway", "custom": 3})  # type: ignore[dict-item]

    curious = Curious()
    trainer = curious.trainer = build(output, home.path, callbacks=(curious,), eval_dataset=windows(4))
    trainer.evaluate()
    trainer.train()
    trainer.evaluate()
    journal = only_journal(home.path)
    probe, after = journal.of("evaluation")
    assert probe.step == 15
    assert "probe_loss" in probe.metrics
    assert (after.step, "eval_loss" in after.metrics) == (40, True)
    assert journal.steps == [10, 15, 20, 30, 40]
    assert journal.of("step")[1].metrics == {"remark": "halfway", "custom": 3.0}


def test_figures_that_a_trainer_adds_to_an_evaluations_log_are_in_its_record(home: Home, output: Path) -> None:
    class Adds(Trainer):
        def log(self, logs: dict[str, Any], start_time: float | None = None) -> None:
            more = {"eval_entropy": torch.tensor(0.5)} if "eval_loss" in logs else {"entropy": 0.25}
            super().log({**logs, **more}, start_time)

    build(output, home.path, trainer_class=Adds, max_steps=10, **EVALUATING, eval_dataset=windows(4)).train()
    journal = only_journal(home.path)
    (evaluation,) = journal.of("evaluation")
    assert evaluation.metrics["eval_entropy"] == 0.5
    assert evaluation.metrics["eval_loss"] > 0  # type: ignore[operator]
    assert journal.of("step")[0].metrics["entropy"] == 0.25


def test_the_training_is_the_same_without_us_and_when_we_fail(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("STEPLINE_STRICT", "")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    trainers = []
    for output, options in (("a", {"recorder": None}), ("b", {}), ("c", {"home": blocked})):
        trainer = build(tmp_path / output, **{"home": tmp_path / "home", **options})  # type: ignore[arg-type]
        trainer.train()
        trainers.append(trainer)
    losses = [[row["loss"] for row in logged(trainer, "step")] for trainer in trainers]
    assert losses[0] == losses[1] == losses[2]
    assert only_journal(tmp_path / "home").steps == [10, 20, 30, 40]
    told = [line for line in capsys.readouterr().err.splitlines() if "Stepline" in line]
    assert len(told) == 1
    assert "this run is not recorded" in told[0]


def test_no_torch_operation_is_added(tmp_path: Path) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.operations: Counter[str] = Counter()

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.operations[str(function)] += 1
            return function(*args, **(kwargs or {}))

    counted = []
    for recorder in (None, SteplineCallback(home=tmp_path / "home")):
        options = {"eval_dataset": windows(4), **EVALUATING, "save_strategy": "steps", "save_steps": 20}
        with Counting() as counting:
            build(tmp_path / f"out {len(counted)}", tmp_path / "home", recorder=recorder, **options).train()
        counted.append(counting.operations)
    assert only_journal(tmp_path / "home").steps == [10, 20, 30, 40]
    assert counted[0]["aten.mm.default"] > 0
    assert counted[0] == counted[1]


def test_data_loader_workers_do_not_write(home: Home, output: Path) -> None:
    build(output, home.path, max_steps=10, dataloader_num_workers=2).train()
    journal = only_journal(home.path)
    assert (journal.steps, journal.status) == ([10], "completed")


def test_other_ranks_write_nothing(home: Home, output: Path) -> None:
    class OtherRank(Trainer):
        def is_world_process_zero(self) -> bool:
            return False

        def _init_training_state(self, *args: Any, **kwargs: Any) -> Any:
            begun = super()._init_training_state(*args, **kwargs)
            self.state.is_world_process_zero = False
            return begun

    build(output, home.path, trainer_class=OtherRank, max_steps=10).train()
    assert not list(home.journals.iterdir())


def test_a_trainer_with_our_callback_may_be_pickled(home: Home, output: Path) -> None:
    recorder = SteplineCallback(task="pilot", home=home)
    build(output, home.path, max_steps=10, recorder=recorder).train()
    copy = pickle.loads(pickle.dumps(recorder))
    build(output, home.path, max_steps=10, recorder=copy).train()
    first, second = read_journals(home.path)
    assert first.header.task_id == second.header.task_id


def test_a_trainer_that_is_built_is_a_pending_run_until_it_trains(home: Home, output: Path) -> None:
    trainer = build(output, home.path, max_steps=10, eval_dataset=windows(4))
    pending = only_journal(home.path)
    assert (pending.header.task_name, pending.header.settings["learning_rate"], pending.records) == ("out", 3e-3, [])
    trainer.evaluate()
    assert only_journal(home.path).records == []
    trainer.args.learning_rate = 1e-3
    trainer.train()
    trained = only_journal(home.path)
    assert (trained.header.run_id, trained.status) == (pending.header.run_id, "completed")
    assert (trained.settings["learning_rate"], trained.total_steps) == (1e-3, 10)


def test_a_trainer_that_never_trains_leaves_nothing(home: Home, output: Path) -> None:
    trainer = build(output, home.path, eval_dataset=windows(4))
    trainer.evaluate()
    assert only_journal(home.path).records == []
    del trainer
    gc.collect()
    assert list(home.journals.iterdir()) == []


class Endless(torch.utils.data.IterableDataset[dict[str, Any]]):
    def __iter__(self) -> Iterator[dict[str, Any]]:
        return itertools.cycle(windows(4))


def test_a_training_without_a_length(home: Home, output: Path) -> None:
    trainer = build(output, home.path, max_steps=20)
    trainer.train_dataset = Endless()
    trainer.train()
    journal = only_journal(home.path)
    assert (journal.status, journal.steps, journal.total_steps) == ("completed", [10, 20], 20)
