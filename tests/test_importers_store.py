"""Imports into the store: new, again, grown, changed, moved, cancelled."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from stepline.errors import ImportFailed
from stepline.importers import ImportResult, import_paths
from stepline.recording.journal import Header, Process, Record, encode_header, encode_record
from stepline.store import Store
from tests.import_files import event_file, log_history, trainer_state


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "home.db", writable=True)
    yield opened
    opened.close()


def only(store: Store, path: Path) -> ImportResult:
    (result,) = import_paths(store, [path])
    return result


def losses(store: Store, task_id: str) -> list[tuple[int, int, float]]:
    """(run, step, loss) in sequence order."""
    entries = list(store.records(task_id))
    sequences = [entry.sequence for entry in entries]
    assert sequences == sorted(set(sequences))
    assert store.count_records(task_id) == len(entries)
    return [(e.run_number, e.step, e.metrics["loss"]) for e in entries if "loss" in e.metrics]


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ROWS = [{"step": step, "loss": 10 / step} for step in range(1, 11)]


def test_a_history_goes_in_once(store, tmp_path):
    path = trainer_state(tmp_path / "mine" / "trainer_state.json", log_history(range(10, 101, 10), closing=True))
    first = only(store, path)
    assert (first.state, first.name, first.records, first.runs) == ("imported", "mine", 11, 1)
    task = store.task(first.task_id)
    assert (task.status, task.step, task.total_steps, task.records) == ("completed", 100, 100, 11)
    again = only(store, path)
    assert (again.state, again.task_id, again.records) == ("unchanged", first.task_id, 0)
    assert len(store.tasks()) == 1
    assert store.live_runs() == []


def uploaded(store: Store, folder: Path) -> list[ImportResult]:
    return import_paths(store, sorted(folder.iterdir()), uploaded=folder)


def test_an_upload_is_known_by_its_content_and_not_by_where_it_lay(store, tmp_path):
    state = log_history(range(10, 51, 10))
    trainer_state(tmp_path / "upload-1" / "trainer_state.json", state)
    (first,) = uploaded(store, tmp_path / "upload-1")
    assert (first.state, str(first.path)) == ("imported", "trainer_state.json")
    assert re.fullmatch(r"trainer_state, \d{4}-\d\d-\d\d \d\d:\d\d", first.name)
    (run,) = store.runs(first.task_id)
    assert run.settings["imported.path"] == "trainer_state.json"
    trainer_state(tmp_path / "upload-2" / "trainer_state.json", state)
    (again,) = uploaded(store, tmp_path / "upload-2")
    assert (again.state, again.task_id) == ("unchanged", first.task_id)
    trainer_state(tmp_path / "upload-3" / "trainer_state.json", log_history(range(10, 101, 10)))
    (grown,) = uploaded(store, tmp_path / "upload-3")
    assert (grown.state, grown.task_id, grown.records) == ("grown", first.task_id, 5)
    trainer_state(tmp_path / "upload-4" / "trainer_state.json", log_history(range(10, 51, 10), shift=1.0))
    (other,) = uploaded(store, tmp_path / "upload-4")
    assert other.state == "imported"
    assert other.task_id != first.task_id


def test_an_uploaded_folder_bears_its_own_name_and_its_checkpoints_places(store, tmp_path):
    root = tmp_path / "upload-1"
    for last in (20, 40):
        trainer_state(root / "mine" / f"checkpoint-{last}" / "trainer_state.json", log_history(range(10, last + 1, 10)))
    (result,) = uploaded(store, root)
    assert (result.state, result.name) == ("imported", "mine")
    assert [row.path for row in store.checkpoints(result.task_id)] == ["mine/checkpoint-20", "mine/checkpoint-40"]
    told = json.dumps([run.settings for run in store.runs(result.task_id)]) + str(result)
    assert "upload-1" not in told


def test_a_refused_upload_names_the_file_as_it_was_chosen(store, tmp_path):
    (tmp_path / "upload-1").mkdir()
    (tmp_path / "upload-1" / "notes.md").write_text("dear diary\n")
    (result,) = uploaded(store, tmp_path / "upload-1")
    assert result.state == "failed"
    assert "notes.md" in str(result.error)
    assert "upload-1" not in str(result.error)


def test_the_original_name_stays_beside_a_mapped_one(store, tmp_path):
    result = only(store, write_lines(tmp_path / "log.jsonl", [{"step": n, "train/loss": 1.0} for n in (1, 2, 3)]))
    assert result.names == {"loss": "train/loss"}
    assert store.runs(result.task_id)[0].settings["imported.loss"] == "train/loss"


def test_a_grown_source_is_appended_to(store, tmp_path):
    path = write_lines(tmp_path / "log.jsonl", ROWS[:4])
    first = only(store, path)
    run = store.runs(first.task_id)[0].id
    write_lines(path, ROWS)
    grown = only(store, path)
    assert (grown.state, grown.task_id, grown.records) == ("grown", first.task_id, 6)
    assert [step for _, step, _ in losses(store, first.task_id)] == list(range(1, 11))
    assert [each.id for each in store.runs(first.task_id)] == [run]
    assert store.task(first.task_id).status == "completed"


def test_a_source_that_grew_by_a_run_gets_a_run(store, tmp_path):
    path = write_lines(tmp_path / "log.jsonl", ROWS)
    first = only(store, path)
    write_lines(path, ROWS + ROWS)
    assert only(store, path).state == "grown"
    assert [run.records for run in store.runs(first.task_id)] == [10, 10]


def test_a_changed_source_replaces_its_runs_and_keeps_what_a_person_said(store, tmp_path):
    path = write_lines(tmp_path / "log.jsonl", ROWS)
    first = only(store, path)
    store.set_task(first.task_id, label="Mine", tags=["good"], notes="a note")
    write_lines(path, [{"step": row["step"], "loss": row["loss"] + 1, "lr": 0.5} for row in ROWS[:6]])
    changed = only(store, path)
    assert (changed.state, changed.task_id, changed.name) == ("replaced", first.task_id, "Mine")
    assert losses(store, first.task_id) == [(1, row["step"], row["loss"] + 1) for row in ROWS[:6]]
    task = store.task(first.task_id)
    assert (task.tags, task.notes, task.runs, task.records) == (("good",), "a note", 1, 6)
    assert {metric.name: metric.count for metric in store.metrics(first.task_id)} == {"loss": 6, "lr": 6}


def test_a_copy_elsewhere_is_the_same_source_an_older_one_adds_nothing(store, tmp_path):
    first = only(store, write_lines(tmp_path / "log.jsonl", ROWS[:8]))
    assert only(store, write_lines(tmp_path / "older.jsonl", ROWS[:6])).state == "unchanged"
    moved = only(store, Path(shutil.copy(tmp_path / "log.jsonl", tmp_path / "copy.jsonl")))
    assert (moved.state, moved.task_id) == ("unchanged", first.task_id)
    grown = only(store, write_lines(tmp_path / "newer.jsonl", ROWS))
    assert (grown.state, grown.task_id, grown.records) == ("grown", first.task_id, 2)
    assert len(store.tasks()) == 1


def test_histories_that_only_begin_alike_are_two(store, tmp_path):
    only(store, write_lines(tmp_path / "a.jsonl", ROWS))
    other = [*ROWS[:6], *({"step": row["step"], "loss": 0.5} for row in ROWS[6:])]
    assert only(store, write_lines(tmp_path / "b.jsonl", other)).state == "imported"
    assert len(store.tasks()) == 2


def test_interleaved_ranks_stay_interleaved(store, tmp_path):
    rows = [{"step": step, "rank": rank, "loss": float(rank)} for step in range(1, 9) for rank in (0, 1)]
    result = only(store, write_lines(tmp_path / "log.jsonl", rows))
    assert [run for run, _, _ in losses(store, result.task_id)] == [1, 2] * 8


def test_one_bad_path_does_not_stop_the_others(store, tmp_path):
    (tmp_path / "bad").write_text("nothing\n")
    results = import_paths(store, [tmp_path / "bad", tmp_path / "missing", write_lines(tmp_path / "log.jsonl", ROWS)])
    assert [result.state for result in results] == ["failed", "failed", "imported"]
    assert all(isinstance(result.error, ImportFailed) for result in results[:2])


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5])
def test_a_cancelled_import_leaves_nothing(store, tmp_path, after):
    path = write_lines(tmp_path / "log.jsonl", [{"step": step, "loss": 1.0} for step in range(20_000)])
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    shares: list[float] = []
    results = import_paths(store, [path], cancelled=cancelled, progress=lambda _, share: shares.append(share))
    assert [result.state for result in results] == ["cancelled"]
    assert store.tasks() == []
    assert max(shares, default=0) < 1
    assert only(store, path).records == 20_000


def test_an_interrupted_import_leaves_nothing_and_never_seems_done(store, tmp_path):
    path = write_lines(tmp_path / "log.jsonl", [{"step": step, "loss": 1.0} for step in range(20_000)])
    shares: list[float] = []

    def progress(_path, share):
        shares.append(share)
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_paths(store, [path], progress=progress)
    assert 0.5 < shares[-1] < 1
    assert store.tasks() == []


def test_a_file_that_is_packed_too_tightly_is_refused_before_it_is_read(store, tmp_path):
    """As JSON lines its 300 MiB would take a minute."""
    path, line = tmp_path / "log.jsonl.zst", b'{"step": 1, "loss": 2.0}\n'
    packer = zstandard.ZstdCompressor().compressobj()
    with path.open("wb") as file:
        for _ in range(300):
            file.write(packer.compress(line * (2**20 // len(line))))
        file.write(packer.flush())
    shares: list[float] = []
    (result,) = import_paths(store, [path], progress=lambda _, share: shares.append(share))
    assert "unpacks to more than" in str(result.error)
    assert set(shares) == {0.0, 1.0}


def test_progress_goes_from_nothing_to_all(store, tmp_path):
    shares: list[float] = []
    paths = [write_lines(tmp_path / f"{n}.jsonl", [{"step": s, "loss": float(n)} for s in range(9000)]) for n in (1, 2)]
    import_paths(store, paths, progress=lambda _, share: shares.append(share))
    assert shares[-1] == 1.0
    assert all(0 <= share <= 1 for share in shares)
    assert any(0.5 < share < 0.75 for share in shares)


def test_a_folder_with_a_side_car_joins_its_task(store, tmp_path):
    out = tmp_path / "out"
    trainer_state(out / "trainer_state.json", log_history([10, 20, 30]))
    side_car = {
        "stepline": "1.0",
        "task": {"id": "tknown", "name": "out", "key": None},
        "run": "20240101-000000-00000000",
    }
    (out / "stepline.json").write_text(json.dumps(side_car))
    first = only(store, out)
    assert (first.state, first.task_id) == ("imported", "tknown")


def test_what_stepline_recorded_itself_is_not_taken_again(store, tmp_path):
    header = Header("tknown", "out", None, "20240101-000000-00000000", 1.7e9, Process(1, None, "h", None, None), 30, {})
    journal = tmp_path / "run.jsonl"
    records = [Record("step", 1.7e9 + step, step, None, {"loss": 10 / step}) for step in (10, 20, 30)]
    journal.write_bytes(encode_header(header) + b"".join(map(encode_record, records)))
    assert only(store, journal).state == "imported"
    assert only(store, journal).state == "unchanged"
    out = tmp_path / "out"
    trainer_state(out / "trainer_state.json", log_history([10, 20, 30]))
    (out / "stepline.json").write_text(json.dumps({"task": {"id": "tknown"}, "run": header.run_id}))
    result = only(store, out)
    assert (result.state, result.task_id) == ("recorded", "tknown")
    assert store.task("tknown").records == 3


def without_ids(entries):
    """Runs have ids of their own in each home that takes their export in."""
    return [replace(entry, run_id="") for entry in entries]


def test_an_export_comes_back_the_same(store, tmp_path):
    path = event_file(tmp_path / "log", [(s, t, s + 0.5) for s in range(1, 9) for t in ("train/loss", "x")])
    task_id = only(store, path).task_id
    lines = [
        {
            "sequence": entry.sequence, "run": entry.run_id, "step": entry.step, "epoch": entry.epoch,
            "time": entry.time, "kind": entry.kind, "metrics": entry.metrics, "message": entry.message,
        }
        for entry in store.records(task_id)
    ]  # fmt: skip
    exported = write_lines(tmp_path / "export.jsonl", lines)
    assert only(store, exported).state == "recorded"
    other = Store.open(tmp_path / "other.db", writable=True)
    result = only(other, exported)
    assert without_ids(other.records(result.task_id)) == without_ids(store.records(task_id))
    assert only(other, exported).state == "unchanged"
    other.close()


def test_replacing_leaves_the_tasks_other_runs_as_they_were(store, tmp_path):
    out = tmp_path / "out"
    trainer_state(out / "trainer_state.json", log_history([10, 20, 30]))
    (out / "stepline.json").write_text(json.dumps({"task": {"id": "tknown"}}))
    assert only(store, out).task_id == "tknown"
    header = Header("tknown", "out", None, "20300101-000000-00000000", 1.9e9, Process(1, None, "h", None, None), 9, {})
    store.begin_run(header)
    marks = [Record("step", 1.9e9, 1, None, {"loss": 0.25}), Record("checkpoint", 1.9e9, 1, details={"path": "p"})]
    store.append(header.run_id, marks, position=1)
    trainer_state(out / "trainer_state.json", log_history([10, 20], shift=1.0))
    assert only(store, out).state == "replaced"
    assert losses(store, "tknown") == [(1, 1, 0.25), (2, 10, 2.0), (2, 20, 1.5)]
    assert [(run.number, run.first_sequence, run.last_sequence) for run in store.runs("tknown")] == [
        (1, 3, 4),
        (2, 5, 6),
    ], "what was taken away leaves its sequences empty"
    assert [mark.sequence for mark in store.checkpoints("tknown")] == [4]
    (loss,) = (metric for metric in store.metrics("tknown") if metric.name == "loss")
    assert (loss.count, loss.lowest, loss.highest, loss.last_sequence) == (3, 0.25, 2.0, 6)
    assert store.task("tknown").records == 4


def test_a_zip_archive_is_the_folder_that_it_holds(store, tmp_path):
    state = trainer_state(tmp_path / "trainer_state.json", log_history(range(1, 11)))
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(state, "out/trainer_state.json")
        archive.writestr("../../evil.jsonl", "".join(f'{{"step": {step}, "loss": 2.5}}\n' for step in range(9)))
        archive.writestr("out/model.safetensors", bytes(1000))
    found = {result.name: result for result in import_paths(store, [path])}
    assert {name: (each.state, each.records) for name, each in found.items()} == {
        "out": ("imported", 10), "evil": ("imported", 9),
    }  # fmt: skip
    assert not (tmp_path.parent / "evil.jsonl").exists()
    assert all("tmp" not in str(each.path) for each in found.values())
    assert {each.state for each in import_paths(store, [path])} == {"unchanged"}


def test_a_zip_of_weights_and_a_bomb_are_refused(store, tmp_path):
    weights, bomb, cut = tmp_path / "model.pt", tmp_path / "bomb.zip", tmp_path / "cut.zip"
    with zipfile.ZipFile(weights, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("log.jsonl", "w") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    cut.write_bytes(bomb.read_bytes()[:5000])
    results = import_paths(store, [weights, bomb, cut])
    assert [result.state for result in results] == ["failed"] * 3
    assert "weights" in str(results[0].error)
    assert "unpacks to more" in str(results[1].error)
    assert store.tasks() == []
