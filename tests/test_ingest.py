"""Journals into the store: once each, in order, whatever the files and the processes go through."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from stepline.errors import JournalError, JournalNewer, TaskNotFound
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.recording.journal import (
    Header,
    Heartbeat,
    Record,
    Update,
    encode_header,
    encode_heartbeat,
    encode_record,
    encode_update,
)
from stepline.store import Store
from tests.growing import ELSEWHERE, GONE, HERE, Journal, step, until


@pytest.fixture
def ingest(home, store):
    return Ingest(home, store)


@pytest.fixture
def live(ingest):
    ingest.start()
    yield ingest
    ingest.stop()


def steps(store, task="t1"):
    return [entry.step for entry in store.records(task) if entry.kind == "step"]


# One pass


def test_a_home_without_journals_has_no_tasks(ingest, store, home):
    ingest.take_in_all()
    assert store.tasks() == []
    home.journals.rmdir()
    ingest.take_in_all()


def test_passes_add_what_is_new(home, ingest, store):
    journal = Journal(home.journals)
    journal.steps(0, 10)
    ingest.take_in_all()
    ingest.take_in_all()
    assert steps(store) == list(range(10))
    journal.steps(10, 15)
    journal.end("stopped")
    ingest.take_in_all()
    Ingest(home, store).take_in_all()
    assert steps(store) == list(range(15))
    assert store.task("t1").status == "stopped"
    assert store.position(journal.run) == journal.path.stat().st_size


def test_a_pending_run_stays_so_until_it_begins_and_its_wait_is_no_part_of_it(home, ingest, store):
    journal = Journal(home.journals, time_=1_700_000_000.0)
    journal.write(encode_heartbeat(Heartbeat(1_700_000_005.0, None, "pending")))
    journal.write(encode_update(Update(settings={"git.commit": "c"})))
    ingest.take_in_all()
    assert [(run.status, run.started) for run in store.runs("t1")] == [("pending", 1_700_000_000.0)]
    journal.write(encode_record(Record("train_start", 1_700_000_060.0, 0, details={"waited_secs": 60.0})))
    ingest.take_in_all()
    assert [(run.status, run.started) for run in store.runs("t1")] == [("running", 1_700_000_060.0)]


def test_a_pending_run_that_is_taken_back_is_forgotten_and_its_task_too_where_it_has_no_other(home, ingest, store):
    only, second = Journal(home.journals), Journal(home.journals, "20260101-000000-0000000b", "t2")
    Journal(home.journals, "20260101-000000-0000000c", "t2").steps(0, 3)
    ingest.take_in_all()
    assert {task.id: task.runs for task in store.tasks()} == {"t1": 1, "t2": 2}
    only.path.unlink()
    second.path.unlink()
    for _ in range(2):
        ingest.take_in_all()
    assert {task.id: (task.runs, task.status) for task in store.tasks()} == {"t2": (1, "running")}
    with pytest.raises(TaskNotFound):
        store.task("t1")
    # A journal that was away for a moment comes again.
    Journal(home.journals).steps(0, 2)
    ingest.take_in_all()
    assert {task.id: task.records for task in store.tasks()} == {"t1": 2, "t2": 3}


def test_a_pending_run_that_died_is_stopped_and_pending_again_when_it_is_heard_of(home, ingest, store):
    journal = Journal(home.journals, process=ELSEWHERE, time_=time.time() - 1000)
    ingest.take_in_all()
    assert [run.status for run in store.runs("t1")] == ["stopped"]
    journal.write(encode_heartbeat(Heartbeat(time.time(), None, "pending")))
    ingest.take_in_all()
    assert [(run.status, run.message) for run in store.runs("t1")] == [("pending", None)]


def test_a_header_alone_is_a_pending_task_and_half_a_header_nothing_yet(home, ingest, store):
    Journal(home.journals)
    whole = encode_header(Header("t2", "half", None, "half", 1.0, HERE, None, {}))
    (home.journals / "half.jsonl").write_bytes(whole[:-5])
    (home.journals / "empty.jsonl").write_bytes(b"")
    ingest.take_in_all()
    assert [(task.id, task.status) for task in store.tasks()] == [("t1", "pending")]
    (home.journals / "half.jsonl").write_bytes(whole)
    ingest.take_in_all()
    assert {task.id for task in store.tasks()} == {"t1", "t2"}
    assert ingest.notes == []


def test_an_unended_last_line_is_waited_for_while_the_run_lives(home, ingest, store):
    journal = Journal(home.journals)
    line = encode_record(step(7))
    journal.write(line[:20])
    ingest.take_in_all()
    assert steps(store) == []
    journal.write(line[20:-1])
    ingest.take_in_all()
    assert steps(store) == [], "whole, but without its end: more of it may come"
    journal.write(b"\n")
    ingest.take_in_all()
    assert steps(store) == [7]
    assert store.runs("t1")[0].damaged == 0


@pytest.mark.parametrize(("cut", "found"), [(1, [7, 8]), (5, [7])])
def test_when_the_run_is_dead_its_last_line_counts_if_it_is_whole(home, ingest, store, cut, found):
    journal = Journal(home.journals, process=GONE)
    journal.write(encode_record(step(7)) + encode_record(step(8))[:-cut])
    ingest.take_in_all()
    assert steps(store) == found
    assert store.task("t1").status == "failed"
    assert store.runs("t1")[0].damaged == 0


def test_the_end_that_a_dead_run_told_last_counts(home, ingest, store):
    journal = Journal(home.journals, process=GONE)
    journal.write(encode_record(Record("train_end", time.time(), details={"status": "stopped"}))[:-1])
    ingest.take_in_all()
    (run,) = store.runs("t1")
    assert (run.status, run.inferred) == ("stopped", False)


def test_a_name_is_one_line_that_a_terminal_may_print(home, ingest, store):
    """Journals come from anywhere, and their tasks are listed where an escape would act."""
    journal = Journal(home.journals)
    words = journal.path.read_bytes().replace(b'"name":"demo"', rb'"name":"a\n\u001b[31mred\u2028 b"')
    journal.path.write_bytes(words)
    journal.steps(0, 2)
    ingest.take_in_all()
    assert store.task("t1").name == "a [31mred b"
    journal.write(encode_update(Update(name="c\r\x07d")))
    ingest.take_in_all()
    assert store.task("t1").name == "c d"


def test_damaged_lines_are_left_out_counted_and_told(home, ingest, store):
    journal = Journal(home.journals)
    journal.steps(0, 2)
    journal.write(b'{"kind": "step", "ti\n\xff\xfe\n{"kind": "unknown", "time": 1}\n\n')
    journal.steps(2, 4)
    ingest.take_in_all()
    assert steps(store) == [0, 1, 2, 3]
    assert store.runs("t1")[0].damaged == 3
    assert ingest.notes == [f"Journal {journal.run}: 3 lines could not be read and were left out"]
    journal.write(b"torn\n")
    ingest.take_in_all()
    assert "4 lines" in ingest.notes[0]


def test_files_that_are_no_journals_are_told_and_keep_nothing_back(home, ingest, store):
    (home.journals / "a.jsonl").write_text('{"loss": 1}\n')
    (home.journals / "b.jsonl").write_text('{"stepline": "9.0", "run": "b"}\n')
    (home.journals / "c.txt").write_text("no\n")
    (home.journals / "d.jsonl").mkdir()
    Journal(home.journals).steps(0, 1)
    (home.journals / "20260101-000000-0000000a.commands.jsonl").write_text('{"id": "1", "command": "stop"}\n')
    ingest.take_in_all()
    assert steps(store) == [0]
    assert len(ingest.notes) == 3
    for name, why in (("a", "This file is not a Stepline journal"), ("b", "later Stepline"), ("d", "cannot be read")):
        assert [note for note in ingest.notes if note.startswith(f"{name}.jsonl was not taken in") and why in note]


def test_a_copy_adds_only_what_its_run_does_not_have(home, ingest, store, tmp_path):
    journal = Journal(home.journals, process=ELSEWHERE)
    journal.steps(0, 10)
    data = journal.path.read_bytes()
    (home.journals / "copy of it.jsonl").write_bytes(data)
    (home.journals / "shorter.jsonl").write_bytes(data[: len(data) // 2])
    ingest.take_in_all()
    assert steps(store) == list(range(10))
    longer = tmp_path / "longer.jsonl"
    longer.write_bytes(data + encode_record(step(10)))
    assert ingest.import_journal(longer) == "t1"
    assert ingest.import_journal(longer) == "t1"
    (tmp_path / "older.jsonl").write_bytes(data[:-30])
    ingest.import_journal(tmp_path / "older.jsonl")
    assert steps(store) == list(range(11))
    assert store.runs("t1")[0].damaged == 0
    journal.steps(10, 12)
    os.replace(journal.path, home.journals / "moved.jsonl")
    Ingest(home, store).take_in_all()
    assert len(steps(store)) in (11, 12), "the same bytes of the run are taken in once, from wherever"


def test_journals_of_a_task_that_wait_are_taken_in_run_by_run(home, ingest, store):
    for number in (2, 0, 1):
        journal = Journal(home.journals, f"2026010{number}-000000-00000000", process=GONE, time_=1000.0 * number)
        journal.steps(number * 10, number * 10 + 10)
    Journal(home.journals, "20250101-000000-00000000", "t2").steps(0, 3)
    ingest.take_in_all()
    assert steps(store) == list(range(30))
    assert [run.number for run in store.runs("t1")] == [1, 2, 3]
    assert steps(store, "t2") == [0, 1, 2]


def test_runs_that_began_within_a_second_are_numbered_as_they_began(home, ingest, store):
    for run, begun in (("20260101-000000-ffffffff", 1000.2), ("20260101-000000-00000000", 1000.7)):
        Journal(home.journals, run, process=GONE, time_=begun).steps(0, 3)
    ingest.take_in_all()
    assert [(run.number, run.started) for run in store.runs("t1")] == [(1, 1000.2), (2, 1000.7)]


def test_what_cannot_be_imported_is_told(ingest, tmp_path):
    with pytest.raises(JournalError, match="cannot be read"):
        ingest.import_journal(tmp_path / "none.jsonl")
    (tmp_path / "x").write_text("no journal\n")
    with pytest.raises(JournalError, match="not a Stepline journal"):
        ingest.import_journal(tmp_path / "x")
    (tmp_path / "y").write_text('{"stepline": "2.0"')
    with pytest.raises(JournalError, match="not a Stepline journal"):
        ingest.import_journal(tmp_path / "y")
    (tmp_path / "z").write_text('{"stepline": "2.0"}\n')
    with pytest.raises(JournalNewer):
        ingest.import_journal(tmp_path / "z")


def test_a_run_elsewhere_that_falls_silent_fails_and_comes_back(home, ingest, store):
    journal = Journal(home.journals, process=ELSEWHERE, time_=time.time() - 5000)
    journal.write(encode_heartbeat(Heartbeat(time.time() - 4000, 1, "train")))
    ingest.take_in_all()
    (run,) = store.runs("t1")
    assert (run.status, run.inferred) == ("failed", True)
    assert "Nothing was heard of it" in run.message
    assert run.ended == run.heartbeat_time
    journal.write(encode_heartbeat(Heartbeat(time.time(), 2, "train")))
    ingest.take_in_all()
    assert store.task("t1").status == "running"


def test_long_lines_and_chunks_of_a_long_journal(home, ingest, store):
    journal = Journal(home.journals)
    journal.write(encode_record(Record("message", 1.0, message="x" * 20_000_000)))
    text = "y" * 100_000
    journal.write(b"".join(encode_record(Record("message", float(n), message=text)) for n in range(200)))
    journal.steps(0, 3)
    ingest.take_in_all()
    assert store.task("t1").records == 204
    assert len(next(store.records("t1")).message) == 20_000_000


# The thread


def test_new_lines_come_while_it_runs_and_who_listens_is_told(home, live, store):
    told = []
    live.on_change = told.append
    journal = Journal(home.journals)
    journal.steps(0, 5)
    until(lambda: store.tasks() and steps(store) == list(range(5)))
    other = Journal(home.journals, "20260101-000000-0000000b")
    for number in range(5, 30):
        journal.steps(number, number + 1)
        other.steps(number, number + 1)
    until(lambda: store.task("t1").records == 55)
    by_run = {run.id: [e.step for e in store.records("t1") if e.run_id == run.id] for run in store.runs("t1")}
    assert by_run == {journal.run: list(range(30)), other.run: list(range(5, 30))}
    assert {"t1"} in told


def test_a_run_whose_process_dies_fails_and_one_that_ended_may_say_more(home, live, store):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    import psutil

    theirs = replace(HERE, pid=process.pid, started=psutil.Process(process.pid).create_time())
    dying, ending = Journal(home.journals, "a", process=theirs), Journal(home.journals, "b", "t2")
    dying.steps(0, 3)
    ending.steps(0, 3)
    ending.end()
    until(lambda: len(store.tasks()) == 2 and store.task("t1").status == "running")
    process.kill()
    process.wait()
    until(lambda: store.task("t1").status == "failed")
    dying.write(encode_record(Record("train_end", time.time(), message="Killed", details={"status": "failed"})))
    until(lambda: store.runs("t1")[0].message == "Killed")
    ending.write(encode_record(Record("evaluation", time.time(), 3, None, {"eval_loss": 0.5})))
    until(lambda: store.task("t2").records == 5)
    assert store.task("t2").status == "completed"


def test_ended_journals_are_not_looked_at(home, store):
    for number in range(300):
        journal = Journal(home.journals, f"run{number:04}", f"t{number}")
        journal.end()
    Ingest(home, store).take_in_all()
    ingest = Ingest(home, store)
    ingest.take_in_all()
    opened = ingest.files_examined
    assert opened == 300, "one look each, none opened: the store knows them by their names"
    running = Journal(home.journals, "running", "running")
    for _ in range(5):
        ingest.poll()
    settled, polls = ingest.files_examined, ingest.polls
    for number in range(20):
        running.steps(number, number + 1)
        ingest.poll()
    listings = 1
    assert ingest.files_examined - settled <= (ingest.polls - polls) + listings * 301
    assert steps(store, "running") == list(range(20))


def test_it_stops_and_starts_and_leaves_no_thread(home, ingest, store):
    before = set(threading.enumerate())
    journal = Journal(home.journals)
    for number in range(3):
        ingest.start()
        journal.steps(number, number + 1)
        until(lambda number=number: store.tasks() and len(steps(store)) == number + 1)
        ingest.stop()
        assert set(threading.enumerate()) == before
    ingest.stop()


def test_an_error_of_the_store_is_told_and_tried_again(home, store):
    journal = Journal(home.journals)
    journal.steps(0, 3)
    reader = Store.open(home.database, writable=False)
    ingest = Ingest(home, reader)
    ingest.start()
    until(lambda: ingest.notes)
    assert "cannot be written" in ingest.notes[0]
    ingest.stop()
    reader.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the state folder is named by XDG_STATE_HOME")
def test_journals_on_a_network_file_system_go_to_a_database_on_a_local_one(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPLINE_TREAT_AS_NETWORK", str(tmp_path / "network"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "local"))
    home = Home.open(tmp_path / "network" / "home")
    journal = Journal(home.journals)
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        ingest = Ingest(home, store)
        ingest.start()
        journal.steps(0, 3)
        until(lambda: store.tasks() and steps(store) == [0, 1, 2])
        journal.steps(3, 5)
        until(lambda: steps(store) == [0, 1, 2, 3, 4])
        ingest.stop()
    assert [path.name for path in home.path.iterdir()] == ["journals"]
