"""GPU and system figures of the runs that live on this host, sampled beside them and kept in the store by time.

    machine   process, memory, CPU, disk: psutil
    gpus      utilisation, memory, temperature, power: NVML, where there is a driver

A sample is read every ten seconds, outside the training and never through torch; after a month the less often the
longer the run lasts, so that a year of it takes 900,000 samples. What cannot be read is left out, and a failure ends
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import psutil

from stepline.recording.journal import Process
from stepline.rounds import Rounds
from stepline.samplers.gpus import Gpus
from stepline.samplers.machine import Machine, RunFigures

__all__ = ["Sampling"]

EVERY_SECS = 10.0
EVENLY_SECS = 30 * 86_400.0
"""How long a run is sampled every EVERY_SECS."""
START_TOLERANCE_SECS = 2.0


class Run(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def started(self) -> float: ...
    @property
    def process(self) -> Process: ...


class Sink(Protocol):
    """Where samples go; `stepline.store.Store` has it."""

    def live_runs(self) -> Sequence[Run]: ...
    def add_sample(self, run_id: str, time: float, values: dict[str, float]) -> None: ...


class Sampling:
    """A thread that samples the runs that live here. `start` it and `stop` it; `sample` is one round."""

    def __init__(self, sink: Sink, *, every_secs: float = EVERY_SECS) -> None:
        self._sink = sink
        self._every_secs = every_secs
        self._here = Process.current()
        self._machine = Machine()
        self._gpus = Gpus()
        self._followed: dict[str, RunFigures] = {}
        self._next: dict[str, float] = {}
        self._rounds = Rounds("samplers", every_secs, self.sample, failed="GPU and system figures could not be kept")

    def start(self) -> None:
        self._rounds.start()

    def stop(self) -> None:
        """End the thread after its round. Safe to call twice."""
        self._rounds.stop()
        self._gpus.close()

    def sample(self) -> None:
        """One sample of each run that lives on this host. Raises StoreError."""
        runs = {run.id: run for run in self._sink.live_runs() if self._is_here(run.process)}
        self._followed = {name: each for name, each in self._followed.items() if name in runs}
        self._next = {name: due for name, due in self._next.items() if name in runs}
        if not runs:
            return
        now = time.time()
        machine = self._machine.read()
        gpus = self._gpus.read()
        for run in runs.values():
            if now < self._next.get(run.id, 0.0):
                continue
            figures = self._followed.get(run.id) or self._follow(run)
            if figures is None:
                continue
            self._next[run.id] = now + self._every_secs * max(1.0, (now - run.started) / EVENLY_SECS) - 1.0
            own = figures.read()
            if own is None:
                continue
            values = {**machine, **own.values}
            for gpu in gpus:
                values |= gpu.figures(own.pids)
            self._sink.add_sample(run.id, now, values)

    def _is_here(self, process: Process) -> bool:
        here = self._here
        return process.pid > 0 and (process.host, process.boot, process.pid_namespace) == (
            here.host,
            here.boot,
            here.pid_namespace,
        )

    def _follow(self, run: Run) -> RunFigures | None:
        """Its process's figures; None where that is gone, or another has its id by now."""
        try:
            process = psutil.Process(run.process.pid)
            started = run.process.started
            if started is not None and abs(process.create_time() - started) > START_TOLERANCE_SECS:
                return None
        except psutil.Error:
            return None
        figures = self._followed[run.id] = RunFigures(process)
        return figures
