"""Exports give back what was logged, record by record."""

from __future__ import annotations

import csv
import io
import json

import pytest

from stepline import exporters
from stepline.errors import UsageError
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store

RECORDS = [
    Record("train_start", 100.0, 0, 0.0, {}, "begun"),
    Record("step", 101.0, 10, 0.5, {"loss": 2.5, "grad_norm": float("nan"), "note": "warm, up"}),
    Record("step", 102.5, 20, None, {"loss": float("inf"), "grad_norm": float("-inf"), "epoch": 1.0}),
    Record("message", 103.0, None, None, {}, '两行\n"quoted"'),
    Record("train_end", 104.0, 20, 1.0, {"train_loss": 0.1 + 0.2}),
]


@pytest.fixture
def store(home):
    with_store = Store.open(home.database, writable=True)
    with_store.begin_run(Header("t1", "demo", None, "r1", 100.0, Process(7, 1.0, "host", "boot", "ns"), None, {}))
    with_store.append("r1", RECORDS, position=1)
    yield with_store
    with_store.close()


def exported(store, form):
    stream = io.StringIO(newline="")
    assert exporters.export(store, "t1", form, stream) == len(RECORDS)
    return stream.getvalue()


def test_json_lines_hold_every_record(store):
    lines = exported(store, "jsonl").splitlines()
    got = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    words = {"loss": "Infinity", "grad_norm": "-Infinity", "epoch": 1.0}
    metrics = [{}, {"loss": 2.5, "grad_norm": "NaN", "note": "warm, up"}, words, {}, {"train_loss": 0.1 + 0.2}]
    assert got == [
        {
            "sequence": place,
            "run": "r1",
            "step": record.step,
            "epoch": record.epoch,
            "time": record.time,
            "kind": record.kind,
            "metrics": metrics[place],
            "message": record.message,
        }
        for place, record in enumerate(RECORDS)
    ]


def test_csv_has_a_column_a_metric(store):
    rows = list(csv.DictReader(io.StringIO(exported(store, "csv"), newline="")))
    assert [row["sequence"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert (rows[1]["loss"], rows[1]["grad_norm"], rows[1]["note"]) == ("2.5", "NaN", "warm, up")
    assert (rows[2]["loss"], rows[2]["grad_norm"], rows[2]["epoch"]) == ("Infinity", "-Infinity", "")
    assert rows[2]["metrics.epoch"] == "1.0"
    assert rows[3]["message"] == '两行\n"quoted"'
    assert float(rows[4]["train_loss"]) == 0.1 + 0.2
    assert rows[0]["loss"] == rows[3]["step"] == ""


def test_an_unknown_format_is_refused(store):
    with pytest.raises(UsageError, match="jsonl, csv"):
        exporters.export(store, "t1", "xls", io.StringIO())
