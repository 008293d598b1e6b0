"""Windows of a stored history, through its blocks, levels and rows: what the points themselves say."""

from __future__ import annotations

import numpy as np
import pytest

from stepline import history, kernels
from stepline.history import History, Smoothing
from stepline.history.smoothed import LONGEST_FINE
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store
from stepline.store.content import Values
from stepline.store.record_columns import RecordColumns
from tests.histories import MemoryStore
from tests.test_history import assert_extremes

TASK = "t"
COUNT = 150_000


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two runs that live at once, then one more of the first's; NaN, losses that overflow, and rows at the end."""
    kernels.prepare(wait=True)
    store = Store.open(tmp_path_factory.mktemp("stored") / "s.db", writable=True)
    process = Process(1, 1.0, "host", None, None)
    for run in ("a", "b"):
        store.begin_run(Header(TASK, "demo", None, run, 100.0, process, None, {}))
    rng = np.random.default_rng(0)
    values = rng.normal(size=COUNT)
    values[rng.random(COUNT) < 0.01] = np.nan
    values[70_000:70_400] = np.nan
    values[rng.integers(0, COUNT, 20)] = 900.0
    for number, first in enumerate(range(0, COUNT, 30_000)):
        run = "ab"[number % 2]
        for begin, end in ((first, first + 27_000), (first + 27_000, first + 30_000)):
            records = [
                Record("step", 1e3 + n / 8, n * 3, n / 10, {"loss": value})
                for n, value in enumerate(values[begin:end].tolist(), begin)
            ]
            store.append(run, records, position=end)
    yield store
    store.close()


WINDOWS = [(0, COUNT), (0, 9_000), (65_536, 131_072), (131, 120_007), (70_100, 70_300), (COUNT - 500, COUNT)]


@pytest.mark.parametrize(("first", "last"), WINDOWS)
@pytest.mark.parametrize("points", [40, 4000])
def test_a_window_has_the_extremes_and_the_places_of_the_points(stored, first, last, points):
    window = history.window(stored, TASK, "loss", first=first, last=last, points=points)
    columns = stored.columns(TASK, "loss", first, last)
    assert window.points == len(columns.value)
    assert window.marks.count.sum() == np.count_nonzero(~np.isfinite(columns.value))
    assert_extremes(stored, window)
    at = window.raw.sequence.astype(int) - first
    np.testing.assert_array_equal(window.raw.step, columns.step[at])
    np.testing.assert_array_equal(window.raw.time, columns.time[at])
    epochs = history.window(stored, TASK, "loss", first=first, last=last, points=points, axis="epoch")
    np.testing.assert_array_equal(epochs.raw.x, columns.epoch[at])


@pytest.mark.parametrize(("first", "last"), WINDOWS)
def test_a_smoothed_window_has_the_extremes_of_the_whole_line(stored, first, last):
    smoothing = Smoothing(30, 10)
    whole = history.window(stored, TASK, "loss", points=10**6, smoothing=smoothing).smooth
    values = np.full(COUNT, np.nan)
    values[whole.sequence.astype(int)] = whole.value
    window = history.window(stored, TASK, "loss", first=first, last=last, points=400, smoothing=smoothing)
    assert_extremes(stored, window, "smooth", values[first:last])
    anew = History(stored).window(TASK, "loss", first=first, last=last, points=400, smoothing=smoothing, axis="time")
    np.testing.assert_array_equal(anew.smooth.value, window.smooth.value)
    at = window.smooth.sequence.astype(int)
    np.testing.assert_array_equal(anew.smooth.x, stored.columns(TASK, "loss").time[at])


@pytest.mark.parametrize(("first", "last"), WINDOWS)
def test_perplexity_comes_from_levels_also_where_some_of_it_overflows(stored, first, last):
    window = history.window(stored, TASK, "perplexity", first=first, last=last, points=400)
    with np.errstate(over="ignore"):
        values = np.exp(stored.columns(TASK, "loss", first, last).value)
    assert_extremes(stored, window, values=values)
    assert window.marks.count.sum() == np.count_nonzero(~np.isfinite(values))


def test_a_spike_of_one_step_is_drawn_wherever_it_is(tmp_path):
    """A thousand spikes at random in ten million steps, all in one store: each has a bucket of its own, and a value."""
    rng = np.random.default_rng(5)
    count, bucket = 10_000_000, 8_192
    places = np.sort(rng.choice(count // bucket, 1_000, replace=False)) * bucket + rng.integers(0, bucket, 1_000)
    store = Store.open(tmp_path / "s.db", writable=True)
    store.begin_run(Header(TASK, "demo", None, "a", 100.0, Process(1, 1.0, "host", None, None), None, {}))
    for first in range(0, count, 1 << 20):
        step = np.arange(first, min(first + (1 << 20), count))
        loss = np.zeros(len(step))
        here = (places >= first) & (places < first + len(step))
        loss[places[here] - first] = 100 + np.flatnonzero(here)
        store.append(
            "a",
            RecordColumns(time=np.ones(len(step)), step=step, metrics={"loss": Values(None, loss)}),
            position=first + 1,
        )
    window = history.window(store, TASK, "loss")
    hit = window.raw.value > 0
    assert window.bucket == bucket
    assert window.raw.sequence[hit].tolist() == window.raw.step[hit].tolist() == places.tolist()
    assert window.raw.value[hit].tolist() == (100 + np.arange(1000.0)).tolist()
    store.close()


class Interrupted:
    """A store whose reading stops after some parts of a series, as when nobody waits for them any more."""

    def __init__(self, store, parts):
        self._store = store
        self.parts = parts

    def __getattr__(self, name):
        return getattr(self._store, name)

    def columns_in_parts(self, *args, **named):
        for part in self._store.columns_in_parts(*args, **named):
            if self.parts == 0:
                raise InterruptedError
            self.parts -= 1
            yield part


def test_a_smoothed_line_that_was_left_half_done_is_gone_on_with(tmp_path):
    count = 100 * 65_536 + 1_000
    rng = np.random.default_rng(6)
    store = Store.open(tmp_path / "s.db", writable=True)
    store.begin_run(Header(TASK, "demo", None, "a", 100.0, Process(1, 1.0, "host", None, None), None, {}))
    time = np.arange(count, dtype=float)
    values = rng.normal(size=count)
    store.append("a", RecordColumns(time, step=np.arange(count), metrics={"loss": Values(None, values)}), position=1)
    source = Interrupted(store, 90)
    history = History(source)
    smoothing = Smoothing(20, 10)
    with pytest.raises(InterruptedError):
        history.window(TASK, "loss", smoothing=smoothing)
    source.parts = 40
    window = history.window(TASK, "loss", smoothing=smoothing)
    expected = History(store).window(TASK, "loss", smoothing=smoothing)
    np.testing.assert_array_equal(window.smooth.sequence, expected.smooth.sequence)
    np.testing.assert_array_equal(window.smooth.value, expected.smooth.value)
    assert window.points == count
    assert window.bucket > 1_024
    store.close()


def test_a_line_that_grows_very_long_is_exact_with_and_without_its_finest_buckets():
    """Every 997th record has the metric: 17,000 points where there would be 17 million."""
    rng = np.random.default_rng(7)
    ends = (LONGEST_FINE - 10, LONGEST_FINE + 70_000)
    sequence = np.arange(0, ends[1], 997)
    values = rng.normal(size=len(sequence))
    values[rng.random(len(values)) < 0.01] = np.nan
    store = MemoryStore(metric={"loss": (sequence, values)})
    history, smoothing = History(store), Smoothing(30, 10)
    for end in ends:
        store.run, store.step = np.broadcast_to(np.int32(1), end), np.broadcast_to(np.float64(0), end)
        whole = History(store).window(TASK, "loss", points=10**6, smoothing=smoothing).smooth.value
        for first, last in ((0, end), (end - 400_000, end), (3_000_001, 3_900_001)):
            window = history.window(TASK, "loss", first=first, last=last, points=200, smoothing=smoothing)
            begin, stop = np.searchsorted(sequence[: len(whole)], [first, last])
            assert_extremes(store, window, "smooth", whole[begin:stop])
            assert window.bucket > 256


class WithoutPoints:
    """A store that gives levels alone."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        assert not name.startswith("columns"), "points were read"
        return getattr(self._store, name)


def test_the_few_points_of_many_records_come_from_levels(tmp_path):
    """Two runs that live at once; values alone, in pairs, three together, and what is not finite."""
    store = Store.open(tmp_path / "s.db", writable=True)
    process = Process(1, 1.0, "host", None, None)
    rng = np.random.default_rng(8)
    for run in ("a", "b"):
        store.begin_run(Header(TASK, "demo", None, run, 100.0, process, None, {}))
    block = 40_000
    for part in range(8):
        time = 1e3 + part * block + np.arange(block) / 8
        at = np.sort(rng.choice(block // 2_000, 14, replace=False)) * 2_000 + rng.integers(0, 1_000, 14)
        at = np.unique(np.concatenate([at, at[:4] + 1, [39_990, 39_991, 39_992] if part == 7 else []])).astype(int)
        values = rng.normal(size=len(at))
        values[[2, 9, 11]] = np.nan, np.inf, -np.inf
        metrics = {"loss": Values(None, np.full(block, 1.0)), "eval_loss": Values(at, values)}
        columns = RecordColumns(time, step=part * block + np.arange(block), metrics=metrics)
        store.append("ab"[part % 2], columns, position=part + 1)
    count, alone = 8 * block, History(WithoutPoints(store))
    for first, last in ((0, count - 1_000), (12_345, 222_222), (100_000, 200_000)):
        window = alone.window(TASK, "eval_loss", first=first, last=last)
        columns = store.columns(TASK, "eval_loss", first, last)
        order = np.argsort(columns.run, kind="stable")
        assert window.bucket == 1
        np.testing.assert_array_equal(window.raw.sequence, columns.sequence[order])
        finite = np.where(np.isfinite(columns.value), columns.value, np.nan)[order]
        for name, wanted in (("value", finite), ("step", columns.step[order]), ("time", columns.time[order])):
            np.testing.assert_array_equal(getattr(window.raw, name), wanted)
        np.testing.assert_array_equal(window.marks.value, columns.value[order][~np.isfinite(columns.value[order])])
    history, smoothing = History(store), Smoothing(20, 5)
    for first, last in ((0, count), (0, count - 1_000), (12_345, 222_222)):
        every = {"first": first, "last": last, "smoothing": smoothing}
        window = history.window(TASK, "eval_loss", **every)
        brute = history.window(TASK, "eval_loss", points=10**6, **every)
        for name in ("sequence", "step", "value"):
            np.testing.assert_array_equal(getattr(window.smooth, name), getattr(brute.smooth, name))
            np.testing.assert_array_equal(getattr(window.raw, name), getattr(brute.raw, name))
        assert window.lines == brute.lines
    store.close()
