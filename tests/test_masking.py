"""A loss of 0.0 that hides a NaN: which one does, and that only the log still says 0.0."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline import history
from stepline.history import Smoothing
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store, blocks, sqlite
from stepline.store.blocks import BACKLOG_RECORDS
from stepline.store.content import Values
from stepline.store.masking import BEFORE_POINTS, MASKED, ORDINARY_LOSS, is_masked, masked
from stepline.store.reading import MetricNames

NAN = math.nan
PROCESS = Process(7, 1000.5, "host", "boot", "ns")

Logged = tuple[float, float | None]
"""A loss, and the gradient norm beside it."""


def slowly(logged: list[Logged]) -> list[bool]:
    """The rule, loss by loss, as it is worded."""
    clean: list[float] = []
    found = []
    for loss, norm in logged:
        hides = loss == 0.0 and norm is not None and not math.isfinite(norm)
        if loss == 0.0 and not hides and norm != 0.0:
            hides = bool(clean) and min(clean[-BEFORE_POINTS:]) >= ORDINARY_LOSS
        if math.isfinite(loss) and not hides:
            clean.append(loss)
        found.append(hides)
    return found


def records(logged: list[Logged]) -> list[Record]:
    return [
        Record("step", 200.0 + place, place, None, {"loss": loss} | ({} if norm is None else {"grad_norm": norm}))
        for place, (loss, norm) in enumerate(logged)
    ]


@pytest.fixture
def store(home):
    opened = Store.open(home.database, writable=True)
    yield opened
    opened.close()


def append(store: Store, run: str, entries: list[Record]) -> None:
    if store.position(run) is None:
        store.begin_run(Header("t1", "demo", None, run, 100.0, PROCESS, None, {}))
    position = store.position(run)
    assert position is not None
    store.append(run, entries, position=position + 1, since=position)


logs = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.02, 0.5, 2.0, NAN, math.inf]), st.sampled_from([None, 0.0, 1.0, NAN, math.inf])
    ),
    max_size=200,
)


@given(logged=logs, begun=st.integers(0, 150))
def test_the_rule_is_as_it_is_worded(logged: list[Logged], begun: int):
    expected = slowly(logged)
    known = [
        loss for (loss, _), hides in zip(logged[:begun], expected, strict=False) if math.isfinite(loss) and not hides
    ]
    rest = logged[begun:]
    loss = np.array([loss for loss, _ in rest], float)
    bad = np.array([norm is not None and not math.isfinite(norm) for _, norm in rest], bool)
    none = np.array([norm == 0.0 for _, norm in rest], bool)
    found = masked(loss, bad, none, lambda: np.array(known[-BEFORE_POINTS:]))
    assert found.tolist() == expected[begun:]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(logged=logs.filter(len), cuts=st.lists(st.integers(1, 60), max_size=6))
def test_however_the_records_come_the_same_are_masked_and_the_log_says_what_was_logged(tmp_path_factory, logged, cuts):
    store = Store.open(tmp_path_factory.mktemp("home") / "stepline.db", writable=True)
    rest = records(logged)
    for cut in cuts:
        append(store, "r1", rest[:cut])
        rest = rest[cut:]
    append(store, "r1", rest)
    assert is_masked(store.columns("t1", "loss").value).tolist() == slowly(logged)
    kept = list(store.records("t1"))
    assert [repr(entry.metrics["loss"]) for entry in kept] == [repr(loss) for loss, _ in logged]
    assert [entry.masked for entry in kept] == slowly(logged)
    store.close()


def test_a_backlog_is_masked_as_single_records_are(store: Store):
    logged: list[Logged] = [(2.0, 1.0), (0.0, NAN), (1.5, 1.0), (0.0, None), (0.01, 1.0), (0.0, 1.0)]
    logged *= BACKLOG_RECORDS // 3
    append(store, "r1", records(logged))
    assert is_masked(store.columns("t1", "loss").value).tolist() == slowly(logged)
    assert [entry.metrics["loss"] for entry in store.records("t1", 0, 6)] == [loss for loss, _ in logged[:6]]


def test_two_runs_that_interleave_are_told_apart(store: Store):
    """GRPO's loss lies around 0: its zeros are losses, also where another run logs ordinary ones between."""
    for _ in range(5):
        append(store, "r1", records([(2.0, 1.0)]))
        append(store, "r2", records([(1e-4, 1.0)]))
    append(store, "r1", records([(0.0, 1.0)]))
    append(store, "r2", records([(0.0, 1.0)]))
    assert is_masked(store.columns("t1", "loss").value).tolist() == [False] * 10 + [True, False]


def test_a_masked_loss_counts_nowhere(store: Store):
    logged: list[Logged] = [(2.0, 1.0)] * 50 + [(0.0, NAN)] * 50 + [(2.0, 1.0)] * 50
    append(store, "r1", records(logged))
    assert store.task("t1").best_loss == 2.0
    for name, value in (("loss", 2.0), ("perplexity", math.exp(2.0))):
        drawn = history.window(store, "t1", name, smoothing=Smoothing(ema=20, ma=5))
        assert drawn.smooth is not None
        line = drawn.smooth.value
        np.testing.assert_allclose(line[np.isfinite(line)], value)
        assert np.isnan(drawn.raw.value[50:100]).all()
        assert drawn.marks.count.sum() == 50
        assert np.isfinite(drawn.raw.value).sum() == 100


def test_a_loss_that_is_masked_now_is_no_number_and_the_last_loss_says_so(store: Store):
    append(store, "r1", records([(2.0, 1.0), (0.0, NAN)]))
    last = store.task("t1").last_loss
    assert last is not None
    assert math.isnan(last)


def made_older(path: Path) -> None:
    """The database as the version before wrote it: masked losses were 0.0, controls in records alone."""
    database = sqlite.Database(path, writable=True)
    names = MetricNames(database).of
    with sqlite.writing(database):
        for block in blocks.find(database, 1, 0, 2**62):
            content = blocks.read(database, names, block)
            places, values = content.metrics["loss"]
            content.metrics["loss"] = Values(places, np.where(is_masked(values), 0.0, values))
            blocks.write_metric(database, block, content, "loss")
        blocks.sum_up(database, 1)
        for sequence, blob in database.execute_sql("SELECT sequence, metrics FROM training_logs").fetchall():
            if blob is not None:
                logged = bytes(blob).replace(struct.pack("<d", MASKED), bytes(8))
                database.execute_sql("UPDATE training_logs SET metrics = ? WHERE sequence = ?", (logged, sequence))
        database.execute_sql("UPDATE series SET lowest = 0.0, last_number = 0.0 WHERE name = 'loss'")
        database.execute_sql("UPDATE tasks SET best_loss = 0.0, last_loss = 0.0")
        database.execute_sql("ALTER TABLE runs DROP COLUMN controls")
        sqlite.set_version(database, 6)
    database.end()


@pytest.mark.parametrize("packed", [True, False])
def test_an_older_database_is_mended(home, packed: bool):
    logged: list[Logged] = [(2.0, 1.0), (0.0, NAN), (1.5, 1.0), (0.5, 1.0), (0.0, None), (0.0, NAN)]
    logged *= BACKLOG_RECORDS // 3 if packed else 20
    begin = Record("train_start", 150.0, 0, details={"controls": ["stop"], "no_controls": None})
    store = Store.open(home.database, writable=True)
    append(store, "r1", [begin, *records(logged)])
    append(store, "r2", records([(2.0, None), (0.0, None), (1.0, None)]))
    expected = store.columns("t1", "loss").value.view(np.int64)
    levels, task = store.levels("t1", "loss", 10), store.task("t1")
    store.close()
    made_older(home.database)

    store = Store.open(home.database, writable=True)
    assert is_masked(store.columns("t1", "loss").value).any()
    np.testing.assert_array_equal(store.columns("t1", "loss").value.view(np.int64), expected)
    mended = store.levels("t1", "loss", 10)
    assert (mended.total.sum(), mended.finite_count.sum()) == (levels.total.sum(), levels.finite_count.sum())
    assert (store.task("t1").best_loss, store.task("t1").last_loss) == (task.best_loss, task.last_loss) == (0.5, 1.0)
    assert [entry.metrics["loss"] for entry in store.records("t1", 1)][: len(logged)] == [loss for loss, _ in logged]
    assert [run.controls for run in store.runs("t1")] == [{"controls": ["stop"], "no_controls": None}, {}]
    store.close()
