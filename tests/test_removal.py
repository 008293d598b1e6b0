"""An ended run's journal goes when the store has all of it, and not before; nothing is lost whoever is killed."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from stepline.ingest import Ingest
from stepline.recording.commands import commands_path
from stepline.recording.journal import Record, Update, encode_record, encode_update
from stepline.store import Store
from tests.growing import ELSEWHERE, GONE, HERE, Journal, until
from tests.lines import entries_of

KILLS = int(os.environ.get("STEPLINE_TEST_KILLS", "20")) // 2
HOUR = 3600.0


def aged(path, secs=HOUR):
    then = time.time() - secs
    os.utime(path, (then, then))


def logged(count=200):
    metrics = [{"loss": math.nan if number % 9 == 4 else number / 3, "grad_norm": 1.0} for number in range(count)]
    metrics[-2] = {"loss": 0.0, "grad_norm": math.nan, "note": "文"}
    steps = [Record("step", 1e9 + number, number, None, each) for number, each in enumerate(metrics)]
    return [*steps, Record("message", 1e9, message="done", details={"n": [1, None]})]


def ended(home, run="20260101-000000-0000000a", *, process=GONE, records=None):
    """A journal of a run that ended an hour ago."""
    journal = Journal(home.journals, run, process=process, time_=1e9)
    journal.write(b"".join(map(encode_record, logged() if records is None else records)))
    journal.write(encode_update(Update(500)))
    journal.end()
    aged(journal.path)
    return journal


@pytest.fixture
def store(home):
    opened = Store.open(home.database, writable=True)
    yield opened
    opened.close()


@pytest.fixture
def watch(home, store):
    """Begins to watch: what was there before had its minute of quiet."""
    begun = []

    def start():
        Ingest(home, store).take_in_all()
        begun.append(Ingest(home, store))
        begun[0].start()
        return begun[0]

    yield start
    for ingest in begun:
        ingest.stop()


def lay(path, content, secs=HOUR):
    """A copy as it comes from elsewhere: whole, with its own time."""
    draft = path.with_name("draft")
    draft.write_bytes(content)
    aged(draft, secs)
    os.replace(draft, path)


def gone(*journals):
    until(lambda: not any(journal.path.exists() for journal in journals))


def test_what_it_said_is_there_when_it_is_gone(home, store, watch):
    journals = [ended(home), ended(home, "20260102-000000-0000000b", records=[])]
    commands_path(home.journals, journals[0].run).write_text("{}\n")
    header_alone = Journal(home.journals, "20260103-000000-0000000c", process=GONE, time_=1e9)
    aged(header_alone.path)
    watch()
    gone(*journals, header_alone)
    until(lambda: not list(home.journals.iterdir()))
    found = [entry for entry in store.records("t1") if entry.kind != "train_end"]
    assert entries_of(found) == entries_of(logged())
    assert [run.status for run in store.runs("t1")] == ["completed", "completed", "stopped"]
    assert store.runs("t1")[0].total_steps == 500


def test_copied_back_it_adds_nothing_and_goes_again(home, store, watch):
    journal = ended(home)
    content = journal.path.read_bytes()
    watch()
    gone(journal)
    records = store.task("t1").records
    for copy in (content, content[:-500]):
        lay(journal.path, copy)
        gone(journal)
        assert store.task("t1").records == records
    lay(journal.path, content + encode_record(Record("message", 2e9, message="one more")))
    until(lambda: store.task("t1").records == records + 1)
    assert [entry.message for entry in store.records("t1")][-1] == "one more"


def test_what_is_not_over_is_kept(home, store, watch, tmp_path):
    kept = [
        ended(home, "20260101-000000-0000000a", process=HERE),
        ended(home, "20260101-000000-0000000b", process=ELSEWHERE),
        ended(home, "20260101-000000-0000000c"),
        ended(home, "20260101-000000-0000000d"),
        ended(home, "20260101-000000-0000000e"),
    ]
    os.utime(kept[2].path)
    for journal, line in ((kept[3], b"damaged\n"), (kept[4], b'{"kind":"mess')):
        journal.write(line)
        aged(journal.path)
    elsewhere = Journal(tmp_path, "20260101-000000-0000000f", process=GONE, time_=1e9)
    elsewhere.end()
    aged(elsewhere.path)
    done = [ended(home, "20260102-000000-0000000a"), ended(home, "20260102-000000-0000000b", process=ELSEWHERE)]
    aged(done[1].path, 30 * HOUR)
    watch().import_journal(elsewhere.path)
    gone(*done)
    time.sleep(0.3)
    assert all(journal.path.exists() for journal in (*kept, elsewhere))


def test_with_the_setting_it_lies_compressed_beside(home, store, watch):
    store.set_setting("keepJournals", True)
    journal = ended(home)
    content = journal.path.read_bytes()
    watch()
    gone(journal)
    kept = journal.path.with_name(journal.path.name + ".zst")
    assert zstandard.ZstdDecompressor().decompress(kept.read_bytes()) == content
    # A shorter copy that goes after it does not take its place.
    lay(journal.path, content[:-500])
    gone(journal)
    assert zstandard.ZstdDecompressor().decompress(kept.read_bytes()) == content


def test_one_that_the_store_does_not_give_back_is_kept_and_told(home, store):
    journal = ended(home)
    Ingest(home, store).take_in_all()
    content = journal.path.read_bytes()
    assert b'"loss":11.0' in content
    journal.path.write_bytes(content.replace(b'"loss":11.0', b'"loss":12.0'))
    aged(journal.path)
    ingest = Ingest(home, store)
    ingest.start()
    until(lambda: any("is kept" in note for note in ingest.notes))
    ingest.stop()
    assert journal.path.exists()


def test_a_run_beside_one_that_lives_goes_alone(home, store, watch):
    live = Journal(home.journals, "20260102-000000-0000000b", process=replace(HERE), time_=1e9 + 5)
    live.steps(0, 50)
    first = ended(home)
    watch()
    gone(first)
    live.steps(50, 60)
    until(lambda: store.runs("t1")[-1].records + store.runs("t1")[0].records == len(logged()) + 1 + 60)
    assert live.path.exists()
    found = [entry for entry in store.records("t1") if entry.run_id == first.run and entry.kind != "train_end"]
    assert entries_of(found) == entries_of(logged())


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_killed_remover_leaves_each_record_once(home, compressed):
    moments = random.Random(7 + compressed)
    store = Store.open(home.database, writable=True)
    store.set_setting("keepJournals", compressed)
    store.close()
    journals: list[Journal] = []
    for kill in range(KILLS):
        journals += [ended(home, f"20260101-{kill:06}-0000000{n}", records=logged(3_000)) for n in range(3)]
        taken_in(home, journals)
        program = Path(__file__).with_name("removing_program.py")
        child = subprocess.Popen([sys.executable, str(program), str(home.path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"watching"
        time.sleep(moments.uniform(0.0, 0.4))
        child.kill()
        child.wait()
        child.stdout.close()
    taken_in(home, journals)
    assert not all(journal.path.exists() for journal in journals)


def taken_in(home, journals):
    """Each record of these is there once, whether the journal is still there or not."""
    store = Store.open(home.database, writable=True)
    Ingest(home, store).take_in_all()
    assert store.task("t1").records == 3_002 * len(journals) == store.count_records("t1")
    assert [run.records for run in store.runs("t1")] == [3_002] * len(journals)
    assert store.columns("t1", "grad_norm").sequence[-1] == 3_002 * len(journals) - 3
    store.close()
