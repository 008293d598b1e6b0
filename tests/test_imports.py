"""What `import stepline` must not load into a training, and what a command loads only where it needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

import stepline
from stepline.app import App
from stepline.home import Home
from tests.journals import run_python

HEAVY = {
    "accelerate",
    "click",
    "flask",
    "flask_sock",
    "msgspec",
    "numba",
    "numpy",
    "pandas",
    "peewee",
    "psutil",
    "rich",
    "torch",
    "transformers",
    "webview",
    "werkzeug",
    "zstandard",
}
LOADED = "\nprint(*sys.modules)"


def loaded_by(code: str) -> set[str]:
    done = run_python(f"import sys\n{code}{LOADED}", strict=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_stepline_loads_the_standard_library_alone() -> None:
    loaded = loaded_by("import stepline")
    assert "stepline" in loaded
    assert not loaded & HEAVY


def test_recording_a_loop_loads_the_standard_library_alone() -> None:
    code = (
        "import stepline, tempfile\n"
        "with tempfile.TemporaryDirectory() as home, stepline.record('pilot', home=home) as run:\n"
        "    run.log({'loss': float('nan')}, step=1)\n"
    )
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize(
    ("command", "late"),
    [
        ("showing", {"jeepney", "numba", "rich", "stepline.exporters", "stepline.importers", "webview"}),
        ("transfer", {"flask", "numba", "rich", "stepline.exporters", "stepline.importers", "stepline.server"}),
        ("listing", {"flask", "numba", "stepline.exporters", "stepline.importers", "stepline.server"}),
        ("running", {"flask", "numba", "numpy", "peewee", "rich", "stepline.store"}),
    ],
)
def test_a_command_starts_without_what_comes_later(command: str, late: set[str]) -> None:
    assert not loaded_by(f"import stepline.command.{command}") & late


def test_a_first_window_loads_no_part_of_numpy_that_it_does_not_need(tmp_path: Path) -> None:
    with stepline.record("pilot", home=tmp_path) as run:
        for step in range(9_000):
            run.log({"loss": step / 7}, step=step)
    app = App(Home.open(tmp_path))
    app.start()
    app.take_in()
    app.stop()
    code = (
        "from pathlib import Path\n"
        "from stepline import history\n"
        "from stepline.store import Store\n"
        f"store = Store.open(Path({str(Home.open(tmp_path).database)!r}), writable=False)\n"
        "(task,) = store.tasks()\n"
        "history.frame(store, task.id, ['loss', 'perplexity'], smoothing=history.Smoothing(10, 5))\n"
        "list(store.records(task.id, limit=200, newest_first=True))"
    )
    assert "numpy.ma" not in loaded_by(code)


@pytest.mark.parametrize("name", stepline.__all__)
def test_each_public_name_is_there(name: str) -> None:
    if name == "SteplineCallback":
        pytest.importorskip("transformers")
    assert getattr(stepline, name) is not None


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stepline.nothing
