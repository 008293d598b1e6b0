"""What recording costs the training: a log call beside its floor and its peers, a step in which nothing is logged, a
run's start; and what is lost when the process is killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stepline import record
from stepline.errors import ImportFailed
from stepline.importers import gathered
from tests.bench import processes
from tests.bench.ground import Ground
from tests.bench.processes import Program, installed
from tests.bench.programs.logger import METRICS
from tests.bench.table import Beside, Row
from tests.bench.timing import part

CALLS = 20_000
STEPS = 200_000
STARTS = 5
KILLS = 200
TIGHT = 2000
QUIET_SECS = 3.0
MOST_RECORDS = 400
"""A killed process had logged between one and as many records."""
PEERS = {
    "Trackio": ("trackio", ("trackio",)),
    "wandb offline": ("wandb", ("wandb",)),
    "SummaryWriter": ("summary_writer", ("torch", "tensorboard")),
}
"""Words, the logger's name in the program, the modules it takes."""
HEAVY = ("flask", "flask_sock", "numba", "numpy", "peewee", "torch", "transformers", "webview", "psutil", "zstandard")


def rows(ground: Ground) -> Iterator[Row]:
    del ground
    yield from _log_calls()
    yield from _peers()
    yield _killed()
    yield _start_of_a_loop()
    if installed("torch", "transformers"):
        yield _idle_step()
        yield from _training()


def _log_calls() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, record("bench", home=folder) as run:
        floor = os.open(Path(folder) / "floor.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def ours(step: int) -> None:
            run.log(METRICS, step=step)

        def beside(step: int) -> None:
            line = {"kind": "step", "time": time.time(), "step": step, "metrics": METRICS}
            os.write(floor, json.dumps(line).encode() + b"\n")

        our_us, its_us = _each_us(ours, beside)
        os.close(floor)
    for words, share, goal in (("p50", 0.5, 1.6), ("p99", 0.99, 3.0)):
        its = Beside("json.dumps + os.write", part(its_us, share))
        yield Row(f"log call of 5 scalars, {words}", CALLS, part(our_us, share), "µs", its, most_ratio=goal)


def _each_us(*calls: Callable[[int], None]) -> list[list[float]]:
    """The times of CALLS calls of each, the calls taking turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for step in range(CALLS):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter_ns()
            call(step)
            times.append((time.perf_counter_ns() - began) / 1000)
    return taken


def _peers() -> Iterator[Row]:
    """Each logger in a process of its own, taking turns with ours."""
    for words, (name, modules) in PEERS.items():
        if not installed(*modules):
            with tempfile.TemporaryDirectory() as folder, Program("logger", "stepline", folder) as ours:
                ours.answer()
                times = ours.ask("log", CALLS)
            yield Row("log call of 5 scalars, p50", CALLS, part(times, 0.5), "µs", Beside(words, None))
            continue
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            Program("logger", "stepline", f"{folder}/ours") as ours,
            Program("logger", name, folder) as peer,
        ):
            start, its_start = ours.answer()["started"], peer.answer()["started"]
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(4):
                for program, times in zip((ours, peer), taken, strict=True):
                    times += program.ask("log", CALLS // 4)
        for share_words, share in (("p50", 0.5), ("p99", 0.99)):
            ours_us, its_us = (part(times, share) for times in taken)
            yield Row(f"log call of 5 scalars, {share_words}", CALLS, ours_us, "µs", Beside(words, its_us))
        yield Row("import and start of a run", 1, start, beside=Beside(words, its_start))
        yield _peer_killed(words, name)


def _peer_killed(words: str, name: str) -> Row:
    """Calls in a tight loop, then `kill -9`: what a reader finds."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lost = []
        for logger in ("stepline", name):
            place = Path(folder) / logger
            place.mkdir()
            with Program("logger", logger, place) as program:
                program.answer()
                program.tell("kill", TIGHT)
                program.wait()
            lost.append(TIGHT - _kept(place))
    return Row(f"records lost of {TIGHT:,} in a tight loop, killed", TIGHT, lost[0], "", Beside(words, lost[1]))


def _kept(folder: Path) -> int:
    """Steps in what a logger left behind."""
    journals = list(folder.glob("journals/*.jsonl"))
    if journals:
        lines = [json.loads(line) for path in journals for line in path.read_bytes().splitlines()]
        return sum(line.get("kind") == "step" for line in lines)
    # A side process of the logger may still be writing.
    before = -1
    while (now := sum(path.stat().st_size for path in folder.rglob("*"))) != before:
        before = now
        time.sleep(QUIET_SECS)
    for path in folder.rglob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as database, contextlib.suppress(sqlite3.Error):
            return int(database.execute("SELECT count(*) FROM metrics").fetchone()[0])
    try:
        tasks = gathered(folder).tasks
    except ImportFailed:
        return 0
    return sum(record.kind == "step" for task in tasks for _, record in task.records())


def _killed() -> Row:
    """Records that are not in the journal of a process that was killed when its last log call had returned."""
    lost = logged = 0
    with tempfile.TemporaryDirectory() as folder:
        for kill in range(KILLS):
            count = 1 + kill * 37 % MOST_RECORDS
            home = Path(folder) / str(kill)
            with Program("logger", "stepline", home) as program:
                program.answer()
                program.tell("kill", count)
                program.wait()
            logged += count
            lost += count - _kept(home)
    return Row(f"records lost in {KILLS} kills after the last log call", logged, lost, "", most=0.0)


def _start_of_a_loop() -> Row:
    """`import stepline` and `record(…)` in a new process."""
    times, heavy = [], set()
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder, Program("logger", "stepline", folder) as program:
            found = program.answer()
        times.append(found["started"])
        heavy |= {name for name in found["loaded"] if name.partition(".")[0] in HEAVY}
    note = f"loads {', '.join(sorted(heavy))}" if heavy else "loads nothing heavy"
    return Row("starting a run, import included", STARTS, statistics.median(times), most=50.0, note=note)


def _idle_step() -> Row:
    """Both step events of a running callback, beside the same calls of transformers' own, which do nothing."""
    from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
    from transformers.training_args import TrainingArguments

    from stepline import SteplineCallback

    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(f"{folder}/out", report_to=[], use_cpu=True)
        state = TrainerState(max_steps=STEPS, is_world_process_zero=True)
        control = TrainerControl()
        callback = SteplineCallback(home=f"{folder}/home")
        callback.on_train_begin(args, state, control, model=SimpleNamespace())
        took = [_step_us(each, args, state, control) for _ in range(3) for each in (callback, TrainerCallback())]
        state.global_step = STEPS
        callback.on_train_end(args, state, control)
    ours, empty = statistics.median(took[::2]), statistics.median(took[1::2])
    return Row(
        "a step in which nothing is logged", STEPS, ours - empty, "µs", Beside("an empty callback", empty), most=2.0
    )


def _step_us(callback: Any, args: Any, state: Any, control: Any) -> float:
    began = time.perf_counter()
    for step in range(STEPS):
        state.global_step = step
        callback.on_step_begin(args, state, control)
        callback.on_step_end(args, state, control)
    return (time.perf_counter() - began) / STEPS * 1e6


def _training() -> Iterator[Row]:
    """A real training of a small model, one process."""
    starts = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            found = processes.run("small_training", folder, OMP_NUM_THREADS="1")
        starts.append(found["start"])
    operations = sum(found["operations"].values())
    yield Row("starting a run by the callback, a small model", 3, statistics.median(starts), most=50.0)
    yield Row("torch operations in the callback, one rank", 40, operations, "", most=0.0)
