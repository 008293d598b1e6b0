"""Homes with tasks of our own making, written as journals: what any training would leave behind."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

from stepline.home import Home
from stepline.recording.journal import Header, Process, Record, encode_header, encode_record

BEGIN = 1_760_000_000.0
GONE = Process(2**22 + 1, BEGIN, "elsewhere", None, None)


def header(task: str, run: int = 1, total: int | None = 40, **settings: object) -> Header:
    word = hashlib.sha256(task.encode()).hexdigest()[:8]
    return Header(
        task_id=f"t{word}",
        task_name=task,
        task_key=task,
        run_id=f"20251009-08{run:02d}00-{word}",
        time=BEGIN + 10_000 * run,
        process=GONE,
        total_steps=total,
        settings={"learning_rate": 2e-4, "per_device_train_batch_size": 8, "logging_steps": 10, **settings},
    )


def step(number: int, begin: float, total: int = 40, **metrics: float) -> Record:
    values = {
        "loss": 3 * math.exp(-number / total) + 0.1 * math.sin(number),
        "learning_rate": 2e-4 * (1 - number / total / 2),
        "grad_norm": 1.5 + 0.2 * math.cos(number),
        "samples_per_second": 400.0 + number % 7,
        **metrics,
    }
    return Record("step", begin + number, number, number / 10, values)


def write(home: Home, head: Header, records: list[Record]) -> Path:
    path = home.journals / f"{head.run_id}.jsonl"
    path.write_bytes(encode_header(head) + b"".join(encode_record(record) for record in records))
    return path


def ended(head: Header, status: str, at: int) -> Record:
    return Record("train_end", head.time + at + 1, at, message=f"Ended at step {at}", details={"status": status})


def seeds_example(home: Home, task: str = "seed") -> None:
    """The seed's own: to step 30, interrupted, started over with another learning rate: 10 20 30 | 10 20 30 40."""
    first = header(task)
    begin = Record("train_start", first.time, 0)
    write(home, first, [begin, *(step(n, first.time) for n in (10, 20, 30)), ended(first, "stopped", 30)])
    second = header(task, 2, learning_rate=1e-4)
    write(
        home,
        second,
        [
            replace(begin, time=second.time),
            *(step(n, second.time) for n in (10, 20)),
            Record("evaluation", second.time + 21, 20, 2.0, {"eval_loss": 2.2}),
            Record("checkpoint", second.time + 22, 20, 2.0, details={"path": "out/checkpoint-20", "bytes": 4096}),
            *(step(n, second.time) for n in (30, 40)),
            Record("evaluation", second.time + 41, 40, 4.0, {"eval_loss": 1.9}),
            Record("message", second.time + 42, 40, message="a word from the script"),
            ended(second, "completed", 40),
        ],
    )


def one_of_each(home: Home) -> None:
    """A task of each status that an ended or waiting process can have; "running" lives in this very process."""
    seeds_example(home, "completed one")
    for status in ("stopped", "failed"):
        head = header(f"{status} one")
        write(home, head, [Record("train_start", head.time, 0), step(10, head.time), ended(head, status, 10)])
    write(home, replace(header("pending one"), process=Process.current()), [])
    running = replace(header("running one"), process=Process.current())
    begin = Record("train_start", running.time, 0, details={"controls": ["stop", "save", "evaluate", "log"]})
    write(home, running, [begin, *(step(n, running.time) for n in (10, 20))])


def long(home: Home, points: int, task: str = "long") -> None:
    head = header(task, total=points)
    steps = [step(n, head.time, points) for n in range(1, points + 1)]
    write(home, head, [Record("train_start", head.time, 0), *steps, ended(head, "completed", points)])
