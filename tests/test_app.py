"""One writer a home: two at once, one killed, a command beside one that runs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepline.app import App
from stepline.errors import AddressInUse, DatabaseDamaged, Unavailable
from stepline.home import Home
from stepline.recording.journal import Header, Process, Record, encode_header, encode_record
from stepline.visit import import_into, take_in
from stepline.writer import WriterLock, read_address
from tests.front_door import Answer, Looking, ask, header, steps, wait_for
from tests.import_files import log_history, trainer_state


def journal(home: Home, run: str = "r1", task: str = "t1", *, count: int = 10, ended: bool = True) -> Path:
    """A run's journal in the home, of this process while it has not ended."""
    return write_journal(home.journals / f"{run}.jsonl", header(task, run), count, ended)


def write_journal(path: Path, first: Header, count: int, ended: bool) -> Path:
    end = [Record("train_end", 1_700_000_100.0, count, details={"status": "completed"})] if ended else []
    with path.open("wb") as file:
        file.write(encode_header(first))
        for record in [*steps(range(1, count + 1)), *end]:
            file.write(encode_record(record))
    return path


def append(path: Path, *records: Record) -> None:
    with path.open("ab") as file:
        for record in records:
            file.write(encode_record(record))


def is_free(home: Home) -> bool:
    """Whether nobody has the writer's lock."""
    lock = WriterLock(home)
    free = lock.acquire()
    lock.release()
    return free


def port_of(app: App) -> int:
    return int(app.address.rpartition(":")[2])


def asked(app: App, path: str, **options) -> Answer:
    return ask(port_of(app), path, token=app.token, **options)


def next_rows(looking: Looking) -> list:
    """The next rows; facts that came for another reason have none."""
    while not (rows := looking.facts()[0]["rows"]):
        continue
    return list(rows)


@pytest.fixture
def app(home) -> Iterator[App]:
    running = App(home)
    running.start()
    yield running
    running.stop()


class Other:
    """A Stepline in another process, on the same home."""

    def __init__(self, home: Home, *, before: str = "", after: str = "") -> None:
        script = f"""
            import sys, time
            from stepline.app import App
            from stepline.home import Home
            home = Home.open({str(home.path)!r})
            {before}
            app = App(home)
            app.start()
            print(app.url, flush=True)
            {after}
            sys.stdin.read()
            app.stop()
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port, self.token = int(self.url.split(":")[2].split("/")[0]), self.url.partition("token=")[2]

    def ask(self, path: str, **options) -> Answer:
        return ask(self.port, path, token=self.token, **options)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.communicate("", timeout=60)


@pytest.fixture
def other(home) -> Iterator[Other]:
    running = Other(home)
    yield running
    with contextlib.suppress(OSError, ValueError):
        running.kill()


def test_a_journal_that_grows_is_seen_by_a_client(app, home):
    path = journal(home, ended=False)
    looking = Looking(port_of(app), app.token)
    wait_for(lambda: asked(app, "/api/tasks").json["tasks"])
    looking.subscribe("t1", 0, "loss")
    rows = 0
    append(path, *steps([11, 12]))
    values: list[float] = []
    while rows < 12:
        told, frame = looking.facts()
        rows += len(told["rows"])
        values += frame.series[0].columns["value"].tolist()
    assert values == [1 / step for step in range(1, 13)]
    assert told["detail"]["task"]["status"] == "running"
    looking.close()


def test_the_second_on_a_home_reads_beside_the_first(app, home):
    path = journal(home, ended=False)
    with contextlib.ExitStack() as stack:
        beside = App(home)
        stack.callback(beside.stop)
        beside.start()
        assert (app.is_writer, beside.is_writer) == (True, False)
        assert asked(beside, "/api/about").json["writer"] is False
        wait_for(lambda: asked(beside, "/api/tasks").json["tasks"])
        assert asked(beside, "/api/tasks/t1", method="PATCH", body={"notes": "mine"}).json["notes"] == "mine"
        assert asked(app, "/api/tasks/t1").json["task"]["notes"] == "mine"
        assert asked(beside, "/api/settings", method="PUT", body={"theme": "dark"}).status == 200
        assert asked(beside, "/api/settings").json == {"theme": "dark"}
        looking = Looking(port_of(beside), beside.token)
        looking.subscribe("t1", 0, "loss")
        assert len(looking.facts()[0]["rows"]) == 10
        append(path, Record("message", 1.0, message="late"))
        assert [row["message"] for row in next_rows(looking)] == ["late"]
        looking.close()


def test_a_writer_killed_is_taken_over(home, other):
    path = journal(home, ended=False)
    beside = App(home)
    try:
        beside.start()
        assert not beside.is_writer
        looking = Looking(port_of(beside), beside.token)
        assert looking.until("hello")["writer"] is False
        wait_for(lambda: asked(beside, "/api/tasks").json["tasks"])
        other.kill()
        assert read_address(home).pid == other.process.pid, "a killed process takes nothing back"
        assert looking.until("hello")["writer"] is True
        assert beside.is_writer
        wait_for(lambda: read_address(home).pid == os.getpid())
        append(path, *steps([11]))
        wait_for(lambda: asked(beside, "/api/tasks/t1").json["cursor"] == 11)
        assert asked(beside, "/api/tasks/t1", method="PATCH", body={"notes": "mine"}).status == 200
        looking.close()
    finally:
        beside.stop()
    assert read_address(home) is None


def test_a_writer_that_ends_hands_over(home, other):
    beside = App(home)
    try:
        beside.start()
        other.end()
        wait_for(lambda: beside.is_writer)
    finally:
        beside.stop()


def test_two_started_at_once_are_one_writer_and_one_reader(home):
    others = []
    threads = [threading.Thread(target=lambda: others.append(Other(home))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        writers = [each.ask("/api/about").json["writer"] for each in others]
        assert sorted(writers) == [False, False, True]
    finally:
        for each in others:
            each.end()
    assert [each.process.returncode for each in others] == [0, 0, 0]


def test_a_command_takes_in_where_nobody_runs(home, tmp_path):
    journal(home)
    elsewhere = write_journal(tmp_path / "copied.jsonl", header("t2", "r2"), 5, True)
    (result,) = import_into(home, [elsewhere])
    assert (result["state"], result["task"], result["records"], result["error"]) == ("imported", "t2", 6, None)
    with take_in(home) as store:
        assert {task.id: task.records for task in store.tasks()} == {"t1": 11, "t2": 6}
        assert is_free(home), "the lock is given back before the store is read"
    with take_in(home) as store:
        assert len(store.tasks()) == 2


def test_a_command_beside_one_that_runs_sees_what_lies_there(app, home, tmp_path):
    elsewhere = write_journal(tmp_path / "训练.jsonl", header("t2", "r2"), 5, True)
    for count in range(1, 4):
        journal(home, f"r{count}0", f"task{count}", count=count)
        (result,) = import_into(home, [elsewhere])
        assert result["task"] == "t2"
        with take_in(home) as store:
            found = {task.id: task.records for task in store.tasks()}
            assert found[f"task{count}"] == count + 1
            assert found["t2"] == 6
    assert app.is_writer


def test_a_command_that_is_interrupted_calls_off_what_the_writer_takes_in_for_it(app, home, tmp_path):
    long = tmp_path / "long.jsonl"
    long.write_text("".join(f'{{"step": {step}, "loss": 0.5}}\n' for step in range(300_000)), encoding="utf-8")
    told: list[tuple[Path, float]] = []

    def progress(path: Path, share: float) -> None:
        told.append((path, share))
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_into(home, [long], progress=progress)
    assert told[-1][0] == long
    assert 0 < told[-1][1] < 1
    wait_for(lambda: all(thread.name != "stepline-import" for thread in threading.enumerate()))
    assert app.store.tasks() == []
    (result,) = import_into(home, [long])
    assert (result["state"], result["records"]) == ("imported", 300_000)


def test_commands_at_once_all_see_everything(home):
    journal(home, count=2000)
    found: list[int] = []

    def run() -> None:
        with take_in(home) as store:
            found.append(store.task("t1").records)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2001] * 6


@pytest.mark.parametrize("running", [True, False])
def test_what_is_no_history_is_told_and_stops_nothing(home, tmp_path, running):
    path = tmp_path / "notes.txt"
    path.write_text("hello\n", encoding="utf-8")
    good = trainer_state(tmp_path / "mine" / "trainer_state.json", log_history(range(10, 51, 10)))
    app = App(home)
    try:
        if running:
            app.start()
        found = import_into(home, [path, tmp_path / "gone.csv", good])
        assert [each["state"] for each in found] == ["failed", "failed", "imported"]
        assert [each["error"]["code"] for each in found[:2]] == ["import", "import"]
        assert str(path) in found[0]["error"]["what"]
        with take_in(home) as store:
            assert [(task.name, task.records) for task in store.tasks()] == [("mine", 5)]
    finally:
        app.stop()
    assert is_free(home)


def test_a_left_address_of_a_killed_writer_misleads_nobody(home, other):
    other.kill()
    journal(home)
    with take_in(home) as store:
        assert len(store.tasks()) == 1


def test_a_home_whose_database_is_none_is_a_clear_error_and_left_as_it_is(home):
    home.database.write_bytes(b"this is no database" * 1000)
    app = App(home)
    with pytest.raises(DatabaseDamaged):
        app.start()
    with pytest.raises(DatabaseDamaged), take_in(home):
        pass
    assert home.database.read_bytes().startswith(b"this is no database")
    assert is_free(home)
    with socket.create_server(("127.0.0.1", port_of(app))):
        pass


def test_a_port_in_use_is_a_clear_error(app, home):
    with pytest.raises(AddressInUse):
        App(home, port=port_of(app))


def test_the_window_is_brought_forward_where_there_is_one(app):
    assert asked(app, "/api/focus", method="POST").status == Unavailable.http_status
    came = []
    app.on_focus = came.append
    taken = {"tasks": ["t1"], "imported": []}
    assert asked(app, "/api/focus", method="POST").status == 204
    assert asked(app, "/api/focus", body={"taken": taken}, method="POST").status == 204
    assert came == [None, taken]


def test_an_end_leaves_nothing(home):
    journal(home)
    before = set(threading.enumerate())
    app = App(home)
    app.start()
    looking = Looking(port_of(app), app.token)
    looking.until("tasks")
    app.stop()
    app.stop()
    left = lambda: {t.name for t in set(threading.enumerate()) - before if t.name != "stepline-kernels"}  # noqa: E731
    wait_for(lambda: not left())
    assert is_free(home)
    assert read_address(home) is None
    with socket.create_server(("127.0.0.1", port_of(app))):
        looking.ws.close()


def test_a_run_whose_process_is_gone_has_failed(app, home):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    here = Process.current()
    gone = Process(int(ended.stdout), here.started, here.host, here.boot, here.pid_namespace)
    write_journal(home.journals / "r1.jsonl", header(process=gone), 3, False)
    wait_for(lambda: [task for task in asked(app, "/api/tasks").json["tasks"] if task["status"] == "failed"])
