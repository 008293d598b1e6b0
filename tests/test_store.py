"""The store, through its front door: what goes in comes out, whoever reads, whatever file lies there."""

from __future__ import annotations

import math
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline.errors import DatabaseDamaged, DatabaseNewer, StoreError, TaskAmbiguous, TaskNotFound
from stepline.home import Home
from stepline.recording.journal import Header, Heartbeat, Process, Record, Update
from stepline.store import Store, migrations
from stepline.store.models import MODELS
from stepline.store.naming import Named, display_names

PROCESS = Process(7, 1000.5, "host", "boot", "ns")


def header(run="r1", task="t1", *, name="demo", key=None, time=100.0, total_steps=None, settings=None):
    return Header(task, name, key, run, time, PROCESS, total_steps, settings or {})


def step(number, loss=1.0, time=200.0, **metrics):
    return Record("step", time, number, number / 10, {"loss": loss, **metrics})


@pytest.fixture
def store(home):
    with_store = Store.open(home.database, writable=True)
    yield with_store
    with_store.close()


class Filling:
    """Appends to runs without counting bytes: each append moves the position by one."""

    def __init__(self, store):
        self.store = store

    def begin(self, *args, **named):
        begun = header(*args, **named)
        self.store.begin_run(begun)
        return begun.run_id

    def append(self, run, *entries, damaged=0):
        position = self.store.position(run)
        return self.store.append(run, list(entries), position=position + 1, damaged=damaged, since=position)


@pytest.fixture
def fill(store):
    return Filling(store)


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


# Names


def test_names_are_told_apart_by_more_of_their_paths():
    names = display_names(
        [
            Named("1", "run1", "/data/qwen/run1", None),
            Named("2", "run1", "/data/llama/run1", None),
            Named("3", "other", "/x/other", None),
            Named("4", "given", "/x/y", None),
            Named("5", "run1", "/old/qwen/run1", "label"),
            Named("6", "out", "C:\\训练\\out", None),
            Named("7", "", None, None),
            Named("8", "/abs/key", "/abs/key", None),
        ]
    )
    assert names == {
        "1": "qwen/run1", "2": "llama/run1", "3": "other", "4": "given", "5": "label", "6": "out", "7": "7", "8": "key",
    }  # fmt: skip


def test_paths_that_end_alike_are_told_apart_as_far_as_they_differ():
    names = display_names(Named(str(n), "b", key, None) for n, key in enumerate(["/x/a/b", "/y/a/b", "/b"]))
    assert names == {"0": "x/a/b", "1": "y/a/b", "2": "b"}
    same_path = display_names(Named(str(n), "b", "/a/b", None) for n in range(2))
    assert same_path == {"0": "a/b", "1": "a/b"}, "one path on two hosts: nothing tells them apart"


def test_a_label_wins_and_can_be_taken_back(store, fill):
    fill.begin("a", "t1", name="run1", key="/data/one/run1")
    fill.begin("b", "t2", name="run1", key="/data/two/run1")
    assert {task.name for task in store.tasks()} == {"one/run1", "two/run1"}
    store.rename_task("t1", "第一")
    assert {task.name for task in store.tasks()} == {"第一", "run1"}
    fill.append("a", step(1))
    assert store.find_task("第一").id == "t1"
    assert store.find_task("/data/one/run1").id == "t1"
    assert store.find_task("run1").id == "t2", "as shown comes before as given"
    store.rename_task("t1", None)
    with pytest.raises(TaskAmbiguous) as caught:
        store.find_task("run1")
    assert "t1" in str(caught.value)
    assert "t2" in str(caught.value)
    with pytest.raises(TaskNotFound):
        store.find_task("nothing")


def test_tags_notes_and_settings(store, fill):
    fill.begin()
    store.set_task("t1", tags=["a", "标签"])
    store.set_task("t1", notes="long text")
    task = store.task("t1")
    assert (task.tags, task.notes, task.label) == (("a", "标签"), "long text", None)
    with pytest.raises(TaskNotFound):
        store.set_task("t2", notes="")
    assert store.setting("theme", "light") == "light"
    store.set_setting("theme", {"name": "dark", "since": [1, None]})
    store.set_setting("theme2", False)
    assert store.setting("theme") == {"name": "dark", "since": [1, None]}
    assert store.settings() == {"theme": {"name": "dark", "since": [1, None]}, "theme2": False}
    store.set_setting("theme", None)
    assert store.settings() == {"theme2": False}


def test_tasks_come_newest_change_first_and_the_version_tells_of_changes(store, fill):
    one = fill.begin("a", "t1")
    before = store.version()
    two = fill.begin("b", "t2")
    assert store.version() > before
    assert [task.id for task in store.tasks()] == ["t2", "t1"]
    fill.append(one, step(1))
    assert [task.id for task in store.tasks()] == ["t1", "t2"]
    quiet = store.version()
    assert len(store.tasks()) == 2
    assert store.version() == quiet
    store.end_run(two, "failed", None, 5.0)
    assert store.version() > quiet


# Files


def test_the_database_has_its_pages_its_journal_mode_and_its_models(home, store):
    database = sqlite3.connect(home.database)
    assert database.execute("PRAGMA page_size").fetchone() == (16384,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA user_version").fetchone() == (migrations.VERSION,)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {model._meta.table_name for model in MODELS}
    for model in MODELS:
        table = model._meta.table_name
        columns = {name: required for _, name, _, required, _, _ in database.execute(f"PRAGMA table_info({table})")}
        assert columns == {column: int(not field.null) for column, field in model._meta.columns.items()}, table
    database.close()


def test_the_page_on_the_tables_names_every_table_and_column():
    page = (Path(__file__).parents[1] / "docs" / "store.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+)`", page)) | set(re.findall(r"^## ([a-z_]+)$", page, re.MULTILINE))
    for model in MODELS:
        assert {model._meta.table_name, *model._meta.columns} - {"id"} <= named, model


def test_what_was_stored_is_there_again(home, store, fill):
    fill.append(fill.begin(), step(1, math.nan))
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.version()
    again = Store.open(home.database, writable=True)
    assert math.isnan(again.task("t1").last_loss)
    assert Filling(again).append("r1", step(2)) == 1
    again.close()
    assert not home.database.with_name("stepline.db-wal").exists(), "the log is put into the file"


def test_a_reader_sees_what_was_committed_and_cannot_write(home, store, fill):
    reader = Store.open(home.database, writable=False)
    assert reader.tasks() == []
    run = fill.begin()
    fill.append(run, step(1))
    assert [task.records for task in reader.tasks()] == [1]
    fill.append(run, Record("step", 1.0, 2, None, {"new": 1.0}))
    assert reader.columns("t1", "new").value.tolist() == [1.0]
    with pytest.raises(StoreError, match="cannot be written"):
        reader.set_setting("a", 1)
    reader.close()


def test_readers_in_many_threads_see_whole_appends_while_one_writes(store, fill):
    run = fill.begin()
    done = threading.Event()
    seen = []

    def read():
        while not done.is_set():
            columns = store.columns("t1", "loss")
            seen.append((len(columns), columns.value.tolist() == [float(n) for n in range(len(columns))]))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 500, 10):
        fill.append(run, *[step(n, float(n)) for n in range(start, start + 10)])
    done.set()
    for thread in threads:
        thread.join()
    assert seen
    assert all(length % 10 == 0 and right for length, right in seen)


def test_a_database_of_a_later_version_is_refused_and_left_untouched(home, store):
    store.close()
    database = sqlite3.connect(home.database)
    database.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    database.close()
    before = home.database.read_bytes()
    for writable in (True, False):
        with pytest.raises(DatabaseNewer, match="later Stepline"):
            Store.open(home.database, writable=writable)
    assert home.database.read_bytes() == before


@pytest.mark.parametrize("content", [b"these are no tables\n" * 2000, b"x", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_untouched(home, content):
    home.database.write_bytes(content)
    for writable in (True, False):
        with pytest.raises(DatabaseDamaged):
            Store.open(home.database, writable=writable)
    assert home.database.read_bytes() == content


def test_another_program_s_database_is_refused_and_left_untouched(home):
    database = sqlite3.connect(home.database)
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    before = home.database.read_bytes()
    with pytest.raises(DatabaseDamaged, match="not Stepline's"):
        Store.open(home.database, writable=True)
    assert home.database.read_bytes() == before


def test_an_empty_file_becomes_a_database(home):
    home.database.write_bytes(b"")
    Store.open(home.database, writable=True).close()
    assert home.database.stat().st_size > 0


def test_a_damaged_page_is_told_as_damage(home, store, fill):
    run = fill.begin()
    fill.append(run, *[step(number) for number in range(5_000)])
    store.close()
    with home.database.open("r+b") as file:
        file.seek(16384 * 12)
        file.write(b"\xaa" * 16384 * 8)
    again = Store.open(home.database, writable=True)
    with pytest.raises(DatabaseDamaged, match="damaged"):
        again.columns("t1", "loss")
    again.close()


def test_a_reader_where_no_database_is_yet_is_told_so(home):
    with pytest.raises(StoreError, match="no database of this version"):
        Store.open(home.database, writable=False)
    assert not home.database.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "none" / "stepline.db", writable=True)


def test_a_store_that_is_closed_while_others_read_tells_them_so(home, store, fill):
    fill.append(fill.begin(), *(step(number) for number in range(20_000)))
    for _ in range(20):
        reader = Store.open(home.database, writable=False)
        told = []
        begun = threading.Barrier(4)

        def read(reader=reader, told=told, begun=begun):
            begun.wait()
            try:
                while True:
                    list(reader.records("t1", newest_first=True, limit=500))
                    reader.columns("t1", "loss")
                    reader.tasks()
            except StoreError as error:
                told.append(str(error))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait()
        time.sleep(0.02)
        reader.close()
        for thread in threads:
            thread.join()
        assert len(told) == 3
        assert all("closed" in each for each in told)
    store.close()
    assert not home.database.with_name("stepline.db-wal").exists(), "the last one puts its log into the file"


def test_a_locked_and_a_read_only_database_are_told_and_lose_nothing(home, store, fill):
    run = fill.begin()
    fill.append(run, step(0))
    reader = Store.open(home.database, writable=False)
    with pytest.raises(StoreError, match="cannot be written"):
        reader.append(run, [step(1)], position=2)
    reader.close()
    other = sqlite3.connect(home.database)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="stayed locked"):
        fill.append(run, step(1))
    other.rollback()
    other.close()
    fill.append(run, step(1))
    assert [entry.step for entry in store.records("t1")] == [0, 1]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small file system needs root on Linux, outside a sandbox")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_what_is_missing_comes_when_there_is_room(small_disk):
    home = Home.open(small_disk)
    ballast = small_disk / "ballast"
    store = Store.open(home.database, writable=True)
    fill = Filling(store)
    run = fill.begin()
    ballast.write_bytes(bytes(1_500_000))
    rng = np.random.default_rng(0)
    taken = 0
    told = None
    while told is None:
        try:
            taken += fill.append(run, *(step(taken + number, float(rng.normal())) for number in range(1_000)))
        except StoreError as error:
            told = error
    assert "is full" in told.what
    assert store.task("t1").records == taken == len(list(store.records("t1")))
    ballast.unlink()
    fill.append(run, *(step(taken + number) for number in range(1_000)))
    assert [entry.step for entry in store.records("t1")] == list(range(taken + 1_000))
    store.close()
