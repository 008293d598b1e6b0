"""A journal that grows line by line, as a training's side writes it, and waiting for what it brings."""

from __future__ import annotations

import time
from dataclasses import replace

from stepline.recording.journal import (
    Header,
    Process,
    Record,
    encode_header,
    encode_record,
)

HERE = Process.current()


GONE = replace(HERE, pid=2**22 + 1, started=5.0)
"""A process of this machine that is not there."""


ELSEWHERE = replace(HERE, host="elsewhere", boot="another")


class Journal:
    """A training's side: appends lines to a run's file."""

    def __init__(self, folder, run="20260101-000000-0000000a", task="t1", *, process=HERE, name=None, time_=None):
        self.run = run
        self.path = folder / (name or f"{run}.jsonl")
        started = time.time() if time_ is None else time_
        self.write(encode_header(Header(task, "demo", None, run, started, process, 100, {})))

    def write(self, data):
        with self.path.open("ab") as file:
            file.write(data)

    def steps(self, first, last):
        self.write(b"".join(encode_record(step(number)) for number in range(first, last)))

    def end(self, status="completed"):
        self.write(encode_record(Record("train_end", time.time(), details={"status": status})))


def step(number):
    return Record("step", time.time(), number, None, {"loss": 1 / (number + 1)})


def until(true, secs=30):
    deadline = time.monotonic() + secs
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
