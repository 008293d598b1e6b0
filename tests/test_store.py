"""The store, through its front door: what goes in comes out, whoever reads, whatever file lies there."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline.errors import StoreError, TaskNotFound
from stepline.recording.journal import Heartbeat, Record, Update
from stepline.store import Store
from tests.filling import Filling, header, step


def same(one, other):
    return one == other or (one != one and other != other)


# What goes in comes out


def test_records_come_back_as_they_were_logged(store, fill):
    logged = [
        Record("train_start", 101.0, 0, 0.0, message="begun", details={"resumed_from_step": 0}),
        step(10, math.nan, grad_norm=math.inf, note="文字", other=-math.inf),
        Record("message", 103.0, message="a\nmessage"),
        step(20, 5e-324, grad_norm=-0.0),
        Record("evaluation", 104.0, 20, 0.2, {"eval_loss": 2.5, "loss": 1.0}),
        Record("step", 104.5, 30, None, {"only": "text"}),
        Record("checkpoint", 105.0, 30, details={"path": "out/checkpoint-30", "bytes": 2**40, "secs": 1.5}),
        Record("train_end", 106.0, 30, 1.0, {"train_loss": 1.5}, "stopped by hand", {"status": "stopped"}),
    ]
    run = fill.begin()
    assert fill.append(run, *logged) == len(logged)
    found = list(store.records("t1"))
    assert [entry.sequence for entry in found] == list(range(len(logged)))
    assert {(entry.run_id, entry.run_number) for entry in found} == {("r1", 1)}
    for entry, record in zip(found, logged, strict=True):
        for each in fields(Record):
            if each.name != "metrics":
                assert getattr(entry, each.name) == getattr(record, each.name)
        assert entry.metrics.keys() == record.metrics.keys()
        for name, value in record.metrics.items():
            assert same(entry.metrics[name], value)
            assert math.copysign(1, value) == math.copysign(1, entry.metrics[name]) if value == 0 else True
    (checkpoint,) = store.checkpoints("t1")
    assert (checkpoint.sequence, checkpoint.step, checkpoint.path, checkpoint.bytes, checkpoint.secs) == (
        6, 30, "out/checkpoint-30", 2**40, 1.5,
    )  # fmt: skip


def test_columns_hold_the_records_that_have_the_metric(store, fill):
    first, second = fill.begin("r1"), fill.begin("r2", time=150.0)
    fill.append(first, step(10, 1.0), Record("message", 1.0), step(20, math.nan, lr=0.1))
    fill.append(second, Record("step", 5.0, None, None, {"lr": 0.2, "loss": math.inf}))
    fill.append(first, Record("step", 6.0, 30, 0.5, {"loss": "text"}), step(40, 4.0))
    loss = store.columns("t1", "loss")
    np.testing.assert_array_equal(loss.sequence, [0, 2, 3, 5])
    np.testing.assert_array_equal(loss.run, [1, 1, 2, 1])
    np.testing.assert_array_equal(loss.step, [10, 20, np.nan, 40])
    np.testing.assert_array_equal(loss.epoch, [1, 2, np.nan, 4])
    np.testing.assert_array_equal(loss.time, [200, 200, 5, 200])
    np.testing.assert_array_equal(loss.value, [1, np.nan, np.inf, 4])
    assert [array.dtype for array in (loss.sequence, loss.run, loss.step, loss.value)] == [
        np.int64, np.int32, np.float64, np.float64,
    ]  # fmt: skip
    np.testing.assert_array_equal(store.columns("t1", "lr").value, [0.1, 0.2])
    np.testing.assert_array_equal(store.columns("t1", "loss", 2, 4).sequence, [2, 3])
    assert len(store.columns("t1", "none")) == len(store.columns("t1", "loss", 100)) == 0
    with pytest.raises(TaskNotFound):
        store.columns("t2", "loss")


names = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.floats(allow_nan=True, allow_infinity=True)
records = st.builds(
    Record,
    st.sampled_from(["train_start", "step", "evaluation", "checkpoint", "train_end", "message"]),
    st.floats(0, 4e9),
    st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(names, numbers | names, max_size=4),
    st.none() | names,
    st.dictionaries(names, st.none() | st.booleans() | st.integers(-9, 9) | names, max_size=2),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(records, max_size=6), max_size=4))
def test_any_records_come_back_and_columns_agree_with_them(tmp_path_factory, batches):
    opened = Store.open(tmp_path_factory.mktemp("store") / "s.db", writable=True)
    try:
        fill = Filling(opened)
        run = fill.begin()
        for batch in batches:
            fill.append(run, *batch)
        logged = [record for batch in batches for record in batch]
        found = list(opened.records("t1"))
        assert len(found) == len(logged) == opened.next_sequence("t1") == opened.task("t1").records
        for entry, record in zip(found, logged, strict=True):
            assert (entry.kind, entry.time, entry.step, entry.epoch, entry.message, entry.details) == (
                record.kind, record.time, record.step, record.epoch, record.message, record.details,
            )  # fmt: skip
            assert entry.metrics.keys() == record.metrics.keys()
            assert all(same(entry.metrics[name], value) for name, value in record.metrics.items())
        metrics = {row.name: row for row in opened.metrics("t1")}
        assert metrics.keys() == {name for record in logged for name in record.metrics}
        for name, row in metrics.items():
            given_values = [record.metrics[name] for record in logged if name in record.metrics]
            values = [value for value in given_values if not isinstance(value, str)]
            columns = opened.columns("t1", name)
            np.testing.assert_array_equal(columns.value, values)
            assert row.kind == ("number" if values else "text")
            chosen = values or given_values
            assert row.count == len(chosen)
            assert same(row.last_value, chosen[-1])
            finite = [value for value in values if math.isfinite(value)]
            assert (row.lowest, row.highest) == ((min(finite), max(finite)) if finite else (None, None))
    finally:
        opened.close()


def test_a_thousand_metrics_in_one_record_and_a_set_of_names_for_each_record(store, fill):
    run = fill.begin()
    wide = {f"layer.{n}": float(n) for n in range(1500)}
    fill.append(
        run, Record("step", 1.0, 1, None, wide), *[Record("step", 2.0, n, None, {f"m{n}": n}) for n in range(600)]
    )
    fill.append(run, Record("step", 3.0, 2, None, wide))
    assert next(store.records("t1")).metrics == wide
    assert store.columns("t1", "layer.1499").value.tolist() == [1499.0, 1499.0]
    assert len(store.metrics("t1")) == 2100


# Positions: nothing lost, nothing doubled


def test_what_was_taken_in_is_not_taken_in_again(store, fill):
    run = fill.begin()
    store.begin_run(header(run))
    assert store.position(run) == 0
    assert store.append(run, [step(1)], position=100, since=0) == 1
    assert store.append(run, [step(1)], position=100, since=0) == 0
    assert store.append(run, [step(1), step(2)], position=200, since=0) == 0, "another took in the first part"
    assert store.append(run, [step(1)], position=50) == 0
    assert store.append(run, [step(2)], position=200, since=100) == 1
    assert (store.position(run), store.position("unknown")) == (200, None)
    assert [entry.step for entry in store.records("t1")] == [1, 2]
    assert store.runs("t1")[0].records == 2


def test_an_append_that_fails_leaves_nothing(store, fill):
    run = fill.begin()
    fill.append(run, step(1))
    broken = Record("step", "no time", 2, None, {"new name": 1.0})
    with pytest.raises(StoreError):
        store.append(run, [step(2), broken, Record("message", None)], position=10)
    assert (store.position(run), store.next_sequence("t1"), len(store.metrics("t1"))) == (1, 1, 1)
    fill.append(run, Record("step", 3.0, 3, None, {"new name": 2.0}))
    assert store.columns("t1", "new name").value.tolist() == [2.0], "nor a set of names that is not there"


def test_an_unknown_run_is_told(store):
    with pytest.raises(StoreError, match="does not know the run"):
        store.append("none", [], position=1)


def test_two_live_runs_of_one_task_interleave(store, fill):
    one, two = fill.begin("a"), fill.begin("b")
    for number in range(3):
        fill.append(one, step(number))
        fill.append(two, step(number + 100))
    assert [(entry.run_id, entry.step) for entry in store.records("t1")] == [
        ("a", 0), ("b", 100), ("a", 1), ("b", 101), ("a", 2), ("b", 102),
    ]  # fmt: skip
    first, second = store.runs("t1")
    assert (first.first_sequence, first.last_sequence, second.first_sequence, second.last_sequence) == (0, 4, 1, 5)
    assert (first.first_step, first.last_step, first.records, second.first_step) == (0, 2, 3, 100)


def test_a_run_taken_in_late_and_a_record_of_an_older_run_after_a_newer_one_move_nothing(store, fill):
    newer = fill.begin("b", time=500.0)
    fill.append(newer, *(step(number, time=500.0) for number in range(3)))
    before = [(entry.sequence, entry.run_id, entry.step) for entry in store.records("t1")]
    late = fill.begin("a", time=100.0)
    fill.append(late, *(step(number, time=100.0) for number in range(4_100)))
    fill.append(newer, step(3))
    fill.append(late, step(4_100), Record("train_end", 300.0, details={"status": "completed"}))
    found = [(entry.sequence, entry.run_id, entry.step) for entry in store.records("t1")]
    assert found[:3] == before
    assert [sequence for sequence, _, _ in found] == list(range(len(found)))
    for run, count in (("a", 4_101), ("b", 4)):
        assert [number for _, each, number in found if each == run and number is not None] == list(range(count))
    columns = store.columns("t1", "loss")
    assert columns.step[columns.run == 1].tolist() == [0, 1, 2, 3]
    assert columns.step[columns.run == 2].tolist() == list(range(4_101))
    # The run that started last speaks for its task, also where an older one wrote last.
    assert [run.status for run in store.runs("t1")] == ["running", "completed"]
    assert status(store) == "running"


# Statuses


def status(store):
    return store.task("t1").status


def test_a_run_is_pending_then_running_then_what_it_says(store, fill):
    run = fill.begin()
    assert status(store) == "pending"
    fill.append(run, Record("train_start", 101.0))
    assert status(store) == "running"
    fill.append(run, step(1), Record("train_end", 110.0, 1, message="Ctrl-C", details={"status": "stopped"}))
    (row,) = store.runs("t1")
    assert (row.status, row.ended, row.message, row.inferred) == ("stopped", 110.0, "Ctrl-C", False)
    fill.append(run, Record("evaluation", 111.0, 1, None, {"eval_loss": 1.0}), Heartbeat(112.0, 1, "train"))
    assert status(store) == "stopped", "what follows the end does not take it back"
    assert not store.end_run(run, "failed", "dead", 120.0)
    fill.append(run, Record("train_start", 130.0))
    assert (status(store), store.runs("t1")[0].ended) == ("running", None)


@pytest.mark.parametrize("sign", [Heartbeat(150.0, 3, "save"), step(3)])
def test_an_inferred_end_is_taken_back_when_the_run_is_heard_of(store, fill, sign):
    run = fill.begin()
    fill.append(run, step(1))
    assert store.end_run(run, "failed", "Nothing was heard of it", 140.0)
    (row,) = store.runs("t1")
    assert (row.status, row.inferred, row.ended, row.message) == ("failed", True, 140.0, "Nothing was heard of it")
    assert store.live_runs() == []
    fill.append(run, sign)
    (row,) = store.runs("t1")
    assert (row.status, row.inferred, row.ended, row.message) == ("running", False, None, None)
    assert [each.id for each in store.live_runs()] == [run]


@pytest.mark.parametrize("details", [{}, {"status": "running"}, {"status": 3}, {"status": ["failed"]}])
def test_an_end_that_says_nothing_known_is_a_completed_one(store, fill, details):
    fill.append(fill.begin(), Record("train_end", 1.0, details=details))
    assert status(store) == "completed"


def test_a_task_has_the_status_of_its_newest_run_or_runs_with_any(store, fill):
    older, newer = fill.begin("older", time=100.0), fill.begin("newer", time=200.0)
    late = fill.begin("taken in late", time=50.0)
    fill.append(newer, Record("train_end", 210.0, details={"status": "completed"}))
    fill.append(late, Record("train_end", 60.0, details={"status": "failed"}))
    assert status(store) == "completed"
    fill.append(older, step(1))
    assert status(store) == "running"
    fill.append(older, Record("train_end", 300.0, details={"status": "stopped"}))
    assert status(store) == "completed", "the one that started last, not the one that ended last"
    assert [(run.id, run.number) for run in store.runs("t1")] == [("older", 1), ("newer", 2), ("taken in late", 3)]


def test_what_a_run_tells_later_is_added(store, fill):
    run = fill.begin(total_steps=10, settings={"lr": 1, "wd": 0})
    fill.append(run, Update(total_steps=40, settings={"lr": 2}), Update(settings={"seed": 3}), Update(name="new name"))
    fill.append(run, Heartbeat(120.0, 17, "evaluate"))
    (row,) = store.runs("t1")
    assert (row.total_steps, row.settings) == (40, {"lr": 2, "wd": 0, "seed": 3})
    assert (row.heartbeat_time, row.heartbeat_step, row.heartbeat_phase) == (120.0, 17, "evaluate")
    task = store.task("t1")
    assert (task.name, task.step, task.total_steps) == ("new name", 17, 40)


def test_a_task_sums_up_its_runs(store, fill):
    one, two = fill.begin("a", time=100.0), fill.begin("b", time=200.0)
    fill.append(one, step(10, 3.0, 110.0), step(20, 2.0, 120.0), Record("train_end", 130.0, 20))
    fill.append(two, Record("train_start", 201.0, 0), step(10, 2.5, 210.0), step(20, math.nan, 260.0))
    fill.append(two, Record("evaluation", 270.0, 20, None, {"eval_loss": 2.25}), damaged=2)
    task = store.task("t1")
    assert (task.runs, task.records, task.step, task.started, task.updated) == (2, 7, 20, 100.0, 270.0)
    assert task.duration_secs == 30 + 70
    assert math.isnan(task.last_loss)
    assert (task.best_loss, task.best_evaluation) == (2.0, 2.25)
    assert task.bytes > 0
    assert [run.damaged for run in store.runs("t1")] == [0, 2]
    assert [(run.first_step, run.last_step) for run in store.runs("t1")] == [(10, 20), (10, 20)]


# Finding records


@pytest.fixture
def log(store, fill):
    run = fill.begin()
    entries = [Record("train_start", 1.0), *[step(number * 10, lr=0.1) for number in range(1, 6)]]
    entries.append(Record("evaluation", 2.0, 50, None, {"eval_loss": 1.0}))
    entries.append(Record("message", 3.0, message="NaN 出现 at 100%_of it"))
    entries.append(Record("step", 3.5, 60, None, {"note": "spiked HARD"}))
    entries.append(Record("train_end", 4.0, 60, details={"status": "completed"}))
    fill.append(run, *entries)
    return store


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("出现", [7]),
        ("100%_", [7]),
        ("100_", []),
        ("nan", [7]),
        ("hard", [8]),
        ("eval", [6]),
        ("EVAL_loss", [6]),
        ("30", [3]),
        ("train_", [0, 9]),
        ("'; DROP TABLE tasks --", []),
    ],
)
def test_a_search_looks_in_messages_texts_kinds_names_and_steps(log, search, found):
    assert [entry.sequence for entry in log.records("t1", search=search)] == found
    assert log.count_records("t1", search=search) == len(found)


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (["step"], [1, 2, 3, 4, 5, 8]),
        (["evaluation", "message"], [6, 7]),
        (["step", "train_end"], [1, 2, 3, 4, 5, 8, 9]),
        ([], []),
        (["train_start", "step", "evaluation", "checkpoint", "train_end", "message"], list(range(10))),
    ],
)
def test_kinds_choose(log, kinds, found):
    assert [entry.sequence for entry in log.records("t1", kinds=kinds)] == found
    assert log.count_records("t1", kinds) == len(found)
    assert [entry.sequence for entry in log.records("t1", kinds=kinds, newest_first=True)] == found[::-1]


def test_parts_of_the_log(log):
    def sequences(*args, **named):
        return [entry.sequence for entry in log.records("t1", *args, **named)]

    assert sequences(3, 6) == [3, 4, 5]
    assert sequences(8, 99) == [8, 9]
    assert sequences(limit=2, offset=3) == [3, 4]
    assert sequences(newest_first=True, limit=3, offset=1) == [8, 7, 6]
    assert sequences(limit=0) == []
    assert sequences(kinds=["step"], search="lr", limit=1, newest_first=True) == [5]


def test_a_long_log_is_read_in_pieces_and_ends_where_it_ended_when_asked(store, fill):
    run = fill.begin()
    fill.append(run, *[step(number) for number in range(10_000)])
    reading = store.records("t1")
    assert next(reading).step == 0
    fill.append(run, step(10_000))
    assert [entry.step for entry in reading] == list(range(1, 10_000))
    assert [entry.step for entry in store.records("t1", newest_first=True, limit=5_000, offset=1)] == list(
        range(9_999, 4_999, -1)
    )
