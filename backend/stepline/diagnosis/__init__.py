"""What is wrong with a training, said from its series: rules in, findings out.

A rule is a class of this package that reads one run's new points once, in order, and keeps what it needs to go on:
a tick of a ten-million-step run costs what is new, not what is old. A finding says rule, severity, where and
evidence; the sentence and the advice stand in the page's catalogues under the rule's name, in both languages.

    MaskedNaN    a loss that the trainer's filter wrote as 0.0 (or a NaN left as it is)
    Stall        a run that lives and does not go on
    Diverged     a loss that is back above where it began
    Overfitting  an evaluation loss that rose while the training loss fell
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from stepline.diagnosis.masked_nan import MaskedNaN
from stepline.diagnosis.points import CheckpointLike, ColumnsLike, MetricLike, Points, RunLike
from stepline.diagnosis.stall import Stall
from stepline.diagnosis.trend import Diverged, Medians, Overfitting
from stepline.wire import Finding

__all__ = ["Diagnosis"]

TASKS_KEPT = 32
"""Tasks whose examined state stays in memory; one more drops the one looked at longest ago."""


class Source(Protocol):
    """What the diagnosis reads; `stepline.store.Store` has it."""

    def columns(self, task_id: str, metric: str, first: int = 0, last: int | None = None) -> ColumnsLike: ...
    def runs(self, task_id: str) -> Sequence[RunLike]: ...
    def checkpoints(self, task_id: str) -> Sequence[CheckpointLike]: ...
    def metrics(self, task_id: str) -> Sequence[MetricLike]: ...
    def next_sequence(self, task_id: str) -> int: ...


class _Run:
    """The rules of one run, each with what it has seen."""

    def __init__(self, number: int) -> None:
        self.masked_nan = MaskedNaN(number)
        self.stall = Stall(number)
        self.medians = Medians()
        self.diverged = Diverged(number)
        self.overfitting = Overfitting(number)


class Diagnosis:
    """Findings of tasks, each examined from where the last look ended. Safe to ask from several threads."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._examined: dict[str, tuple[int, dict[int, _Run]]] = {}
        self._lock = threading.Lock()

    def findings(self, task_id: str) -> list[Finding]:
        """All findings of a task that stand now, the newest first. Raises TaskNotFound."""
        with self._lock:
            until = self._source.next_sequence(task_id)
            since, runs = self._examined.pop(task_id, (0, {}))
            if until < since:
                since, runs = 0, {}
            if until > since:
                self._examine(task_id, runs, since, until)
            self._examined[task_id] = (until, runs)
            while len(self._examined) > TASKS_KEPT:
                del self._examined[next(iter(self._examined))]
            rows = {run.number: run for run in self._source.runs(task_id)}
            checkpoints, metrics = self._source.checkpoints(task_id), self._source.metrics(task_id)
            found: list[Finding] = []
            for number, rules in runs.items():
                found += rules.masked_nan.findings([c for c in checkpoints if c.run_number == number])
                found += rules.diverged.findings() + rules.overfitting.findings()
                if number in rows:
                    found += rules.stall.findings(rows[number], self._clock(), metrics, checkpoints)
        return sorted(found, key=lambda finding: finding["last_sequence"], reverse=True)

    def _examine(self, task_id: str, runs: dict[int, _Run], since: int, until: int) -> None:
        losses = Points.by_run(self._source.columns(task_id, "loss", since, until))
        norms = Points.by_run(self._source.columns(task_id, "grad_norm", since, until))
        evaluations = Points.by_run(self._source.columns(task_id, "eval_loss", since, until))
        nothing = Points.none()
        for number, loss in losses.items():
            rules = runs.setdefault(number, _Run(number))
            rules.masked_nan.examine(loss, norms.get(number, nothing))
            rules.stall.examine(loss)
            medians = rules.medians.of(loss)
            rules.diverged.examine(medians)
            rules.overfitting.examine(evaluations.pop(number, nothing), medians)
        for number, evaluation in evaluations.items():
            # Those between which nothing was logged.
            runs.setdefault(number, _Run(number)).overfitting.examine(evaluation, nothing)
