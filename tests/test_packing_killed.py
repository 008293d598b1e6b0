"""The writer is killed at any moment while rows become blocks: its records are in the rows or in a block, each once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stepline.store import Store
from tests.packing_program import RUN, record

KILLS = int(os.environ.get("STEPLINE_TEST_KILLS", "20"))
A_DATABASE = 5
"""Kills that one database goes through."""


def killed_after(database: Path, seed: int, secs: float) -> None:
    program = Path(__file__).with_name("packing_program.py")
    child = subprocess.Popen([sys.executable, str(program), str(database), str(seed)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"appending\n"
    time.sleep(secs)
    child.kill()
    child.wait()
    child.stdout.close()


def told(entry):
    """Comparable, NaN included."""
    return repr((entry.kind, entry.time, entry.step, entry.epoch, entry.metrics, entry.message, entry.details))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(0, KILLS, A_DATABASE))
def test_a_killed_writer_leaves_each_record_once(tmp_path, first):
    database = tmp_path / "killed.db"
    moments = random.Random(first)
    for kill in range(first, min(first + A_DATABASE, KILLS)):
        killed_after(database, kill, moments.uniform(0.0, 0.3))
        store = Store.open(database, writable=kill % 2 == 0)
        try:
            count = store.position(RUN)
            found = list(store.records("t1"))
            assert [entry.sequence for entry in found] == list(range(count))
            logged = [record(number) for number in range(count)]
            assert list(map(told, found)) == list(map(told, logged))
            for name in ("loss", "lr", "eval_loss"):
                held = [number for number, each in enumerate(logged) if name in each.metrics]
                columns = store.columns("t1", name)
                assert columns.sequence.tolist() == held
                np.testing.assert_array_equal(columns.value, [logged[number].metrics[name] for number in held])
                summed = store.levels("t1", name, 12)
                assert int(summed.finite_count.sum() + summed.non_finite_count.sum()) == len(held)
            assert store.count_records("t1") == store.task("t1").records == count
            assert store.count_records("t1", ["message"]) == sum(each.kind == "message" for each in logged)
        finally:
            store.close()
