"""GPU and system figures in the store and on their way to a chart: placed by time, thinned by extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline import history
from stepline.recording.journal import Header, Process
from stepline.store import Store
from stepline.store.samples import TOGETHER

PROCESS = Process(7, 1000.5, "host", "boot", "ns")
BEGUN = 1_767_366_245.0


@pytest.fixture
def store(home):
    opened = Store.open(home.database, writable=True)
    for run in ("r1", "r2"):
        opened.begin_run(Header("t1", "demo", None, run, BEGUN, PROCESS, None, {}))
    yield opened
    opened.close()


def fill(store: Store, count: int, run: str = "r1", begin: float = BEGUN) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 100, count).astype(float)
    for place, value in enumerate(values.tolist()):
        store.add_sample(run, begin + 10 * place, {"system.cpu": value, "gpu.0.power": value / 3})
    return values


def test_samples_come_back_by_time_and_take_little_room(store: Store):
    values = fill(store, TOGETHER * 2 + 5)
    found = store.samples("t1", ["system.cpu", "gpu.0.power", "gpu.7.power"])
    assert found.keys() == {"system.cpu", "gpu.0.power"}
    np.testing.assert_array_equal(found["system.cpu"].value, values)
    np.testing.assert_array_equal(found["gpu.0.power"].value, values / 3)
    np.testing.assert_array_equal(found["system.cpu"].time, BEGUN + 10 * np.arange(len(values)))
    assert store.newest_sample("t1") == {"system.cpu": values[-1], "gpu.0.power": values[-1] / 3}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=st.one_of(st.none(), st.integers(-5, 800)), length=st.one_of(st.none(), st.integers(0, 800)))
def test_a_stretch_of_time_is_what_lies_in_it(filled, first: int | None, length: int | None):
    store, values = filled
    begin = None if first is None else BEGUN + 10 * first
    end = None if length is None else BEGUN + 10 * ((first or 0) + length)
    found = store.samples("t1", ["system.cpu"], begin, end)
    expected = values[max(0, first or 0) : None if length is None else max(0, (first or 0) + length + 1)]
    got = found["system.cpu"].value if found else np.empty(0)
    np.testing.assert_array_equal(got, expected)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    opened = Store.open(tmp_path_factory.mktemp("home") / "stepline.db", writable=True)
    opened.begin_run(Header("t1", "demo", None, "r1", BEGUN, PROCESS, None, {}))
    yield opened, fill(opened, TOGETHER + 300)
    opened.close()


def test_a_gpu_that_comes_and_goes_leaves_the_others_in_order(store: Store):
    for place in range(2 * TOGETHER + 9):
        gpu = {"gpu.0.power": 1.0} if place % 2 else {}
        store.add_sample("r1", BEGUN + place, {"system.cpu": float(place), **gpu})
    found = store.samples("t1", ["system.cpu", "gpu.0.power"])
    assert found["system.cpu"].value.tolist() == list(range(2 * TOGETHER + 9))
    assert len(found["gpu.0.power"].value) == TOGETHER + 4


def test_a_run_that_is_gone_adds_nothing(store: Store):
    fill(store, 3)
    with store.together() as changes:
        changes.drop_runs(["r1"])
    store.add_sample("r1", BEGUN, {"system.cpu": 1.0})
    assert store.samples("t1", ["system.cpu"]) == {}
    assert store.newest_sample("t1") == {}


def test_a_frame_has_each_run_apart_and_every_spike(store: Store):
    values = fill(store, 500)
    fill(store, 50, "r2", BEGUN + 2500)
    frame = history.decode(history.sampled_frame(store, "t1", ["system.cpu", "gpu.9.power"], points=64))
    assert frame.metadata["axis"] == "time"
    cpu, nothing = frame.series
    assert (nothing.points, nothing.lines) == (0, [])
    assert [line["run"] for line in cpu.lines] == [1, 2]
    assert cpu.points == 550
    first, last = cpu.lines[0]["raw"]
    drawn, time = cpu.columns["value"][first:last], cpu.columns["x"][first:last]
    assert len(drawn) <= 64
    assert (drawn.min(), drawn.max()) == (values.min(), values.max())
    np.testing.assert_array_equal(drawn, values[np.round((time - BEGUN) / 10).astype(int)])


def test_what_comes_moves_nothing_that_is_drawn(store: Store):
    fill(store, 400)

    def drawn() -> list[tuple[float, float]]:
        (one,) = history.decode(history.sampled_frame(store, "t1", ["system.cpu"], points=64)).series
        places = zip(one.columns["x"].tolist(), one.columns["value"].tolist(), strict=True)
        return [(x, value) for x, value in places if x * 1000 < one.bucket * (BEGUN * 1000 // one.bucket + 20)]

    before = drawn()
    store.add_sample("r1", BEGUN + 4001, {"system.cpu": 0.0, "gpu.0.power": 0.0})
    assert drawn() == before


def test_a_task_that_is_removed_takes_its_samples_with_it(store: Store):
    fill(store, 3)
    for run in ("r1", "r2"):
        store.end_run(run, "completed", None, BEGUN)
    store.put_in_trash(["t1"], BEGUN)
    store.remove(["t1"], BEGUN)
    store.begin_run(Header("t1", "demo", None, "r9", BEGUN, PROCESS, None, {}))
    assert store.samples("t1", ["system.cpu"]) == {}
    assert store.newest_sample("t1") == {}
