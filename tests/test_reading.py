"""`stepline.load`: what a notebook reads is what a script logged."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest

import stepline
from stepline.errors import SeriesNotFound, TaskAmbiguous, TaskNotFound, UsageError
from stepline.history import Smoothing
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store

LOSSES = [4.0, float("nan"), 3.0, 2.5]


@pytest.fixture
def trained(home):
    for _ in range(2):
        with stepline.record("pilot", home=home.path) as run:
            for step, loss in enumerate(LOSSES, 1):
                run.log({"loss": loss} if step != 3 else {"loss": loss, "accuracy": 0.5}, step=10 * step)
    return home


def test_every_point_as_logged(trained):
    with stepline.load("pilot", home=trained.path) as task:
        loss = task.series("loss")
        assert np.array_equal(loss.value, LOSSES * len(task.runs), equal_nan=True)
        assert loss.step[:4].tolist() == [10, 20, 30, 40]
        assert np.all(np.diff(loss.sequence) > 0)
        assert np.all(loss.time > 1.6e9)
        assert {"loss", "accuracy", "perplexity"} <= set(task.metrics)
        assert task.name == "pilot"
        assert "pilot" in repr(task)
        for each in (loss, task.window("loss"), task.window("loss").raw):
            # A notebook's cell shows it; six arrays of thousands of numbers say nothing there.
            assert len(repr(each)) < 120
            assert f"{len(loss.value):,} points" in repr(each)


def test_what_a_chart_gets(trained):
    with stepline.load("pilot", home=trained.path) as task:
        window = task.window("loss")
        assert window.bucket == 1
        assert window.points == len(window.sequence) == len(window.step) == len(window.value)
        assert window.raw.value is window.value
        smooth = task.window("loss", smoothing=(3, 2))
        assert smooth.value[0] == 4.0
        assert smooth.value[2] != smooth.raw.value[2] == 3.0
        for form in (Smoothing(3, 2), [3, 2]):
            assert np.array_equal(task.window("loss", smoothing=form).value, smooth.value, equal_nan=True)
        first = int(window.sequence[1])
        part = task.window("loss", first=first, last=first + 2, axis="step", smoothing=3)
        assert part.sequence.tolist() == [first, first + 1]
        assert part.x.tolist() == part.step.tolist() == [20, 30]
        with pytest.raises(UsageError):
            task.window("loss", smoothing=(1, 2, 3))
        with pytest.raises(SeriesNotFound):
            task.series("los")


def test_tables(trained):
    pandas = pytest.importorskip("pandas", reason="pip install pandas")
    polars = pytest.importorskip("polars", reason="pip install polars")
    with stepline.load("pilot", home=trained.path) as task:
        table = task.to_pandas()
        assert isinstance(table, pandas.DataFrame)
        assert table["loss"].notna().tolist()[:4] == [True, False, True, True]
        assert table["accuracy"].dropna().tolist() == [0.5] * len(task.runs)
        frame = task.to_polars()
        assert isinstance(frame, polars.DataFrame)
        assert frame["accuracy"].to_list()[:4] == [None, None, 0.5, None]
        loss = frame["loss"].to_list()
        assert math.isnan(loss[1])
        assert frame["step"].to_list()[:4] == [10, 20, 30, 40]


def test_an_unknown_or_ambiguous_name(home):
    ids = ["t0123456789abcde", "tfedcba9876543210"]
    process = Process(7, 1.0, "host", "boot", "ns")
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        for number, task in enumerate(ids):
            store.begin_run(Header(task, "twin", None, f"r{number}", 100.0, process, None, {}))
            store.append(f"r{number}", [Record("step", 1.0, 1, None, {"loss": float(number)})], position=1)
    with pytest.raises(TaskNotFound):
        stepline.load("nobody", home=home.path)
    with pytest.raises(TaskAmbiguous) as raised:
        stepline.load("twin", home=home.path)
    for number, task_id in enumerate(ids):
        assert task_id in str(raised.value)
        with stepline.load(task_id, home=home.path) as task:
            assert task.series("loss").value.tolist() == [number]
