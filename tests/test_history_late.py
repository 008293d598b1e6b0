"""Runs and records that come late, in a stored history: each line right on every axis, nothing twice, nothing moved."""

from __future__ import annotations

import numpy as np
import pytest

from stepline import history, kernels
from stepline.history import History, Smoothing
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store
from tests.test_history import cells_of, slow_smoothing

TASK = "t"
STARTED = {1: 5e4, 2: 6e4, 3: 1e4}
"""When each run began, by its number: the third, taken in last, ran before the others."""
SMOOTHING = Smoothing(20, 5)
ARRIVALS = [(1, 9_000), (2, 9_000), (1, 40), (3, 9_000), (2, 7), (1, 5_000)]
"""(run, records) as they are taken in: two live runs, records of an older one after a newer, a run taken in late."""


def arrived(store, number, before, count, values):
    run = f"run-{number}"
    if before == 0:
        store.begin_run(Header(TASK, "demo", None, run, STARTED[number], Process(1, 1.0, "h", None, None), None, {}))
    position = store.position(run)
    records = [
        Record("step", STARTED[number] + n / 8, n * 3, n / 10, {"loss": value, "num_input_tokens_seen": n * 64.0})
        for n, value in enumerate(values, before)
    ]
    store.append(run, records, position=position + count)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """(the store, by run: sequences and values, what the whole showed before the last arrivals)."""
    kernels.prepare(wait=True)
    store = Store.open(tmp_path_factory.mktemp("late") / "s.db", writable=True)
    random = np.random.default_rng(0)
    known = {number: (np.zeros(0, np.int64), np.zeros(0)) for number in STARTED}
    before = None
    for place, (number, count) in enumerate(ARRIVALS):
        sequence, value = known[number]
        values = random.normal(size=count)
        first = store.next_sequence(TASK) if place else 0
        arrived(store, number, len(sequence), count, values.tolist())
        known[number] = np.append(sequence, np.arange(first, first + count)), np.append(value, values)
        if place == 3:
            before = history.window(store, TASK, "loss", first=0, last=first, points=400)
    yield store, known, before
    store.close()


@pytest.mark.parametrize("axis", ["sequence", "step", "epoch", "time", "relative", "tokens"])
@pytest.mark.parametrize("points", [400, 10**6])
def test_each_line_is_its_run_on_every_axis(grown, axis, points):
    store, known, _ = grown
    window = History(store).window(TASK, "loss", points=points, axis=axis, smoothing=SMOOTHING)
    assert [line.run for line in window.lines] == [1, 2, 3]
    assert window.points == sum(len(values) for _, values in known.values())
    for line in window.lines:
        sequence, values = known[line.run]
        smoothed = slow_smoothing(values, SMOOTHING.ema, SMOOTHING.ma)
        for drawn, (begin, end), wanted in ((window.raw, line.raw, values), (window.smooth, line.smooth, smoothed)):
            at = np.searchsorted(sequence, drawn.sequence[begin:end].astype(int))
            np.testing.assert_array_equal(sequence[at], drawn.sequence[begin:end])
            assert (np.diff(at) > 0).all()
            np.testing.assert_allclose(drawn.value[begin:end], wanted[at], rtol=1e-9, atol=1e-12)
            places = {
                "sequence": sequence[at], "step": at * 3, "epoch": at / 10, "time": STARTED[line.run] + at / 8,
                "relative": at / 8, "tokens": at * 64,
            }  # fmt: skip
            np.testing.assert_allclose(drawn.x[begin:end], places[axis])
            assert at[0] == 0
            assert at[-1] == len(values) - 1


def test_what_came_late_moves_nothing_that_was_drawn(grown):
    store, _, before = grown
    now = cells_of(history.window(store, TASK, "loss", first=0, last=before.last, points=400))
    assert now == cells_of(before)


def test_a_tail_in_use_gives_late_records_to_their_lines(grown):
    store, known, _ = grown
    end = store.next_sequence(TASK)
    tail = history.decode(history.tail(store, TASK, ["loss"], end - 6_000, SMOOTHING)).series[0]
    for line in tail.lines:
        begin, last = line["raw"]
        sequence, values = known[line["run"]]
        at = np.searchsorted(sequence, tail.columns["sequence"][begin:last].astype(int))
        np.testing.assert_array_equal(tail.columns["value"][begin:last], values[at])
        smoothed = slow_smoothing(values, SMOOTHING.ema, SMOOTHING.ma)[at]
        np.testing.assert_allclose(tail.columns["smooth_value"][begin:last], smoothed, rtol=1e-9, atol=1e-12)
