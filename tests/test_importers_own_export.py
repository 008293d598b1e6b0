"""What Stepline exported comes back as it was, as far as its form can hold it."""

from __future__ import annotations

import pytest

import stepline
from stepline import exporters
from stepline.importers import import_paths
from stepline.store import Store
from tests.test_exporters import exported, store

__all__ = ["store"]


def history(store, task_id):
    """What a history is, without what the home gave it."""
    runs = {run.id: run.number for run in store.runs(task_id)}
    return [
        (
            runs[each.run_id],
            each.kind,
            each.step,
            each.epoch,
            each.time,
            repr(sorted(each.metrics.items())),
            each.message,
            each.details,
        )
        for each in store.records(task_id)
    ]


def known_of_runs(store, task_id):
    shown = ("number", "status", "message", "started", "total_steps")
    return [
        ({name: getattr(run, name) for name in shown}, {k: v for k, v in run.settings.items() if "imported" not in k})
        for run in store.runs(task_id)
    ]


@pytest.fixture
def elsewhere(home):
    with_store = Store.open(home.folder / "another.db", writable=True)
    yield with_store
    with_store.close()


def imported_again(store, elsewhere, tmp_path, form):
    path = tmp_path / f"export{exporters.of(form).suffix}"
    path.write_bytes(exported(store, form))
    (result,) = import_paths(elsewhere, [path])
    assert result.state == "imported", result.error
    return result


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_json_lines_and_parquet_come_back_whole(store, elsewhere, tmp_path, form):
    result = imported_again(store, elsewhere, tmp_path, form)
    assert history(elsewhere, result.task_id) == history(store, "t1")
    assert known_of_runs(elsewhere, result.task_id) == known_of_runs(store, "t1")
    assert result.name == store.task("t1").name


def test_csv_comes_back_without_settings(store, elsewhere, tmp_path):
    result = imported_again(store, elsewhere, tmp_path, "csv")
    assert history(elsewhere, result.task_id) == history(store, "t1")
    assert [run.settings.get("learning_rate") for run in elsewhere.runs(result.task_id)] == [None, None]


def test_tensorboard_comes_back_whole(store, elsewhere, tmp_path):
    for place, pieces in exporters.event_folder(store, "t1"):
        (tmp_path / "log" / place.parent).mkdir(parents=True)
        (tmp_path / "log" / place).write_bytes(b"".join(pieces))
    (result,) = import_paths(elsewhere, [tmp_path / "log"])
    assert history(elsewhere, result.task_id) == history(store, "t1")
    assert known_of_runs(elsewhere, result.task_id) == known_of_runs(store, "t1")


def test_tensorboard_keeps_kinds_that_the_names_do_not_tell(home, elsewhere, tmp_path):
    """An evaluation with a metric of another name, a step with an evaluation loss, texts, nothing at all."""
    with stepline.record("recorded", home=home) as run:
        run.evaluation({"eval_loss": 1.5, "percentage": 7.41}, step=1, epoch=0.5)
        run.log({"eval_loss": 1.25}, step=2)
        run.log({"loss": float("nan"), "sample": "文"}, step=3, epoch=1.5)
        run.log({"only": "text"}, step=4)
        run.log({}, step=5)
        run.message("without a step")
    recorded = Store.open(tmp_path / "recorded.db", writable=True)
    (journal,) = import_paths(recorded, list(home.journals.glob("*.jsonl")))
    for place, pieces in exporters.event_folder(recorded, journal.task_id):
        (tmp_path / "log" / place.parent).mkdir(parents=True)
        (tmp_path / "log" / place).write_bytes(b"".join(pieces))
    (result,) = import_paths(elsewhere, [tmp_path / "log"])
    assert history(elsewhere, result.task_id) == history(recorded, journal.task_id)
    recorded.close()


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_an_export_of_a_task_that_is_here_adds_nothing(store, tmp_path, form):
    path = tmp_path / f"export{exporters.of(form).suffix}"
    path.write_bytes(exported(store, form))
    (result,) = import_paths(store, [path])
    assert (result.state, result.task_id) == ("recorded", "t1")


def test_a_runs_own_journal_comes_whole_after_its_export(home, elsewhere, tmp_path):
    with stepline.record("recorded", home=tmp_path / "first") as run:
        for step in range(1, 41):
            run.log({"loss": 1 / step}, step=step)
    (journal,) = (tmp_path / "first").rglob("*.jsonl")
    recorded = Store.open(tmp_path / "recorded.db", writable=True)
    (result,) = import_paths(recorded, [journal])
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(exporters.of("jsonl").pieces(recorded, result.task_id)))
    (exported_one,) = import_paths(elsewhere, [path])
    (own,) = import_paths(elsewhere, [journal])
    wanted = history(recorded, result.task_id)
    assert history(elsewhere, own.task_id) == history(elsewhere, exported_one.task_id) == wanted
    assert import_paths(elsewhere, [path])[0].state == "recorded"
    assert len(elsewhere.tasks()) == 2
    recorded.close()
