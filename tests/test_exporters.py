"""Exports give back what was logged, record by record."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import polars
import pytest

from stepline import exporters
from stepline.errors import TaskNotFound, UsageError
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store

RECORDS = [
    Record("train_start", 100.0, 0, 0.0, {}, "begun"),
    Record("step", 101.0, 10, 0.5, {"loss": 2.5, "grad_norm": float("nan"), "note": "warm, up"}),
    Record("step", 102.5, 20, None, {"loss": float("inf"), "grad_norm": float("-inf"), "epoch": 1.0}),
    Record("message", 103.0, None, None, {}, '两行\n"quoted"'),
    Record("checkpoint", 103.5, 20, None, {}, None, {"path": "/out/checkpoint-20", "bytes": 7}),
    Record("evaluation", 103.7, 20, None, {"eval_loss": 1.25}),
    Record("train_end", 104.0, 20, 1.0, {"train_loss": 0.1 + 0.2}, None, {"status": "completed"}),
]
AGAIN = [
    Record("train_start", 200.0, 0, 0.0, {}, None),
    Record("step", 201.0, 10, 0.5, {"loss": -0.0, "sparse": 5e-324}),
]
PROCESS = Process(7, 1.0, "host", "boot", "ns")
SETTINGS = {"learning_rate": 2e-4, "model.layers": 2, "odd": "NaN", "name": "小"}


@pytest.fixture
def store(home):
    with_store = Store.open(home.database, writable=True)
    with_store.begin_run(Header("t1", "demo / 一", None, "r1", 100.0, PROCESS, 20, SETTINGS))
    with_store.append("r1", RECORDS, position=1)
    with_store.begin_run(Header("t1", "demo / 一", None, "r2", 200.0, PROCESS, 30, {"learning_rate": 1e-4}))
    with_store.append("r2", AGAIN, position=1)
    with_store.end_run("r2", "stopped", "it was killed", 205.0)
    yield with_store
    with_store.close()


def exported(store, form):
    return b"".join(exporters.of(form).pieces(store, "t1"))


def test_json_lines_hold_every_record(store):
    lines = exported(store, "jsonl").decode().splitlines()
    got = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    words = {"loss": "Infinity", "grad_norm": "-Infinity", "epoch": 1.0}
    metrics = [{}, {"loss": 2.5, "grad_norm": "NaN", "note": "warm, up"}, words, {}, {}, {"eval_loss": 1.25}]
    metrics += [{"train_loss": 0.1 + 0.2}, {}, {"loss": -0.0, "sparse": 5e-324}]
    about = [each.pop("about_run", None) for each in got]
    details = [each.pop("details", {}) for each in got]
    runs = ["r1"] * len(RECORDS) + ["r2"] * len(AGAIN)
    assert got == [
        {
            "sequence": place,
            "run": runs[place],
            "step": record.step,
            "epoch": record.epoch,
            "time": record.time,
            "kind": record.kind,
            "metrics": metrics[place],
            "message": record.message,
        }
        for place, record in enumerate([*RECORDS, *AGAIN])
    ]
    assert details == [record.details for record in (*RECORDS, *AGAIN)]
    assert [place for place, each in enumerate(about) if each] == [0, len(RECORDS)]
    assert about[0]["settings"] == SETTINGS
    assert about[-2] == about[-2] | {"number": 2, "status": "stopped", "message": "it was killed", "total_steps": 30}


def test_csv_has_a_column_a_metric(store):
    rows = list(csv.DictReader(io.StringIO(exported(store, "csv").decode(), newline="")))
    assert [row["sequence"] for row in rows] == [str(place) for place in range(9)]
    assert (rows[1]["loss"], rows[1]["grad_norm"], rows[1]["note"]) == ("2.5", "NaN", "warm, up")
    assert (rows[2]["loss"], rows[2]["grad_norm"], rows[2]["epoch"]) == ("Infinity", "-Infinity", "")
    assert rows[2]["metrics.epoch"] == "1.0"
    assert rows[3]["message"] == '两行\n"quoted"'
    assert float(rows[6]["train_loss"]) == 0.1 + 0.2
    assert rows[0]["loss"] == rows[3]["step"] == ""


def test_parquet_has_typed_columns(store):
    table = polars.read_parquet(io.BytesIO(exported(store, "parquet")))
    assert table["sequence"].to_list() == list(range(9))
    assert table["step"].to_list() == [record.step for record in (*RECORDS, *AGAIN)]
    assert table["kind"].to_list() == [record.kind for record in (*RECORDS, *AGAIN)]
    assert table["loss"].to_list() == [None, 2.5, float("inf"), None, None, None, None, None, -0.0]
    norms = table["grad_norm"].to_list()
    assert norms[1] != norms[1]
    assert norms[2:] == [float("-inf"), *[None] * 6]
    assert table["metrics.epoch"].to_list()[2] == 1.0
    assert json.loads(table["texts"][1]) == {"note": "warm, up"}
    assert table["message"][3] == '两行\n"quoted"'


def test_tensorboard_is_a_folder_a_run(store):
    with zipfile.ZipFile(io.BytesIO(exported(store, "tensorboard"))) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [str(place) for place, _ in exporters.event_folder(store, "t1")]
        for place, pieces in exporters.event_folder(store, "t1"):
            assert packed.read(str(place)) == b"".join(pieces)


def test_a_metric_that_comes_meanwhile_is_not_half_there(store):
    pieces = exporters.of("csv").pieces(store, "t1")
    store.append("r2", [Record("step", 202.0, 20, None, {"new": 1.0})], position=2)
    rows = list(csv.reader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert len(rows) == 1 + len(RECORDS) + len(AGAIN)
    assert "new" not in rows[0]


def test_what_is_not_there_is_refused(store):
    with pytest.raises(UsageError, match="jsonl, csv"):
        exporters.of("xls")
    for form in exporters.FORMATS:
        with pytest.raises(TaskNotFound):
            exporters.of(form).pieces(store, "t9")
