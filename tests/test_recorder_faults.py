"""A recorder whose disk is full, whose home vanishes, whose process has no file handles left."""

from __future__ import annotations

from pathlib import Path

from tests.journals import only_journal, run_python

FULL = """
import resource, signal, stepline, sys
# A limit on the file's size is a full disk for this one file: a short write, then an error.
with stepline.record("pilot", home=sys.argv[1]) as run:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    for step in range(1000):
        run.log({"loss": 1.0}, step=step)
    if sys.argv[2] == "freed":
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


def test_a_disk_that_was_full_for_a_while_loses_nothing(tmp_path: Path) -> None:
    done = run_python(FULL, tmp_path, "freed")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "File too large" in done.stderr
    journal = only_journal(tmp_path)
    assert journal.steps == list(range(1000))
    assert journal.status == "completed"


def test_what_a_full_disk_loses_in_the_end_is_counted(tmp_path: Path) -> None:
    done = run_python(FULL, tmp_path, "stays full")
    assert (done.returncode, done.stderr.count("\n")) == (0, 2)
    steps = only_journal(tmp_path).steps
    assert steps == list(range(len(steps)))
    # The train_end is lost too, and the line that was cut.
    assert f"{1000 - len(steps) + 1} lines" in done.stderr.splitlines()[1]


def test_strict_raises_when_the_disk_is_full(tmp_path: Path) -> None:
    done = run_python(FULL, tmp_path, "freed", strict=True)
    assert "line 8" in done.stderr
    assert "OSError" in done.stderr


def test_a_home_that_vanishes_comes_back_whole(tmp_path: Path) -> None:
    done = run_python(
        "import shutil, stepline, sys\n"
        "with stepline.record('pilot', home=sys.argv[1]) as run:\n"
        "    for step in range(100):\n"
        "        run.log({'loss': 1.0}, step=step)\n"
        "        if step == 50: shutil.rmtree(sys.argv[1])\n",
        tmp_path / "home",
    )
    assert done.returncode == 0
    journal = only_journal(tmp_path / "home")
    assert (journal.steps, journal.status) == (list(range(100)), "completed")


def test_a_process_without_file_handles_records_when_it_has_some(tmp_path: Path) -> None:
    done = run_python(
        "import os, resource, stepline, sys, time\n"
        "from stepline.home import Home\n"
        "home = Home.open(sys.argv[1])\n"
        "run = stepline.record('pilot', home=home)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "taken = []\n"
        "try:\n"
        "    while True: taken.append(os.dup(1))\n"
        "except OSError: pass\n"
        "with run:\n"
        "    for step in range(10): run.log({'loss': 1.0}, step=step)\n"
        "    for file in taken: os.close(file)\n"
        "    time.sleep(1.1)\n"
        "    run.log({'loss': 1.0}, step=10)\n",
        tmp_path,
    )
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert only_journal(tmp_path).steps == list(range(11))
