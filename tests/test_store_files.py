"""The database as a file: what a store does with one that is old, odd, damaged, locked, full or closed."""

from __future__ import annotations

import contextlib
import gc
import math
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from stepline.command import main
from stepline.errors import DatabaseDamaged, DatabaseNewer, StoreError
from stepline.home import Home
from stepline.recording.journal import Record
from stepline.store import Store, migrations
from stepline.store.models import MODELS
from tests.filling import Filling, step


def test_the_database_has_its_pages_its_journal_mode_and_its_models(home, store):
    database = sqlite3.connect(home.database)
    assert database.execute("PRAGMA page_size").fetchone() == (8192,)
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


def test_the_connection_of_a_thread_is_closed_as_the_thread_ends(home, store, fill):
    fill.begin()
    held = threading.Event(), threading.Event()

    def files():
        return sum(Path(each.path).name.startswith("stepline.db") for each in psutil.Process().open_files())

    def ask(while_it_runs=False):
        assert len(store.tasks()) == 1
        if while_it_runs:
            held[0].set()
            held[1].wait(60)

    before = files()
    gc.disable()
    try:
        asking = threading.Thread(target=ask, args=(True,))
        asking.start()
        assert held[0].wait(60)
        assert files() > before
        held[1].set()
        asking.join()
        # SQLite keeps one for the next connection: closing it would give up the locks of the others.
        assert files() <= before + 1
        for _ in range(20):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        assert files() <= before + 1
    finally:
        gc.enable()


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


def test_a_database_with_pages_of_another_size_goes_on_with_them(home, store, fill):
    run = fill.begin()
    fill.append(run, *[step(number) for number in range(100)])
    store.close()
    with contextlib.closing(sqlite3.connect(home.database, isolation_level=None)) as older:
        for statement in ("PRAGMA journal_mode = delete", "PRAGMA page_size = 16384", "VACUUM"):
            older.execute(statement)
    with contextlib.closing(Store.open(home.database, writable=True)) as again:
        Filling(again).append(run, *[step(number) for number in range(100, 10_000)])
        again.settle("t1")
        assert len(again.columns("t1", "loss")) == 10_000
    with contextlib.closing(sqlite3.connect(home.database)) as older:
        assert older.execute("PRAGMA page_size").fetchone() == (16384,)


def test_an_empty_file_becomes_a_database(home):
    home.database.write_bytes(b"")
    Store.open(home.database, writable=True).close()
    assert home.database.stat().st_size > 0


def test_a_damaged_page_is_told_as_damage(home, store, fill):
    run = fill.begin()
    fill.append(run, *[step(number) for number in range(5_000)])
    store.close()
    middle = home.database.stat().st_size // 2 // 8192
    with home.database.open("r+b") as file:
        file.seek(8192 * middle)
        file.write(b"\xaa" * 8192 * 8)
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


@pytest.mark.parametrize("command", ["tasks", "serve", "doctor"])
def test_a_command_on_a_disk_that_is_full_says_so_and_what_to_do(command, small_disk, capsys):
    home = Home.open(small_disk)
    Store.open(home.database, writable=True).close()
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    assert main([command, "--home", str(home.path)]) == 1
    told = "".join(capsys.readouterr())
    assert "full" in told
    assert "Make room" in told
    assert "A fault in Stepline" not in told
