"""Files that a page sends: imported, and nothing of them left behind."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepline.app import App
from stepline.home import Home
from tests.front_door import Answer, Serving, ask, multipart, served, wait_for
from tests.import_files import log_history, trainer_state

PATH = "/api/imports"


@pytest.fixture
def app(home: Home) -> Iterator[App]:
    running = App(home)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def serving(home: Home) -> Iterator[Serving]:
    with served(home) as serving:
        yield serving


def send(app: App, files: dict[str, bytes], modified: list[float] | None = None) -> Answer:
    body, headers = multipart(files, modified or [])
    answer = ask(port_of(app), PATH, token=app.token, method="POST", body=body, headers=headers)
    return replace(answer, body=answer.body.splitlines()[-1])


def port_of(app: App) -> int:
    return int(app.address.rsplit(":", 1)[1])


def left_behind(home: Home) -> list[Path]:
    return [path for path in (home.folder / "uploads").rglob("*") if path.is_file()]


def rows(count: int) -> bytes:
    return b"".join(json.dumps({"step": step, "loss": 1 / step}).encode() + b"\n" for step in range(1, count + 1))


def test_what_is_sent_is_a_task_and_nothing_of_it_is_left(home, app, tmp_path):
    state = trainer_state(tmp_path / "trainer_state.json", log_history(range(10, 51, 10))).read_bytes()
    taken = send(app, {"我的训练/trainer_state.json": state}).json
    (result,) = taken["imported"]
    assert (result["state"], result["name"], result["records"], result["error"]) == ("imported", "我的训练", 5, None)
    assert taken["tasks"] == [result["task"]]
    assert left_behind(home) == []
    assert send(app, {"elsewhere/trainer_state.json": state}).json["imported"][0]["state"] == "unchanged"
    assert len(app.store.tasks()) == 1


@pytest.mark.parametrize("is_beside", [False, True])
def test_a_page_that_goes_away_calls_its_import_off(home, app, is_beside):
    """After the upload, in the middle of taking in: what was whole before it goes too. Also where it is handed on."""
    beside = App(home)
    beside.start()
    try:
        _goes_away(home, app, beside if is_beside else app)
    finally:
        beside.stop()
    assert send(app, {"a.jsonl": rows(50)}).json["imported"][0]["state"] == "imported"


def _goes_away(home, app, asked):
    body, headers = multipart({"a.jsonl": rows(50), "b.jsonl": rows(150_000)})
    connection = http.client.HTTPConnection("127.0.0.1", port_of(asked))
    connection.request("POST", PATH, body, {**headers, "Authorization": f"Bearer {asked.token}"})
    answer = connection.getresponse()
    first = json.loads(answer.readline())
    assert first.keys() == {"share"}
    wait_for(lambda: app.store.tasks())
    answer.close()
    connection.close()
    wait_for(lambda: not left_behind(home))
    assert app.store.tasks() == []


@pytest.mark.parametrize(
    ("chosen", "best", "name"),
    [
        ("trainer_state.json", None, "trainer_state, 2026-01-02 03:04"),
        ("trainer_state.json", "./out/whisper-ja/checkpoint-40", "whisper-ja"),
        ("checkpoint-50/trainer_state.json", "C:\\runs\\我的训练\\checkpoint-40", "我的训练"),
        ("checkpoint-50/trainer_state.json", "checkpoint-40", "trainer_state, 2026-01-02 03:04"),
        ("my-state.json", "./out/whisper-ja/checkpoint-40", "my-state"),
    ],
)
def test_a_file_that_every_training_has_is_named_by_what_it_says(app, tmp_path, chosen, best, name):
    state = trainer_state(tmp_path / "state.json", log_history(range(10, 51, 10)), best_model_checkpoint=best)
    modified = 1000 * datetime(2026, 1, 2, 3, 4, 5).timestamp()
    assert send(app, {chosen: state.read_bytes()}, [modified]).json["imported"][0]["name"] == name


def test_one_that_fails_stops_no_other(home, app):
    found = send(app, {"a.jsonl": rows(5), "notes.md": b"dear diary\n"}).json["imported"]
    assert sorted((each["path"], each["state"]) for each in found) == [("a.jsonl", "imported"), ("notes.md", "failed")]
    assert left_behind(home) == []


def test_a_source_without_times_bears_its_files_date(app):
    task = send(app, {"a.jsonl": rows(5)}, [1_700_000_000_000]).json["tasks"][0]
    assert {round(entry.time) for entry in app.store.records(task)} == {1_700_000_000}


def test_a_journal_goes_its_usual_way(home, app, tmp_path):
    other = Home.open(tmp_path / "other")
    import stepline

    with stepline.record("recorded", home=other.path) as run:
        run.log({"loss": 1.0}, step=1)
    (journal,) = other.journals.iterdir()
    (result,) = send(app, {journal.name: journal.read_bytes()}).json["imported"]
    assert (result["state"], result["name"], result["format"]) == ("imported", "recorded", "journal")
    assert app.store.task(result["task"]).status == "completed"


def test_beside_the_writer_it_is_handed_on(home, app):
    beside = App(home)
    beside.start()
    try:
        assert not beside.is_writer
        assert send(beside, {"a.jsonl": rows(3000)}).json["imported"][0]["records"] == 3000
    finally:
        beside.stop()
    assert len(app.store.tasks()) == 1


def test_it_is_refused_to_who_may_not_ask(app):
    body, headers = multipart({"a.jsonl": rows(5)})
    assert ask(port_of(app), PATH, method="POST", body=body, headers=headers).status == 403
    foreign = {**headers, "Origin": "http://elsewhere.example"}
    assert ask(port_of(app), PATH, token=app.token, method="POST", body=body, headers=foreign).status == 403
    assert app.store.tasks() == []


@pytest.mark.parametrize(
    ("body", "sort"),
    [
        (b"{}", "application/json"),
        (b"nothing of the kind", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_upload_is_a_clear_error(home, app, body, sort):
    answer = ask(port_of(app), PATH, token=app.token, method="POST", body=body, headers={"Content-Type": sort})
    assert (answer.status, answer.json["error"]["code"]) == (400, "usage")
    assert left_behind(home) == []


def test_more_than_the_limit_is_refused_before_it_is_read(app):
    body, headers = multipart({"a.jsonl": rows(5)})
    headers["Content-Length"] = str(3 << 30)
    answer = ask(port_of(app), PATH, token=app.token, method="POST", body=body, headers=headers)
    assert answer.status == 413


# A name that ends with a backslash would escape the quote behind it in the part's header.
ODD_NAMES = ("../../up", "/etc/x", "..\\up", "a/./../b", "CON", "nul.csv", ".")
NAMES = st.text(st.characters(exclude_characters='\\"\r\n\0', exclude_categories=["Cs"]), min_size=1, max_size=300)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(names=["a", "a/b", "a/c", "a/b"])
@given(
    names=st.lists(
        st.one_of(NAMES, st.sampled_from(["../../up", "/etc/x", "..\\up", "a/./../b", "CON", "nul.csv", "."]))
    )
)
def test_no_name_leads_out_of_the_folder_or_breaks_it(serving, names):
    # The file names are the page's; only the last of two alike stands in a mapping.
    files = dict.fromkeys(names, b"x") or {"one": b"x"}
    body, headers = multipart(files)
    serving.door.taken.clear()
    answer = serving.ask(PATH, method="POST", body=body, headers=headers)
    assert answer.status == 200
    assert len(serving.door.taken) == len(files)
    assert all(not path.is_absolute() and ".." not in path.parts for path in serving.door.taken)
    assert left_behind(serving.door.home) == []
