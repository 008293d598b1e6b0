"""`stepline doctor`: what it finds wrong, and that its report for others holds nothing personal."""

from __future__ import annotations

import contextlib
import json
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import stepline
from stepline.command.redaction import SHORTEST_NAME, Redaction
from stepline.home import Home
from stepline.store import Store
from stepline.visit import take_in
from tests.filling import Filling, numbers
from tests.programs import asked


def test_a_damaged_database_is_wrong_and_what_to_do_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        fill = Filling(store)
        fill.begin("r1")
        fill.append("r1", *numbers(3000))
    assert asked(capsys, "doctor", "--json", "--home", home.path)[0] == 0
    data = bytearray(home.database.read_bytes())
    middle = len(data) // 2 // 16384 * 16384
    data[middle : middle + 8192] = b"\xa5" * 8192
    home.database.write_bytes(data)
    code, out, err = asked(capsys, "doctor", "--json", "--home", home.path)
    found = {check["subject"]: check for check in json.loads(out)}
    assert (code, found["database"]["state"]) == (1, "wrong")
    assert found["database"]["mend"]
    assert "database" in err


def test_each_check_that_is_not_well_says_what_to_do(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.address_file.write_text(json.dumps({"address": "http://127.0.0.1:9", "token": "t", "pid": 1}))
    home.kernels_cache.write_text("a file where a folder should be")
    code, out, _ = asked(capsys, "doctor", "--json", "--home", home.path)
    found = {check["subject"]: check for check in json.loads(out)}
    assert code == 0
    assert found["app"]["state"] == "note"
    assert [each["subject"] for each in found.values() if each["state"] != "well" and not each["mend"]] == []
    subjects = {
        "version",
        "program",
        "packages",
        "window",
        "gpu",
        "trainings",
        "home",
        "disk",
        "app",
        "port",
        "kernels",
    }
    assert subjects | {"database"} <= found.keys()


def test_the_report_holds_nothing_personal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "home of zhang wei 张伟"
    watched = user / "Firma GmbH" / "results"
    watched.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USER", "zhangwei")
    monkeypatch.setenv("STEPLINE_HOME", str(user / "stepline data"))
    home = Home.open()
    for name in ("Confidential-Model", "v2"):
        with contextlib.suppress(ZeroDivisionError), stepline.record(name, home=home.path) as run:
            run.log({"loss": 4.25, "accuracy_on_patients": 0.5}, step=1)
            raise ZeroDivisionError("in /data/patients/ward 7.csv of ann@hospital.example at 10.20.30.40")
    (home.journals / "20990101-000000-zhangwei.jsonl").write_text('{"stepline": "9.0"}\n')
    with take_in(home) as store:
        task = next(each for each in store.tasks() if each.name == "Confidential-Model")
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_task(task.id, label="Merger plan", tags=["hush"], notes="Ask Wei")
        store.set_setting("watchFolders", [str(watched)])
        store.set_setting("task", task.id)
        store.set_setting("keepAwake", False)
        runs = [run.id for run in store.runs(task.id)]
    file = tmp_path / "report.zip"
    code, _, err = asked(capsys, "doctor", "--bundle", file)
    assert code == 0
    assert str(file) in err
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    personal = [
        *("zhang", "张伟", "wei", "firma", "gmbh", "confidential", "merger", "hush", "patients", "ward 7", "hospital"),
        *("10.20.30.40", "4.25", "stepline data", str(tmp_path), socket.gethostname(), task.id, *runs),
    ]
    for name, text in parts.items():
        assert [each for each in personal if each.lower() in text.lower()] == [], name
    doctor = {check["subject"]: check for check in json.loads(parts["doctor.json"])}
    assert doctor["home"]["told"] == "<home>"
    assert "2 tasks" in doctor["database"]["told"]
    told = json.loads(parts["store.json"])
    assert told["settings"] == {"watchFolders": "<1 items>", "task": "<text>", "keepAwake": False}
    assert sorted(each["runs"][0]["status"] for each in told["tasks"]) == ["failed", "failed"]
    assert json.loads(parts["surroundings.json"])["variables"]["STEPLINE_HOME"] == "<home>"
    assert asked(capsys, "doctor", "--bundle", file)[0] == 2, "it must not write over a file"


@given(st.text(min_size=SHORTEST_NAME).map(str.strip), st.text(), st.text())
def test_no_known_name_is_left(name: str, before: str, after: str) -> None:
    assume(len(name) >= SHORTEST_NAME)
    clean = Redaction({name: "-"})
    assert name.lower() not in clean(f" {name} ").lower()
    assert name not in clean({"told": [f"'{name}'", {name: 1}]})["told"][0]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no such file: '/data/my team/x.csv'", "no such file: '<path>'"),
        (r"C:\Users\Ann Lee\x.db is not there", "<path>"),
        (r"\\nas\share\x", "<path>"),
        ("/usr/lib/libnss3.so: cannot open", "/usr/lib/libnss3.so: cannot open"),
        ("/proc/self and /etc/fonts", "/proc/self and /etc/fonts"),
        ("http://127.0.0.1:4711/?token=abc123", "http://127.0.0.1:4711/?token=<token>"),
        ("10.1.2.3 and 127.0.0.1, Python 3.11.7", "<address> and 127.0.0.1, Python 3.11.7"),
        ("1,000 records and 1/2", "1,000 records and 1/2"),
    ],
)
def test_paths_and_addresses_are_taken_out_whoever_they_belong_to(text: str, clean: str) -> None:
    assert Redaction({})(text) == clean
