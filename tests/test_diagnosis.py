"""The rules on series of our own making: what they must find, and what they must leave alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.diagnosis import Diagnosis
from stepline.recording.journal import Process
from stepline.store.masking import MASKED

NAN = float("nan")
HERE = Process.current()


@dataclass
class Columns:
    sequence: np.ndarray
    run: np.ndarray
    step: np.ndarray
    time: np.ndarray
    value: np.ndarray


@dataclass
class Run:
    number: int = 1
    status: str = "running"
    heartbeat_time: float | None = None
    heartbeat_phase: str | None = None
    updated: float | None = None
    process: Process = HERE


@dataclass
class Saved:
    sequence: int
    run_number: int
    step: int | None
    secs: float | None = None


@dataclass
class Metric:
    name: str
    last_value: float | str | None


@dataclass
class History:
    """A task in memory, a record a place: (run, loss, gradient norm); a step every ten, a record a second."""

    points: list[tuple[int, float, float | None]] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    task_runs: list[Run] = field(default_factory=lambda: [Run()])
    task_metrics: list[Metric] = field(default_factory=list)
    evaluations: dict[int, float] = field(default_factory=dict)
    """Evaluation loss by sequence, beside the points."""

    def columns(self, task_id: str, metric: str, first: int = 0, last: int | None = None) -> Columns:
        if metric == "eval_loss":
            until = len(self.points) if last is None else last
            rows = [(place, 1, value) for place, value in sorted(self.evaluations.items()) if first <= place < until]
            return self._columns(rows)
        chosen = [
            (place, run, loss if metric == "loss" else norm)
            for place, (run, loss, norm) in enumerate(self.points[:last])
            if place >= first and (metric == "loss" or norm is not None)
        ]
        return self._columns(chosen)

    def _columns(self, chosen: list[tuple[int, int, float | None]]) -> Columns:
        sequence = np.array([place for place, _, _ in chosen], dtype=np.int64)
        return Columns(
            sequence,
            np.array([run for _, run, _ in chosen], dtype=np.int32),
            sequence * 10.0 + 10,
            sequence.astype(float),
            np.array([value for _, _, value in chosen], dtype=float),
        )

    def runs(self, task_id: str) -> list[Run]:
        return self.task_runs

    def checkpoints(self, task_id: str) -> list[Saved]:
        return self.saved

    def metrics(self, task_id: str) -> list[Metric]:
        return self.task_metrics

    def next_sequence(self, task_id: str) -> int:
        return len(self.points)


def findings(history: History, now: float = 0.0) -> list[dict[str, object]]:
    return [dict(found) for found in Diagnosis(history, clock=lambda: now).findings("t")]


def test_a_masked_loss_beside_a_norm_that_is_not_finite_is_certain_and_names_the_last_clean_step_and_checkpoint():
    history = History(
        [(1, 2.0, 1.0)] * 20 + [(1, MASKED, NAN)] * 3 + [(1, 2.0, 1.0)] * 5, [Saved(0, 1, 150), Saved(0, 1, 210)]
    )
    (found,) = findings(history)
    assert (found["rule"], found["severity"]) == ("masked_nan", "error")
    assert (found["first_sequence"], found["last_sequence"]) == (20, 22)
    assert found["evidence"] == {
        "sign": "certain",
        "records": 3.0,
        "first_step": 210.0,
        "last_step": 230.0,
        "clean_step": 200.0,
        "clean_checkpoint": 150.0,
    }


def test_a_masked_loss_beside_an_ordinary_norm_is_likely():
    (found,) = findings(History([(1, 2.0, 1.0)] * 20 + [(1, MASKED, 1.0)]))
    assert (found["severity"], found["evidence"]["sign"]) == ("warning", "likely")  # type: ignore[index]


def test_a_loss_that_the_store_left_at_zero_is_a_loss():
    assert findings(History([(1, 1e-4 * (place % 5), 1.0) for place in range(100)])) == []


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_a_loss_that_is_not_finite_is_told_as_it_is(value: float):
    (found,) = findings(History([(1, 2.0, 1.0), (1, value, NAN)]))
    assert found["evidence"]["sign"] == "plain"  # type: ignore[index]


def test_two_runs_that_interleave_are_told_apart():
    points: list[tuple[int, float, float | None]] = []
    for place in range(20):
        points += [(1, 2.0, 1.0), (2, MASKED if place > 10 else 1.0, NAN if place > 10 else 1.0)]
    found = findings(History(points, task_runs=[Run(1), Run(2)]))
    assert [entry["run"] for entry in found] == [2]


loss_and_norm = st.tuples(st.just(1), st.sampled_from([MASKED, 1e-3, 0.5, 2.0, NAN]), st.sampled_from([None, 1.0, NAN]))


@given(
    st.lists(loss_and_norm, max_size=120),
    st.lists(st.integers(1, 30), max_size=10),
    st.dictionaries(st.integers(0, 119), st.sampled_from([1.0, 1.05, 1.5, NAN]), max_size=12),
)
def test_what_is_found_does_not_depend_on_how_the_records_came(points, cuts, evaluations):
    """Told at once or a few at a time: the same findings."""
    growing = History(evaluations=evaluations)
    diagnosis = Diagnosis(growing, clock=lambda: 0.0)
    rest = list(points)
    for cut in cuts:
        growing.points += rest[:cut]
        rest = rest[cut:]
        diagnosis.findings("t")
    growing.points += rest
    assert diagnosis.findings("t") == Diagnosis(
        History(list(points), evaluations=evaluations), clock=lambda: 0.0
    ).findings("t")


def test_steps_that_stopped_coming_are_a_stall_until_the_next_one():
    history = History([(1, 2.0, 1.0)] * 10)
    assert findings(history, now=9 + 29.0) == []
    (found,) = findings(history, now=9 + 31.0)
    assert found["rule"] == "stall"
    assert found["evidence"] == {"sign": "steps", "silent_secs": 31.0, "median_secs": 1.0, "last_step": 100.0}


def beating(phase: str, until: float) -> list[Run]:
    return [Run(heartbeat_phase=phase, heartbeat_time=until)]


@pytest.mark.parametrize("phase", ["evaluate", "save", "fast_forward"])
def test_evaluating_saving_and_skipping_data_are_no_stall(phase: str):
    history = History([(1, 2.0, 1.0)] * 10, task_runs=beating(phase, 1e6))
    assert findings(history, now=1e6) == []


def test_evaluating_or_saving_ten_times_as_long_as_before_is_a_stall():
    history = History(
        [(1, 2.0, 1.0)] * 10,
        task_runs=beating("evaluate", 1e6),
        task_metrics=[Metric("eval_near_runtime", 5.0), Metric("eval_far_runtime", 14.0), Metric("eval_loss", 1e5)],
    )
    assert findings(history, now=9 + 199.0) == []
    (found,) = findings(history, now=9 + 201.0)
    assert found["evidence"] == {
        "sign": "phase", "phase": "evaluate", "silent_secs": 201.0, "median_secs": 1.0, "took_secs": 19.0,
        "last_step": 100.0,
    }  # fmt: skip
    saving = History(history.points, [Saved(3, 1, 30, 2.0), Saved(6, 1, 60, 4.0)], beating("save", 1e6))
    assert findings(saving, now=9 + 49.0) == []
    (found,) = findings(saving, now=9 + 51.0)
    assert found["evidence"]["took_secs"] == 4.0  # type: ignore[index]


def test_a_process_that_does_not_even_beat_is_a_stall_whatever_it_was_doing():
    history = History([(1, 2.0, 1.0)] * 10, task_runs=beating("evaluate", 30.0))
    assert findings(history, now=30 + 59.0) == []
    (found,) = findings(history, now=30 + 61.0)
    assert found["evidence"] == {"sign": "process", "silent_secs": 61.0, "last_step": 100.0}
    (run,) = history.task_runs
    run.process = replace(HERE, host="another")
    assert findings(history, now=30 + 61.0) == []


def test_what_a_run_did_before_its_last_step_excuses_nothing():
    """It evaluated at its third step, and no heartbeat was needed since."""
    history = History([(1, 2.0, 1.0)] * 10, task_runs=beating("fast_forward", 3.0))
    history.task_runs[0].process = replace(HERE, host="another")
    (found,) = findings(history, now=9 + 31.0)
    assert found["evidence"]["sign"] == "steps"  # type: ignore[index]


def test_a_run_that_ended_is_no_stall():
    assert findings(History([(1, 2.0, 1.0)] * 10, task_runs=[Run(status="completed")]), now=1e6) == []


def curve(*levels: tuple[float, int]) -> list[tuple[int, float, float | None]]:
    """Losses that go in straight lines from 4.0 on: to a level, in so many logs."""
    values, before = [], 4.0
    for level, count in levels:
        values += np.linspace(before, level, count).tolist()
        before = level
    return [(1, value, 1.0) for value in values]


def test_a_loss_back_above_its_start_has_diverged_until_it_falls_again():
    lost = curve((1.0, 100), (6.0, 20), (6.0, 30))
    (found,) = findings(History(lost))
    assert (found["rule"], found["severity"]) == ("diverged", "error")
    assert found["evidence"]["best"] == pytest.approx(1.0, abs=0.2)  # type: ignore[index]
    assert found["evidence"]["now"] == 6.0  # type: ignore[index]
    assert findings(History(lost + curve((1.0, 100))[50:])) == []


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(curve((4.0, 300)), id="never fell"),
        pytest.param(curve((1.0, 100), (3.0, 20), (3.0, 100)), id="rose, and not to its start"),
        pytest.param(curve((1.0, 100), (50.0, 4), (1.0, 4), (1.0, 50)), id="a spike"),
        pytest.param([(1, 1e-4 * (place % 7 - 3), 1.0) for place in range(300)], id="around zero"),
    ],
)
def test_what_is_no_divergence(points: list[tuple[int, float, float | None]]):
    assert findings(History(points)) == []


def evaluated(values: list[float]) -> dict[int, float]:
    return {40 + 40 * place: value for place, value in enumerate(values)}


def test_an_evaluation_loss_that_rises_while_the_training_loss_falls_is_overfitting():
    falling = curve((0.1, 400))
    (found,) = findings(History(falling, evaluations=evaluated([3.0, 2.0, 2.3, 2.5, 2.9])))
    assert (found["rule"], found["first_sequence"], found["last_sequence"]) == ("overfitting", 80, 200)
    assert found["evidence"] == {
        "best": 2.0, "now": 2.9, "evaluations": 3.0, "first_step": 810.0, "last_step": 2010.0,
    }  # fmt: skip
    for others in ([3.0, 2.0, 2.3, 2.5], [3.0, 2.0, 2.1, 2.5, 2.9], [3.0, 2.0, 2.3, 2.5, 2.9, 1.9]):
        assert findings(History(falling, evaluations=evaluated(others))) == []
    level = curve((4.0, 400))
    assert findings(History(level, evaluations=evaluated([3.0, 2.0, 2.3, 2.5, 2.9]))) == []
