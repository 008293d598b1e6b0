"""Tails join frames without a gap, and a history in use answers as a fresh one does."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepline import history
from stepline.history import History, Smoothing
from tests.histories import AT_EASE, TASK, largest_finite, stored, stores


def decoded_tail(store, since, smoothing, name="loss"):
    return history.decode(history.tail(store, TASK, [name], since, smoothing)).series[0]


@AT_EASE
@given(store=stores(), ema=st.integers(0, 40), ma=st.integers(0, 40), data=st.data())
def test_tails_join_to_the_whole_smoothed_series(store, ema, ma, data):
    """Two clients, one of them behind, over runs that interleave: each has in the end what one smoothing gives."""
    smoothing = Smoothing(ema, ma)
    live = History(store)
    cursors, got = [0, 0], ({}, {})
    for _ in range(data.draw(st.integers(1, 5))):
        for client in range(2):
            if client == 0 or data.draw(st.booleans()):
                frame = history.decode(live.tail(TASK, ["loss"], cursors[client], smoothing))
                columns = frame.series[0].columns
                value = columns["smooth_value"] if smoothing.on else columns["value"]
                pairs = dict(zip(columns["sequence"].tolist(), value.tolist(), strict=True))
                assert not pairs.keys() & got[client].keys()
                got[client].update(pairs)
                cursors[client] = frame.metadata["cursor"]
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        count = data.draw(st.sampled_from([1, 7, 2000]))
        store.append(rng.integers(1, 5, count), {"loss": rng.normal(size=count)})
    whole = History(store).window(TASK, "loss", points=10**6, smoothing=smoothing)
    points = whole.smooth if smoothing.on else whole.raw
    wanted = dict(zip(points.sequence.tolist(), points.value.tolist(), strict=True))
    scale = largest_finite(store.columns(TASK, "loss").value)
    for client in range(2):
        assert got[client].keys() == {sequence for sequence in wanted if sequence < cursors[client]}
        for sequence, value in got[client].items():
            assert np.isnan(value) == np.isnan(wanted[sequence])
            assert np.isnan(value) or abs(value - wanted[sequence]) <= 1e-12 * scale + 1e-289


def test_a_tail_follows_the_frame_without_a_gap():
    store = stored(np.random.default_rng(0).normal(size=10_000))
    smoothing = Smoothing(10, 5)
    frame = history.decode(history.frame(store, TASK, ["loss", "grad_norm"], smoothing=smoothing))
    cursor = frame.metadata["cursor"]
    assert frame.series[1].points == 0
    store.append(1, {"loss": [1.0, 2.0], "grad_norm": [3.0, 4.0]})
    tail = history.decode(history.tail(store, TASK, ["loss", "grad_norm"], cursor, smoothing))
    assert tail.metadata["from"] == cursor == 10_000
    assert [one.columns["sequence"].tolist() for one in tail.series] == [[10_000, 10_001]] * 2
    whole = history.window(store, TASK, "loss", points=10**6, smoothing=smoothing)
    assert tail.series[0].columns["smooth_value"].tolist() == whole.smooth.value[-2:].tolist()


def test_a_client_far_behind_gets_everything():
    store = stored(np.arange(100.0))
    for _ in range(12):
        store.append(1, {"loss": np.arange(1000.0)})
        decoded_tail(store, store.next_sequence(TASK) - 1, Smoothing(5, 5))
    late = decoded_tail(store, 50, Smoothing(5, 5))
    assert late.columns["sequence"].tolist() == list(range(50, 12_100))


def test_a_task_that_comes_anew_is_read_anew():
    store = stored([5.0, 5.0, 5.0])
    smoothing = Smoothing(3, 3)
    history.window(store, TASK, "loss", smoothing=smoothing)
    decoded_tail(store, 0, smoothing)
    store.run, store.step, store.metric = store.run[:0], store.step[:0], {}
    store.append(1, {"loss": [9.0]})
    assert history.window(store, TASK, "loss", smoothing=smoothing).smooth.value.tolist() == [9.0]
    assert decoded_tail(store, 0, smoothing).columns["smooth_value"].tolist() == [9.0]
    store.metric["loss"][1][:] = 4.0
    history.forget(store, TASK)
    assert history.window(store, TASK, "loss").raw.value.tolist() == [4.0]


def test_a_cache_too_small_for_anything_changes_no_answer():
    store = stored(np.random.default_rng(1).normal(size=20_000))
    small, large = History(store, cache_bytes=0), History(store)
    for _ in range(2):
        store.append(2, {"loss": np.ones(10)})
        for answers in ((h.frame(TASK, ["loss"], smoothing=Smoothing(9, 4)) for h in (small, large)),):
            first, second = answers
            assert first[:200] == second[:200]
            one, other = history.decode(first).series[0], history.decode(second).series[0]
            for name in one.columns:
                np.testing.assert_allclose(one.columns[name], other.columns[name], rtol=1e-12)


def test_many_threads_and_a_writer_see_whole_histories():
    store = stored(np.zeros(5000))
    smoothing = Smoothing(10, 5)
    shared = History(store)
    wrong = []
    over = threading.Event()

    def look():
        cursor = 0
        while not over.is_set():
            frame = history.decode(shared.frame(TASK, ["loss", "perplexity"], smoothing=smoothing))
            tail = history.decode(shared.tail(TASK, ["loss"], cursor, smoothing))
            cursor = tail.metadata["cursor"]
            drawn = [series.columns["value"] for series in (*frame.series, *tail.series)]
            wrong.extend(values for values in drawn if not set(values.tolist()) <= {0.0, 1.0})

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    grown = 0
    while grown < 60:
        # A store's commit is one moment; here a new metric tuple is put in place before the cursor moves.
        sequences, values = store.metric["loss"]
        first = len(store.run)
        store.metric["loss"] = np.append(sequences, first), np.append(values, 0.0)
        store.step = np.append(store.step, 1.0)
        store.run = np.append(store.run, np.int32(1))
        grown += 1
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
