"""`stepline export` and `stepline import`: what goes out, what comes in, and what is said of it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stepline.home import Home
from tests.import_files import log_history, trainer_state
from tests.programs import asked


def test_export_writes_every_record(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "export", "pilot", "--home", two_tasks.path)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["sequence"] for record in records] == list(range(len(records)))
    steps = [record for record in records if record["kind"] == "step"]
    assert [record["metrics"]["loss"] for record in steps] == [2.0, "NaN", 1.0, 0.5, 1 / 3, 0.25]
    assert len({record["run"] for record in records}) == 2
    assert set(records[0]) >= {"sequence", "run", "step", "epoch", "time", "kind", "metrics", "message"}


def test_export_to_a_file(two_tasks: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pilot.csv"
    code, out, err = asked(capsys, "export", "pilot", "--format", "csv", "-o", file, "--home", two_tasks.path)
    assert (code, out) == (0, "")
    assert str(file) in err
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert [row["loss"] for row in rows if row["kind"] == "step"][:2] == ["2.0", "NaN"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and links")
def test_export_writes_to_a_pipe_and_through_a_link(
    two_tasks: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root, a file put in the place of /dev/null would break the machine."""
    _, wanted, _ = asked(capsys, "export", "pilot", "--home", two_tasks.path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True, encoding="utf-8") as reader:
        assert asked(capsys, "export", "pilot", "--home", two_tasks.path, "-o", pipe)[0] == 0
        assert reader.communicate(timeout=60)[0] == wanted
    assert pipe.is_fifo()
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "target.jsonl")
    assert asked(capsys, "export", "pilot", "--home", two_tasks.path, "-o", link)[0] == 0
    assert link.is_symlink()
    assert link.read_text(encoding="utf-8") == wanted
    code, _, err = asked(capsys, "export", "pilot", "--home", two_tasks.path, "-o", tmp_path)
    assert (code, "cannot be written" in err) == (1, True)
    assert not list(tmp_path.parent.glob(".*"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_pipe_is_no_history(two_tasks: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = asked(capsys, "import", "--home", two_tasks.path, tmp_path / "pipe")
    assert code == 1
    assert "neither a file nor a folder" in err


def test_import_takes_in_journals_once(two_tasks: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = tmp_path / "elsewhere"
    for _ in range(2):
        code, out, _ = asked(capsys, "import", two_tasks.journals, "--home", elsewhere)
        assert code == 0
        assert len(out.splitlines()) == 3
    _, before, _ = asked(capsys, "export", "pilot", "--home", two_tasks.path)
    _, after, _ = asked(capsys, "export", "pilot", "--home", elsewhere)
    assert before == after


def test_import_takes_each_path_for_itself_and_says_what_failed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    other, gone = tmp_path / "notes.jsonl", tmp_path / "gone.csv"
    other.write_text("dear diary\n")
    trainer_state(tmp_path / "mine" / "trainer_state.json", log_history(range(10, 51, 10)))
    code, out, err = asked(capsys, "import", other, gone, "~/mine", "--home", home.path)
    assert code == 1
    (line,) = out.splitlines()
    assert line.endswith("mine, 5 records in 1 run")
    failed = [line for line in err.splitlines() if line.startswith("stepline: ")]
    assert len(failed) == 2
    assert str(other) in failed[0]
    assert str(gone) in failed[1]
    (task,) = json.loads(asked(capsys, "tasks", "--json", "--home", home.path)[1])
    assert (task["name"], task["records"]) == ("mine", 5)


def test_import_of_what_is_cut_gives_what_is_whole_and_tells_the_rest(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [json.dumps({"step": step, "loss": 1 / step}) for step in range(1, 6)]
    path.write_text("\n".join([*rows, '{"step": 6, "lo']))
    code, out, err = asked(capsys, "import", path, "--home", home.path)
    assert (code, out) == (0, f"{path}: mine, 5 records in 1 run\n")
    assert "left out: " in err
    assert asked(capsys, "import", path, "--home", home.path)[1] == f"{path}: mine, nothing new\n"
