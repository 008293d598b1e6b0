"""How real trainings end, and that their runs say so: exceptions, Ctrl-C, early stopping, notebooks, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

from transformers import EarlyStoppingCallback

import stepline
from stepline import SteplineCallback
from stepline.home import Home
from tests.journals import only_journal, read_journals
from tests.trainings import EVALUATING, At, Slow, build, fail, windows


def test_an_exception_that_the_caller_catches_ends_the_run(home: Home, output: Path) -> None:
    trainer = build(output, home.path, callbacks=(At(25, fail),))
    with pytest.raises(ValueError, match="hole"):
        trainer.train()
    journal = only_journal(home.path)
    assert (journal.status, journal.end.step) == ("failed", 25)
    assert journal.end.message == "ValueError: the data has a hole"
    assert "in fail" in journal.end.details["error"]["traceback"]


def test_an_exception_ends_the_run_of_a_callback_that_was_added_later(home: Home, output: Path) -> None:
    trainer = build(output, home.path, recorder=None, callbacks=(At(25, fail),))
    trainer.add_callback(SteplineCallback(home=home))
    with pytest.raises(ValueError, match="hole"):
        trainer.train()
    assert only_journal(home.path).status == "failed"


def test_ctrl_c_stops(home: Home, output: Path) -> None:
    # A shell that starts the tests in the background has them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    trainer = build(output, home.path, callbacks=(At(15, lambda *_: signal.raise_signal(signal.SIGINT)),))
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.train()
    finally:
        signal.signal(signal.SIGINT, before)
    journal = only_journal(home.path)
    assert (journal.status, journal.end.message) == ("stopped", "Interrupted (Ctrl-C)")
    assert journal.steps == [10]


def test_early_stopping_is_named(home: Home, output: Path) -> None:
    build(
        output,
        home.path,
        callbacks=(EarlyStoppingCallback(early_stopping_patience=2, early_stopping_threshold=100.0),),
        **EVALUATING,
        eval_dataset=windows(4),
        save_strategy="steps",
        save_steps=10,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
    ).train()
    journal = only_journal(home.path)
    assert (journal.status, journal.end.step) == ("stopped", 30)
    assert journal.end.message == "Early stopping: eval_loss did not improve in 2 evaluations"


def test_a_training_that_fails_before_it_begins_says_so(home: Home, output: Path) -> None:
    trainer = build(output, home.path, max_steps=10)
    with pytest.raises(ValueError, match="checkpoint"):
        trainer.train(resume_from_checkpoint=True)
    failed = only_journal(home.path)
    assert (failed.status, [record.kind for record in failed.records]) == ("failed", ["train_end"])
    trainer.train()
    assert read_journals(home.path)[1].status == "completed"


def test_a_checkpoint_that_is_made_on_sigterm_is_recorded(home: Home, output: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    terminate = At(12, lambda *_: signal.raise_signal(signal.SIGTERM))
    # It waits for three seconds of its own, lest a kill comes into the middle of it.
    trainer = build(output, home.path, callbacks=(terminate, Slow()), max_steps=1000, enable_jit_checkpoint=True)
    for callback in trainer.callback_handler.callbacks:
        if hasattr(callback, "jit_manager"):
            callback.jit_manager.kill_wait = 0.1
    trainer.train()
    assert signal.getsignal(signal.SIGTERM) is before
    journal = only_journal(home.path)
    assert journal.status == "stopped"
    (saved,) = journal.of("checkpoint")
    assert saved.details["path"] == str(output / f"checkpoint-{saved.step}")
    assert json.loads((output / f"checkpoint-{saved.step}" / "stepline.json").read_text())["step"] == saved.step


def test_a_notebooks_cell_that_fails_ends_the_run_that_it_began(home: Home, output: Path) -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is missing: make setup")
    shell = interactive.InteractiveShell.instance(colors="nocolor")
    try:
        shell.user_ns.update(build=build, output=output, home=home.path, fails=At(25, fail), stepline=stepline)
        cell = shell.run_cell
        cell("trainer = build(output, home, callbacks=(fails,)); 1 / 0")
        assert only_journal(home.path).records == []
        cell("trainer.train()")
        assert (only_journal(home.path).status, only_journal(home.path).end.step) == ("failed", 25)
        cell("trainer.train(resume_from_checkpoint='nowhere')")
        cell("run = stepline.record('loop', home=home).__enter__(); run.log({'loss': 1.0}, step=1)")
        cell("mistyped")
        cell("run.log({'loss': 0.5}, step=2)")
        cell("other = stepline.record('other', home=home).__enter__(); raise KeyboardInterrupt")
        cell("run.__exit__(None, None, None)")
    finally:
        interactive.InteractiveShell.clear_instance()
    _, loop, other = read_journals(home.path)
    assert (loop.status, loop.steps) == ("completed", [1, 2])
    assert (other.status, other.end.message) == ("stopped", "Interrupted (Ctrl-C)")


@pytest.mark.skipif(not find_spec("flask"), reason="serving the page needs the app: pip install stepline[app]")
def test_ctrl_c_and_kill_9_of_a_training_that_serves_its_page(tmp_path: Path) -> None:
    def start(scene: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.trainings", scene, str(tmp_path / scene)]
        return subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"STEPLINE_STRICT": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with start("endless") as interrupted, start("serving") as endless:
        assert interrupted.stdout is not None
        assert endless.stdout is not None
        assert any(line.startswith("there") for line in interrupted.stdout)
        interrupted.send_signal(signal.SIGINT)
        addresses = []
        for line in endless.stdout:
            if line.startswith("Stepline is at "):
                addresses.append(line.removeprefix("Stepline is at ").partition("?")[0])
            if line.startswith("there"):
                break
        (address,) = addresses
        with urllib.request.urlopen(f"{address}api/health", timeout=60) as answer:
            assert answer.status == 200
        endless.kill()
        _, errors = interrupted.communicate(timeout=120)
    assert "KeyboardInterrupt" in errors
    assert "Stepline" not in errors
    stopped = only_journal(tmp_path / "endless" / "home")
    assert (stopped.status, stopped.end.message) == ("stopped", "Interrupted (Ctrl-C)")
    assert stopped.steps == list(range(1, len(stopped.steps) + 1))
    killed = only_journal(tmp_path / "serving" / "home")
    assert killed.steps[:11] == list(range(1, 12))
    assert not killed.of("train_end")
