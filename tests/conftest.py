"""Fixtures that every test may use. The suite runs strict: a recorder's failure is an exception."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import settings

PAGE = Path(__file__).parents[1] / "backend" / "stepline" / "web_dist" / "index.html"

os.environ["STEPLINE_STRICT"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Without a deadline: a test says what is right, and a loaded machine is not wrong.
settings.register_profile("stepline", deadline=None)
settings.load_profile("stepline")


@pytest.fixture
def home(tmp_path: Path):
    """A fresh home folder of its own."""
    from stepline.home import Home

    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home):
    """A fresh store, for writing."""
    from stepline.store import Store

    opened = Store.open(home.database, writable=True)
    yield opened
    opened.close()


@pytest.fixture
def fill(store):
    """Appends to runs of that store."""
    from tests.filling import Filling

    return Filling(store)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A training's output folder, not there yet."""
    return tmp_path / "out"


@pytest.fixture
def display():
    """A screen of its own on which a window can open; its DISPLAY."""
    from stepline.errors import Unavailable
    from stepline_desktop import surroundings
    from tests.screens import screen

    if not PAGE.is_file():
        pytest.skip("the page is not built: make setup")
    with screen() as name:
        try:
            os.environ["DISPLAY"] = name
            surroundings.prepare()
        except Unavailable as obstacle:
            pytest.skip(str(obstacle))
        finally:
            del os.environ["DISPLAY"]
        yield name


@pytest.fixture
def two_tasks(home):
    """A home with two tasks: `pilot` of two runs, the first failed, and `other`."""
    import stepline
    from stepline.visit import take_in

    with contextlib.suppress(ZeroDivisionError), stepline.record("pilot", home=home.path, total_steps=4) as run:
        run.log({"loss": 2.0}, step=1)
        run.log({"loss": float("nan")}, step=2)
        raise ZeroDivisionError("by nought")
    # Run ids tell seconds: the first is taken in before the next begins, so that it is surely the first.
    with take_in(home):
        pass
    with stepline.record("pilot", home=home.path, total_steps=4) as run:
        for step in range(1, 5):
            run.log({"loss": 1 / step}, step=step)
    with stepline.record("other", home=home.path) as run:
        run.log({"loss": 5.0}, step=1)
    return home
