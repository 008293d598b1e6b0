"""The routes and the one error shape."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from stepline.errors import error_of
from stepline.history import decode
from stepline.recording.journal import Process, Record
from stepline.writer import Address
from tests.front_door import FrontDoor, Serving, header, served, steps, write


@pytest.fixture
def serving(home) -> Iterator[Serving]:
    with served(home) as serving:
        store = serving.door.store
        store.begin_run(header())
        write(store, "r1", [Record("train_start", 1_700_000_000.0, 0, details={"controls": ["stop", "save", "dance"]})])
        write(store, "r1", steps(range(1, 31)))
        write(store, "r1", [Record("evaluation", 1_700_000_031.0, 30, 3.0, {"eval_loss": float("nan")}, "worse")])
        yield serving


def test_tasks_and_one_of_them(serving):
    [task] = serving.ask("/api/tasks").json["tasks"]
    assert (task["id"], task["name"], task["status"], task["records"]) == ("t1", "t1", "running", 32)
    detail = serving.ask("/api/tasks/t1").json
    assert detail["task"] == task
    assert detail["cursor"] == 32
    assert {metric["name"]: metric["last"] for metric in detail["metrics"]}["eval_loss"] == "NaN"


def test_the_opening_is_all_that_the_first_picture_needs(serving):
    store = serving.door.store
    opening = serving.ask("/api/opening").json
    assert (opening["settings"], opening["tasks"], opening["detail"]["task"]["id"]) == ({}, 1, "t1")
    assert [row["sequence"] for row in opening["rows"]] == list(range(31, -1, -1))
    # What trains goes before what is newer; what was looked at last before both.
    store.begin_run(header("ended", "r2", time=1_800_000_000.0))
    store.end_run("r2", "completed", None, 1_800_000_001.0)
    assert serving.ask("/api/opening").json["detail"]["task"]["id"] == "t1"
    store.set_setting("task", "ended")
    opening = serving.ask("/api/opening").json
    assert (opening["settings"], opening["tasks"], opening["detail"]["task"]["id"]) == ({"task": "ended"}, 2, "ended")
    store.set_setting("task", "gone")
    store.begin_run(header("waits", "r3", time=1_900_000_000.0))
    assert serving.ask("/api/opening").json["detail"]["task"]["id"] == "t1"
    store.end_run("r1", "completed", None, 1_700_000_040.0)
    assert serving.ask("/api/opening").json["detail"]["task"]["id"] == "waits"


def test_an_empty_home_has_an_opening(home):
    with served(home) as empty:
        assert empty.ask("/api/opening").json == {"settings": {}, "tasks": 0, "detail": None, "rows": []}


def test_a_window_is_a_frame(serving):
    answer = serving.ask("/api/tasks/t1/frame?series=loss&series=perplexity&first=5&last=15&ema=10&ma=5")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    frame = decode(answer.body)
    assert [series.name for series in frame.series] == ["loss", "perplexity"]
    assert frame.series[0].columns["value"].tolist() == [1 / step for step in range(5, 15)]
    assert "smooth_value" in frame.series[1].columns


def test_a_window_has_as_many_points_as_asked_for_and_no_more_than_three_views(serving):
    write(serving.door.store, "r1", steps(range(31, 20_031), lambda step: float(step % 7)))
    [loss] = decode(serving.ask("/api/tasks/t1/frame?series=loss&last=9000").body).series
    assert loss.bucket > 1
    assert len(loss.columns["value"]) <= 4000
    [loss] = decode(serving.ask("/api/tasks/t1/frame?series=loss&last=9000&points=12000").body).series
    assert (loss.bucket, len(loss.columns["value"])) == (1, loss.points)
    [loss] = decode(serving.ask("/api/tasks/t1/frame?series=loss&points=1000000").body).series
    assert loss.bucket > 1
    assert 4000 < len(loss.columns["value"]) <= 12_000


@pytest.mark.parametrize(
    ("query", "sequences", "total"),
    [
        ("limit=3", [0, 1, 2], 32),
        ("limit=3&newest=1", [31, 30, 29], 32),
        ("limit=2&newest=1&offset=4", [27, 26], 32),
        ("first=30", [30, 31], 32),
        ("kind=evaluation&kind=train_start", [0, 31], 2),
        ("search=worse", [31], 1),
        ("limit=0", [], 32),
    ],
)
def test_the_log_comes_by_pages(serving, query, sequences, total):
    page = serving.ask(f"/api/tasks/t1/log?{query}").json
    assert [row["sequence"] for row in page["rows"]] == sequences
    assert page["total"] == total


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("csv", "text/csv; charset=utf-8", b"sequence,run,step,epoch,time,kind,eval_loss,"),
        ("jsonl", "application/jsonl", b'{"sequence": 0, '),
        ("parquet", "application/vnd.apache.parquet", b"PAR1"),
        ("tensorboard", "application/zip", b"PK"),
    ],
)
def test_a_task_can_be_taken_away_as_a_file(serving, form, media_type, begins):
    serving.ask("/api/tasks/t1", method="PATCH", body={"name": "a/b: 训练"})
    answer = serving.ask(f"/api/tasks/t1/export?format={form}")
    assert answer.headers["Content-Type"] == media_type
    assert answer.body.startswith(begins)
    assert unquote(answer.headers["Content-Disposition"]).startswith("attachment; filename*=UTF-8''a-b- 训练.")


def test_a_task_can_be_called_and_described_otherwise(serving):
    asked = {"name": " 训练 one ", "tags": ["a", "b"], "notes": "first try"}
    answer = serving.ask("/api/tasks/t1", method="PATCH", body=asked).json
    assert (answer["name"], answer["tags"], answer["notes"]) == ("训练 one", ["a", "b"], "first try")
    answer = serving.ask("/api/tasks/t1", method="PATCH", body={"name": ""}).json
    assert (answer["name"], answer["notes"]) == ("t1", "first try")


def test_settings_are_kept_by_name(serving):
    assert serving.ask("/api/settings").json == {}
    first = {"theme": "dark", "view": {"t1": [1, 2.5, None, "x"]}}
    assert serving.ask("/api/settings", method="PUT", body=first).json == first
    assert serving.ask("/api/settings", method="PUT", body={"theme": "light"}).json == {**first, "theme": "light"}
    assert serving.ask("/api/settings").json["theme"] == "light"


def test_what_a_person_should_know(serving):
    about = serving.ask("/api/about").json
    assert about["home"] == str(serving.door.home.path)
    assert about["notes"] == ["one line was left out"]
    assert about["writer"] is True


def test_others_ask_to_take_in_and_to_come_forward(serving, tmp_path):
    path = tmp_path / "训练.jsonl"
    assert serving.ask("/api/take-in", method="POST", body={"paths": [str(path)]}).json["tasks"] == ["训练"]
    assert serving.door.taken == [path]
    assert serving.ask("/api/focus", method="POST").status == 204
    assert serving.door.focused == 1


def test_a_command_is_written_beside_the_journal_of_a_run_that_takes_it(serving):
    journals = serving.door.home.journals
    path = "/api/tasks/t1/runs/r1/commands"
    assert serving.ask(path, method="POST", body={"command": "stop"}).status == 503
    (journals / "r1.jsonl").touch()
    assert serving.ask("/api/tasks/t1").json["runs"][0]["controls"] == ["stop", "save"]
    given = [serving.ask(path, method="POST", body={"command": name}) for name in ("save", "stop")]
    assert [answer.status for answer in given] == [202, 202]
    lines = [json.loads(line) for line in (journals / "r1.commands.jsonl").read_text().splitlines()]
    assert [(line["id"], line["command"]) for line in lines] == [
        (given[0].json["id"], "save"),
        (given[1].json["id"], "stop"),
    ]
    assert serving.ask(path, method="POST", body={"command": "evaluate"}).status == 503
    assert serving.ask(path, method="POST", body={"command": "dance"}).status == 400
    assert serving.ask("/api/tasks/t1/runs/r2/commands", method="POST", body={"command": "stop"}).status == 400
    write(serving.door.store, "r1", [Record("train_end", 1_700_000_040.0, 30, details={"status": "stopped"})])
    assert serving.ask("/api/tasks/t1").json["runs"][0]["controls"] == []
    assert serving.ask(path, method="POST", body={"command": "stop"}).status == 503


def test_the_end_of_a_run_tells_its_traceback_or_its_last_words(serving):
    store = serving.door.store
    ends = {
        "r1": {
            "status": "failed",
            "error": {"type": "ValueError", "text": "no", "traceback": "Traceback\nValueError: no"},
        },
        "r2": {"status": "failed", "standard_error": "Killed\n"},
    }
    store.begin_run(header("t1", "r2"))
    for run, details in ends.items():
        write(store, run, [Record("train_end", 1_700_000_040.0, 30, details=details)])
    told = [serving.ask(f"/api/tasks/t1/runs/{run}/end").json for run in ("r1", "r2", "r3")]
    assert told == [
        {"traceback": "Traceback\nValueError: no", "standard_error": None},
        {"traceback": None, "standard_error": "Killed\n"},
        {"traceback": None, "standard_error": None},
    ]
    assert serving.ask("/api/tasks/none/runs/r1/end").status == 404


def test_a_run_of_another_machine_takes_no_commands(serving):
    elsewhere = Process(1, None, "elsewhere", None, None)
    serving.door.store.begin_run(header("t2", "r2", process=elsewhere))
    write(serving.door.store, "r2", [Record("train_start", 1_700_000_000.0, 0, details={"controls": ["stop"]})])
    (serving.door.home.journals / "r2.jsonl").touch()
    run = serving.ask("/api/tasks/t2").json["runs"][0]
    assert (run["controls"], run["no_controls"]) == ([], "elsewhere")


def test_a_run_may_say_later_what_it_takes_and_why_not(serving):
    store, journals = serving.door.store, serving.door.home.journals
    store.begin_run(header("t2", "r2"))
    (journals / "r2.jsonl").touch()

    def controls():
        run = serving.ask("/api/tasks/t2").json["runs"][0]
        return run["controls"], run["no_controls"]

    def when():
        return serving.ask("/api/tasks/t2").json["runs"][0]["controls_at"]

    assert controls() == ([], "before_training")
    ranks = {"controls": [], "no_controls": "before_first_log"}
    write(store, "r2", [Record("train_start", 1_700_000_000.0, 0, details=ranks)])
    assert controls() == ([], "before_first_log")
    assert when() == "step"
    steps = [Record("step", 1_700_000_000.0, number, metrics={"loss": 1.0}) for number in range(5000)]
    write(store, "r2", steps)
    told = {"controls": ["stop", "save"], "controls_at": "log"}
    write(store, "r2", [*steps, Record("message", 1_700_000_001.0, 5, message="all", details=told)])
    assert (*controls(), when()) == (["stop", "save"], None, "log")
    write(store, "r2", [Record("message", 1_700_000_001.0, 5, message="fewer", details={"controls": ["stop"]})])
    assert (*controls(), when()) == (["stop"], None, "step")
    write(store, "r2", [Record("train_end", 1_700_000_002.0, 9, details={"status": "completed"})])
    assert controls() == ([], None)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/tasks/none", None, 404, "task_not_found"),
        ("GET", "/api/tasks/none/frame?series=loss", None, 404, "task_not_found"),
        ("GET", "/api/tasks/none/log", None, 404, "task_not_found"),
        ("PATCH", "/api/tasks/none", {"notes": ""}, 404, "task_not_found"),
        ("GET", "/api/nowhere", None, 404, "not_found"),
        ("GET", "/nowhere.js", None, 404, "not_found"),
        ("DELETE", "/api/tasks", None, 405, "method_not_allowed"),
        ("POST", "/", None, 405, "method_not_allowed"),
        ("GET", "/api/tasks/t1/frame", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&axis=moon", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&first=-1", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&ema=x", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&last=9999999999999999999", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&points=1", None, 400, "usage"),
        ("GET", "/api/tasks/t1/frame?series=loss&axis=tokens", None, 404, "series_not_found"),
        ("GET", "/api/tasks/t1/log?kind=moon", None, 400, "usage"),
        ("PATCH", "/api/tasks/t1", {"tags": "a"}, 400, "usage"),
        ("PATCH", "/api/tasks/t1", b"{", 400, "usage"),
        ("PATCH", "/api/tasks/t1", b"\xff", 400, "usage"),
        ("PUT", "/api/settings", [], 400, "usage"),
        ("POST", "/api/take-in", {"paths": "x"}, 400, "usage"),
        ("PUT", "/api/settings", b"x" * (9 << 20), 413, "request_entity_too_large"),
        ("GET", "/api/live", None, 404, "not_found"),
    ],
)
def test_every_error_has_one_shape(serving, method, path, body, status, code):
    answer = serving.ask(path, method=method, body=body)
    assert answer.status == status
    error = answer.json["error"]
    assert list(answer.json) == ["error"]
    assert set(error) == {"code", "what", "why", "action", "lost"}
    assert error["code"] == code
    assert error["what"]


def test_a_bug_is_an_error_too_without_its_traceback(home):
    class Broken(FrontDoor):
        def notes(self) -> list[str]:
            raise ZeroDivisionError("the inside of it")

    with served(home, kind=Broken) as serving:
        answer = serving.ask("/api/about")
        assert answer.status == 500
        assert answer.json["error"]["code"] == "internal"
        assert "Traceback" not in answer.body.decode()
        assert "the inside of it" not in answer.body.decode()
        assert serving.ask("/api/tasks").status == 200


def test_a_page_that_was_not_built_says_how_to_build_it(home, tmp_path):
    with served(home, folder=tmp_path / "nowhere") as serving:
        answer = serving.ask("/")
        assert answer.status == 503
        assert "make setup" in answer.json["error"]["action"]


def test_beside_the_writer_what_writes_is_handed_to_it(home, tmp_path):
    from stepline.home import Home

    with served(home) as writing, served(Home.open(tmp_path / "other"), is_writer=False) as beside:
        writing.door.store.begin_run(header())
        beside.door.writer = Address(writing.server.address, writing.token, 1)
        answer = beside.ask("/api/tasks/t1?x=1", method="PATCH", body={"notes": "über"})
        assert answer.status == 200
        assert writing.door.store.task("t1").notes == "über"
        wrong = beside.ask("/api/tasks/none", method="PATCH", body={"notes": "x"})
        assert (wrong.status, wrong.json["error"]["code"]) == (404, "task_not_found")
        assert beside.ask("/api/tasks/t1").status == 404, "reading is its own"
        assert beside.ask("/api/focus", method="POST").status == 204
        assert (writing.door.focused, beside.door.focused) == (0, 1)
        beside.door.writer = Address(f"http://127.0.0.1:{free_port()}", "x", 1)
        assert beside.ask("/api/settings", method="PUT", body={}).json["error"]["code"] == "unavailable"
        beside.door.writer = None
        assert beside.ask("/api/settings", method="PUT", body={}).json["error"]["code"] == "unavailable"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("code", ["usage", "task_not_found", "journal_newer", "address_in_use", "error"])
def test_an_error_is_known_again_by_its_code(code):
    assert error_of(code).code == code
    assert error_of("later than this version").code == "error"
