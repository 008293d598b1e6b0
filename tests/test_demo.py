"""The demo: a real training, interrupted and started over, recorded like any other."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepline.app import App
from stepline.command import main
from stepline.demo import recorded, text
from stepline.demo.training import new_folder
from stepline.home import Home
from stepline.visit import take_in
from tests.front_door import wait_for
from tests.programs import Program

MISSING = "torch and transformers are missing: make setup"


def tasks(home: Home, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["tasks", "--json", "--home", str(home.path)]) == 0
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return listed


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 512))
def test_the_text_is_cut_into_windows_of_one_length(length: int) -> None:
    cut = text.load(length)
    for window in (*cut.training, *cut.held_out):
        assert len(window) == length
        assert min(window) >= 0
        assert max(window) < 256


def test_what_is_held_out_is_never_trained_on() -> None:
    cut = text.load(96)
    data = Path(text.__file__).with_name("logbook.txt").read_bytes()
    assert len(cut.held_out) > 20
    held_out_from = data.index(b"".join(map(bytes, cut.held_out)))
    assert [bytes(window) for window in cut.training] == [
        data[start : start + 96] for start in range(0, held_out_from - 95, 48)
    ]


def test_the_text_is_english_and_chinese() -> None:
    words = Path(text.__file__).with_name("logbook.txt").read_text("utf-8")
    assert 50_000 < len(words.encode()) < 80_000
    assert 0.1 < sum("\u4e00" <= letter <= "\u9fff" for letter in words) / len(words) < 0.5


def test_every_demo_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert [new_folder(tmp_path / "demo").name for _ in range(3)] == ["tiny-gpt-1", "tiny-gpt-2", "tiny-gpt-3"]


def test_a_headless_demo_is_a_task_of_two_runs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers", reason=MISSING)
    with Program("demo", "--headless", "--max-steps", "40", "--home", home.path) as demo:
        assert demo.ends() == 0
        assert demo.told == []
        assert "tiny-gpt-1: run 1 stopped at step 30, run 2 completed at step 40" in demo.said[-1]
    (task,) = tasks(home, capsys)
    assert task["status"] == "completed"
    assert [(run["status"], run["first_step"], run["last_step"]) for run in task["runs"]] == [
        ("stopped", 1, 30),
        ("completed", 1, 40),
    ]
    with take_in(home) as store:
        first, second = store.runs(task["id"])
        assert first.settings["learning_rate"] != second.settings["learning_rate"]
        kinds = [entry.kind for entry in store.records(task["id"])]
        losses = store.columns(task["id"], "eval_loss").value
        checkpoints = store.checkpoints(task["id"])
    assert kinds.count("step") == 70
    assert kinds.count("train_start") == kinds.count("train_end") == 2
    # The first learning rate is too high, which is why a person would start over.
    assert losses[-1] < losses[kinds[: kinds.index("train_end")].count("evaluation") - 1]
    assert {checkpoint.run_number for checkpoint in checkpoints} == {1, 2}

    # A second demo on the same home is a new task.
    with Program("demo", "--headless", "--max-steps", "2", STEPLINE_HOME=str(home.path)) as demo:
        assert demo.ends() == 0
    assert {task["name"] for task in tasks(home, capsys)} == {"tiny-gpt-1", "tiny-gpt-2"}


def test_without_a_display_it_says_so_serves_and_ends_with_a_summary(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers", reason=MISSING)
    with Program("demo", "--max-steps", "4", "--home", home.path) as demo:
        demo.line("Stepline is at http://127.0.0.1:")
        assert demo.ends() == 0
        assert "There is no display" in demo.told[0]
        assert any(line.startswith("Run 2: step ") for line in demo.said)
        assert "run 2 completed at step 4" in demo.said[-1]


def test_ended_from_outside_it_is_stopped(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers", reason=MISSING)
    with Program("demo", "--headless", "--max-steps", "10000", "--home", home.path) as demo:
        wait_for(lambda: any(line.startswith("Run 2: step ") for line in demo.said), 120)
        demo.process.send_signal(signal.SIGTERM)
        assert demo.ends() == 0
        assert demo.told == []
    (task,) = tasks(home, capsys)
    assert [run["status"] for run in task["runs"]] == ["stopped", "stopped"]


def test_an_export_gives_back_what_the_trainer_logged(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers", reason=MISSING)
    from tests.trainings import At, build, windows

    def stop(args: Any, state: Any, control: Any) -> None:
        control.should_training_stop = True

    options = {"logging_steps": 1, "eval_strategy": "steps", "eval_steps": 10, "eval_dataset": windows(8)}
    trainers = [
        build(tmp_path / "out", home.path, callbacks=(At(30, stop),), **options),
        build(tmp_path / "out", home.path, learning_rate=1e-3, **options),
    ]
    for trainer in trainers:
        trainer.train()
        with take_in(home) as store:
            (task,) = store.tasks()

    capsys.readouterr()
    assert main(["export", task.id, "--home", str(home.path)]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    runs = list(dict.fromkeys(record["run"] for record in records))
    assert len(runs) == 2
    for run, trainer in zip(runs, trainers, strict=True):
        given_back = [record for record in records if record["run"] == run and record["metrics"]]
        logged = [dict(entry) for entry in trainer.state.log_history]
        assert len(given_back) == len(logged)
        for record, entry in zip(given_back, logged, strict=True):
            assert record["step"] == entry.pop("step")
            assert record["epoch"] == entry.pop("epoch")
            # The recorder adds to what the trainer logs (samples a second), and changes none of it.
            assert {name: record["metrics"].get(name) for name in entry} == entry


def test_a_recorded_training_is_played_and_says_that_it_is_one(home: Home):
    recorded.play(home, threading.Event(), secs_per_step=0)
    with take_in(home) as store:
        (task,) = store.tasks()
        assert "recorded" in task.name
        # Both begin within one second here, so their order is not told.
        runs = sorted((run.last_step, run.status) for run in store.runs(task.id))
        assert runs == [(30, "stopped"), (160, "completed")]
        said = [entry.message for entry in store.records(task.id, kinds=["message"])]
        assert said == [recorded.SAID] * 2


def test_the_playing_ends_when_it_is_asked_to(home: Home):
    stopping = threading.Event()
    stopping.set()
    recorded.play(home, stopping)
    with take_in(home) as store:
        assert [run.status for run in store.runs(store.tasks()[0].id)] == ["stopped"]


def test_a_demo_that_a_page_began_trains_apart_and_ends_with_the_app(home: Home):
    pytest.importorskip("transformers", reason="transformers is missing: make setup")
    app = App(home)
    app.start()
    try:
        assert app.demo() == {"kind": "training"}
        assert app.demo() == {"kind": "training"}, "one at a time"
        wait_for(lambda: app.store.tasks() and app.store.tasks()[0].step)
    finally:
        app.stop()
    with take_in(home) as store:
        (task,) = store.tasks()
        assert task.status == "stopped"
