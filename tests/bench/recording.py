"""What recording costs the training: a log call beside its floor, a step in which nothing is logged, a run's start."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stepline import record
from tests.bench.timing import Row

CALLS = 20_000
STEPS = 200_000
STARTS = 50
METRICS = {"loss": 2.1234, "grad_norm": 1.25, "learning_rate": 5e-05, "samples_per_second": 812.5, "entropy": 0.75}


def rows(sizes: list[int]) -> Iterator[Row]:
    del sizes
    yield from _log_calls()
    if importlib.util.find_spec("transformers"):
        yield _idle_step()
    yield _start()


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
    name = "json.dumps + os.write"
    for words, part, goal in (("p50", 0.5, 1.6), ("p99", 0.99, 3.0)):
        place = int(CALLS * part)
        yield Row(f"log call of 5 scalars, {words}", CALLS, our_us[place], name, its_us[place], goal, unit="µs")


def _each_us(*calls: Callable[[int], None]) -> list[list[float]]:
    """The sorted times of CALLS calls of each, the calls taking turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for step in range(CALLS):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter_ns()
            call(step)
            times.append((time.perf_counter_ns() - began) / 1000)
    return [sorted(times) for times in taken]


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
    name = "an empty callback"
    return Row(
        "a step in which nothing is logged", STEPS, ours - empty, name, empty, 2.0, goal_is_value=True, unit="µs"
    )


def _step_us(callback: Any, args: Any, state: Any, control: Any) -> float:
    began = time.perf_counter()
    for step in range(STEPS):
        state.global_step = step
        callback.on_step_begin(args, state, control)
        callback.on_step_end(args, state, control)
    return (time.perf_counter() - began) / STEPS * 1e6


def _start() -> Row:
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(STARTS):
            began = time.perf_counter()
            with record("bench", home=folder, settings={"learning_rate": 5e-05}):
                times.append((time.perf_counter() - began) * 1000)
    return Row("starting a run", STARTS, statistics.median(times), goal=50.0, goal_is_value=True)
