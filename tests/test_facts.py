"""What a task is said to be: status, progress, time remaining, what changed between its runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline import facts
from stepline.errors import TaskNotFound
from stepline.facts.changes import setting_changes
from stepline.facts.findings import SLICE_RECORDS, Findings
from stepline.recording.journal import Heartbeat, Record, Update
from stepline.store import Store
from tests.front_door import header, steps, wait_for, write

BEGUN = 1_700_000_000.0


@pytest.fixture
def store(home) -> Iterator[Store]:
    opened = Store.open(home.database, writable=True)
    opened.begin_run(header())
    yield opened
    opened.close()


def end(status: str = "completed", step: int = 40) -> Record:
    return Record("train_end", BEGUN + step, step, details={"status": status})


def names(detail: Any) -> list[str]:
    return [metric["name"] for metric in detail["metrics"]]


def test_a_task_without_records(store):
    detail = facts.detail(store, "t1")
    assert detail["task"]["status"] == "pending"
    assert (detail["progress"], detail["remaining_secs"], detail["logging_steps"], detail["cursor"]) == (None,) * 3 + (
        0,
    )
    assert (detail["metrics"], detail["checkpoints"], detail["findings"]) == ([], [], [])


def test_a_task_that_is_not_there(store):
    with pytest.raises(TaskNotFound):
        facts.detail(store, "none")


def test_the_seeds_example(store):
    """Trained to step 30, stopped, started over from step 0 with another learning rate."""
    settings = {"learning_rate": 2e-4, "max_steps": 40, "logging_steps": 10, "run_name": "a"}
    store.begin_run(header("t2", "first", settings=settings))
    write(store, "first", [*steps((10, 20, 30)), end("stopped", 30)])
    store.begin_run(header("t2", "second", settings={**settings, "learning_rate": 1e-4, "run_name": "b"}))
    write(store, "second", steps((10, 20)))
    detail = facts.detail(store, "t2")
    assert (detail["task"]["status"], detail["task"]["step"], detail["progress"]) == ("running", 20, 0.5)
    first, second = detail["runs"]
    assert (first["status"], first["last_step"], first["changes"]) == ("stopped", 30, [])
    assert (second["first_sequence"], second["first_step"]) == (4, 10)
    assert second["changes"] == [{"name": "learning_rate", "before": "0.0002", "after": "0.0001"}]
    assert detail["logging_steps"] == 10
    assert detail["cursor"] == 6


def test_perplexity_is_derived_where_there_is_loss(store):
    write(store, "r1", steps([1], lambda step: 2.0))
    detail = facts.detail(store, "t1")
    assert names(detail) == ["loss", "perplexity"]
    assert detail["metrics"][1]["last"] == pytest.approx(math.exp(2.0))
    write(store, "r1", steps([2], lambda step: 1e4))
    assert facts.detail(store, "t1")["metrics"][1]["last"] == "Infinity"
    write(store, "r1", steps([3], lambda step: math.nan))
    assert [metric["last"] for metric in facts.detail(store, "t1")["metrics"]] == ["NaN", "NaN"]
    write(store, "r1", [Record("step", BEGUN, 4, None, {"perplexity": 3.0, "phase": "text"})])
    detail = facts.detail(store, "t1")
    assert names(detail) == ["loss", "perplexity", "phase"]
    assert [metric["last"] for metric in detail["metrics"]] == ["NaN", 3.0, "text"]


def test_a_heartbeat_tells_of_steps_between_two_records(store):
    write(store, "r1", steps(range(2, 13, 2)))
    assert facts.detail(store, "t1")["task"]["step"] == 12
    write(store, "r1", [Heartbeat(BEGUN + 13, 13, "train")])
    detail = facts.detail(store, "t1")
    assert detail["task"]["step"] == 13
    assert detail["progress"] == 13 / 40
    least, most = detail["remaining_secs"]
    assert least <= 27 <= most
    write(store, "r1", [*steps([14]), end("stopped", 14)])
    detail = facts.detail(store, "t1")
    assert detail["task"]["step"] == 14
    assert detail["remaining_secs"] is None


def test_time_remaining_counts_evaluations_and_saves_as_the_settings_say(store):
    settings = {"eval_strategy": "steps", "eval_steps": 10, "save_strategy": "steps", "save_steps": 0.5}
    store.begin_run(header("t2", "r2", total_steps=100, settings=settings))
    now, records = BEGUN, []
    for step in range(1, 31):
        now += 1.0
        records.append(Record("step", now, step, None, {"loss": 1.0}))
        if step % 10 == 0:
            now += 20.0
            records.append(Record("evaluation", now, step, None, {"eval_loss": 1.0, "eval_runtime": 20.0}))
    write(store, "r2", records)
    least, most = facts.detail(store, "t2")["remaining_secs"]
    assert least <= 70 + 7 * 20 <= most
    assert most < 250


def test_a_run_that_goes_on_from_a_checkpoint_is_judged_by_itself(store):
    write(store, "r1", [*steps(range(1, 21)), end("stopped", 20)])
    store.begin_run(header(run="r2"))
    begin = Record("train_start", BEGUN + 1000, 20, details={"resumed_from_step": 20, "backfilled": 2})
    before = [Record("step", BEGUN + 1000, step, None, {"loss": 1.0}, None, {"backfilled": True}) for step in (5, 15)]
    later = [Record("step", BEGUN + 1600 + 3 * step, 20 + step, None, {"loss": 1.0}) for step in range(1, 11)]
    write(store, "r2", [begin, *before, *later])
    least, most = facts.detail(store, "t1")["remaining_secs"]
    assert least <= 30 <= most
    assert most < 45


def test_two_live_runs_do_not_mix_their_paces(store):
    store.begin_run(header(run="r2"))
    for step in range(1, 21):
        write(store, "r1", [Record("step", BEGUN + step * 50, step, None, {"loss": 1.0})])
        write(store, "r2", [Record("step", BEGUN + step * 2, step, None, {"loss": 1.0})])
    least, most = facts.detail(store, "t1")["remaining_secs"]
    assert least <= 40 <= most


def test_later_knowledge_about_a_run_counts(store):
    store.begin_run(header("t2", "r2", total_steps=None))
    write(store, "r2", steps(range(1, 11)))
    assert facts.detail(store, "t2")["progress"] is None
    write(store, "r2", [Update(20, {"logging_steps": 0.05}, "better")])
    detail = facts.detail(store, "t2")
    assert detail["progress"] == 0.5
    assert detail["logging_steps"] == 1
    assert detail["task"]["name"] == "better"


@pytest.mark.parametrize(("gap", "said"), [(7, 7), (1, 1)])
def test_how_often_is_logged_is_seen_where_it_is_not_said(store, gap, said):
    write(store, "r1", steps(range(gap, 6 * gap, gap)))
    assert facts.detail(store, "t1")["logging_steps"] == said


def test_a_row_of_the_log(store):
    record = Record("checkpoint", BEGUN, 5, 0.5, {}, None, {"path": "/out/checkpoint-5", "bytes": 10, "secs": 0.5})
    write(store, "r1", [record, end("failed", 5)])
    saved, ended = (facts.log_row(entry) for entry in store.records("t1"))
    assert (saved["kind"], saved["message"], saved["status"]) == ("checkpoint", "/out/checkpoint-5", None)
    assert (ended["kind"], ended["status"]) == ("train_end", "failed")
    assert facts.detail(store, "t1")["checkpoints"] == [
        {"sequence": 0, "run": 1, "step": 5, "time": BEGUN, "path": "/out/checkpoint-5", "bytes": 10, "secs": 0.5}
    ]


def test_what_json_cannot_carry_travels_as_text():
    sent = [facts.number(value) for value in (math.nan, math.inf, -math.inf, 1.5, 0.0)]
    assert json.loads(json.dumps(sent, allow_nan=False)) == ["NaN", "Infinity", "-Infinity", 1.5, 0.0]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        ({"a": 1}, {}, [("a", "1", None)]),
        ({}, {"a": True}, [("a", None, "true")]),
        ({"a": None}, {}, []),
        ({"a": "x"}, {"a": "y"}, [("a", "x", "y")]),
        ({"model": {"size": 1, "act": "gelu"}}, {"model": {"size": 2, "act": "gelu"}}, [("model.size", "1", "2")]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a", "[1, 2]", "[1, 3]")]),
        ({"args.run_name": "a", "args.logging_dir": "x"}, {"args.run_name": "b", "args.logging_dir": "y"}, []),
        ({"dir": "runs/Nov23_19-02-11_box"}, {"dir": "runs/Nov24_08-00-59_box"}, []),
        ({"data": "2026-11-23/train"}, {"data": "2026-11-24/test"}, [("data", "2026-11-23/train", "2026-11-24/test")]),
        ({"seed": 20261123}, {"seed": 20261124}, []),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, [("a", "1", "2"), ("b", "1", "2")]),
        ({"a": "x" * 500}, {"a": "y"}, [("a", "x" * 199 + "…", "y")]),
    ],
)
def test_what_changed_between_two_runs(before, after, told):
    found = [(change["name"], change["before"], change["after"]) for change in setting_changes(before, after)]
    assert found == told


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
settings_of_any_kind = st.dictionaries(st.text(max_size=8), values, max_size=8)


@given(before=settings_of_any_kind, after=settings_of_any_kind)
def test_whatever_the_settings_hold_changes_can_be_told(before, after):
    assert json.dumps(setting_changes(before, after))
    assert {change["name"] for change in setting_changes(before, after)} == {
        change["name"] for change in setting_changes(after, before)
    }


def test_findings_of_a_short_history_are_there_at_once(store):
    findings = Findings(store)
    losses = [1.0] * 20 + [0.0] * 3
    bad = [
        Record("step", BEGUN + step, step, None, {"loss": loss, "grad_norm": math.nan if loss == 0 else 1.0})
        for step, loss in enumerate(losses)
    ]
    write(store, "r1", bad)
    found = {each["rule"]: each["first_sequence"] for each in findings.of("t1")}
    # Its last step lies years back, and it was never said to have ended.
    assert found == {"masked_nan": 20, "stall": 22}
    assert facts.detail(store, "t1", findings=findings.of("t1"))["runs"][0]["unresponsive"] is True
    write(store, "r1", [end("failed", 22)])
    assert facts.detail(store, "t1", findings=findings.of("t1"))["runs"][0]["unresponsive"] is False
    findings.stop()


def test_findings_of_a_long_history_come_later_and_are_the_same(store):
    count = SLICE_RECORDS * 2 + 100
    bad = {100, SLICE_RECORDS - 1, SLICE_RECORDS, count - 1}
    records = [
        Record(
            "step", BEGUN + n, n, None, {"loss": 0.0 if n in bad else 1.0, "grad_norm": math.nan if n in bad else 1.0}
        )
        for n in range(count)
    ]
    write(store, "r1", [*records, end(step=count)])
    findings = Findings(store)
    assert findings.of("t1") == [], "nobody waits"
    wait_for(lambda: findings.of("t1"))
    found = [(each["first_sequence"], each["last_sequence"]) for each in findings.of("t1")]
    assert sorted(place for first, last in found for place in range(first, last + 1)) == sorted(bad)
    findings.stop()
    findings.stop()


def test_stopping_does_not_wait_for_a_long_examination(store):
    write(store, "r1", steps(range(1, SLICE_RECORDS * 3)))
    findings = Findings(store)
    findings.of("t1")
    findings.stop()
    assert findings.of("t1") == []


def test_the_trainers_closing_row_gets_no_chart(store):
    closing = Record("train_end", BEGUN + 2, 2, None, {"train_loss": 1.5}, None, {"status": "completed"})
    write(store, "r1", [*steps([1, 2]), closing])
    assert names(facts.detail(store, "t1")) == ["loss", "perplexity"]
    # A trainer that logs this name at every step means a curve.
    write(store, "r1", [Record("step", BEGUN + 3, 3, None, {"train_loss": 1.4})])
    assert "train_loss" in names(facts.detail(store, "t1"))
