"""Blocks of columns: the same records before and after, whoever reads meanwhile, whenever the writer is killed."""

from __future__ import annotations

import math
import struct
import threading
from dataclasses import fields

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline import history
from stepline.recording.journal import Heartbeat, Record, Update
from stepline.store import RecordColumns, Store, block_columns, blocks, migrations, reading
from stepline.store import sqlite as dialect
from stepline.store.blocks import BACKLOG_RECORDS, BLOCK_BYTES, BLOCK_SEQUENCES, LOOSE_RECORDS
from stepline.store.content import Values
from stepline.store.levels import FINE_SHIFT
from tests.filling import Filling, asked, numbers
from tests.slow_levels import check_levels


def bits(value):
    return struct.pack("<d", value) if isinstance(value, float) else value


def comparable(record):
    """A record with its numbers as their bits, NaN's payload included."""
    values = {name: getattr(record, name) for name in (each.name for each in fields(Record))}
    values["metrics"] = [(name, bits(value)) for name, value in record.metrics.items() if not isinstance(value, str)]
    values["texts"] = {name: value for name, value in record.metrics.items() if isinstance(value, str)}
    return values


names = st.text(st.characters(codec="utf-8"), max_size=6)
floats = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [
        struct.unpack("<d", bytes.fromhex(each))[0]
        for each in ("010000000000f87f", "00000000000000f8", "0000000000000080")
    ]
)
# None is called "loss": what of it hides a NaN is told in the tests of that.
records = st.builds(
    Record,
    st.sampled_from(["train_start", "step", "evaluation", "checkpoint", "train_end", "message"]),
    st.floats(0, 4e9),
    st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.sampled_from(["lr", "a", "名"]) | names, floats | names, max_size=4),
    st.none() | names,
    st.dictionaries(names, st.none() | st.booleans() | st.integers(-9, 9) | names, max_size=2),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.booleans(), st.lists(records, min_size=1, max_size=5), st.booleans()), max_size=4))
def test_records_are_the_same_in_rows_in_blocks_and_in_a_backlog(tmp_path_factory, batches):
    opened = Store.open(tmp_path_factory.mktemp("store") / "s.db", writable=True)
    try:
        fill = Filling(opened)
        runs = [fill.begin("r1"), fill.begin("r2", time=200.0)]
        logged = []
        for of_second, batch, in_bulk in batches:
            run = runs[of_second]
            # A backlog of these again and again is long enough to become a block.
            given_now = batch * (BACKLOG_RECORDS // len(batch) + 1) if in_bulk else batch
            fill.append(run, *given_now)
            logged += [(run, record) for record in given_now]
        found = list(opened.records("t1"))
        assert [entry.sequence for entry in found] == list(range(len(logged)))
        for entry, (run, record) in zip(found, logged, strict=True):
            assert entry.run_id == run
            assert comparable(entry) == comparable(record)
        backwards = [entry.sequence for entry in opened.records("t1", newest_first=True)]
        assert backwards == list(range(len(logged)))[::-1]
        for row in opened.metrics("t1"):
            held = [
                (at, record.metrics[row.name])
                for at, (_, record) in enumerate(logged)
                if not isinstance(record.metrics.get(row.name, ""), str)
            ]
            columns = opened.columns("t1", row.name)
            assert columns.sequence.tolist() == [at for at, _ in held]
            assert list(map(bits, columns.value.tolist())) == [bits(float(value)) for _, value in held]
            steps = [logged[at][1].step for at, _ in held]
            np.testing.assert_array_equal(columns.step, [math.nan if step is None else step for step in steps])
            assert columns.run.tolist() == [1 if logged[at][0] == "r1" else 2 for at, _ in held]
        kinds = ["evaluation", "message"]
        assert opened.count_records("t1", kinds) == sum(record.kind in kinds for _, record in logged)
        assert opened.count_records("t1") == len(logged)
    finally:
        opened.close()


def test_rows_become_blocks_when_there_are_many(home, store, fill):
    run = fill.begin()
    for first in range(0, 8_300, 100):
        fill.append(run, *numbers(100, first))
    fill.append(run, *numbers(5, 8_300))
    assert asked(home.database, "SELECT first, last FROM blocks") == [(0, 8_200)]
    assert asked(home.database, "SELECT count(*) FROM training_logs") == [(105,)]
    assert [entry.step for entry in store.records("t1")] == [n * 10 for n in range(8_305)]
    assert store.columns("t1", "loss").value.tolist() == [n * 0.5 for n in range(8_305)]
    assert store.task("t1").bytes < LOOSE_RECORDS * 30


def test_a_backlog_goes_into_whole_blocks(home, store, fill):
    run = fill.begin()
    count = 0
    for length in (50_000, 3, 50_000, 100_000, 7):
        fill.append(run, *numbers(length, count, lr=lambda n: 0.1))
        count += length
    edges = [0, BLOCK_SEQUENCES, 2 * BLOCK_SEQUENCES, 3 * BLOCK_SEQUENCES]
    assert asked(home.database, "SELECT first FROM blocks") == [(edge,) for edge in edges]
    assert store.columns("t1", "loss", 65_000, 66_000).value.tolist() == [n * 0.5 for n in range(65_000, 66_000)]
    assert len(store.columns("t1", "lr")) == count
    pages = [store.records("t1", limit=50, offset=offset) for offset in (0, 65_530, 199_980, count - 20)]
    for page, offset in zip(pages, (0, 65_530, 199_980, count - 20), strict=True):
        expected = list(range(offset, min(offset + 50, count)))
        assert [entry.sequence for entry in page] == expected
    newest = store.records("t1", newest_first=True, limit=20, offset=5)
    assert [entry.sequence for entry in newest] == list(range(count - 6, count - 26, -1))


def test_a_place_is_found_without_looking_at_the_blocks_before_it(home, store, fill):
    run = fill.begin()
    count = 5 * BLOCK_SEQUENCES
    time = np.arange(count, dtype=float)
    store.append(run, RecordColumns(time, step=np.arange(count), metrics={"a": Values(None, time)}), position=1)
    database = dialect.Database(home.database, writable=False)
    looked = []
    for block in (1, 2, 3):
        first = block * BLOCK_SEQUENCES + 500
        asked_for = (
            lambda first=first: blocks.find(database, 1, first, first + 9),
            lambda first=first: blocks.read_levels(database, 1, "a", FINE_SHIFT, first, first + 9),
            lambda first=first: block_columns.read(database, 1, "a", [1], first, first + 9),
            lambda first=first: reading.places(database, 1, np.array([first, first + 9]), "time"),
        )
        for ask in asked_for:
            ask()
            instructions = []
            database.connection().set_progress_handler(lambda to=instructions: to.append(1) or 0, 1)
            assert len(ask())
            database.connection().set_progress_handler(None, 1)
            looked.append(len(instructions))
    database.end()
    assert min(looked) > 10
    assert looked == looked[:4] * 3


def test_a_search_and_kinds_find_the_same_in_blocks_as_in_rows(store, fill):
    odd = [
        Record("message", 2.0, message="Something 出现 100%_"),
        Record("evaluation", 3.0, 77, None, {"eval_loss": 1.0, "Note": "HARD text"}),
        Record("train_end", 4.0, 80, details={"status": "stopped"}),
    ]
    run = fill.begin()
    fill.append(run, *odd)
    fill.append(run, *[*numbers(BACKLOG_RECORDS), *odd])
    fill.append(run, *[*odd, *numbers(3, 5_000)])
    places = [0, BACKLOG_RECORDS + 3, BACKLOG_RECORDS + 6]
    for search, offset in (("出现", 0), ("100%_", 0), ("hard", 1), ("EVAL_loss", 1), ("77", 1), ("train_e", 2)):
        expected = [place + offset for place in places]
        assert [entry.sequence for entry in store.records("t1", search=search)] == expected, search
        assert store.count_records("t1", search=search) == 3
        newest = store.records("t1", search=search, newest_first=True, limit=2, offset=1)
        assert [entry.sequence for entry in newest] == expected[1::-1]
    assert store.count_records("t1", ["step"]) == BACKLOG_RECORDS + 3
    found = [entry.sequence for entry in store.records("t1", kinds=["train_end", "message"])]
    assert found == [0, 2, BACKLOG_RECORDS + 3, BACKLOG_RECORDS + 5, BACKLOG_RECORDS + 6, BACKLOG_RECORDS + 8]
    assert store.count_records("t1", ["step"], "nothing") == 0


def test_a_block_is_cut_where_it_would_be_too_large(home, store, fill):
    wide = {f"layer.{n}": float(n) for n in range(1500)}
    run = fill.begin()
    logged = [Record("step", 1.0, number, None, wide) for number in range(3_000)]
    for first in range(0, 3_000, 500):
        fill.append(run, *logged[first : first + 500])
    blocks = asked(home.database, "SELECT first, last, count FROM blocks ORDER BY first")
    assert len(blocks) >= 2
    assert all(count * 12_000 <= BLOCK_BYTES for _, _, count in blocks)
    assert [last for _, last, _ in blocks[:-1]] == [first for first, _, _ in blocks[1:]]
    assert store.columns("t1", "layer.1499").value.tolist() == [1499.0] * 3_000
    long = "x" * (BLOCK_BYTES + 5)
    fill.append(run, *[Record("message", 2.0, message=long), *numbers(BACKLOG_RECORDS)])
    assert next(store.records("t1", kinds=["message"])).message == long
    assert [entry.sequence for entry in store.records("t1")] == list(range(3_001 + BACKLOG_RECORDS))
    check_levels(store, "layer.7", 12)


def test_a_set_of_names_for_each_record(store, fill):
    run = fill.begin()
    logged = [Record("step", 2.0, n, None, {f"m{n}": n * 1.5, "loss": 1.0}) for n in range(BACKLOG_RECORDS)]
    fill.append(run, *logged)
    assert [entry.metrics for entry in store.records("t1")] == [record.metrics for record in logged]
    assert store.columns("t1", "m4000").value.tolist() == [6000.0]
    assert len(store.columns("t1", "loss")) == BACKLOG_RECORDS


# Taking away


def test_what_is_taken_away_leaves_holes_and_nothing_else(store, fill):
    one, two = fill.begin("r1"), fill.begin("r2", time=200.0)
    fill.append(one, *numbers(BACKLOG_RECORDS))
    fill.append(two, *[*numbers(BACKLOG_RECORDS, 100_000, lr=lambda n: 1.0), Record("message", 1.0, message="of two")])
    fill.append(one, *numbers(BACKLOG_RECORDS, 50_000))
    fill.append(two, *numbers(10))
    fill.append(one, *[Record("message", 1.0, message="of one"), *numbers(10, 77)])
    before = {entry.sequence: comparable(entry) for entry in store.records("t1") if entry.run_id == "r1"}
    cursor, generation = store.next_sequence("t1"), store.generation("t1")
    with store.together() as together:
        together.drop_runs(["r2"])
    assert {entry.sequence: comparable(entry) for entry in store.records("t1")} == before
    assert store.next_sequence("t1") == cursor
    assert store.generation("t1") == generation + 1
    assert store.count_records("t1") == len(before)
    assert store.columns("t1", "loss").sequence.tolist() == [
        at for at, record in before.items() if record["kind"] == "step"
    ]
    assert {row.name for row in store.metrics("t1")} == {"loss"}
    assert store.metrics("t1")[0].last_sequence == max(before)
    for shift in (7, 12, 14):
        check_levels(store, "loss", shift)
    fill.append(one, *numbers(BACKLOG_RECORDS, 90_000))
    assert store.columns("t1", "loss").sequence[-1] == cursor + BACKLOG_RECORDS - 1
    with store.together() as together:
        together.drop_runs(["r1"])
    assert list(store.records("t1")) == []
    assert store.count_records("t1") == len(store.levels("t1", "loss", 12)) == 0


# Readers and an older database


def test_readers_see_everything_once_while_rows_become_blocks(store, fill):
    run = fill.begin()
    done = threading.Event()
    wrong = []

    def read():
        while not done.is_set():
            value = store.columns("t1", "loss").value
            log = [entry.sequence for entry in store.records("t1", newest_first=True)][::-1]
            if value.tolist() != [n * 0.5 for n in range(len(value))]:
                wrong.append(value)
            if log != list(range(len(log))):
                wrong.append(log)
            total = store.levels("t1", "loss", 13)
            if int(total.finite_count.sum()) < len(value):
                wrong.append(total)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for first in range(0, 40_000, 1_000):
        fill.append(run, *[Heartbeat(1.0, 1, "train"), *numbers(1_000, first), Update(total_steps=5)])
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_an_older_database_is_copied_and_brought_up(home, tmp_path):
    path = tmp_path / "old.db"
    database = dialect.Database(path, writable=True)
    with dialect.writing(database):
        for migration in migrations.MIGRATIONS[:2]:
            migration(database)
        database.execute_sql("INSERT INTO settings VALUES ('theme', '\"dark\"')")
        dialect.set_version(database, 2)
    database.end()
    opened = Store.open(path, writable=True)
    fill = Filling(opened)
    fill.append(fill.begin(), *numbers(BACKLOG_RECORDS))
    assert opened.setting("theme") == "dark"
    assert len(opened.columns("t1", "loss")) == BACKLOG_RECORDS
    opened.close()
    copy = path.with_name("old.db.2.bak")
    assert asked(copy, "PRAGMA user_version") == [(2,)]
    assert asked(copy, "SELECT value FROM settings") == [('"dark"',)]
    assert asked(path, "PRAGMA user_version") == [(migrations.VERSION,)]


def test_a_history_forgets_what_was_taken_away(store, fill):
    fill.append(fill.begin("r1"), *numbers(BACKLOG_RECORDS))
    fill.append(fill.begin("r2", time=200.0), *numbers(100))
    assert len(history.of(store).series("t1", "loss")) == BACKLOG_RECORDS + 100
    with store.together() as together:
        together.drop_runs(["r1"])
    series = history.of(store).series("t1", "loss")
    assert series.sequence.tolist() == list(range(BACKLOG_RECORDS, BACKLOG_RECORDS + 100))
    assert history.window(store, "t1", "loss").lines
