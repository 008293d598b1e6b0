"""The recorder in real processes: no log lost, no exception let out, an end that is true."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import stepline
from stepline.home import Home
from stepline.recording.journal import Heartbeat
from tests.journals import only_journal, read_journals, run_python


def test_a_run_from_start_to_end(home: Home) -> None:
    with stepline.record("pilot", total_steps=3, settings={"lr": 3e-4, "model": {"width": 8}}, home=home) as run:
        for step in (1, 2, 3):
            run.log({"loss": 1 / step, "note": "fine"}, step=step, epoch=step / 3)
        run.evaluation({"eval_loss": np.float32(0.5)}, step=3)
        run.checkpoint(home.path, step=3)
        run.message("that was it", step=3)
    journal = only_journal(home.path)
    assert (journal.header.task_name, journal.header.task_id, journal.header.run_id) == ("pilot", run.task_id, run.id)
    assert journal.header.settings == {"lr": 3e-4, "model.width": 8}
    assert journal.header.total_steps == 3
    assert journal.header.process.pid == os.getpid()
    assert [record.kind for record in journal.records] == [
        "train_start",
        "step",
        "step",
        "step",
        "evaluation",
        "checkpoint",
        "message",
        "train_end",
    ]
    assert journal.of("step")[1].metrics == {"loss": 0.5, "note": "fine"}
    assert journal.of("step")[1].epoch == 2 / 3
    assert journal.of("evaluation")[0].metrics == {"eval_loss": 0.5}
    assert journal.of("checkpoint")[0].details["path"] == str(home.path)
    assert journal.of("checkpoint")[0].details["bytes"] > 0
    assert (journal.status, journal.end.step) == ("completed", 3)


def test_a_run_without_with_begins_at_its_first_log_and_ends_when_it_is_finished(home: Home) -> None:
    run = stepline.record("pilot", home=home)
    assert not list(home.journals.glob("*.jsonl"))
    run.log({"loss": 1.0}, step=1)
    assert not run.should_stop
    assert [record.step for record in only_journal(home.path).of("step")] == [1]
    run.finish()
    run.finish()
    assert only_journal(home.path).status == "completed"


@pytest.mark.parametrize(("ends", "status"), [("", "stopped"), ("1 / 0", "failed")])
def test_a_run_without_with_that_nobody_finished_ends_with_its_process(home: Home, ends: str, status: str) -> None:
    program = f"import stepline, sys\nstepline.record('pilot', home=sys.argv[1]).log({{'loss': 1.0}}, step=1)\n{ends}"
    subprocess.run([sys.executable, "-c", program, str(home.path)], check=False, stderr=subprocess.DEVNULL)
    journal = only_journal(home.path)
    assert (len(journal.of("step")), journal.status) == (1, status)


def test_the_process_in_the_header_is_the_one_that_psutil_sees(home: Home) -> None:
    psutil = pytest.importorskip("psutil")
    with stepline.record("pilot", home=home):
        pass
    process = only_journal(home.path).header.process
    if process.started is not None:
        assert process.started == pytest.approx(psutil.Process().create_time(), abs=1)


def test_the_same_name_is_the_same_task_and_another_run(home: Home) -> None:
    for _ in range(2):
        with stepline.record("pilot", home=home):
            pass
    one, other = read_journals(home.path)
    assert one.header.task_id == other.header.task_id
    assert one.header.run_id != other.header.run_id


def test_an_exception_is_in_the_end_and_goes_on(home: Home) -> None:
    def train() -> None:
        with stepline.record("pilot", home=home) as run:
            run.log({"loss": 1.0}, step=7)
            raise ValueError("the data has a hole")

    with pytest.raises(ValueError, match="hole"):
        train()
    end = only_journal(home.path).end
    assert (end.message, end.step, end.details["status"]) == ("ValueError: the data has a hole", 7, "failed")
    error = end.details["error"]
    assert (error["type"], error["text"]) == ("ValueError", "the data has a hole")
    assert "test_recorder.py" in error["traceback"]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "stopped"), (SystemExit(0), "stopped"), (SystemExit(3), "failed")]
)
def test_leaving_early_is_told_as_what_it_is(home: Home, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), stepline.record("pilot", home=home):
        raise error
    assert only_journal(home.path).status == status


def test_a_loop_that_asks_is_stopped_by_request(home: Home) -> None:
    with stepline.record("pilot", home=home) as run:
        assert not run.should_stop
        wanted = ["evaluate", "stop", "stop"]
        lines = [json.dumps({"id": str(place), "command": name}) for place, name in enumerate(wanted)]
        (home.journals / f"{run.id}.commands.jsonl").write_text("\n".join(lines) + "\n")
        (home.journals / "20200101-000000-00000000.commands.jsonl").write_text(lines[1] + "\n")
        step = 0
        while not run.should_stop and step < 100_000:
            step += 1
            run.log({"loss": 1.0}, step=step)
            time.sleep(0.001)
        assert run.should_stop
    journal = only_journal(home.path)
    offer, refused, answer, _ = journal.of("message")
    assert offer.details == {"controls": ["stop"]}
    assert refused.details["refused"] == "this loop can only be stopped"
    assert answer.details == {"command": "1", "request": "stop", "applied_step": step}
    assert (journal.status, journal.end.message) == ("stopped", f"Stopped by request at step {step:,}")
    assert not (home.journals / f"{run.id}.commands.jsonl").exists()
    with stepline.record("pilot", home=home) as later:
        assert not later.should_stop


ODD_NAMES = ["a/b\\c:d", "../../etc", "🚀 火箭", "x" * 10_000, "", "two\nlines\t\x00\x1b[31m", "\ud83d", "  "]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_makes_a_task(home: Home, name: str) -> None:
    with stepline.record(name, home=home) as run:
        run.log({"loss": 1.0})
    journal = only_journal(home.path)
    assert 0 < len(journal.header.task_name) <= 200
    assert journal.header.task_name.isprintable()
    assert [path.parent for path in home.path.rglob("*.jsonl")] == [home.journals]


def test_different_names_are_different_tasks() -> None:
    assert len({stepline.record(name).task_id for name in [*ODD_NAMES, "x" * 10_001]}) == len(ODD_NAMES) + 1


def test_settings_and_metrics_of_any_kind(home: Home) -> None:
    settings = argparse.Namespace(path=Path("a"), kinds={"a", "b"}, big=10**5000, nan=float("nan"), call=print)
    with stepline.record("pilot", settings=settings, home=home) as run:
        run.log({f"metric {number}": number / 7 for number in range(1000)}, step=np.int64(5))  # type: ignore[arg-type]
        run.log({"a": np.float64(2.5), "b": np.zeros(2), "c": None, 4: 1, ("t",): 2, "d": 10**5000})  # type: ignore[dict-item]
    journal = only_journal(home.path)
    assert journal.header.settings["nan"] == "NaN"
    assert journal.header.settings["kinds"] == ["a", "b"]
    many, odd = journal.of("step")
    assert (many.step, len(many.metrics), many.metrics["metric 700"]) == (5, 1000, 100.0)
    assert odd.metrics == {
        "a": 2.5,
        "b": "ndarray of shape (2,)",
        "4": 1.0,
        "('t',)": 2.0,
        "d": float("inf"),
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [("5", 5), (6.0, 6), (np.int64(7), 7), (np.float32(8), 8), (True, 1), (-3, -3), (6.5, None), (float("nan"), None),
     (2**70, None), ("last", None), ([1], None), (object(), None)],
)  # fmt: skip
def test_what_is_logged_at_an_odd_step_is_kept(
    home: Home, given: object, kept: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line whose step is no whole number is no record to a reader: the loss went with it, and the run's end too."""
    monkeypatch.setenv("STEPLINE_STRICT", "")
    with stepline.record("pilot", total_steps=-1, home=home) as run:
        run.log({"loss": 0.5}, step=given)
        run.message(5, step=given)
    journal = only_journal(home.path)
    assert [(record.step, record.metrics) for record in journal.of("step")] == [(kept, {"loss": 0.5})]
    assert journal.of("message")[0].message == "5"
    assert (journal.status, journal.end.step, journal.header.total_steps) == ("completed", kept, None)
    told = [line for line in capsys.readouterr().err.splitlines() if "whole number" in line]
    assert len(told) == (kept is None)


def test_strict_raises_at_the_users_own_line(home: Home) -> None:
    with stepline.record("pilot", home=home) as run, pytest.raises(TypeError):
        run.log(5)  # type: ignore[arg-type]
    with pytest.raises(stepline.errors.UsageError, match="ended"):
        run.log({"loss": 1.0})


def test_what_fails_is_told_once_and_not_raised(tmp_path: Path) -> None:
    done = run_python(
        "import stepline, sys\n"
        "with stepline.record('pilot', home=sys.argv[1]) as run:\n"
        "    for _ in range(5): run.log(5)\n"
        "    run.log({'loss': 1.0})\n"
        "run.log({'loss': 2.0})\n"
        "open(sys.argv[1] + '/blocked', 'w').close()\n"
        "for _ in range(2):\n"
        "    with stepline.record('pilot', home=sys.argv[1] + '/blocked') as run: run.log({'loss': 1.0})\n",
        tmp_path,
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line.startswith("Stepline cannot record: ") for line in lines] == [True, True, True]
    assert "TypeError" in lines[0]
    assert "blocked" in lines[1]
    assert "this run is not recorded" in lines[1]
    journal = only_journal(tmp_path)
    assert (journal.status, len(journal.of("step"))) == ("completed", 1)


def test_threads_and_signal_handlers_may_log_at_once(home: Home) -> None:
    with stepline.record("pilot", home=home) as run:
        before = signal.signal(signal.SIGALRM, lambda *_: run.log({"from": "handler"}))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            threads = [
                threading.Thread(target=lambda: [run.log({"loss": 1.0}, step=step) for step in range(300)])
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for step in range(3000):
                run.log({"loss": 2.0}, step=step)
            for thread in threads:
                thread.join()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    losses = [record.metrics.get("loss") for record in only_journal(home.path).of("step")]
    assert (losses.count(1.0), losses.count(2.0)) == (2400, 3000)


def test_a_forked_child_does_not_write(home: Home) -> None:
    with stepline.record("pilot", home=home) as run:
        run.log({"loss": 1.0}, step=1)
        child = os.fork()
        if child == 0:
            try:
                run.log({"loss": 666.0}, step=2)
                run.__exit__(None, None, None)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        run.log({"loss": 2.0}, step=2)
    journal = only_journal(home.path)
    assert [record.metrics["loss"] for record in journal.of("step")] == [1.0, 2.0]
    assert journal.status == "completed"


def test_a_forked_child_may_have_a_run_of_its_own(tmp_path: Path) -> None:
    done = run_python(
        "import stepline, sys, os\n"
        "with stepline.record('parent', home=sys.argv[1]) as run:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        own = stepline.record('child', home=sys.argv[1]).__enter__()\n"
        "        raise ValueError('in the child')\n"
        "    os.waitpid(child, 0)\n",
        tmp_path,
    )
    assert done.returncode == 0
    status = {journal.header.task_name: journal.status for journal in read_journals(tmp_path)}
    assert status == {"parent": "completed", "child": "failed"}


ENDINGS = {
    "raise ValueError('late')": ("failed", "ValueError: late"),
    "sys.exit(0)": ("stopped", "The process ended before the run did"),
    "raise KeyboardInterrupt": ("stopped", "Interrupted (Ctrl-C)"),
    "import threading; t = threading.Thread(target=lambda: stepline.record('pilot', home=sys.argv[1]).__enter__()"
    ".log(1 / 0)); run.__exit__(None, None, None); t.start(); t.join()": ("failed", "ZeroDivisionError"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_that_nobody_ends_ends_with_its_process(tmp_path: Path, ending: str) -> None:
    run_python(
        "import stepline, sys\n"
        "run = stepline.record('pilot', home=sys.argv[1]).__enter__()\n"
        "run.log({'loss': 1.0}, step=1)\n" + ending,
        tmp_path,
    )
    journal = read_journals(tmp_path)[-1]
    status, message = ENDINGS[ending]
    assert journal.status == status
    assert (journal.end.message or "").startswith(message)


def test_hooks_that_stood_there_before_are_called(tmp_path: Path) -> None:
    done = run_python(
        "import stepline, sys\n"
        "sys.excepthook = lambda kind, error, trace: print('mine', error)\n"
        "run = stepline.record('pilot', home=sys.argv[1]).__enter__()\n"
        "raise ValueError('late')",
        tmp_path,
    )
    assert done.stdout == "mine late\n"
    assert only_journal(tmp_path).status == "failed"


def test_the_end_of_the_process_asks_no_signal_handler(home: Home) -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with stepline.record("pilot", home=home):
        assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before


def test_no_thread_is_left(home: Home) -> None:
    with stepline.record("pilot", home=home):
        during = [thread for thread in threading.enumerate() if thread.name == "stepline-heartbeat"]
    assert len(during) == 1
    during[0].join(timeout=30)
    assert not during[0].is_alive()


def test_while_nothing_is_logged_the_heart_beats_and_a_removed_journal_comes_back(home: Home) -> None:
    with stepline.record("pilot", home=home) as run:
        run.log({"loss": 1.0}, step=7)
        (path,) = home.journals.iterdir()
        path.unlink()
        deadline = time.monotonic() + 60
        while not (path.exists() and b"heartbeat" in path.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.1)
    journal = only_journal(home.path)
    beats = [entry for entry in journal.entries if isinstance(entry, Heartbeat)]
    assert beats
    assert {(beat.step, beat.phase) for beat in beats} == {(7, "train")}
    assert journal.steps == [7]


KILLED = """
import os, stepline, sys
with stepline.record("pilot", home=sys.argv[1]) as run:
    step = 0
    while True:
        step += 1
        run.log({"loss": 1 / step, "grad_norm": 0.5}, step=step)
        os.write(1, b"%d\\n" % step)
"""


def test_nothing_logged_is_lost_to_kill_9(tmp_path: Path) -> None:
    for kill in range(20):
        home = tmp_path / str(kill)
        with subprocess.Popen([sys.executable, "-c", KILLED, str(home)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(1 + kill * 20):
                told = int(process.stdout.readline())
            process.kill()
            told = max([told, *map(int, process.stdout.read().split(b"\n")[:-1])])
        journal = only_journal(home)
        assert journal.steps[:told] == list(range(1, told + 1))
        assert not journal.of("train_end")


def test_sixteen_processes_at_once(tmp_path: Path) -> None:
    code = (
        "import stepline, sys\n"
        "with stepline.record('pilot', home=sys.argv[1]) as run:\n"
        "    for step in range(200): run.log({'loss': 1.0}, step=step)\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(16)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 16
    journals = read_journals(tmp_path)
    assert [journal.steps for journal in journals] == [list(range(200))] * 16
    assert len({journal.header.run_id for journal in journals}) == 16
