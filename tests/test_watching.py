"""Folders that are watched, and files that are followed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stepline
from stepline.app import App
from stepline.home import Home
from stepline.importers import import_paths
from stepline.store import Store
from stepline.watching import SEEN_SETTING, SETTING, Units, problem_of
from tests.front_door import wait_for
from tests.import_files import log_history, trainer_state


def rows(first: int, last: int) -> str:
    return "".join(
        json.dumps({"step": step, "loss": 10 / step, "total_steps": 100}) + "\n" for step in range(first, last)
    )


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def app(home: Home):
    running = App(home)
    running.start()
    yield running
    running.stop()


def test_a_history_in_a_watched_folder_comes_in_grows_and_is_running(app, tmp_path):
    folder = tmp_path / "runs"
    (folder / "one").mkdir(parents=True)
    log = folder / "one" / "trainer_log.jsonl"
    log.write_text(rows(1, 11), encoding="utf-8")
    (folder / "data.csv").write_text("question,answer\n1,2\n3,4\n", encoding="utf-8")
    app.store.set_setting(SETTING, [str(folder)])
    (task,) = wait_for(lambda: app.store.tasks())
    assert (task.name, task.records, task.status) == ("one", 10, "running")
    assert app.detail(task.id)["runs"][0]["controls"] == []
    with log.open("a", encoding="utf-8") as file:
        file.write(rows(11, 16))
    wait_for(lambda: app.store.task(task.id).records == 15)
    assert app.store.task(task.id).status == "running"
    assert len(app.store.tasks()) == 1


def test_a_journal_in_a_watched_folder_is_a_run_like_any(app, tmp_path):
    folder = tmp_path / "synchronised"
    folder.mkdir()
    with stepline.record("elsewhere", home=tmp_path / "other", total_steps=10) as run:
        run.log({"loss": 1.0}, step=1)
    (written,) = (tmp_path / "other").rglob("*.jsonl")
    shutil.copy(written, folder)
    app.store.set_setting(SETTING, [str(folder)])
    wait_for(lambda: app.store.tasks())
    assert "imported.format" not in app.store.runs(app.store.tasks()[0].id)[0].settings


def test_what_was_deleted_stays_so_though_its_file_grows_moves_or_is_a_journal(app, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    log = folder / "one.jsonl"
    log.write_text(rows(1, 11), encoding="utf-8")
    with stepline.record("elsewhere", home=tmp_path / "other", total_steps=10) as run:
        run.log({"loss": 1.0}, step=1)
    (journal,) = (tmp_path / "other").rglob("*.jsonl")
    shutil.copy(journal, folder)
    app.store.set_setting(SETTING, [str(folder)])
    wait_for(lambda: len(app.store.tasks()) == 2)
    # One that grew within two minutes is running, and is not deleted while it is.
    for task in app.store.tasks():
        for live in app.store.runs(task.id):
            app.store.end_run(live.id, "stopped", None, live.started)
    deleted = [task.id for task in app.store.tasks()]
    app.put_in_trash(deleted)
    app.remove(deleted)
    log.rename(folder / "moved.jsonl")
    shutil.copy(journal, folder / "copied.jsonl")
    with (folder / "moved.jsonl").open("a", encoding="utf-8") as file:
        file.write(rows(11, 16))
    (folder / "other.jsonl").write_text(rows(50, 60), encoding="utf-8")
    (other,) = wait_for(lambda: app.store.tasks())
    assert other.name == "other"
    (result,) = app.take_in([folder / "moved.jsonl"])
    assert (result["state"], result["records"]) == ("imported", 15)


def test_nothing_is_written_to_a_watched_folder(app, tmp_path):
    folder = tmp_path / "out"
    trainer_state(folder / "checkpoint-10" / "trainer_state.json", log_history(range(1, 11)))
    trainer_state(folder / "trainer_state.json", log_history(range(1, 21), closing=True))
    before = files_of(folder)
    app.store.set_setting(SETTING, [str(folder)])
    wait_for(lambda: app.store.tasks())
    assert files_of(folder) == before


def test_what_ended_is_not_read_again_by_the_next_app(home, tmp_path):
    folder = tmp_path / "runs"
    state = trainer_state(folder / "one" / "trainer_state.json", log_history(range(1, 11), closing=True))
    os.utime(state, (1_700_000_000, 1_700_000_000))
    first = App(home)
    first.start()
    first.store.set_setting(SETTING, [str(folder)])
    wait_for(lambda: first.store.setting(SEEN_SETTING))
    assert [task.status for task in first.store.tasks()] == ["completed"]
    seen = first.store.setting(SEEN_SETTING)
    first.stop()
    taken = []
    units = Units(seen)
    assert units.look([folder], lambda path, growing: taken.append((path, growing))) is False
    assert (taken, units.settled()) == ([], seen)


def test_a_run_that_nobody_follows_any_more_has_ended(home, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(rows(1, 11), encoding="utf-8")
    store = Store.open(home.database, writable=True)
    (result,) = import_paths(store, [path], growing=True)
    assert store.task(result.task_id).status == "running"
    store.close()
    app = App(home)
    app.start()
    assert app.store.task(result.task_id).status == "stopped"
    app.stop()


def test_growing_ends_where_the_source_stands_still(home, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(rows(1, 101), encoding="utf-8")
    store = Store.open(home.database, writable=True)
    (result,) = import_paths(store, [path], growing=True)
    (again,) = import_paths(store, [path])
    assert (again.state, store.task(result.task_id).status) == ("unchanged", "completed")
    store.close()


def test_units_are_files_and_folders_or_the_folder_itself(tmp_path):
    def units_of(folder: Path) -> list[str]:
        found: list[str] = []
        Units().look([folder], lambda path, _: found.append(path.name))
        return found

    (tmp_path / "several" / "a" / "deep").mkdir(parents=True)
    (tmp_path / "several" / "a" / "deep" / "log.jsonl").write_text("x")
    (tmp_path / "several" / "b.csv").write_text("x")
    (tmp_path / "several" / ".hidden").write_text("x")
    assert units_of(tmp_path / "several") == ["a", "b.csv"]
    trainer_state(tmp_path / "own" / "trainer_state.json", log_history(range(1, 3)))
    (tmp_path / "own" / "runs").mkdir()
    assert units_of(tmp_path / "own") == ["own"]


def test_a_folder_that_is_not_there_says_why_and_forgets_nothing(tmp_path):
    assert problem_of(tmp_path) is None
    assert problem_of(tmp_path / "away") == "No such file or directory"
    assert problem_of(Path("relative")) == "Not a whole path"
    units = Units({"/somewhere/else": "mark"})
    units.look([tmp_path / "away"], lambda path, growing: pytest.fail("nothing is there"))
    assert units.settled() == {"/somewhere/else": "mark"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process; Ctrl-C is tested by hand")
def test_a_file_is_followed_until_ctrl_c(home, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(rows(1, 11), encoding="utf-8")
    program = "import sys; from stepline.command import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "import", "--follow", str(path), "--home", str(home.path)]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert follower.stderr is not None
    while "Following" not in follower.stderr.readline():
        assert follower.poll() is None
    reader = Store.open(home.database, writable=False)
    (task,) = reader.tasks()
    assert task.status == "running"
    with path.open("a", encoding="utf-8") as file:
        file.write(rows(11, 31))
    wait_for(lambda: reader.task(task.id).records == 30)
    time.sleep(0.1)
    follower.send_signal(signal.SIGINT)
    out, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert reader.task(task.id).status == "stopped"
    assert "20 records more" in out
    reader.close()
