"""Appends records to a store until it is killed: `python packing_program.py DATABASE SEED`. See test_packing_killed."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from stepline.recording.journal import Header, Process, Record
from stepline.store import Store

RUN = "20261123-120000-aaaaaaaa"


def record(number: int) -> Record:
    """The record that stands at a place; all kinds of content come by."""
    if number % 997 == 5:
        return Record("message", 1e9 + number, message=f"message {number}", details={"n": number})
    if number % 101 == 7:
        metrics: dict[str, float | str] = {"eval_loss": number / 3, "note": f"text {number}"}
        return Record("evaluation", 1e9 + number, number, None, metrics)
    loss = math.nan if number % 500 == 3 else math.sin(number)
    return Record("step", 1e9 + number / 8, number, number / 100, {"loss": loss, "lr": 1 / (number + 1)})


def main(path: Path, seed: int) -> None:
    store = Store.open(path, writable=True)
    store.begin_run(Header("t1", "demo", None, RUN, 1e9, Process(7, None, "", None, None), None, {}))
    position = store.position(RUN) or 0
    sizes = random.Random(seed)
    print("appending", flush=True)
    while True:
        count = sizes.choice([1, 50, 2_000, 4_000, 4_095, 5_000, 20_000])
        batch = [record(number) for number in range(position, position + count)]
        store.append(RUN, batch, position=position + count, since=position)
        position += count


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
