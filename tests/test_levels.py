"""Levels equal what the raw points give, in every bucket of every run."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from stepline.recording.journal import Record
from stepline.store import Store
from stepline.store.blocks import BLOCK_SEQUENCES
from tests.filling import asked, numbers
from tests.slow_levels import check_levels


@pytest.mark.parametrize("seed", range(3))
def test_levels_equal_those_of_the_raw_points(store, fill, seed):
    random = np.random.default_rng(seed)
    runs = [fill.begin("r1"), fill.begin("r2", time=200.0)]
    count = 0
    for length in (5_000, 100, 60_000, 6_000, 90_000, 300):
        values = random.normal(size=length)
        values[random.random(length) < 0.01] = np.nan
        values[random.random(length) < 0.001] = np.inf
        values[200:600] = np.nan
        if seed == 1:
            values = np.round(values)
        has = random.random(length) < (0.3 if seed == 2 else 1.0)
        batch = [
            Record("step", n / 8, None if n % 50 == 3 else n % 777, None, {"loss": value} if here else {"other": 1.0})
            for n, (value, here) in enumerate(zip(values.tolist(), has.tolist(), strict=True))
        ]
        run = runs[int(random.integers(2))]
        if length < 7_000:
            # Two live runs, a few records each in turn.
            for first in range(0, length, 1_000):
                fill.append(runs[first // 1_000 % 2], *batch[first : first + 1_000])
        else:
            fill.append(run, *batch)
        count += length
    for shift in (3, 7, 9, 12, 13, 16, 20):
        check_levels(store, "loss", shift)
    for _ in range(12):
        first, last = sorted(random.integers(0, count + 10, 2).tolist())
        check_levels(store, "loss", int(random.integers(0, 18)), first, last)
    assert len(store.levels("t1", "none", 7)) == len(store.levels("t1", "loss", 9, 50, 50)) == 0


def test_levels_take_little_beside_the_values(home, store, fill):
    random = np.random.default_rng(0)
    values = random.normal(2, 0.1, BLOCK_SEQUENCES).astype(np.float32).astype(float).tolist()
    fill.append(fill.begin(), *[Record("step", 1.0, n, None, {"loss": value}) for n, value in enumerate(values)])
    ((fine, raw),) = asked(home.database, "SELECT sum(length(levels)), sum(length(value)) FROM block_series")
    ((coarse,),) = asked(home.database, "SELECT sum(length(data)) FROM levels")
    assert fine + coarse < raw / 8


def test_levels_of_an_older_form_are_made_anew(home, store, fill):
    fill.append(fill.begin(), *numbers(70_000, lr=lambda n: n % 7))
    store.close()
    database = sqlite3.connect(home.database)
    database.executescript(
        """DROP TABLE levels; CREATE TABLE levels (id INTEGER PRIMARY KEY, first INTEGER); PRAGMA user_version = 5;
        ALTER TABLE runs DROP COLUMN controls; UPDATE block_series SET levels = x'00'"""
    )
    database.close()
    brought_up = Store.open(home.database, writable=True)
    for metric in ("loss", "lr"):
        check_levels(brought_up, metric, 7)
        check_levels(brought_up, metric, 13)
    brought_up.close()
    assert asked(home.database.with_name(f"{home.database.name}.5.bak"), "PRAGMA user_version") == [(5,)]
