"""Which task a run belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepline.recording.task_identity import SIDE_CAR, read_side_car, task_of_folder, task_of_key, write_side_car


def test_a_folder_is_named_by_its_real_path_until_it_has_a_side_car(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    task = task_of_folder(folder)
    assert task == task_of_folder(tmp_path / "link") == task_of_folder(str(folder) + "/")
    assert (task.name, task.key) == ("out", str(folder))
    assert task.id != task_of_folder(tmp_path).id
    write_side_car(folder, task, "20260101-000000-00000000", 7)
    moved = folder.rename(tmp_path / "elsewhere")
    assert (task_of_folder(moved).id, task_of_folder(moved).name) == (task.id, "elsewhere")
    side_car = read_side_car(moved)
    assert side_car is not None
    assert (side_car.task_id, side_car.run_id, side_car.step) == (task.id, "20260101-000000-00000000", 7)


def test_a_key_names_a_task_whatever_its_label() -> None:
    assert task_of_key("pilot").id == task_of_key("pilot", name="The pilot").id
    assert task_of_key("pilot", name="The pilot").name == "The pilot"
    # What docs and other writers rely on: a letter and fifteen hexadecimal digits of a hash of the key.
    assert task_of_key("pilot").id == "t28d8aaaf80dfd09"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"task": []}', '{"task": {"id": "../x"}}', '{"task": {"id": 5}}'])
def test_a_side_car_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    plain = task_of_folder(tmp_path)
    (tmp_path / SIDE_CAR).write_text(content, "utf-8")
    assert read_side_car(tmp_path) is None
    assert task_of_folder(tmp_path) == plain
