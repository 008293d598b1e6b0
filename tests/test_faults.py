"""What may go wrong around a training, made for real: it goes on to its end, and comes out as without Stepline."""

from __future__ import annotations

import math
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

import torch
from transformers import Trainer, TrainerCallback

from stepline import SteplineCallback
from stepline.command import main
from stepline.errors import HomeError
from stepline.home import Home
from tests.journals import Journal, only_journal, read_journals
from tests.trainings import At, build, losses

OPTIONS: dict[str, Any] = {"logging_steps": 1, "max_steps": 30}


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of the training that has no Stepline."""
    folder = tmp_path_factory.mktemp("without")
    trainer = build(folder / "out", folder / "home", recorder=None, **OPTIONS)
    trainer.train()
    return losses(trainer)


@pytest.fixture
def trained(tmp_path: Path, without: list[float], monkeypatch: Any, capsys: Any) -> Callable[..., list[str]]:
    """Trains as `build` is told, as at a user's; the lines that Stepline wrote on standard error."""

    def train(home: Path, **options: Any) -> list[str]:
        monkeypatch.setenv("STEPLINE_STRICT", "")
        trainer = build(tmp_path / "out", home, **OPTIONS, **options)
        trainer.train()
        assert losses(trainer) == without
        return [line for line in capsys.readouterr().err.splitlines() if "Stepline" in line]

    return train


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system of its own; only root may."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a small disk takes root on Linux: run the tests as root to have this one")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def whole(journal: Journal) -> bool:
    return journal.steps == list(range(1, 31)) and journal.status == "completed"


def fill(disk: Path) -> Callable[..., None]:
    def act(*_: Any) -> None:
        with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    return act


def test_a_disk_that_is_full_for_a_while(trained: Any, small_disk: Any) -> None:
    disk = small_disk("size=256k")
    told = trained(disk / "home", callbacks=(At(8, fill(disk)), At(25, lambda *_: (disk / "filler").unlink())))
    (line,) = told
    assert "No space left on device" in line
    assert "kept and tried again" in line
    assert whole(only_journal(disk / "home"))


def test_a_disk_that_stays_full(trained: Any, small_disk: Any) -> None:
    disk = small_disk("size=256k")
    first, last = trained(disk / "home", callbacks=(At(8, fill(disk)),))
    assert "No space left on device" in first
    assert "could not be written and are lost" in last
    steps = only_journal(disk / "home").steps
    assert steps == list(range(1, len(steps) + 1))
    lost = int(last.split()[1])
    # Besides the steps: the end, and what the run ran in where its thread came after the disk was full.
    assert lost in (30 - len(steps) + 1, 30 - len(steps) + 2)


def test_a_home_that_cannot_be_written(trained: Any, small_disk: Any, tmp_path: Path, monkeypatch: Any) -> None:
    disk = small_disk("ro")
    (line,) = trained(disk / "home")
    assert "Read-only file system" in line
    assert "this run is not recorded" in line
    monkeypatch.setenv("STEPLINE_STRICT", "1")
    with pytest.raises(HomeError, match="Read-only"):
        build(tmp_path / "out", disk / "home")


def test_a_command_on_a_disk_that_is_full_says_so(small_disk: Any, capsys: Any) -> None:
    disk = small_disk("size=256k")
    home = Home.open(disk / "home")
    fill(disk)()
    for words in (["serve"], ["run", "--", "true"]):
        assert main(["--home", str(home.path), *words]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "The disk is full" in line
        assert "Make room" in line


def test_a_home_on_what_became_read_only_is_told_as_that(small_disk: Any) -> None:
    disk = small_disk("size=256k")
    home = Home.open(disk / "home")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(HomeError, match=r"Its file system is read-only\. Mount it for writing"):
        Home.open(home.path)


def test_a_home_that_vanishes_and_a_journal_that_is_removed(trained: Any, tmp_path: Path) -> None:
    def remove_journal(*_: Any) -> None:
        (journal,) = (tmp_path / "home" / "journals").iterdir()
        journal.unlink()

    remove_home = At(8, lambda *_: shutil.rmtree(tmp_path / "home"))
    assert trained(tmp_path / "home", callbacks=(remove_home,)) == []
    assert whole(only_journal(tmp_path / "home"))
    shutil.rmtree(tmp_path / "home")
    assert trained(tmp_path / "home", callbacks=(At(20, remove_journal),)) == []
    assert whole(only_journal(tmp_path / "home"))


def test_no_file_handle_left_when_it_begins(trained: Any, tmp_path: Path) -> None:
    taken: list[int] = []
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    class Takes(TrainerCallback):
        def on_init_end(self, *_: Any, **__: Any) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
            with suppress(OSError):
                while True:
                    taken.append(os.dup(1))

    def give(*_: Any) -> None:
        while taken:
            os.close(taken.pop())

    recorder = SteplineCallback(home=tmp_path / "home")
    try:
        (line,) = trained(tmp_path / "home", recorder=None, callbacks=(Takes(), recorder, At(8, give)))
    finally:
        give()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "Too many open files" in line
    assert whole(only_journal(tmp_path / "home"))


def test_settings_and_metrics_of_any_kind(trained: Any, tmp_path: Path) -> None:
    class Odd(Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["model"].config.odd = {("a", 1): {1, 2}, "call": print, "self": object(), "nan": math.nan}
            kwargs["args"].odd = object()
            kwargs["model"].config.num_hidden_layers = np.int64(1)
            super().__init__(*args, **kwargs)

        def log(self, logs: dict[str, Any], start_time: float | None = None) -> None:
            if self.state.global_step == 5:
                many = {f"expert {number}": float(number) for number in range(1000)}
                some = {"tensor": torch.tensor(2.5), "array": np.zeros(3), "scalar": np.float32(0.5), "word": "gelu"}
                more = {"nan": math.nan, "big": 10**400, "none": None, "half": "\ud83d"}
                super().log({**logs, **many, **some, **more}, start_time)
            else:
                super().log(logs, start_time)

    assert trained(tmp_path / "home", trainer_class=Odd) == []
    journal = only_journal(tmp_path / "home")
    assert whole(journal)
    metrics = journal.of("step")[4].metrics
    assert metrics["expert 999"] == 999.0
    assert (metrics["tensor"], metrics["scalar"], metrics["word"], metrics["big"]) == (2.5, 0.5, "gelu", math.inf)
    assert metrics["array"] == "ndarray of shape (3,)"
    assert math.isnan(float(metrics["nan"]))
    assert "none" not in metrics


@pytest.mark.parametrize("name", ["a/b\\..\\c", "🚀 火箭 训练", "x" * 10_000])
def test_a_task_of_any_name(trained: Any, tmp_path: Path, name: str) -> None:
    assert trained(tmp_path / "home", recorder=SteplineCallback(task=name, home=tmp_path / "home")) == []
    journal = only_journal(tmp_path / "home")
    assert whole(journal)
    assert journal.header.task_name[:150] == name[:150]


SET_BACK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
/* The clock of day as it is once somebody has set it back by an hour: when the file named by SET_BACK is there. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, time);
    extern char *getenv(const char *);
    const char *file = getenv("SET_BACK");
    if (!failed && clock == CLOCK_REALTIME && file && access(file, F_OK) == 0) time->tv_sec -= 3600;
    return failed;
}
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="setting a clock back takes Linux and cc")
def test_a_clock_that_is_set_back(without: list[float], tmp_path: Path) -> None:
    """Only this process's clock is, so to the app it is a machine whose clock goes wrong."""
    pytest.importorskip("peewee", reason="needs the app: pip install stepline[app]")
    from stepline.home import Home
    from stepline.visit import take_in

    library, mark, home = tmp_path / "back.so", tmp_path / "mark", tmp_path / "home"
    (tmp_path / "back.c").write_text(SET_BACK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "back.c", "-ldl"], check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trainings", "set_back", str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"LD_PRELOAD": str(library), "SET_BACK": str(mark)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def status() -> str:
        with take_in(Home.open(home)) as store:
            return str(store.tasks()[0].status)

    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert "set back\n" in process.stdout
        assert status() == "running"
        process.stdin.write("\n")
        process.stdin.close()
        told = [line for line in process.stdout if line.startswith("losses ")]
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert status() == "completed"
    journal = only_journal(home)
    assert whole(journal)
    times = [record.time for record in journal.of("step")]
    # The step is told of before it is logged.
    assert times[7] < times[6] - 3000
    speeds = [float(record.metrics["samples_per_second"]) for record in journal.of("step")]
    assert min(speeds) > 0
    assert told == [f"losses {without}\n"]


def test_sixteen_trainings_at_once(without: list[float], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.trainings", "sixteen", str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"STEPLINE_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(f"losses {without[:10]}\n") == 16
    journals = read_journals(tmp_path / "home")
    assert [(journal.steps, journal.status) for journal in journals] == [(list(range(1, 11)), "stopped")] * 16
    assert len({journal.header.run_id for journal in journals}) == 16
