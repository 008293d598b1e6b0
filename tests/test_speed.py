"""The training clock: what counts as time spent training."""

from __future__ import annotations

from stepline.recording.speed import TrainingClock


def test_time_up_to_the_first_step_does_not_count() -> None:
    clock = TrainingClock()
    assert clock.take(50) == 0
    clock.step_begins(100)
    assert clock.take(110) == 10
    assert clock.take(115) == 5


def test_an_evaluation_and_a_save_after_a_log_are_taken_out() -> None:
    clock = TrainingClock()
    clock.step_begins(0)
    clock.step_ended(10)
    clock.interruption_due(10)
    assert clock.take(11) == 11  # the log waits for the GPU, which is training
    for now in (13, 15, 20, 30):  # batches evaluated, the evaluation's end, the save's end
        clock.interruption_goes_on(now)
    clock.step_begins(32)  # loading data is training
    clock.step_ended(40)
    assert clock.take(40) == 10


def test_an_evaluation_that_nobody_announced_began_after_the_last_step() -> None:
    clock = TrainingClock()
    clock.step_begins(0)
    clock.step_ended(10)
    clock.interruption_goes_on(17)
    clock.interruption_goes_on(25)
    clock.step_begins(26)
    clock.step_ended(30)
    assert clock.take(30) == 15


def test_an_evaluation_before_the_first_step_and_two_in_a_row() -> None:
    clock = TrainingClock()
    clock.interruption_goes_on(5)
    clock.step_begins(8)
    clock.step_ended(10)
    clock.interruption_due(10)
    clock.interruption_due(10)
    clock.interruption_goes_on(20)
    clock.interruption_due(20)
    clock.interruption_goes_on(30)
    clock.step_begins(30)
    clock.step_ended(33)
    assert clock.take(33) == 5
