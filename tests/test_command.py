"""The command line, as a person and a program meet it."""

from __future__ import annotations

import json
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
from stepline.writer import read_address
from tests.front_door import wait_for
from tests.programs import STEPLINE, Program, asked, environment

ROOT = Path(__file__).parents[1]


def test_tasks_takes_in_what_lies_there_and_lists_it(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, "tasks", "--json", "--home", two_tasks.path)
    assert (code, err) == (0, "")
    tasks = {task["name"]: task for task in json.loads(out)}
    assert tasks.keys() == {"pilot", "other"}
    pilot = tasks["pilot"]
    assert pilot["status"] == "completed"
    assert [run["status"] for run in pilot["runs"]] == ["failed", "completed"]
    assert [(run["first_step"], run["last_step"]) for run in pilot["runs"]] == [(1, 2), (1, 4)]
    assert pilot["records"] == sum(run["records"] for run in pilot["runs"])
    assert "ZeroDivisionError" in pilot["runs"][0]["message"]


def test_tasks_for_people_names_them(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "tasks", "--home", two_tasks.path)
    assert code == 0
    assert "pilot" in out
    assert "completed" in out


def test_an_empty_home_says_what_to_do(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "tasks", "--json", "--home", home.path)[:2] == (0, "[]\n")
    _, out, _ = asked(capsys, "tasks", "--home", home.path)
    assert "stepline demo" in out


@pytest.mark.parametrize(
    "words",
    [("import", ""), ("open", ""), ("export", "pilot", "-o", ""), ("doctor", "--bundle", ""), ("tasks", "--home", "")],
)
def test_an_empty_path_is_not_the_folder_one_stands_in(
    two_tasks: Home,
    tmp_path: Path,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = asked(capsys, "--home", two_tasks.path, *words)
    assert (code, out) == (2, "")
    assert "it is empty" in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_line_is_left_out_counted_and_told(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    journal = min(two_tasks.journals.iterdir())
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"kind": "step", "st\n', *lines[2:]]))
    code, out, err = asked(capsys, "tasks", "--json", "--home", two_tasks.path)
    assert code == 0
    assert sum(run["damaged_lines"] for task in json.loads(out) for run in task["runs"]) == 1
    assert len(err.splitlines()) == 1
    assert "1 damaged line" in err


def test_a_journal_of_a_later_format_is_told(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (two_tasks.journals / "20990101-000000-later.jsonl").write_text('{"stepline": "9.0"}\n')
    code, _, err = asked(capsys, "tasks", "--home", two_tasks.path)
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
    two_tasks: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    code, out, _ = asked(capsys, "doctor", "--json", "--home", two_tasks.path)
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


def test_commands_read_beside_a_serving_stepline(two_tasks: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with Program("serve", "--home", two_tasks.path) as serving:
        serving.line("Stepline is at ")
        with stepline.record("late", home=two_tasks.path) as run:
            run.log({"loss": 1.0}, step=1)
        code, out, _ = asked(capsys, "tasks", "--json", "--home", two_tasks.path)
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


def test_a_reader_that_has_enough_is_no_failure(two_tasks: Home) -> None:
    command = f"'{sys.executable}' -c 'from stepline.command import main; import sys; sys.exit(main())' export pilot"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} --home '{two_tasks.path}' | head -n 1"],
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
