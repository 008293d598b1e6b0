"""Every kernel against a slow twin in plain NumPy, compiled and not, over lengths, non-finite mixes and magnitudes."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepline import kernels
from stepline.kernels import compiled, plain
from stepline.kernels.halves import LONG_SCAN, LONG_SMOOTHING, both

AT_EASE = settings(deadline=None)
FORMS = pytest.mark.parametrize("form", [plain, compiled], ids=["plain", "compiled"])

finite_values = st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.0**60])
any_values = finite_values | st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e300, 1.7e308, -1.7e308])
lengths = st.sampled_from([0, 1, 2, 3, 5, 31, 127, 128, 129, 200]) | st.integers(0, 700)
few_kinds = st.lists(any_values, min_size=1, max_size=4)


@st.composite
def arrays(draw, values=any_values):
    """Noise, or a few values repeated: constants, runs of NaN, ties."""
    length = draw(lengths)
    if draw(st.booleans()):
        return draw(hnp.arrays(np.float64, length, elements=values))
    kinds = np.array(draw(st.lists(values, min_size=1, max_size=4)))
    return kinds[np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, len(kinds), length)]


def cells_of(length, seed, most=40):
    if length == 0:
        return np.zeros(0, np.int64)
    cuts = np.random.default_rng(seed).integers(0, length, most)
    return np.unique(np.concatenate([[0], cuts])).astype(np.int64)


def slow_extremes(values, starts):
    rows = []
    for first, last in zip(starts, [*starts[1:], len(values)][: len(starts)], strict=True):
        cell = values[first:last]
        finite = np.flatnonzero(np.isfinite(cell))
        other = np.flatnonzero(~np.isfinite(cell))
        if len(finite):
            low, high = finite[np.argmin(cell[finite])], finite[np.argmax(cell[finite])]
            row = [first + low, first + high, first + finite[0], first + finite[-1]]
        else:
            row = [-1] * 4
        rows.append([*row, first + other[0] if len(other) else -1, len(other), len(finite)])
    return np.array(rows, np.int64).reshape(len(starts), 7).T


def slow_ema(values, span):
    alpha = 2 / (span + 1)
    out = np.full(len(values), np.nan)
    weights, total = 0.0, np.longdouble(0)
    for i, value in enumerate(values):
        if np.isfinite(value):
            total = total * (1 - alpha) + np.longdouble(value)
            weights = weights * (1 - alpha) + 1
            out[i] = total / weights
    return out


def slow_average(values, span):
    out = np.full(len(values), np.nan)
    kept: list[float] = []
    for i, value in enumerate(values):
        if np.isfinite(value):
            kept.append(value)
            window = np.array(kept[-span:], np.longdouble)
            out[i] = np.sum(window) / len(window)
    return out


def largest(values):
    """The largest finite value so far, place by place: what an average's error is measured by."""
    sizes = np.where(np.isfinite(values), np.abs(values), 0)
    return np.maximum.accumulate(sizes) if len(sizes) else sizes


def assert_close(got, wanted, values):
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    some = ~np.isnan(wanted)
    with np.errstate(over="ignore"):
        assert np.all(np.abs(got - wanted)[some] <= 1e-12 * largest(values)[some] + 1e-289)


@AT_EASE
@given(hnp.arrays(st.sampled_from([np.int32, np.int64]), lengths, elements=st.integers(-3, 3)))
def test_distinct_numbers_are_numpys(values):
    found = kernels.distinct(values)
    assert found.dtype == values.dtype
    assert np.array_equal(found, np.unique(values))


@FORMS
@AT_EASE
@given(values=arrays(), seed=st.integers(0, 2**32))
def test_extremes_are_those_of_the_slow_twin(form, values, seed):
    starts = cells_of(len(values), seed)
    for got, wanted in zip(form.extremes(values, starts), slow_extremes(values, starts), strict=True):
        assert got.tolist() == wanted.tolist()


@FORMS
@AT_EASE
@example(values=np.array([6.22149864e-213, 0.0, 1e200]), span=2)
@given(values=arrays(st.floats(-1e300, 1e300) | st.just(np.nan)), span=st.sampled_from([2, 3, 10, 100, 5000, 10**6]))
def test_exponential_average_is_that_of_the_slow_twin(form, values, span):
    got, state = form.ema(values, span, None)
    assert_close(got, slow_ema(values, span), values)
    assert state.seen == np.count_nonzero(np.isfinite(values))


@FORMS
@AT_EASE
@given(values=arrays(), span=st.sampled_from([2, 3, 4, 7, 50, 101, 10**6]))
def test_moving_average_is_that_of_the_slow_twin(form, values, span):
    got, state = form.moving_average(values, span, None)
    assert_close(got, slow_average(values, span), values)
    assert state.seen == np.count_nonzero(np.isfinite(values))
    assert len(state.recent) < 2 * span


@FORMS
@AT_EASE
@given(
    values=arrays(st.floats(-1e300, 1e300) | st.just(np.nan)),
    span=st.sampled_from([2, 5, 30, 1000]),
    cuts=st.lists(st.integers(0, 700), max_size=5),
)
def test_going_on_from_a_state_gives_what_one_call_gives(form, values, span, cuts):
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    for smooth in (form.ema, form.moving_average):
        whole, end = smooth(values, span, None)
        state, parts = None, []
        for first, last in itertools.pairwise(edges):
            part, state = smooth(values[first:last], span, state)
            parts.append(part)
        assert_close(np.concatenate(parts), whole, values)
        assert state.seen == end.seen


@FORMS
@pytest.mark.parametrize("constant", [0.1, -3.7e5, 1e-300, 1e289, 5e-324])
@pytest.mark.parametrize("span", [2, 10, 1000])
def test_a_constant_series_stays_constant_to_the_bit(form, constant, span):
    values = np.full(20_000, constant)
    values[::7] = np.nan
    for smooth in (form.ema, form.moving_average):
        got, _ = smooth(values, span, None)
        assert set(got[np.isfinite(values)].tolist()) == {constant}


@FORMS
def test_the_first_point_is_itself(form):
    for smooth in (form.ema, form.moving_average):
        assert smooth(np.array([0.3]), 50, None)[0].tolist() == [0.3]
        got, _ = smooth(np.array([np.nan, 0.3, 0.7]), 50, None)
        assert got[1] == 0.3
        assert 0.49 < got[2] < 0.52


@FORMS
def test_a_spike_leaves_no_trace_in_a_moving_average(form):
    values = np.ones(5000)
    values[100] = 1e300
    got, _ = form.moving_average(values, 10, None)
    assert set(got[110:].tolist()) == {1.0}


@FORMS
def test_a_moving_average_of_the_largest_numbers_does_not_overflow(form):
    values = np.full(100, 1.7e308)
    values[0] = -1.7e308
    got, _ = form.moving_average(values, 10, None)
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got[20:], 1.7e308, rtol=1e-12)


@pytest.mark.parametrize("extra", [0, 1, 17])
def test_two_threads_give_what_one_gives(extra):
    """Long enough that the work is split: an odd length, a spike before each cut, stretches of NaN across one."""
    count = 2 * LONG_SMOOTHING + extra
    rng = np.random.default_rng(extra)
    values = rng.normal(size=count).cumsum()
    values[rng.random(count) < 0.01] = np.nan
    values[count // 2 - 700 : count // 2 + 300] = np.nan
    values[count // 2 - 701] = 1e280
    values[count // 4 - 1] = -1e150
    for span in (2, 30, 400, 20_000):
        for whole, twin in ((compiled.ema, plain.ema), (compiled.moving_average, plain.moving_average)):
            got, state = whole(values, span, None)
            wanted, end = twin(values, span, None)
            assert_close(got, wanted, values)
            assert state.seen == end.seen
            later = rng.normal(size=50)
            assert_close(
                whole(later, span, state)[0], twin(later, span, end)[0], np.concatenate([[1e280], later])[: len(later)]
            )


def test_a_decayed_spike_is_the_same_wherever_the_work_is_cut():
    """1e200 before a cut outweighs what comes after for thousands of points: it is carried over the cut."""
    count = 2 * LONG_SMOOTHING
    values = np.ones(count)
    values[0] = 0.5
    values[count // 4 - 5] = 1e200
    values[count // 2 - 5] = 1e200
    got, _ = compiled.ema(values, 100, None)
    first = count // 4 - 5000
    wanted = slow_ema(values[first : count // 4 + 25_000], 100)
    np.testing.assert_allclose(got[count // 4 - 5 : count // 4 + 25_000], wanted[4995:], rtol=1e-9)
    np.testing.assert_allclose(got[-1], 1.0, rtol=1e-12)


def test_long_extremes_split_between_two_threads():
    values = np.random.default_rng(3).normal(size=LONG_SCAN + 5)
    values[::100] = np.nan
    starts = np.arange(0, len(values), 4096)
    for got, wanted in zip(compiled.extremes(values, starts), plain.extremes(values, starts), strict=True):
        assert np.array_equal(got, wanted)


def test_a_decaying_average_never_becomes_denormal():
    values = np.zeros(60_000)
    values[1] = 1.0
    got, state = compiled.ema(values, 10, None)
    assert got[-1] == 0.0
    assert state.numerator == 0.0


def test_what_a_half_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        both(lambda: None, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        both(lambda: 1 / 0, lambda: None)


def test_integers_views_and_read_only_arrays_are_taken():
    kernels.prepare(wait=True)
    assert kernels.ready()
    assert kernels.failure() is None
    starts = np.array([0, 3], np.int32)
    data = np.arange(12, dtype="<f4")
    data.setflags(write=False)
    assert kernels.extremes(data[::2], starts).maximum_at.tolist() == [2, 5]
    assert kernels.ema(np.array([1, 1, 1]), 3)[0].tolist() == [1, 1, 1]
    read_only = np.frombuffer(np.arange(5.0).tobytes())
    np.testing.assert_allclose(kernels.moving_average(read_only, 2)[0], [0, 0.5, 1.5, 2.5, 3.5])


def test_extremes_agree_with_tsdownsample():
    """MinMax over cells of one length is the same algorithm: the same places must come out."""
    tsdownsample = pytest.importorskip("tsdownsample", reason="pip install tsdownsample to compare with it")
    values = np.random.default_rng(1).normal(size=64 * 500).cumsum()
    theirs = tsdownsample.MinMaxDownsampler().downsample(values, n_out=2 * 500)
    ours = compiled.extremes(values, np.arange(0, len(values), 64))
    pairs = np.sort(np.column_stack([ours.minimum_at, ours.maximum_at]), axis=1).ravel()
    assert np.array_equal(theirs.astype(np.int64), pairs)


EIGHT_WINDOWS = """
    import threading
    import numpy as np
    from stepline import kernels
    assert not kernels.ready()
    values = np.random.default_rng(0).normal(size=5_000_000)
    starts = np.arange(0, len(values), 4096)
    wanted = kernels.extremes(values, starts).minimum_at
    kernels.prepare(wait=True)
    assert kernels.ready(), kernels.failure()
    import numba
    assert numba.config.THREADING_LAYER == "workqueue"
    met = []
    def window():
        for _ in range(3):
            assert np.array_equal(kernels.extremes(values, starts).minimum_at, wanted)
            kernels.moving_average(kernels.ema(values, 50)[0], 20)
        met.append(1)
    threads = [threading.Thread(target=window) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(met) == 8
    print("all eight")
"""


def test_eight_windows_at_once_under_the_workqueue_layer():
    """In that layer two threads inside numba's own parallel code abort the process."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EIGHT_WINDOWS)],
        env={**os.environ, "NUMBA_THREADING_LAYER": "workqueue"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "all eight"


def test_before_they_are_prepared_the_kernels_answer_without_numba():
    code = """
        import sys
        import numpy as np
        from stepline import history, kernels
        kernels.ema(np.arange(9.0), 3), kernels.extremes(np.arange(9.0), np.array([0]))
        assert not kernels.ready()
        assert "numba" not in sys.modules
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_compiled_code_is_not_taken_for_that_of_other_sources(tmp_path):
    package = tmp_path / "sources" / "stepline"
    ours = os.path.dirname(os.path.dirname(kernels.__file__))
    shutil.copytree(ours, package, ignore=shutil.ignore_patterns("web_dist", "__pycache__"))
    code = """
        import os, sys
        from pathlib import Path
        from stepline import kernels
        kernels.prepare(Path(sys.argv[1]))
        print(kernels.__file__, os.environ["NUMBA_CACHE_DIR"], flush=True)
        os._exit(0)
    """

    def folder() -> str:
        environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        environment["PYTHONPATH"] = str(package.parent)
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "cache")]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
        file, found = said.split()
        assert file.startswith(str(package))
        return found

    before = folder()
    assert folder() == before
    assert os.path.dirname(before) == str(tmp_path / "cache")
    with (package / "kernels" / "vectors.py").open("a") as vectors:
        vectors.write("\n# other instructions\n")
    assert folder() != before
