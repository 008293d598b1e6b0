"""The command line, as a person and a program meet it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import stepline
from stepline.command import main
from stepline.home import Home
from stepline.visit import take_in
from stepline.writer import read_address
from tests.front_door import wait_for
from tests.import_files import log_history, trainer_state
from tests.programs import STEPLINE, Program, environment

ROOT = Path(__file__).parents[1]


@pytest.fixture
def trained(home: Home) -> Home:
    """A home with two tasks: `pilot` of two runs, the first failed, and `other`."""
    with contextlib.suppress(ZeroDivisionError), stepline.record("pilot", home=home.path, total_steps=4) as run:
        run.log({"loss": 2.0}, step=1)
        run.log({"loss": float("nan")}, step=2)
        raise ZeroDivisionError("by nought")
    # Run ids tell seconds: the first is taken in before the next begins, so that it is surely the first.
    with take_in(home):
        pass
    with stepline.record("pilot", home=home.path, total_steps=4) as run:
        for step in range(1, 5):
            run.log({"loss": 1 / step}, step=step)
    with stepline.record("other", home=home.path) as run:
        run.log({"loss": 5.0}, step=1)
    return home


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of one command."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_tasks_takes_in_what_lies_there_and_lists_it(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, "tasks", "--json", "--home", trained.path)
    assert (code, err) == (0, "")
    tasks = {task["name"]: task for task in json.loads(out)}
    assert tasks.keys() == {"pilot", "other"}
    pilot = tasks["pilot"]
    assert pilot["status"] == "completed"
    assert [run["status"] for run in pilot["runs"]] == ["failed", "completed"]
    assert [(run["first_step"], run["last_step"]) for run in pilot["runs"]] == [(1, 2), (1, 4)]
    assert pilot["records"] == sum(run["records"] for run in pilot["runs"])
    assert "ZeroDivisionError" in pilot["runs"][0]["message"]


def test_tasks_for_people_names_them(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "tasks", "--home", trained.path)
    assert code == 0
    assert "pilot" in out
    assert "completed" in out


def test_an_empty_home_says_what_to_do(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "tasks", "--json", "--home", home.path)[:2] == (0, "[]\n")
    _, out, _ = asked(capsys, "tasks", "--home", home.path)
    assert "stepline demo" in out


def test_export_writes_every_record(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "export", "pilot", "--home", trained.path)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["sequence"] for record in records] == list(range(len(records)))
    steps = [record for record in records if record["kind"] == "step"]
    assert [record["metrics"]["loss"] for record in steps] == [2.0, "NaN", 1.0, 0.5, 1 / 3, 0.25]
    assert len({record["run"] for record in records}) == 2
    assert set(records[0]) >= {"sequence", "run", "step", "epoch", "time", "kind", "metrics", "message"}


def test_export_to_a_file(trained: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pilot.csv"
    code, out, err = asked(capsys, "export", "pilot", "--format", "csv", "-o", file, "--home", trained.path)
    assert (code, out) == (0, "")
    assert str(file) in err
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert [row["loss"] for row in rows if row["kind"] == "step"][:2] == ["2.0", "NaN"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and links")
def test_export_writes_to_a_pipe_and_through_a_link(
    trained: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root, a file put in the place of /dev/null would break the machine."""
    _, wanted, _ = asked(capsys, "export", "pilot", "--home", trained.path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True, encoding="utf-8") as reader:
        assert asked(capsys, "export", "pilot", "--home", trained.path, "-o", pipe)[0] == 0
        assert reader.communicate(timeout=60)[0] == wanted
    assert pipe.is_fifo()
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "target.jsonl")
    assert asked(capsys, "export", "pilot", "--home", trained.path, "-o", link)[0] == 0
    assert link.is_symlink()
    assert link.read_text(encoding="utf-8") == wanted
    code, _, err = asked(capsys, "export", "pilot", "--home", trained.path, "-o", tmp_path)
    assert (code, "cannot be written" in err) == (1, True)
    assert not list(tmp_path.parent.glob(".*"))


@pytest.mark.parametrize(
    "words",
    [("import", ""), ("open", ""), ("export", "pilot", "-o", ""), ("doctor", "--bundle", ""), ("tasks", "--home", "")],
)
def test_an_empty_path_is_not_the_folder_one_stands_in(
    trained: Home,
    tmp_path: Path,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = asked(capsys, "--home", trained.path, *words)
    assert (code, out) == (2, "")
    assert "it is empty" in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_pipe_is_no_history(trained: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = asked(capsys, "import", "--home", trained.path, tmp_path / "pipe")
    assert code == 1
    assert "neither a file nor a folder" in err


def test_import_takes_in_journals_once(trained: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = tmp_path / "elsewhere"
    for _ in range(2):
        code, out, _ = asked(capsys, "import", trained.journals, "--home", elsewhere)
        assert code == 0
        assert len(out.splitlines()) == 3
    _, before, _ = asked(capsys, "export", "pilot", "--home", trained.path)
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


def test_a_damaged_line_is_left_out_counted_and_told(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    journal = min(trained.journals.iterdir())
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"kind": "step", "st\n', *lines[2:]]))
    code, out, err = asked(capsys, "tasks", "--json", "--home", trained.path)
    assert code == 0
    assert sum(run["damaged_lines"] for task in json.loads(out) for run in task["runs"]) == 1
    assert len(err.splitlines()) == 1
    assert "1 damaged line" in err


def test_a_journal_of_a_later_format_is_told(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (trained.journals / "20990101-000000-later.jsonl").write_text('{"stepline": "9.0"}\n')
    code, _, err = asked(capsys, "tasks", "--home", trained.path)
    assert code == 0
    assert "20990101-000000-later.jsonl" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nonsense"], 2),
        (["export"], 2),
        (["export", "x", "--format", "xml"], 2),
        (["serve", "--port", "70000"], 2),
        (["demo", "--max-steps", "1"], 2),
        (["import", "no-such-file.jsonl"], 1),
        (["export", "no such task"], 1),
    ],
)
def test_a_failure_is_one_line_on_standard_error(
    words: list[str], code: int, home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPLINE_HOME", str(home.path))
    found, out, err = asked(capsys, *words)
    assert (found, out) == (code, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("stepline: ")


def test_a_database_that_is_none_is_told_and_left_alone(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.database.write_bytes(b"a shopping list, not a database" * 100)
    before = home.database.read_bytes()
    code, out, err = asked(capsys, "tasks", "--home", home.path)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert home.database.read_bytes() == before
    code, _, err = asked(capsys, "tasks", "--debug", "--home", home.path)
    assert code == 1
    assert "Traceback" in err


def test_a_home_that_is_a_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = asked(capsys, "tasks", "--home", tmp_path / "file")
    assert code == 1
    assert len(err.splitlines()) == 1


def test_a_home_on_a_network_file_system_is_told(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPLINE_TREAT_AS_NETWORK", str(home.path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, _, err = asked(capsys, "tasks", "--home", home.path)
    assert code == 0
    assert "network file system" in err
    assert not (home.path / "stepline.db").exists()


def test_doctor_finds_all_well(
    trained: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    code, out, _ = asked(capsys, "doctor", "--json", "--home", trained.path)
    assert code == 0
    found = {check["subject"]: check for check in json.loads(out)}
    assert "2 tasks" in found["database"]["told"]
    assert [check for check in found.values() if check["state"] == "wrong"] == []


def test_doctor_fails_on_a_database_that_is_none(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.database.write_bytes(b"a shopping list" * 100)
    code, out, err = asked(capsys, "doctor", "--home", home.path)
    assert code == 1
    assert "wrong  database" in out
    assert len(err.splitlines()) == 1


def test_doctor_makes_no_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "doctor", "--home", tmp_path / "none")
    assert code == 0
    assert "not there yet" in out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_one_line_and_ends_in_order(number: signal.Signals, home: Home) -> None:
    with Program("serve", "--home", home.path) as serving:
        line = serving.line("Stepline is at ")
        assert line.startswith("Stepline is at http://127.0.0.1:")
        url = line.split()[-1]
        assert "/?token=" in url
        # The page's own address answers to its token alone; the health route to anyone on this machine.
        with urllib.request.urlopen(url.split("/?")[0] + "/api/health") as answer:
            assert answer.status == 200
        serving.process.send_signal(number)
        assert serving.ends() == 0
        assert serving.said == [line]
        assert serving.told == []
    assert read_address(home) is None


def test_commands_read_beside_a_serving_stepline(trained: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with Program("serve", "--home", trained.path) as serving:
        serving.line("Stepline is at ")
        with stepline.record("late", home=trained.path) as run:
            run.log({"loss": 1.0}, step=1)
        code, out, _ = asked(capsys, "tasks", "--json", "--home", trained.path)
        assert code == 0
        assert {task["name"] for task in json.loads(out)} == {"pilot", "other", "late"}
        serving.process.send_signal(signal.SIGTERM)
        assert serving.ends() == 0


def test_a_port_in_use_is_told(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Program("serve", "--port", str(port), "--home", home.path) as serving:
            assert serving.ends() == 1
            assert serving.said == []
            assert len(serving.told) == 1
            assert str(port) in serving.told[0]


def test_open_without_a_display_says_so_and_serves(home: Home) -> None:
    with Program("open", "--home", home.path) as opened:
        opened.line("Stepline is at http://127.0.0.1:")
        wait_for(lambda: len(opened.told) == 2)
        assert "There is no display" in opened.told[0]
        opened.process.send_signal(signal.SIGINT)
        assert opened.ends() == 0


def test_without_the_app_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from stepline.command import main; sys.exit(main(['tasks']))"
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT / "backend")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert bare.returncode == 1
    assert bare.stdout == ""
    assert len(bare.stderr.splitlines()) == 1
    assert "pip install 'stepline[desktop]'" in bare.stderr


def test_a_reader_that_has_enough_is_no_failure(trained: Home) -> None:
    command = f"'{sys.executable}' -c 'from stepline.command import main; import sys; sys.exit(main())' export pilot"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} --home '{trained.path}' | head -n 1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_has_no_letters_for_is_no_failure(home: Home, encoding: str) -> None:
    with stepline.record("中文 é 😀", home=home) as run:
        run.log({"loss": 0.5}, step=1)
    words = environment(STEPLINE_HOME=str(home.path), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    listed = subprocess.run([STEPLINE, "tasks"], env=words, capture_output=True, check=True)
    assert ("中文" if encoding == "utf-8" else "\\u4e2d\\u6587").encode() in listed.stdout
    told = subprocess.run([STEPLINE, "tasks", "--json"], env=words, capture_output=True, check=True)
    assert [task["name"] for task in json.loads(told.stdout)] == ["中文 é 😀"]
    missing = subprocess.run([STEPLINE, "export", "没有"], env=words, capture_output=True, check=False)
    assert missing.returncode == 1
    assert b"There is no task" in missing.stderr


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "--help")
    assert code == 0
    for command in ("open", "demo", "serve", "tasks", "export", "import", "doctor"):
        assert f"\n  {command} " in out


CHILD = """
import sys
from stepline import record

with record("child") as run:
    run.log({"loss": 1.0}, step=1)
print(*sys.argv[1:])
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("dashes", [["--"], []])
def test_run_records_an_unchanged_script_and_ends_with_its_exit_code(
    home: Home, tmp_path: Path, dashes: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "train.py"
    script.write_text(CHILD, encoding="utf-8")
    code = main(["run", "--home", str(home.path), *dashes, sys.executable, str(script), "--lr", "3"])
    said = capfd.readouterr()
    assert (code, said.out) == (3, "--lr 3\n")
    assert said.err == "stepline: Ended with exit code 3.\n"
    _, out, _ = asked(capfd, "tasks", "--json", "--home", home.path)
    assert [(task["name"], task["status"]) for task in json.loads(out)] == [("child", "completed")]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_run_of_a_command_that_is_killed_ends_as_in_a_shell(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--home", str(home.path), "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert (code, capfd.readouterr().err) == (137, "stepline: Killed (SIGKILL).\n")


def test_run_of_a_script_that_records_nothing_says_so(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--home", str(home.path), "--", sys.executable, "-c", "print('loss 1.5')"])
    said = capfd.readouterr()
    assert (code, said.out) == (0, "loss 1.5\n")
    assert "nothing was recorded" in said.err
    assert "stepline.record" in said.err


def test_run_without_a_command_is_wrong_use(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = asked(capsys, "run", "--home", home.path)
    assert code == 2
    assert "COMMAND" in err
