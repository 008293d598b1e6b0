"""Batches handed over as columns: the store is the same as if the records had come one by one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline.errors import StoreError
from stepline.recording.journal import Header, Heartbeat, Process, Record, Update
from stepline.store import KIND_CODES, NO_STEP, RecordColumns, Store, Values
from tests.test_blocks import floats, names, records

PROCESS = Process(7, 1000.5, "host", "boot", "ns")
LEARNED = (Heartbeat(150.0, 3, "save"), Update(50, {"git.commit": "abc"}, "renamed"))


def as_columns(batch, learned=()):
    """The records as a caller would hand them over, who does not know which sets of metrics there are."""
    held = {}
    for place, record in enumerate(batch):
        for name, value in record.metrics.items():
            if not isinstance(value, str):
                held.setdefault(name, ([], []))
                held[name][0].append(place)
                held[name][1].append(value)
    texts = {place: {k: v for k, v in each.metrics.items() if isinstance(v, str)} for place, each in enumerate(batch)}
    return RecordColumns(
        np.array([each.time for each in batch], np.float64),
        np.array([NO_STEP if each.step is None else each.step for each in batch], np.int64),
        np.array([math.nan if each.epoch is None else each.epoch for each in batch], np.float64),
        {name: Values(np.array(at, np.int64), np.array(values, np.float64)) for name, (at, values) in held.items()},
        np.array([KIND_CODES[each.kind] for each in batch], np.uint8),
        {place: each for place, each in texts.items() if each},
        {place: each.message for place, each in enumerate(batch) if each.message is not None},
        {place: each.details for place, each in enumerate(batch) if each.details},
        learned,
    )


def opened(folder):
    store = Store.open(folder / "s.db", writable=True)
    for run in ("r1", "r2"):
        store.begin_run(Header("t1", "demo", None, run, 100.0, PROCESS, None, {"a": 1}))
    return store


def contents(store):
    """All that is told of the task, as text: so NaN equals itself."""
    entries = [
        (each.sequence, each.run_id, each.kind, each.time, each.step, each.epoch, sorted(each.metrics.items()),
         each.message, each.details)
        for each in store.records("t1")
    ]  # fmt: skip
    task = store.task("t1")
    summed = (task.name, task.status, task.records, task.step, task.last_loss, task.best_loss)
    return list(map(repr, (*entries, store.metrics("t1"), store.runs("t1"), store.checkpoints("t1"), summed)))


def with_losses(record, metrics):
    return replace(record, metrics={**record.metrics, **metrics})


losses = st.sampled_from([0.0, -0.0, 1.0, 0.01]) | floats | names
records_of_a_trainer = records | st.builds(
    with_losses, records, st.dictionaries(st.sampled_from(["loss", "grad_norm"]), losses, min_size=1)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(["r1", "r2"]), st.lists(records_of_a_trainer, max_size=8), st.booleans()), max_size=4
    )
)
def test_columns_are_the_records_they_stand_for(tmp_path_factory, batches):
    one, other = (opened(tmp_path_factory.mktemp("store")) for _ in range(2))
    try:
        for place, (run, batch, told) in enumerate(batches):
            learned = LEARNED if told else ()
            one.append(run, [*batch, *learned], position=10 + place)
            assert other.append(run, as_columns(batch, learned), position=10 + place) == len(batch)
        assert contents(one) == contents(other)
    finally:
        one.close()
        other.close()


def test_more_metrics_than_a_number_has_bits_and_a_set_of_them_for_each_record(tmp_path):
    store = opened(tmp_path)
    batch = [
        Record("step", 100.0, 1, None, {f"m{name}": 1.0 for name in range(200) if name % 7 != n}) for n in range(9)
    ]
    store.append("r1", as_columns(batch), position=1)
    assert [each.metrics for each in store.records("t1")] == [each.metrics for each in batch]
    store.close()


def test_what_was_taken_in_is_not_taken_in_again_and_pieces_fill_whole_blocks(tmp_path):
    store = opened(tmp_path)
    steps = np.arange(150_000)
    for begin in range(0, len(steps), 40_000):
        some = steps[begin : begin + 40_000]
        columns = RecordColumns(some / 8, some, None, {"loss": Values(None, np.sqrt(some))})
        end = begin + len(some)
        assert store.append("r1", columns, position=end, since=begin) == len(some)
        assert store.append("r1", columns, position=end, since=begin) == 0
    found = store.columns("t1", "loss")
    assert np.array_equal(found.value, np.sqrt(steps))
    assert np.array_equal(found.step, steps)
    assert store.levels("t1", "loss", 16).finite_count.tolist() == [65_536, 65_536, 18_928]
    store.close()


@pytest.mark.parametrize(
    "columns",
    [
        RecordColumns(np.array([1.0, math.nan])),
        RecordColumns(np.array([1.0, 2.0]), np.array([1])),
        RecordColumns(np.array([1.0, 2.0]), np.array([1.5, 2.5])),
        RecordColumns(np.array([1.0, 2.0]), metrics={"loss": Values(None, np.array([1.0]))}),
        RecordColumns(np.array([1.0, 2.0]), metrics={"loss": Values(np.array([1, 0]), np.array([1.0, 2.0]))}),
        RecordColumns(np.array([1.0, 2.0]), metrics={"loss": Values(np.array([2]), np.array([1.0]))}),
        RecordColumns(np.array([1.0, 2.0]), messages={2: "nowhere"}),
    ],
)
def test_columns_that_do_not_fit_together_are_refused_and_leave_nothing(tmp_path, columns):
    store = opened(tmp_path)
    with pytest.raises(StoreError, match="cannot be stored"):
        store.append("r1", columns, position=1)
    assert store.position("r1") == store.task("t1").records == 0
    store.close()
