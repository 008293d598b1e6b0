"""The list of tasks: names told apart, labels, tags, notes, order; and the settings kept beside."""

from __future__ import annotations

import pytest

from stepline.errors import TaskAmbiguous, TaskNotFound
from stepline.store.naming import Named, display_names
from tests.filling import step


def test_names_are_told_apart_by_more_of_their_paths():
    names = display_names(
        [
            Named("1", "run1", "/data/qwen/run1", None),
            Named("2", "run1", "/data/llama/run1", None),
            Named("3", "other", "/x/other", None),
            Named("4", "given", "/x/y", None),
            Named("5", "run1", "/old/qwen/run1", "label"),
            Named("6", "out", "C:\\训练\\out", None),
            Named("7", "", None, None),
            Named("8", "/abs/key", "/abs/key", None),
        ]
    )
    assert names == {
        "1": "qwen/run1", "2": "llama/run1", "3": "other", "4": "given", "5": "label", "6": "out", "7": "7", "8": "key",
    }  # fmt: skip


def test_paths_that_end_alike_are_told_apart_as_far_as_they_differ():
    names = display_names(Named(str(n), "b", key, None) for n, key in enumerate(["/x/a/b", "/y/a/b", "/b"]))
    assert names == {"0": "x/a/b", "1": "y/a/b", "2": "b"}
    same_path = display_names(Named(str(n), "b", "/a/b", None) for n in range(2))
    assert same_path == {"0": "a/b", "1": "a/b"}, "one path on two hosts: nothing tells them apart"


def test_a_label_wins_and_can_be_taken_back(store, fill):
    fill.begin("a", "t1", name="run1", key="/data/one/run1")
    fill.begin("b", "t2", name="run1", key="/data/two/run1")
    assert {task.name for task in store.tasks()} == {"one/run1", "two/run1"}
    store.rename_task("t1", "第一")
    assert {task.name for task in store.tasks()} == {"第一", "run1"}
    fill.append("a", step(1))
    assert store.find_task("第一").id == "t1"
    assert store.find_task("/data/one/run1").id == "t1"
    assert store.find_task("run1").id == "t2", "as shown comes before as given"
    store.rename_task("t1", None)
    with pytest.raises(TaskAmbiguous) as caught:
        store.find_task("run1")
    assert "t1" in str(caught.value)
    assert "t2" in str(caught.value)
    with pytest.raises(TaskNotFound):
        store.find_task("nothing")


def test_tags_notes_and_settings(store, fill):
    fill.begin()
    store.set_task("t1", tags=["a", "标签"])
    store.set_task("t1", notes="long text")
    task = store.task("t1")
    assert (task.tags, task.notes, task.label) == (("a", "标签"), "long text", None)
    with pytest.raises(TaskNotFound):
        store.set_task("t2", notes="")
    assert store.setting("theme", "light") == "light"
    store.set_setting("theme", {"name": "dark", "since": [1, None]})
    store.set_setting("theme2", False)
    assert store.setting("theme") == {"name": "dark", "since": [1, None]}
    assert store.settings() == {"theme": {"name": "dark", "since": [1, None]}, "theme2": False}
    store.set_setting("theme", None)
    assert store.settings() == {"theme2": False}


def test_tasks_come_newest_change_first_and_the_version_tells_of_changes(store, fill):
    one = fill.begin("a", "t1")
    before = store.version()
    two = fill.begin("b", "t2")
    assert store.version() > before
    assert [task.id for task in store.tasks()] == ["t2", "t1"]
    fill.append(one, step(1))
    assert [task.id for task in store.tasks()] == ["t1", "t2"]
    quiet = store.version()
    assert len(store.tasks()) == 2
    assert store.version() == quiet
    store.end_run(two, "failed", None, 5.0)
    assert store.version() > quiet
