"""Sources that grow: read from where they were left, to the outcome of reading them whole."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline.importers import Following, import_paths
from stepline.store import Store
from tests.import_files import event, field, simple, tfrecord

AT_EASE = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

numbers = st.sampled_from([0.5, 2.0, float("nan"), float("inf")]) | st.floats(0, 10, width=32)
names = st.sampled_from(["loss", "train_loss", "eval_loss", "lr", "grad_norm", "train_runtime", "total_steps"])
logged = st.fixed_dictionaries({"step": st.integers(1, 40)}, optional={"epoch": st.integers(0, 3).map(float)})
rows = st.lists(st.tuples(logged, st.dictionaries(names, numbers, min_size=1, max_size=4)), min_size=1, max_size=40)
ordered = st.booleans()


def as_lines(made: Sequence[tuple[dict[str, Any], dict[str, float]]]) -> bytes:
    return "".join(json.dumps({**place, **values}) + "\n" for place, values in made).encode()


def as_table(made: Sequence[tuple[dict[str, Any], dict[str, float]]]) -> bytes:
    columns = ["step", "epoch", "loss", "train_loss", "eval_loss", "lr", "grad_norm", "train_runtime", "total_steps"]
    body = [[str({**place, **values}.get(name, "")) for name in columns] for place, values in made]
    return "\r\n".join(",".join(cells) for cells in [columns, *body]).encode() + b"\r\n"


def as_console(made: Sequence[tuple[dict[str, Any], dict[str, float]]]) -> bytes:
    lines = []
    for index, (place, values) in enumerate(made):
        if index % 3 == 0:
            lines.append(f"step: {place['step']} " + " ".join(f"{name}: {value}" for name, value in values.items()))
        else:
            # The trainer's dictionaries wait for the bar that is drawn after them.
            shown = {name: value for name, value in values.items() if value == value and value < 1e9}
            lines.append(f"{shown}\n {place['step']}%|##   | {place['step']}/40 [00:01<00:02]\r")
    return ("\n".join(lines) + "\n").encode()


def as_events(made: Sequence[tuple[dict[str, Any], dict[str, float]]]) -> bytes:
    parts = [tfrecord(field(1, 1_700_000_000.0) + field(3, "brain.Event:2"))]
    for place, values in made:
        parts += [event(place["step"], [simple(f"train/{name}", value)]) for name, value in values.items()]
    return b"".join(parts)


FORMS: dict[str, Callable[[Sequence[Any]], bytes]] = {
    "lines": as_lines,
    "table": as_table,
    "console": as_console,
    "events": as_events,
}


def content(store: Store) -> list[Any]:
    """All that was taken in but times, which most of these sources do not tell, and ids, which are made of them."""
    found: list[Any] = []
    for task in store.tasks():
        places = {run.id: place for place, run in enumerate(store.runs(task.id))}
        found += [(run.status, run.records) for run in store.runs(task.id)]
        found += [
            repr((places[each.run_id], each.kind, each.step, each.epoch, sorted(each.metrics.items()), each.details))
            for each in store.records(task.id)
        ]
    return found


def opened(folder: Path) -> Store:
    folder.mkdir()
    return Store.open(folder / "stepline.db", writable=True)


@pytest.mark.parametrize("form", FORMS)
@AT_EASE
@given(rows, ordered, st.lists(st.floats(0, 1), min_size=1, max_size=4), st.booleans())
def test_a_source_that_grew_in_pieces_is_as_one_that_was_read_whole(
    form: str, made: list[Any], in_order: bool, cuts: list[float], columns: bool
) -> None:
    if in_order:
        made = sorted(made, key=lambda each: each[0]["step"])
    data = FORMS[form](made)
    places = sorted({1 + int(cut * (len(data) - 1)) for cut in cuts} | {len(data)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        grown, whole = (opened(Path(folder) / name) for name in ("grown", "whole"))
        following = Following(columns_from_bytes=0 if columns else 1 << 62)
        before = 0
        for place in places:
            with path.open("ab") as file:
                file.write(data[before:place])
            os.utime(path, (1_700_000_000, 1_700_000_000 + place))
            before = place
            import_paths(grown, [path], growing=True, following=following)
        import_paths(grown, [path], following=following)
        import_paths(whole, [path])
        assert content(grown) == content(whole)
        # Had the source's records been taken for others, it would be another import now.
        (again,) = import_paths(grown, [path])
        assert again.state in ("unchanged", "failed")
        grown.close()
        whole.close()


def lines(first: int, last: int, **more: float) -> bytes:
    return as_lines([({"step": step}, {"loss": 1 / step, **more}) for step in range(first, last)])


@pytest.fixture
def store(tmp_path: Path):
    store = opened(tmp_path / "home")
    yield store
    store.close()


def looked(following: Following, store: Store, path: Path) -> tuple[bool, list[int]]:
    """Whether it was read from where it was left, and the steps of the records that were read."""
    seen: list[int] = []
    is_all = following.go_on(
        path, lambda task: seen.extend(record.step or 0 for _, record in task.records()), growing=True
    )
    return is_all, seen


def test_only_what_was_written_since_is_read(store, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(lines(1, 101))
    following = Following()
    import_paths(store, [path], growing=True, following=following)
    for first in (101, 201):
        with path.open("ab") as file:
            file.write(lines(first, first + 100))
        (result,) = import_paths(store, [path], growing=True, following=following)
        assert (result.state, result.records) == ("grown", 100)
    with path.open("ab") as file:
        file.write(lines(301, 311) + b'{"step": 3')
    assert looked(following, store, path) == (True, list(range(301, 311)))


def test_a_line_that_was_half_written_is_whole_the_next_time(store, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,loss\n" + b"".join(b"%d,0.5\n" % step for step in range(1, 50)) + b"50,0.")
    following = Following()
    import_paths(store, [path], growing=True, following=following)
    with path.open("ab") as file:
        file.write(b"25\n51,0.125\n")
    import_paths(store, [path], growing=True, following=following)
    (task,) = store.tasks()
    assert [(each.step, each.metrics["loss"]) for each in store.records(task.id)][-3:] == [
        (49, 0.5), (50, 0.25), (51, 0.125)
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["another metric", "another beginning", "shorter", "other steps"])
def test_what_is_not_the_file_that_was_read_is_read_whole(store, tmp_path, change):
    path = tmp_path / "log.jsonl"
    following = Following()
    for last in (101, 121):
        path.write_bytes(lines(1, last))
        import_paths(store, [path], growing=True, following=following)
    path.write_bytes(
        {
            "another metric": lines(1, 151, lr=0.5),
            "another beginning": lines(1, 2, lr=0.5) + lines(2, 151),
            "shorter": lines(1, 51),
            "other steps": lines(200, 451),
        }[change]
    )
    assert not looked(following, store, path)[0]
    import_paths(store, [path], growing=True, following=following)
    whole = opened(tmp_path / "whole")
    import_paths(whole, [path])
    assert content(store)[1:] == content(whole)[1:]
    whole.close()


def test_in_a_folder_each_source_goes_on_by_itself_until_a_file_comes(store, tmp_path):
    folder = tmp_path / "runs"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "log.jsonl").write_bytes(lines(1, 51))
    following = Following()
    import_paths(store, [folder], growing=True, following=following, asked=False)
    with (folder / "b" / "log.jsonl").open("ab") as file:
        file.write(lines(51, 61))
    # The first look reads the one that grew from its beginning.
    (result,) = import_paths(store, [folder], growing=True, following=following, asked=False)
    assert (result.path.parent.name, result.records) == ("b", 10)
    with (folder / "b" / "log.jsonl").open("ab") as file:
        file.write(lines(61, 71))
    assert looked(following, store, folder) == (True, list(range(61, 71)))
    (folder / "c.jsonl").write_bytes(lines(1, 51))
    assert not looked(following, store, folder)[0]


def test_what_stands_still_comes_to_the_end_its_source_tells(store, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(lines(1, 51, total_steps=100))
    following = Following()
    import_paths(store, [path], growing=True, following=following)
    with path.open("ab") as file:
        file.write(lines(51, 101, total_steps=100))
    import_paths(store, [path], growing=True, following=following)
    (task,) = store.tasks()
    assert task.status == "running"
    import_paths(store, [path], following=following)
    assert store.task(task.id).status == "completed"


def test_a_run_that_another_follows_ended_when_it_logged_last(store, tmp_path):
    path = tmp_path / "log.jsonl"
    timed = [({"step": step, "timestamp": 1_700_000_000.0 + step}, {"loss": 1.0}) for step in range(1, 60)]
    path.write_bytes(as_lines(timed))
    following = Following()
    import_paths(store, [path], growing=True, following=following)
    again = [({"step": step, "timestamp": 1_700_001_000.0 + step}, {"loss": 1.0}) for step in range(1, 60)]
    with path.open("ab") as file:
        file.write(as_lines(again))
    import_paths(store, [path], growing=True, following=following)
    (task,) = store.tasks()
    first, second = store.runs(task.id)
    assert (first.status, first.ended, second.status) == ("stopped", 1_700_000_059.0, "running")


def test_a_task_that_was_removed_meanwhile_does_not_begin_in_its_middle(store, tmp_path):
    path = tmp_path / "log.jsonl"
    following = Following()
    for last in (51, 61):
        path.write_bytes(lines(1, last))
        import_paths(store, [path], growing=True, following=following)
    store.take_back([task.id for task in store.tasks()])
    path.write_bytes(lines(1, 71))
    import_paths(store, [path], growing=True, following=following)
    (task,) = store.tasks()
    assert task.records == 70


def test_what_is_packed_is_read_whole_each_time(store, tmp_path):
    path = tmp_path / "packed.zip"
    following = Following()
    for last in (51, 61):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("log.jsonl", lines(1, last))
        import_paths(store, [path], growing=True, following=following)
    (result,) = import_paths(store, [path], following=following)
    (task,) = store.tasks()
    assert (result.state, task.records) == ("unchanged", 60)
