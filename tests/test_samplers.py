"""GPU and system figures of a process that works for real, on a machine with a driver or without one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from stepline.recording.journal import Process
from stepline.samplers import Sampling
from stepline.samplers.gpus import Gpu, Gpus
from stepline.samplers.machine import MIB, RunFigures

WORKS = """
import subprocess, sys, time
held = bytearray(200 << 20)
held[::4096] = b"x" * len(held[::4096])
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""


@contextmanager
def working() -> Iterator[tuple[int, int]]:
    """(process, its child): one holds 200 MiB, the other computes."""
    process = subprocess.Popen([sys.executable, "-c", WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.communicate()


def process_of(pid: int) -> Process:
    here = Process.current()
    return Process(pid, psutil.Process(pid).create_time(), here.host, here.boot, here.pid_namespace)


@dataclass
class Run:
    id: str
    process: Process
    started: float = field(default_factory=time.time)


@dataclass
class Sink:
    runs: list[Run]
    kept: list[tuple[str, float, dict[str, float]]] = field(default_factory=list)

    def live_runs(self) -> list[Run]:
        return self.runs

    def add_sample(self, run_id: str, time: float, values: dict[str, float]) -> None:
        self.kept.append((run_id, time, values))


def test_a_process_and_its_children_are_one():
    with working() as (pid, child):
        figures = RunFigures(psutil.Process(pid))
        first = figures.read()
        assert first is not None
        assert {pid, child} <= first.pids
        assert first.values["process.memory"] >= 200 * MIB
        assert 0 < first.values["disk.used"] <= 100
        assert "process.cpu" not in first.values, "a rate needs two looks"
        used = psutil.Process(child).cpu_times().user
        while psutil.Process(child).cpu_times().user < used + 0.2:
            time.sleep(0.02)
        second = figures.read()
        assert second is not None
        # It computes all the time; how much of a core it gets is the machine's affair.
        assert second.values["process.cpu"] > 0
        assert second.values["process.read"] >= 0


def test_a_process_that_is_gone_has_no_figures():
    with working() as (pid, _):
        figures = RunFigures(psutil.Process(pid))
    assert figures.read() is None


def test_runs_that_live_here_are_sampled_and_no_others():
    with working() as (pid, _):
        elsewhere = Process(pid, None, "another-host", None, None)
        reused = process_of(pid)
        reused = Process(reused.pid, (reused.started or 0) - 500, reused.host, reused.boot, reused.pid_namespace)
        sink = Sink([Run("here", process_of(pid)), Run("there", elsewhere), Run("reused", reused)])
        sampling = Sampling(sink, every_secs=0.0)
        sampling.sample()
        time.sleep(1.1)
        sampling.sample()
        sampling.stop()
    assert [run for run, _, _ in sink.kept] == ["here", "here"]
    _, moment, values = sink.kept[-1]
    assert abs(moment - time.time()) < 60
    assert {"system.cpu", "system.memory", "process.cpu", "process.memory", "disk.used"} <= values.keys()
    assert 0 <= values["system.cpu"] <= 100
    assert values["process.memory"] <= values["system.memory"] + 400 * MIB


def test_a_run_that_lasts_for_months_is_sampled_less_often():
    sink = Sink([Run("old", process_of(os.getpid()), time.time() - 300 * 86_400)])
    sampling = Sampling(sink, every_secs=10.0)
    sampling.sample()
    sampling.sample()
    sampling.stop()
    assert len(sink.kept) == 1


def test_the_thread_samples_by_itself_and_ends():
    sink = Sink([Run("r", process_of(os.getpid()))])
    sampling = Sampling(sink, every_secs=0.01)
    sampling.start()
    ends = time.monotonic() + 20
    while not sink.kept and time.monotonic() < ends:
        time.sleep(0.02)
    sampling.stop()
    sampling.stop()
    assert sink.kept


def test_without_a_driver_there_are_no_gpus_and_no_error():
    """Where there is one, its GPUs have figures."""
    gpus = Gpus()
    found = gpus.read()
    if os.path.exists("/proc/driver/nvidia/version"):
        assert found
        assert all(gpu.values for gpu in found)
    else:
        assert found == []
    assert [gpu.index for gpu in gpus.read()] == [gpu.index for gpu in found]
    gpus.close()
    gpus.close()


def test_a_run_has_the_gpus_that_it_uses():
    figures = {"utilization": 90.0}
    assert Gpu(1, figures, {7: 2.0**30, 8: 2.0**20}).figures(frozenset({7, 9})) == {
        "gpu.1.utilization": 90.0,
        "gpu.1.process_memory": 2.0**30,
    }
    assert Gpu(0, figures, {8: 1.0}).figures(frozenset({7})) == {}
    assert Gpu(0, figures, {7: None}).figures(frozenset({7})) == {"gpu.0.utilization": 90.0}
    # Its processes are not told, as in a container: it may be on any of them.
    assert Gpu(0, figures, None).figures(frozenset({7})) == {"gpu.0.utilization": 90.0}
