"""History over a store in memory: no spike hidden, nothing moved, smoothing true to the whole series."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline import history, kernels
from stepline.errors import SeriesNotFound, UsageError
from stepline.history import History, Smoothing
from tests.histories import AT_EASE, TASK, MemoryStore, largest_finite, stored, stores

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "histories"


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """As in an app that has run for some seconds; test_kernels compares these kernels with the plain ones."""
    kernels.prepare(wait=True)


def cells_of(window):
    """By run and bucket, the raw drawn points' sequences and values."""
    cells = {}
    for line in window.lines:
        for i in range(*line.raw):
            key = line.run, int(window.raw.sequence[i]) // window.bucket
            cells.setdefault(key, []).append((window.raw.sequence[i], window.raw.value[i]))
    return cells


def assert_extremes(store, window, drawn="raw", values=None):
    """Every cell's smallest and largest finite value are drawn, at their places; a cell without one is a NaN."""
    columns = store.columns(TASK, "loss", window.first, window.last)
    values = columns.value if values is None else values
    points = getattr(window, drawn)
    line_of = {line.run: getattr(line, drawn) for line in window.lines}
    bucket = columns.sequence // window.bucket
    for run in np.unique(columns.run):
        first, last = line_of[run]
        got_bucket = points.sequence[first:last] // window.bucket
        got_value = points.value[first:last]
        got_sequence = points.sequence[first:last]
        assert np.all(np.diff(got_sequence) > 0)
        of_run = columns.run == run
        assert set(got_bucket.tolist()) == set(bucket[of_run].tolist())
        for each in np.unique(bucket[of_run]):
            cell = values[of_run & (bucket == each)]
            finite = cell[np.isfinite(cell)]
            here = got_value[got_bucket == each]
            if len(finite) == 0:
                assert np.all(np.isnan(here))
                continue
            assert np.nanmin(here) == finite.min()
            assert np.nanmax(here) == finite.max()
        at = np.searchsorted(columns.sequence, got_sequence)
        expected = np.where(np.isfinite(values[at]), values[at], np.nan)
        assert np.array_equal(got_value, expected, equal_nan=True)


@AT_EASE
@given(store=stores(), points=st.sampled_from([16, 40, 200, 4000]), data=st.data())
def test_every_bucket_of_every_run_has_its_extremes(store, points, data):
    total = store.next_sequence(TASK)
    first = data.draw(st.integers(0, total))
    last = data.draw(st.integers(first, total))
    window = history.window(store, TASK, "loss", first=first, last=last, points=points)
    assert np.count_nonzero(np.isfinite(window.raw.value)) <= points
    assert window.points == len(store.columns(TASK, "loss", first, last).value)
    assert_extremes(store, window)


@AT_EASE
@given(store=stores(), points=st.sampled_from([16, 40, 200, 4000]), ema=st.integers(0, 30), ma=st.integers(0, 30))
def test_the_smoothed_line_has_the_extremes_of_the_whole_series_smoothed(store, points, ema, ma):
    smoothing = Smoothing(ema, ma)
    window = history.window(store, TASK, "loss", points=points, smoothing=smoothing)
    if not smoothing.on:
        assert window.smooth is None
        return
    columns = store.columns(TASK, "loss")
    wanted = np.empty(len(columns.value))
    for run in np.unique(columns.run):
        wanted[columns.run == run] = slow_smoothing(columns.value[columns.run == run], ema, ma)
    # Which of two values that differ by rounding is drawn is not the point: compare with the smoothing that was made.
    whole = history.window(store, TASK, "loss", points=10**6, smoothing=smoothing)
    order = np.argsort(whole.smooth.sequence)
    got = whole.smooth.value[order]
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * largest_finite(columns.value) + 1e-289)
    assert_extremes(store, window, "smooth", got)
    assert np.count_nonzero(np.isfinite(window.smooth.value)) <= points


def slow_smoothing(values, ema, ma):
    kept = values[np.isfinite(values)].astype(np.longdouble)
    if ema > 1:
        alpha = 2 / (ema + 1)
        total = weights = np.longdouble(0)
        means = []
        for value in kept:
            total, weights = total * (1 - alpha) + value, weights * (1 - alpha) + 1
            means.append(total / weights)
        kept = np.array(means, np.longdouble)
    if ma > 1:
        kept = np.array([kept[max(0, i - ma + 1) : i + 1].mean() for i in range(len(kept))], np.longdouble)
    out = np.full(len(values), np.nan)
    out[np.isfinite(values)] = kept
    return out


def test_a_planted_spike_is_drawn_wherever_it_is():
    rng = np.random.default_rng(5)
    count = 300_000
    store = stored(np.zeros(count))
    values = store.metric["loss"][1]
    for place in rng.integers(0, count, 100).tolist():
        values[place] = 7.5
        window = History(store).window(TASK, "loss")
        hit = np.flatnonzero(window.raw.value == 7.5)
        assert window.raw.sequence[hit].tolist() == [place]
        values[place] = 0.0


def test_a_constant_series_stays_constant_and_one_point_is_itself():
    window = history.window(stored(np.full(50_000, 0.1)), TASK, "loss", smoothing=Smoothing(100, 50))
    assert set(window.raw.value.tolist()) == set(window.smooth.value.tolist()) == {0.1}
    one = history.window(stored([0.3]), TASK, "loss", smoothing=Smoothing(100, 50))
    assert one.raw.value.tolist() == one.smooth.value.tolist() == [0.3]
    assert one.bucket == 1


@pytest.mark.parametrize(("count", "bucket"), [(4000, 1), (4001, 4), (8192, 8), (1_000_000, 512)])
def test_raw_points_as_soon_as_they_fit(count, bucket):
    window = history.window(stored(np.arange(count, dtype=float)), TASK, "loss")
    assert window.bucket == bucket
    assert len(window.raw.value) <= 4000
    assert (window.raw.value[0], window.raw.value[-1]) == (0, count - 1)


@AT_EASE
@given(seed=st.integers(0, 2**32), before=st.integers(1, 9000), more=st.integers(1, 3000))
def test_appending_moves_nothing_in_full_buckets(seed, before, more):
    rng = np.random.default_rng(seed)
    store = stored(rng.normal(size=before))
    early = history.window(store, TASK, "loss", points=400)
    store.append(1, {"loss": rng.normal(size=more)})
    late = history.window(store, TASK, "loss", points=400)
    assert late.bucket % early.bucket == 0
    if late.bucket == early.bucket:
        full = before // early.bucket - 1
        now = cells_of(late)
        for (run, bucket), points in cells_of(early).items():
            if bucket < full:
                assert now[run, bucket] == points


def test_a_sparse_series_has_buckets_as_fine_as_fit():
    store = MemoryStore()
    store.append(1, {"eval_loss": np.arange(5000.0)})
    store.append(1, {"loss": np.zeros(1_000_000)})
    window = history.window(store, TASK, "eval_loss")
    assert window.bucket == 4
    assert len(window.raw.value) > 2000


def test_raw_points_break_the_line_at_a_nan_and_mark_it():
    window = history.window(stored([1, np.nan, 2, np.inf, -np.inf, 3]), TASK, "loss", smoothing=Smoothing(3, 0))
    assert np.isnan(window.raw.value).tolist() == [False, True, False, True, True, False]
    assert np.isnan(window.smooth.value).tolist() == [False, True, False, True, True, False]
    assert window.marks.sequence.tolist() == [1, 3, 4]
    assert window.marks.count.tolist() == [1, 1, 1]
    assert np.array_equal(window.marks.value, [np.nan, np.inf, -np.inf], equal_nan=True)
    assert window.lines[0].marks == (0, 3)


def test_thinned_the_line_breaks_where_a_bucket_has_no_finite_value():
    values = np.zeros(100_000)
    values[30] = np.inf
    values[50_000:50_200] = np.nan
    window = history.window(stored(values), TASK, "loss")
    assert window.bucket == 64
    broken = np.flatnonzero(np.isnan(window.raw.value))
    assert (window.raw.sequence[broken] // 64).tolist() == [782, 783]
    assert window.marks.sequence.tolist() == [30, 50_000, 50_048, 50_112, 50_176]
    assert window.marks.count.tolist() == [1, 48, 64, 64, 24]
    assert window.marks.value[0] == np.inf


def test_all_nan_is_marks_and_no_line():
    window = history.window(stored(np.full(100_000, np.nan)), TASK, "loss", smoothing=Smoothing(10, 5))
    assert np.all(np.isnan(window.raw.value))
    assert len(window.raw.value) <= 4000
    assert window.marks.count.sum() == 100_000


def test_interleaved_runs_are_each_its_own_line():
    store = MemoryStore()
    store.append(np.tile([1, 2], 5000), {"loss": np.tile([1.0, 100.0], 5000)})
    window = history.window(store, TASK, "loss", smoothing=Smoothing(10, 5), points=500)
    assert [line.run for line in window.lines] == [1, 2]
    for line, value in zip(window.lines, (1.0, 100.0), strict=True):
        assert set(window.raw.value[slice(*line.raw)].tolist()) == {value}
        assert set(window.smooth.value[slice(*line.smooth)].tolist()) == {value}


def test_a_late_record_of_an_older_run_belongs_to_its_line():
    store = stored([1.0, 1.0], run=1)
    store.append(2, {"loss": [9.0, 9.0]})
    store.append(1, {"loss": [1.0]})
    window = history.window(store, TASK, "loss", smoothing=Smoothing(10, 5))
    assert window.raw.sequence.tolist() == [0, 1, 4, 2, 3]
    assert window.smooth.value.tolist() == [1, 1, 1, 9, 9]
    assert [line.raw for line in window.lines] == [(0, 3), (3, 5)]


def test_what_a_later_run_went_over_again_is_superseded():
    store = MemoryStore()
    store.append(1, {"loss": [1, 1, 1]}, step=[10, 20, 30])
    store.append(2, {"loss": [1, 1]}, step=[30, 40])
    store.append(3, {"loss": [1, 1]}, step=[50, 60])
    lines = history.window(store, TASK, "loss").lines
    assert [line.superseded_from for line in lines] == [30, None, None]
    store.append(4, {"loss": [1]}, step=[10])
    assert [line.superseded_from for line in history.window(store, TASK, "loss").lines] == [10, 30, 50, None]


def test_more_runs_than_points_leave_the_oldest_out():
    store = MemoryStore()
    store.append(np.repeat(np.arange(1, 21), 10), {"loss": np.arange(200.0)})
    window = history.window(store, TASK, "loss", points=16)
    assert [line.run for line in window.lines] == [17, 18, 19, 20]
    assert window.lines_left_out == 16


@pytest.mark.parametrize(
    ("axis", "x"),
    [
        ("sequence", [0, 1, 2, 3]),
        ("step", [10, 20, 10, 20]),
        ("epoch", [0.01, 0.02, 0.01, 0.02]),
        ("time", [1001, 1002, 2001, 2002]),
        ("relative", [1, 2, 1, 2]),
    ],
)
def test_places_on_each_axis(axis, x):
    store = stored([1.0, 2.0], run=1)
    store.append(2, {"loss": [3.0, 4.0]})
    window = history.window(store, TASK, "loss", axis=axis)
    np.testing.assert_allclose(window.raw.x, x)


def test_the_tokens_axis_is_what_the_run_had_seen():
    store = MemoryStore()
    store.append(1, {"loss": [1.0]})
    store.append(1, {"loss": [1.0], "num_input_tokens_seen": [500.0]})
    store.append(2, {"loss": [1.0], "num_input_tokens_seen": [70.0]})
    store.append(1, {"loss": [1.0]})
    window = history.window(store, TASK, "loss", axis="tokens")
    assert np.array_equal(window.raw.x, [np.nan, 500, 500, 70], equal_nan=True)


def test_words_that_name_nothing_are_refused():
    store = stored([1.0])
    with pytest.raises(UsageError):
        history.window(store, TASK, "loss", axis="weeks")
    with pytest.raises(UsageError):
        history.tail(store, TASK, ["loss"], 0, axis="weeks")
    with pytest.raises(SeriesNotFound, match="loss, perplexity"):
        history.window(store, TASK, "los")
    with pytest.raises(SeriesNotFound):
        history.frame(store, TASK, ["loss"], axis="tokens")
    with pytest.raises(UsageError):
        history.frame(store, TASK, ["loss"], points=1)


def test_windows_are_clamped():
    store = stored(np.arange(10.0))
    for first, last, wanted in ((-5, 99, range(10)), (8, 3, []), (99, 200, []), (2, 4, [2, 3])):
        window = history.window(store, TASK, "loss", first=first, last=last)
        assert window.raw.value.tolist() == list(wanted)


def test_perplexity_is_derived_and_then_smoothed():
    loss = np.array([1.0, 3.0, 2.0, 800.0, np.nan, -np.inf])
    window = history.window(stored(loss), TASK, "perplexity", smoothing=Smoothing(3, 0))
    assert np.isnan(window.raw.value).tolist() == [False, False, False, True, True, True]
    np.testing.assert_allclose(window.raw.value[:3], np.exp(loss[:3]))
    np.testing.assert_allclose(window.smooth.value[:3], slow_smoothing(np.exp(loss[:3]), 3, 0))
    assert np.array_equal(window.marks.value, [np.inf, np.nan, np.nan], equal_nan=True)


def test_a_logged_perplexity_goes_before_the_derived_one():
    store = MemoryStore()
    store.append(1, {"loss": [1.0], "perplexity": [5.0]})
    assert history.window(store, TASK, "perplexity").raw.value.tolist() == [5.0]
    assert history.derived_names(["loss"]) == ["perplexity"]
    assert history.derived_names(["loss", "perplexity"]) == history.derived_names(["eval_loss"]) == []


def test_a_derived_series_that_is_logged_from_now_on_is_the_logged_one():
    store = stored([1.0, 2.0])
    smoothing = Smoothing(3, 0)
    np.testing.assert_allclose(history.window(store, TASK, "perplexity", smoothing=smoothing).smooth.value[0], np.e)
    store.append(1, {"loss": [3.0], "perplexity": [5.0]})
    assert history.window(store, TASK, "perplexity", smoothing=smoothing).smooth.value.tolist() == [5.0]


def test_a_store_is_let_go_of():
    store = stored([1.0])
    history.frame(store, TASK, ["loss"])
    gone = threading.Event()
    weakref.finalize(store, gone.set)
    del store
    gc.collect()
    assert gone.is_set()


def real_histories():
    return sorted(REAL.glob("hf-*.json")) if REAL.is_dir() else []


@pytest.mark.skipif(not real_histories(), reason="no real histories beside the checkout (../shared/data/histories)")
@pytest.mark.parametrize("points", [16, 60, 4000])
def test_real_histories(points):
    for path in real_histories():
        text = path.read_text()
        rows = [row for row in json.loads(text)["log_history"] if "loss" in row]
        store = stored([row["loss"] for row in rows])
        smoothing = Smoothing(10, 5)
        window = history.window(store, TASK, "loss", points=points, smoothing=smoothing)
        assert_extremes(store, window)
        whole = history.window(store, TASK, "loss", points=10**6, smoothing=smoothing)
        values = store.columns(TASK, "loss").value
        np.testing.assert_allclose(whole.smooth.value, slow_smoothing(values, 10, 5), rtol=1e-9)
        assert_extremes(store, window, "smooth", whole.smooth.value)
