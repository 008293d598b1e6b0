"""Whether a run's process lives, asked of real processes and of headers from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from stepline.ingest import liveness
from stepline.ingest.liveness import death, is_alive
from stepline.recording.journal import Process
from stepline.store import RunRow

HERE = Process.current()


@pytest.fixture
def other():
    """A process that sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def run(process, *, status="running", heartbeat_time=None):
    return RunRow(
        id="r", task_id="t", number=1, status=status, inferred=False, process=process, settings={}, total_steps=None,
        first_sequence=None, last_sequence=None, first_step=None, last_step=None, records=0, started=0.0, ended=None,
        updated=None, message=None, heartbeat_time=heartbeat_time, heartbeat_step=None, heartbeat_phase=None,
        controls={}, position=0, damaged=0,
    )  # fmt: skip


def told(process):
    """The header's word on another process of this machine."""
    return replace(HERE, pid=process.pid, started=psutil.Process(process.pid).create_time())


def test_this_process_lives_however_silent_it_is():
    assert death(run(HERE), HERE, 1e6) is None


def test_a_process_that_was_killed_is_dead_at_once(other):
    process = told(other)
    assert death(run(process), HERE, 1e6) is None
    other.kill()
    other.wait()
    found = death(run(process), HERE, 0.0)
    assert found.status == "failed"
    assert "ended without a word" in found.message


def test_a_run_that_had_not_begun_is_stopped(other):
    process = told(other)
    other.kill()
    other.wait()
    assert death(run(process, status="pending"), HERE, 0.0).status == "stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="no zombies here")
def test_a_zombie_is_dead(other):
    process = told(other)
    other.kill()
    zombie = psutil.Process(other.pid)
    deadline = time.monotonic() + 30
    while zombie.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert death(run(process), HERE, 0.0) is not None


def test_another_process_with_its_id_is_not_it_but_a_clock_that_was_set_is_no_death(other):
    process = replace(told(other), started=told(other).started - 3600)
    assert is_alive(process.pid, process.started) is None
    assert death(run(process), HERE, liveness.DOUBT_SECS - 1) is None, "it beats every five seconds still"
    assert death(run(process), HERE, liveness.DOUBT_SECS + 1) is not None


def test_a_start_time_that_was_not_told_is_not_asked_for(other):
    assert death(run(replace(told(other), started=None)), HERE, 1e6) is None


def test_the_start_time_in_a_header_is_the_one_that_psutil_tells():
    assert abs(psutil.Process(os.getpid()).create_time() - HERE.started) < liveness.START_TOLERANCE_SECS


@pytest.mark.skipif(HERE.boot is None, reason="no boot id here")
def test_after_a_restart_of_the_machine_it_is_dead_when_it_beats_no_more():
    before = replace(HERE, boot="another")
    assert death(run(before), HERE, 1.0) is None, "a machine of the same name that shares the folder"
    assert death(run(before), HERE, 60.0).message == "The machine was restarted"


@pytest.mark.parametrize(
    "elsewhere", [replace(HERE, host="another"), replace(HERE, pid_namespace="pid:[1]"), replace(HERE, pid=0, host="")]
)
def test_elsewhere_only_the_heartbeat_speaks(elsewhere):
    ours = replace(HERE, pid_namespace="pid:[2]")
    beating, silent = run(elsewhere, heartbeat_time=5.0), run(replace(elsewhere, started=None))
    assert death(beating, ours, liveness.SILENCE_SECS - 1) is None
    assert death(beating, ours, liveness.SILENCE_SECS + 1).status == "failed"
    assert death(run(elsewhere), ours, liveness.SILENCE_SECS + 1) is not None, "the recorder beats if it is silent"
    assert death(silent, ours, liveness.SILENCE_SECS + 1) is None, "another program's journal may be slow"
    assert death(silent, ours, liveness.SILENCE_WITHOUT_HEARTBEAT_SECS + 1).status == "failed"


def test_a_process_of_which_little_was_told_is_dead_when_it_is_gone_and_silent(other):
    """A shell script tells its host and process id alone."""
    process = Process(other.pid, None, HERE.host, None, None)
    assert death(run(process), HERE, 1e6) is None
    other.kill()
    other.wait()
    gone = death(run(process), HERE, liveness.DOUBT_SECS + 1)
    assert gone is not None
