"""A backlog becomes columns that hold what the slow decoder finds in its lines, to the bit."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepline import kernels
from stepline.ingest import Ingest
from stepline.ingest.backlog import BACKLOG_BYTES, decode_backlog
from stepline.recording.journal import (
    Heartbeat,
    Record,
    Update,
    encode_heartbeat,
    encode_record,
    encode_update,
    parse_lines,
)
from stepline.store import KIND_CODES, NO_STEP, Store
from tests.growing import GONE, Journal
from tests.lines import damaged, entries_of

KINDS = list(KIND_CODES)


@pytest.fixture(autouse=True, scope="module")
def compiled():
    kernels.prepare(wait=True)
    assert kernels.failure() is None


def records_of(columns):
    """The records again, their metrics by name."""
    metrics = [{} for _ in range(len(columns))]
    for name, (places, values) in columns.metrics.items():
        for place, value in zip(
            range(len(columns)) if places is None else places.tolist(), values.tolist(), strict=True
        ):
            metrics[place][name] = value
    for place, texts in columns.texts.items():
        metrics[place].update(texts)
    sets, members = columns.sets
    for place, member in enumerate(members.tolist()):
        numbers = {name for name, value in metrics[place].items() if not isinstance(value, str)}
        assert numbers == (set(sets[member]) if member >= 0 else set())
    for place, held in enumerate(metrics):
        step, epoch = int(columns.step[place]), float(columns.epoch[place])
        yield Record(
            KINDS[columns.kind[place]],
            float(columns.time[place]),
            None if step == NO_STEP else step,
            None if math.isnan(epoch) else epoch,
            dict(sorted(held.items())),
            columns.messages.get(place),
            dict(columns.details.get(place, {})),
        )


def found_in(data):
    """(records, updates, the last heartbeat, damaged lines) as the slow decoder finds them."""
    parsed = parse_lines(data)
    beats = [each for each in parsed.entries if isinstance(each, Heartbeat)]
    records = [each for each in parsed.entries if isinstance(each, Record)]
    for each in records:
        each.metrics = dict(sorted(each.metrics.items()))
    updates = [each for each in parsed.entries if isinstance(each, Update)]
    return entries_of(records), updates, repr(beats[-1:]), parsed.damaged, parsed.consumed


def decoded(data):
    backlog = decode_backlog(data)
    learned = backlog.entries.learned
    beats = [each for each in learned if isinstance(each, Heartbeat)]
    updates = [each for each in learned if isinstance(each, Update)]
    return entries_of(records_of(backlog.entries)), updates, repr(beats), backlog.damaged, backlog.consumed


strays = damaged() | st.sampled_from(
    [
        b"", b" ", b"null", b'{"heartbeat":{"time":1.0,"step":null,"phase":"train"}}', b'{"heartbeat":{"time":1}}',
        b'{"kind":"step","time":1.0,"step":1,"metrics":{"lr":0.5,"loss":1}}', b'{"kind":"step","time":1.0,',
        b'"step":1}', b'{"kind":"step","time":1.0,"metrics":{"loss":2.0,"lr":"NaN"}}',
        b'{"kind":"step","time":1.0,"metrics":{"loss":2.0,"lr":1.0}}{"kind":"step","time":1.0}',
        b'{"kind":"evaluation","time":1.0,"step":2,"epoch":0.5,"metrics":{"eval_loss":1e400}}',
        b'{"kind":"step","time":1.0,"metrics":{"a":1,"b":2,"a":3},"metrics":{"a":4,"a":5}}',
        b'{"kind":"step","time":1.0,"rank":7,"metrics":{"loss":2.0}}', b'{"kind":"step","time":"NaN","step":1}',
        b'{"kind":"step","time":1.0,"step":1,"message":"NaN"}', b'{"kind":"step","time":1.0,"metrics":{"":0}}',
        b'{"kind":"step","time":1.0,"metrics":{"ok":true,"n":1}}', b'{"update":{"total_steps":5}}',
    ]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 9), strays, st.integers(1, 4)), max_size=12))
def test_a_backlog_is_decoded_as_the_slow_decoder_does(pieces):
    usual = encode_record(Record("step", 1764000000.25, 10, 0.5, {"loss": 2.1, "lr": 1e-4}))
    data = b"".join(usual * before + (stray + b"\n") * times for before, stray, times in pieces)
    data += usual * 3 + b'{"kind":"message","time":1.0}'
    assert decoded(data) == found_in(data)


numbers = st.one_of(
    st.floats().map(json.dumps),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(width=32).map(json.dumps),
    st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    # Half way between two floats, and one digit beside.
    st.builds("{}{}".format, st.integers(2**53, 2**54).map(lambda n: n | 1), st.sampled_from(["", ".0", ".01"])),
    st.sampled_from(['"NaN"', '"Infinity"', '"-Infinity"', "-0", "-0.0", "00", "1.", ".5", "1e", "+1", "1_0", "true"]),
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.tuples(*[numbers] * 5), min_size=1, max_size=9))
@example([("9007199254740993", "9007199254740992.5", "2.2250738585072011e-308", "5e-324", "1.7976931348623159e308")])
def test_numbers_are_read_to_the_bit(rows):
    form = '{"kind":"step","time":%s,"step":%s,"epoch":%s,"metrics":{"a":%s,"b":%s}}\n'
    data = (form % (1.5, 3, 0.25, 0.5, 0.125)).encode() + b"".join((form % row).encode() for row in rows)
    assert decoded(data) == found_in(data)
    read = {name: values.values for name, values in decode_backlog(data).entries.metrics.items()}
    told = [each.metrics for each in parse_lines(data).entries]
    for name, values in read.items():
        expected = [each[name] for each in told if isinstance(each.get(name), float)]
        assert values.tobytes() == struct.pack(f"<{len(expected)}d", *expected)


def test_no_line_that_the_recorder_writes_of_numbers_is_left_to_the_slow_decoder():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [rng.normal(size=500), rng.normal(size=500).astype(np.float32), 10.0 ** rng.integers(-9, 9, 500)]
    )
    lines = [
        encode_record(
            Record("step", 1.7e9 + number / 7, number, number / 300, {"loss": value, "lr": 5e-5 / (number + 1)})
        )
        for number, value in enumerate(values.tolist())
    ]
    data = b"".join(lines)
    words = ('{"kind":"step","time":', ',"step":', ',"epoch":', ',"metrics":{"loss":', ',"lr":', "}}\n")
    pattern = kernels.lines.Pattern(tuple(map(str.encode, words)), (-1, -2, -3, 0, 1), 2)
    patterns = kernels.lines.Patterns([pattern])
    read = kernels.lines.Lines(len(lines), 2 * len(lines) + 2)
    assert kernels.lines.scan(np.frombuffer(data, np.uint8), 0, patterns, read) == len(data)
    assert read.count == len(lines)
    assert np.array_equal(read.values[: read.used : 2], values)


@pytest.fixture
def store(home):
    opened = Store.open(home.database, writable=True)
    yield opened
    opened.close()


@pytest.mark.parametrize("tail", [b"", b'{"kind":"message","time":1.0}', b'{"kind":"mess'])
def test_a_backlog_arrives_as_it_was_written(home, store, tail):
    journal = Journal(home.journals, process=GONE)
    logged = []
    for number in range(30_000):
        metrics = {"loss": math.nan if number % 1_000 == 3 else number * 0.5, "lr": 1e-4}
        logged.append(Record("step", float(number), number, number / 100, metrics))
        if number % 500 == 499:
            logged.append(Record("evaluation", float(number), number, None, {"eval_loss": 1.0 / number, "note": "é"}))
    lines = [encode_record(record) for record in logged]
    lines[::50] = [line + encode_heartbeat(Heartbeat(5.0, 1, "train")) for line in lines[::50]]
    lines += [encode_heartbeat(Heartbeat(9.0, 7, "save")), encode_update(Update(70_000))]
    data = b"".join(lines) + tail
    assert len(data) > BACKLOG_BYTES
    journal.write(data)
    Ingest(home, store).take_in_all()
    found = list(store.records("t1"))
    if tail.endswith(b"}"):
        assert found.pop().kind == "message"
    assert entries_of(found) == entries_of(logged)
    (run,) = store.runs("t1")
    assert (run.heartbeat_time, run.heartbeat_step, run.heartbeat_phase) == (9.0, 7, "save")
    assert (run.total_steps, run.status, run.last_step) == (70_000, "failed", 29_999)
