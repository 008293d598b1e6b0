"""A store in memory for tests of history: records of one task, appended run by run or interleaved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from stepline.store import levels
from stepline.store.levels import Levels


@dataclass(frozen=True)
class MemoryColumns:
    sequence: np.ndarray
    run: np.ndarray
    step: np.ndarray
    epoch: np.ndarray
    time: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class MemoryRun:
    id: str
    number: int
    started: float | None


@dataclass(frozen=True)
class MemoryMetric:
    name: str
    kind: str = "number"


@dataclass
class MemoryStore:
    """One task's records as columns, grown by `append`. Records without a metric hold None for it."""

    run: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    step: np.ndarray = field(default_factory=lambda: np.zeros(0))
    metric: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """By name: sequences and values."""

    __hash__ = object.__hash__

    def append(
        self, run: int | Sequence[int] | np.ndarray, metrics: Mapping[str, Sequence[float] | np.ndarray], step=None
    ) -> None:
        """New records, all with all these metrics. step: of each; counted on within the run where not given."""
        count = len(next(iter(metrics.values())))
        runs = np.broadcast_to(np.asarray(run, np.int32), count)
        if step is None:
            step = np.empty(count)
            for number in np.unique(runs):
                of_run = runs == number
                before = np.count_nonzero(self.run == number)
                step[of_run] = 10.0 * (before + np.arange(1, np.count_nonzero(of_run) + 1))
        first = len(self.run)
        self.run = np.concatenate([self.run, runs])
        self.step = np.concatenate([self.step, np.asarray(step, float)])
        for name, values in metrics.items():
            sequences, known = self.metric.get(name, (np.zeros(0, np.int64), np.zeros(0)))
            self.metric[name] = (
                np.concatenate([sequences, np.arange(first, first + count)]),
                np.concatenate([known, np.asarray(values, float)]),
            )

    def next_sequence(self, task_id: str) -> int:
        return len(self.run)

    def generation(self, task_id: str) -> int:
        return 0

    def runs(self, task_id: str) -> list[MemoryRun]:
        return [MemoryRun(f"run-{number}", number, 1000.0 * number) for number in np.unique(self.run).tolist()]

    def metrics(self, task_id: str) -> list[MemoryMetric]:
        return [MemoryMetric(name) for name in self.metric]

    def columns(
        self, task_id: str, metric: str, first: int = 0, last: int | None = None, *, places=()
    ) -> MemoryColumns:
        sequence, value = self.metric.get(metric, (np.zeros(0, np.int64), np.zeros(0)))
        begin, end = np.searchsorted(sequence, [first, len(self.run) if last is None else last])
        sequence, value = sequence[begin:end], value[begin:end]
        step = self.step[sequence]
        run = self.run[sequence]
        return MemoryColumns(sequence, run, step, step / 1000, 1000.0 * run + step / 10, value)

    def columns_in_parts(self, task_id: str, metric: str, first: int, last: int, *, places):
        for begin in range(first, last, 50_000):
            yield self.columns(task_id, metric, begin, min(begin + 50_000, last))
        yield self.columns(task_id, metric, last, last)

    def levels(self, task_id: str, metric: str, shift: int, first: int = 0, last: int | None = None) -> Levels:
        found = self.columns(task_id, metric, first, last)
        return levels.build(found.sequence, found.run.astype(np.int64), found.step, found.time, found.value, shift)

    def places(self, task_id: str, sequence: np.ndarray, column: str) -> np.ndarray:
        step, run = self.step[sequence], self.run[sequence]
        return {"step": step, "epoch": step / 1000, "time": 1000.0 * run + step / 10}[column]


TASK = "t"


AT_EASE = settings(deadline=None, max_examples=60)


def stored(values, name="loss", run=1):
    store = MemoryStore()
    store.append(run, {name: np.asarray(values, float)})
    return store


kinds_of_value = st.floats(-1e3, 1e3) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e300])


@st.composite
def stores(draw):
    """Runs one after another or interleaved, with gaps where records lack the metric, and stretches of NaN."""
    store = MemoryStore()
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.sampled_from([1, 2, 3, 50, 300, 900]))
        runs = rng.integers(1, 4, count) if draw(st.booleans()) else int(rng.integers(1, 4))
        values = rng.normal(size=count)
        values[rng.random(count) < draw(st.sampled_from([0, 0.02, 0.6, 1.0]))] = draw(kinds_of_value)
        store.append(runs, {"loss": values})
        if draw(st.booleans()):
            store.append(1, {"eval_loss": rng.normal(size=draw(st.integers(1, 400)))})
    return store


def largest_finite(values):
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max()) if len(finite) else 0.0
