"""trainer_state.json: whole, damaged, empty, and something else of that name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepline.errors import ImportFailed
from stepline.importers import gathered
from stepline.importers import trainer_state as reader
from stepline.importers.imported import ImportedTask, Remarks
from stepline.importers.shaping import shaped
from tests.import_files import log_history, trainer_state

HISTORIES = Path(__file__).parents[2] / "shared" / "data" / "histories"


def only(path: Path) -> ImportedTask:
    (task,) = gathered(path).tasks
    return task


def test_steps_epochs_settings_and_the_closing_row(tmp_path):
    path = trainer_state(tmp_path / "mine" / "trainer_state.json", log_history(range(10, 101, 10), closing=True))
    task = only(path)
    (run,) = task.runs
    records = list(run.records())
    assert (task.name, run.status, run.total_steps, run.last_step) == ("mine", "completed", 100, 100)
    assert run.settings["train_batch_size"] == 8
    assert [record.step for record in records if record.kind == "step"] == list(range(10, 101, 10))
    assert records[0].metrics == {"grad_norm": 1.0, "learning_rate": 1e-4, "loss": 1.0}
    assert records[0].epoch == 0.1
    assert records[-1].kind == "train_end"
    assert records[-1].metrics == {"total_flos": 1e9, "train_loss": 0.5, "train_runtime": 12.5}
    assert sum("train_loss" in record.metrics for record in records) == 1


def test_a_state_short_of_its_steps_is_stopped(tmp_path):
    (run,) = only(trainer_state(tmp_path / "trainer_state.json", log_history([10, 20]))).runs
    assert run.status == "stopped"


@pytest.mark.parametrize(("token", "wanted"), [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)])
def test_bare_tokens_are_numbers(tmp_path, token, wanted):
    path = tmp_path / "state"
    path.write_text(f'{{"log_history": [{{"loss": {token}, "step": 1}}, {{"loss": "{token}", "step": 2}}]}}')
    values = [record.metrics["loss"] for _, record in only(path).records()]
    assert values == pytest.approx([wanted, wanted], nan_ok=True)


def test_texts_that_hold_numbers_are_numbers(tmp_path):
    path = tmp_path / "state"
    path.write_text('{"log_history": [{"loss": "0.5", "learning_rate": "1e-05", "step": "3", "note": "warm"}]}')
    ((_, record),) = only(path).records()
    assert (record.step, record.metrics) == (3, {"loss": 0.5, "learning_rate": 1e-5, "note": "warm"})


def test_a_cut_document_gives_the_entries_that_are_whole(tmp_path):
    path = trainer_state(tmp_path / "trainer_state.json", log_history(range(1, 51)))
    words = path.read_text()
    path.write_text(words[: words.index('"step": 31')])
    task = only(path)
    assert [record.step for _, record in task.records()] == list(range(1, 31))
    assert any("cut short" in remark.reason for remark in task.left_out)
    assert all(remark.place.startswith("line ") for remark in task.left_out)


def test_damage_in_the_middle_costs_one_entry(tmp_path):
    path = trainer_state(tmp_path / "trainer_state.json", log_history(range(1, 21)))
    path.write_text(path.read_text().replace('"step": 7\n', '"step" 7\n'))
    task = only(path)
    assert [record.step for _, record in task.records()] == [step for step in range(1, 21) if step != 7]
    assert task.runs[0].total_steps == 100


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "no byte"),
        ("\n \n", "no byte"),
        ('{"log_history": []}', "no entry"),
        ('{"log_history": [1, 2]}', "no entry that can be read"),
        ('{"hidden_size": 12}', "no row"),
        ("<!DOCTYPE html><html></html>", "web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "LFS"),
        ("[" * 200_000, "nested"),
        ('{"log_history":' + "[" * 200_000, "no entry"),
        ("hello\n", "No line of it"),
    ],
    ids=["empty", "blank", "no history", "numbers", "config", "page", "lfs", "deep", "deep history", "prose"],
)
def test_what_holds_no_history_says_so(tmp_path, words, why):
    path = tmp_path / "trainer_state.json"
    path.write_text(words)
    with pytest.raises(ImportFailed) as failed:
        gathered(path)
    assert str(path) in failed.value.what
    assert why in failed.value.why
    assert failed.value.action


def test_crlf_a_mark_and_other_encodings(tmp_path):
    words = json.dumps({"log_history": log_history([1, 2])}, indent=1).replace("\n", "\r\n")
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        path = tmp_path / encoding
        path.write_bytes(words.encode(encoding))
        assert [record.step for _, record in only(path).records()] == [1, 2], encoding


def told(history: list[dict[str, Any]], path: Path, *, columns_from: int) -> list[str]:
    """All that an import would say and take, as text: so NaN equals itself."""
    reading = reader.reading_of({"log_history": history}, path, Remarks(), columns_from=columns_from)
    task = shaped(reading)
    runs = [(r.started, r.last_step, r.total_steps, r.settings, r.status, r.message) for r in task.runs]
    records = [(i, r.kind, r.time, r.step, r.epoch, list(r.metrics.items()), r.details) for i, r in task.records()]
    return [*map(repr, records), repr((runs, task.told, task.names, task.left_out))]


numbers = st.floats(width=32) | st.integers(-5, 5)
entries = st.fixed_dictionaries(
    {"step": st.integers(0, 30) | st.sampled_from([1e3, 2**52])},
    optional={
        **dict.fromkeys(("loss", "eval_loss", "eval_acc", "grad_norm", "train_runtime", "total_flos"), numbers),
        "epoch": st.floats(0, 3) | st.just(float("nan")),
        "max_steps": st.integers(-1, 99),
        "note": st.sampled_from(["val", "1e-4", None, [1], True]),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(entries, min_size=1, max_size=40))
@example([{"step": 5, "loss": 2.0, "epoch": 0.5}, {"step": 3, "loss": 2.0, "epoch": 1.5}])
def test_many_entries_at_once_are_what_each_says_by_itself(tmp_path, history):
    path = tmp_path / "trainer_state.json"
    path.touch()
    try:
        wanted = told(history, path, columns_from=1 << 60)
    except ImportFailed:
        with pytest.raises(ImportFailed):
            told(history, path, columns_from=1)
        return
    assert told(history, path, columns_from=1) == wanted


@pytest.mark.skipif(not HISTORIES.is_dir(), reason="shared/data/histories is not here")
def test_real_states_at_once():
    found = sorted(HISTORIES.rglob("*.json"))
    assert found
    for path in found:
        history = json.loads(path.read_text(encoding="utf-8"))["log_history"]
        assert told(history, path, columns_from=1) == told(history, path, columns_from=1 << 60)
