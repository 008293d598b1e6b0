"""Time remaining: a range that holds what is to come."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.facts.remaining import ENOUGH_PAIRS, Mark, Schedule, remaining_secs


def run(
    steps: int,
    pace: float = 1.0,
    *,
    begin: int = 0,
    every: int = 1,
    evaluation: tuple[int, float] | None = None,
    save: tuple[int, float] | None = None,
    told: bool = True,
    noise: float = 0.0,
    seed: int = 0,
    before_first: float = 0.0,
) -> list[Mark]:
    """What a trainer that takes `pace` seconds a step writes from step `begin` to step `begin + steps`."""
    rng = np.random.default_rng(seed)
    now = 1000.0 + before_first
    marks: list[Mark] = [Mark("train_start", begin, 1000.0)]
    for step in range(begin + 1, begin + steps + 1):
        now += pace * float(rng.lognormal(0, noise)) if noise else pace
        if step % every == 0:
            marks.append(Mark("step", step, now))
        if evaluation and step % evaluation[0] == 0:
            now += evaluation[1]
            marks.append(Mark("evaluation", step, now, evaluation[1] if told else None))
        if save and step % save[0] == 0:
            now += save[1]
            marks.append(Mark("checkpoint", step, now, save[1] if told else None))
    return marks


def holds(span: tuple[float, float] | None, secs: float) -> bool:
    return span is not None and span[0] <= secs <= span[1]


def test_a_steady_run_ends_when_its_pace_says():
    span = remaining_secs(run(50, 2.0), 50, Schedule(100))
    assert holds(span, 100.0)
    assert span is not None
    assert span[1] - span[0] < 20


@pytest.mark.parametrize("steps", range(ENOUGH_PAIRS + 1))
def test_too_few_records_say_nothing(steps: int):
    assert remaining_secs(run(steps), steps, Schedule(100)) is None


def test_a_resumed_run_is_judged_by_itself():
    """Step 9,000 came after 600 s of passing over data; that is neither its pace nor part of it."""
    marks = run(20, 3.0, begin=9000, before_first=600)
    assert holds(remaining_secs(marks, 9020, Schedule(10_000)), 980 * 3.0)


def test_a_resumed_run_knows_from_the_run_before_what_it_has_not_seen_yet():
    before = run(100, 1.0, evaluation=(20, 30.0), save=(50, 10.0), told=False)
    schedule = Schedule(200, evaluation_steps=20, save_steps=50)
    marks = run(2, 1.1, begin=100, before_first=60)
    assert remaining_secs(marks, 102, schedule) is None
    assert holds(remaining_secs(marks, 102, schedule, before), 98 * 1.1 + 5 * 30 + 2 * 10)
    assert holds(remaining_secs(run(10, 1.1, begin=100), 110, schedule, before), 90 * 1.1 + 5 * 30 + 2 * 10)
    faster = run(2, 0.2, begin=100)
    assert remaining_secs(faster, 102, schedule, before) is None, (
        "another machine: the pace of the run before is not its"
    )


@pytest.mark.parametrize("told", [True, False])
def test_evaluations_and_saves_still_to_come_are_counted(told: bool):
    marks = run(100, 1.0, evaluation=(20, 30.0), save=(50, 10.0), told=told)
    span = remaining_secs(marks, 100, Schedule(200, evaluation_steps=20, save_steps=50))
    # The evaluation after step 100 came last: nothing followed it that would show its cost, the others do.
    assert holds(span, 100 + 5 * 30 + 2 * 10)
    assert span is not None
    assert span[0] > 100


def test_an_evaluation_after_every_record_is_not_taken_for_training():
    marks = run(40, 1.0, every=5, evaluation=(5, 20.0))
    assert holds(remaining_secs(marks, 40, Schedule(80, evaluation_steps=5)), 40 + 8 * 20)


def test_several_evaluation_sets_at_one_step_are_one_evaluation():
    marks = []
    for mark in run(40, 1.0, evaluation=(10, 8.0)):
        if mark.kind == "evaluation":
            marks.append(Mark("evaluation", mark.step, mark.time - 4, 4.0))
            marks.append(Mark("evaluation", mark.step, mark.time, 4.0))
        else:
            marks.append(mark)
    span = remaining_secs(marks, 40, Schedule(80, evaluation_steps=10))
    assert holds(span, 40 + 4 * 8)


def test_one_long_pause_does_not_become_the_pace():
    marks = run(60, 1.0)
    slept = [
        mark if mark.step is None or mark.step < 30 else Mark(mark.kind, mark.step, mark.time + 3600) for mark in marks
    ]
    span = remaining_secs(slept, 60, Schedule(120))
    assert holds(span, 60)
    assert span is not None
    assert span[1] < 120


def test_a_clock_set_back_is_passed_over():
    marks = run(30, 1.0)
    back = [Mark(m.kind, m.step, m.time - (500 if m.step is not None and m.step > 15 else 0)) for m in marks]
    assert holds(remaining_secs(back, 30, Schedule(60)), 30)


def test_the_newest_step_known_counts_also_without_a_record():
    marks = run(100, 1.0, every=10)
    assert holds(remaining_secs(marks, 107, Schedule(200)), 93)


def test_the_true_end_lies_within_the_range_nine_times_in_ten():
    inside = 0
    for seed in range(200):
        noisy = run(300, 1.0, noise=0.3, seed=seed, evaluation=(50, 12.0), save=(100, 5.0))
        at = next(place for place, mark in enumerate(noisy) if mark.kind == "step" and mark.step == 120)
        span = remaining_secs(noisy[: at + 1], 120, Schedule(300, evaluation_steps=50, save_steps=100))
        inside += holds(span, noisy[-1].time - noisy[at].time)
    assert inside >= 180


def test_evaluations_that_nothing_tells_of_yet_widen_the_upper_end_alone():
    """Settings without an evaluation strategy, at the start: a tenth of the time may yet go into evaluations."""
    marks = run(30, 1.0)
    told, untold = (remaining_secs(marks, 30, Schedule(1000, told=each)) for each in (True, False))
    assert told is not None
    assert untold is not None
    assert told[0] == untold[0]
    assert told[1] < untold[1] < 1.2 * told[1]
    late = [Mark(mark.kind, None if mark.step is None else mark.step + 960, mark.time) for mark in marks]
    told, untold = (remaining_secs(late, 990, Schedule(1000, told=each)) for each in (True, False))
    assert told is not None
    assert untold is not None
    assert untold[1] < 1.01 * told[1]


@given(
    steps=st.lists(st.one_of(st.none(), st.integers(0, 10**9)), max_size=40),
    times=st.lists(st.floats(0, 4e9), min_size=40, max_size=40),
    secs=st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
    total=st.integers(0, 10**9),
    every=st.one_of(st.none(), st.floats(allow_nan=True)),
)
def test_whatever_was_written_the_range_is_one(steps, times, secs, total, every):
    kinds = ("step", "step", "evaluation", "step", "checkpoint", "message")
    marks = [Mark(kinds[i % 6], step, times[i], secs) for i, step in enumerate(steps)]  # type: ignore[arg-type]
    span = remaining_secs(marks, 5, Schedule(total, every, every))
    if span is not None:
        assert 0 <= span[0] <= span[1]
        assert math.isfinite(span[1])
