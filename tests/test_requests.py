"""Requests to real trainings: stop, save, evaluate, log now; each acts once, on its run, on all ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")


from stepline.home import Home
from tests.journals import only_journal, read_journals
from tests.trainings import Slow, ask, ask_at, build, windows


def test_a_request_to_stop_is_obeyed_once_and_named(home: Home, output: Path) -> None:
    stop = {"id": "a1", "command": "stop", "time": 1.0}
    build(output, home.path, callbacks=(ask_at(30, home.path, stop, stop), Slow()), max_steps=1203).train()
    journal = only_journal(home.path)
    assert journal.status == "stopped"
    (answer,) = journal.of("message")
    assert answer.details == {"command": "a1", "request": "stop", "applied_step": answer.step}
    assert answer.step is not None
    assert 30 <= answer.step < 100
    assert answer.message == journal.end.message == f"Stopped by request at step {answer.step:,}"
    assert journal.end.step == answer.step
    assert not list(home.journals.glob("*.commands.jsonl"))


def test_requests_to_save_evaluate_and_log(home: Home, output: Path) -> None:
    asking = ask_at(
        3,
        home.path,
        {"id": "a", "command": "save"},
        {"id": "b", "command": "evaluate"},
        "not json",
        {"id": "c", "command": "dance"},
        {"id": "d", "command": "log"},
    )
    options = {"logging_steps": 1000, "max_steps": 60, "eval_dataset": windows(4)}
    build(output, home.path, callbacks=(asking, Slow()), **options).train()
    journal = only_journal(home.path)
    answers = journal.of("message")
    assert [(answer.details["command"], answer.details["applied_step"]) for answer in answers] == [
        (command, answers[0].step) for command in "abd"
    ]
    step = answers[0].step
    assert journal.steps == [step]
    assert [record.step for record in journal.of("evaluation")] == [step]
    assert [record.step for record in journal.of("checkpoint")] == [step]
    assert journal.records[0].details["controls"] == ["stop", "save", "evaluate", "log"]
    assert journal.status == "completed"


def test_evaluating_without_an_evaluation_set_is_refused(home: Home, output: Path) -> None:
    asking = ask_at(3, home.path, {"id": "a", "command": "evaluate"})
    build(output, home.path, callbacks=(asking, Slow()), max_steps=40).train()
    journal = only_journal(home.path)
    assert journal.records[0].details["controls"] == ["stop", "save", "log"]
    (answer,) = journal.of("message")
    assert answer.details["refused"] == "there is no evaluation set"
    assert journal.status == "completed"


def test_a_request_to_another_run_does_nothing(home: Home, output: Path) -> None:
    ask(home.path, "20200101-000000-00000000", {"id": "a", "command": "stop"})
    build(output, home.path).train()
    assert read_journals(home.path)[-1].status == "completed"


def test_a_request_to_two_ranks_is_obeyed_by_both_at_the_same_step(tmp_path: Path) -> None:
    ranks = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.trainings"]
    done = subprocess.run(
        [sys.executable, *ranks, "two_ranks", str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [(tmp_path / f"rank-{rank}").read_text() for rank in range(2)]
    assert said[0] == said[1]

    first, again = read_journals(tmp_path / "home")
    assert first.records[0].details["no_controls"] == "before_first_log"
    offered, *answers = first.of("message")
    assert (offered.step, offered.details) == (5, {"controls": ["stop", "save", "evaluate"], "controls_at": "log"})
    assert [answer.details["command"] for answer in answers] == ["a", "b", "c", "d"]
    asked_at, stopped_at = answers[0].step, answers[3].step
    assert asked_at is not None
    assert asked_at % 5 == 0
    assert "refused" in answers[2].details
    assert [record.step for record in first.of("evaluation")] == [asked_at]
    assert asked_at in [record.step for record in first.of("checkpoint")]
    assert (first.status, first.end.step) == ("stopped", stopped_at)
    assert first.end.message == f"Stopped by request at step {stopped_at:,}"
    assert first.steps == list(range(5, int(stopped_at or 0) + 1, 5))
    assert said[0] == f"of 2: [{stopped_at}, 40, 20]"
    assert first.settings["total_train_batch_size"] == 8
    assert (again.status, again.of("message")[0].details) == (
        "completed",
        {"controls": ["stop", "save"], "controls_at": "log"},
    )

    alone = only_journal(tmp_path / "other")
    assert (alone.status, alone.steps[-1]) == ("completed", 40)
    assert alone.of("message")[0].details == {"controls": [], "no_controls": "ranks_differ"}
