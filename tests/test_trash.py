"""The trash: what goes there stays away, comes back when asked or when it trains again, and is removed for good."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from stepline import trash
from stepline.errors import TaskIsLive, TaskNotFound
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.recording.journal import encode_record
from stepline.store import Store
from tests.browser import homes
from tests.front_door import wait_for


@contextmanager
def opened(home: Home) -> Iterator[tuple[Store, Ingest]]:
    """A writer on the home, as a start of the program has it."""
    store = Store.open(home.database, writable=True)
    ingest = Ingest(home, store)
    trash.tidy(home, store, ingest)
    ingest.take_in_all()
    yield store, ingest
    store.close()


def names(store: Store) -> list[str]:
    return sorted(task.name for task in store.tasks())


def trashed(store: Store) -> list[str]:
    return [task.name for task in store.trash()]


def begin(home: Home, task: str, runs: int = 1) -> str:
    for run in range(1, runs + 1):
        head = homes.header(task, run)
        homes.write(home, head, [homes.step(10, head.time), homes.ended(head, "completed", 10)])
    return homes.header(task).task_id


def test_what_has_lain_there_for_long_is_removed_while_the_program_runs(home: Home):
    old, new = begin(home, "old"), begin(home, "new")
    with opened(home) as (store, ingest):
        ageing = trash.ageing(home, store, ingest, every_secs=0.01)
        ageing.start()
        try:
            store.put_in_trash([new], time.time())
            store.put_in_trash([old], time.time() - (trash.KEPT_DAYS + 1) * 86_400)
            wait_for(lambda: trashed(store) == ["new"])
            assert not list(home.trash.glob(f"{homes.header('old').run_id}*"))
        finally:
            ageing.stop()
            ageing.stop()


def test_a_task_goes_with_its_journals_and_comes_back_whole(home: Home):
    first, second = begin(home, "first", runs=2), begin(home, "second")
    with opened(home) as (store, ingest):
        before = list(store.records(first))
        trash.put(home, store, ingest, [first])
        assert (names(store), trashed(store)) == (["second"], ["first"])
        assert len(list(home.trash.iterdir())) == 2
        assert len(list(home.journals.iterdir())) == 1
        ingest.take_in_all()
        assert names(store) == ["second"]
        trash.restore(home, store, ingest, [first])
        assert (names(store), trashed(store)) == (["first", "second"], [])
        assert list(store.records(first)) == before
        assert list(home.trash.iterdir()) == []
        trash.put(home, store, ingest, [first, second])
        assert names(store) == []


def test_it_stays_in_the_trash_over_a_restart(home: Home):
    task = begin(home, "first")
    with opened(home) as (store, ingest):
        trash.put(home, store, ingest, [task])
    with opened(home) as (store, _):
        assert (names(store), trashed(store)) == ([], ["first"])


def test_a_task_that_trains_again_comes_back(home: Home):
    task = begin(home, "first")
    with opened(home) as (store, ingest):
        trash.put(home, store, ingest, [task])
        head = homes.header("first", 2)
        homes.write(home, head, [homes.step(10, head.time), homes.ended(head, "completed", 10)])
        ingest.take_in_all()
        assert names(store) == ["first"]
        assert [run.number for run in store.runs(task)] == [1, 2]
    with opened(home) as (_, ingest):
        assert len(list(home.journals.iterdir())) == 2, "its older journal is back too"


def test_a_run_that_writes_on_in_the_trash_brings_its_task_back(home: Home):
    """It was taken for dead; its process has the file open, wherever that is moved."""
    task = begin(home, "first")
    with opened(home) as (store, ingest), open(next(home.journals.iterdir()), "ab") as journal:
        trash.put(home, store, ingest, [task])
        journal.write(encode_record(homes.step(20, homes.BEGIN)))
        journal.flush()
        ingest.take_in_all()
        assert names(store) == ["first"]
        assert store.task(task).step == 20


def test_a_task_that_trains_is_not_deleted(home: Home):
    homes.one_of_each(home)
    with opened(home) as (store, ingest):
        running, stopped = (store.find_task(f"{each} one").id for each in ("running", "stopped"))
        with pytest.raises(TaskIsLive):
            trash.put(home, store, ingest, [stopped, running])
        with pytest.raises(TaskNotFound):
            trash.put(home, store, ingest, ["no such task"])
        assert trashed(store) == []


def test_what_was_removed_is_gone_and_a_copy_of_its_journal_does_not_bring_it_back(home: Home):
    task, kept = begin(home, "first"), begin(home, "second")
    journal = next(path for path in home.journals.iterdir() if homes.header("first").run_id in path.name)
    copy = home.path / "copy.jsonl"
    shutil.copy(journal, copy)
    with opened(home) as (store, ingest), closing(Store.open(home.database, writable=False)) as reader:
        assert names(reader) == ["first", "second"]
        trash.put(home, store, ingest, [task])
        trash.empty(home, store, ingest, [task, kept])
        assert (names(store), trashed(store)) == (["second"], [])
        assert names(reader) == ["second"]
        assert list(home.trash.iterdir()) == []
        with pytest.raises(TaskNotFound):
            store.runs(task)
        shutil.copy(copy, journal)
        shutil.copy(copy, home.journals / "copied.jsonl")
        ingest.take_in_all()
        assert names(store) == ["second"]
    with opened(home) as (store, ingest):
        assert names(store) == ["second"]
        # Asked for, it comes; and what was remembered of the removed one is not taken for it.
        assert ingest.import_journal(copy) == task
        assert store.generation(task) > 0
        assert [record.step for record in store.records(task)] == [10, 10]


def test_a_removed_task_that_trains_again_begins_anew(home: Home):
    task = begin(home, "first", runs=2)
    with opened(home) as (store, ingest):
        trash.put(home, store, ingest, [task])
        trash.empty(home, store, ingest, [task])
        head = homes.header("first", 3)
        homes.write(home, head, [homes.step(30, head.time), homes.ended(head, "completed", 30)])
        ingest.take_in_all()
        assert [(run.id, run.number) for run in store.runs(task)] == [(head.run_id, 1)]
        assert [record.sequence for record in store.records(task)] == [0, 1]


def test_what_lies_there_is_told_with_its_size(home: Home):
    task = begin(home, "first")
    size = next(home.journals.iterdir()).stat().st_size
    with opened(home) as (store, ingest):
        held = store.task(task).bytes
        trash.put(home, store, ingest, [task])
        content = trash.content(home, store)
        assert [(each["task"]["id"], each["bytes"]) for each in content["tasks"]] == [(task, held + size)]
        assert content["kept_days"] == trash.KEPT_DAYS


def test_after_its_days_a_task_is_removed(home: Home):
    old, new = begin(home, "old"), begin(home, "new")
    with opened(home) as (store, ingest):
        store.put_in_trash([old], time.time() - (trash.KEPT_DAYS + 1) * 86_400)
        trash.put(home, store, ingest, [new])
        assert trashed(store) == ["new"]
        store.set_setting(trash.SETTING, 0)
        store.put_in_trash([new], 1.0)
    with opened(home) as (store, _):
        assert trashed(store) == ["new"], "0 days: until somebody empties it"


def test_a_journal_that_was_left_behind_by_a_killed_move_adds_nothing(home: Home):
    task = begin(home, "first")
    with opened(home) as (store, ingest):
        store.put_in_trash([task], time.time())
        ingest.take_in_all()
        assert trashed(store) == ["first"]
        trash.restore(home, store, ingest, [task])
        home.trash.mkdir(exist_ok=True)
        journal = next(home.journals.iterdir())
        os.replace(journal, home.trash / journal.name)
    with opened(home) as (store, _):
        assert names(store) == ["first"]
        assert [path.name for path in home.journals.iterdir()] == [journal.name]
