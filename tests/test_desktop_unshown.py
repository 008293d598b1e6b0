"""What the window knows before it is shown: its place, its language, its libraries, and whether there is a display."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepline.errors import Unavailable
from stepline_desktop import surroundings
from stepline_desktop.place import MINIMUM, TITLE_PX, Place, Screen, fit, from_setting
from stepline_desktop.words import CHINESE, ENGLISH, words
from tests.journals import run_python

screens = st.builds(
    Screen, st.integers(-4000, 4000), st.integers(-4000, 4000), st.integers(500, 5000), st.integers(500, 5000)
)
places = st.builds(
    Place,
    st.integers(-10, 9000),
    st.integers(-10, 9000),
    st.none() | st.integers(-9000, 9000),
    st.none() | st.integers(-9000, 9000),
    st.booleans(),
)


@settings(deadline=None)
@given(places)
def test_a_place_comes_back_from_the_settings(place: Place) -> None:
    assert from_setting(json.loads(json.dumps(place.to_setting()))) == place


@settings(deadline=None)
@given(st.none() | st.booleans() | st.floats() | st.text() | st.dictionaries(st.text(), st.text()))
def test_a_setting_of_another_form_is_the_standard_place(value: object) -> None:
    assert from_setting(value) == Place()
    assert from_setting({"width": value, "height": 1, "x": 0, "y": 0}) == Place()


@settings(deadline=None)
@given(places, st.lists(screens, min_size=1, max_size=3))
def test_a_window_can_be_seen_and_moved(place: Place, every: list[Screen]) -> None:
    fitted = fit(place, every)
    assert fitted.width >= MINIMUM[0]
    assert fitted.height >= MINIMUM[1]
    assert any(fitted.width <= max(screen.width, MINIMUM[0]) for screen in every)
    assert fitted.x is not None
    assert any(screen.y <= (fitted.y or 0) < screen.y + screen.height for screen in every)
    assert fitted.maximized == place.maximized


@pytest.mark.parametrize("screen", [Screen(0, 0, 1366, 768), Screen(0, 27, 1024, 573), Screen(-1280, 0, 1280, 984)])
def test_a_first_window_has_room_for_its_title_bar(screen: Screen) -> None:
    fitted = fit(Place(), [screen])
    assert fitted.x is not None
    assert fitted.y is not None
    assert screen.x <= fitted.x
    assert fitted.x + fitted.width <= screen.x + screen.width
    assert screen.y <= fitted.y
    assert fitted.y + TITLE_PX + fitted.height <= screen.y + screen.height


def test_a_place_on_a_screen_stays_as_it_is() -> None:
    place = Place(1000, 700, 2000, 40)
    assert fit(place, [Screen(0, 0, 1920, 1080), Screen(1920, 0, 1920, 1080)]) == place


@pytest.mark.parametrize(
    ("setting", "lang", "said"),
    [
        ("zh", "en_GB.UTF-8", CHINESE),
        ("en", "zh_CN.UTF-8", ENGLISH),
        (None, "zh_CN.UTF-8", CHINESE),
        (None, "C", ENGLISH),
    ],
)
def test_the_window_speaks_the_pages_language(
    setting: str | None, lang: str, said: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is None and sys.platform == "win32":
        pytest.skip("Windows names its language elsewhere")
    monkeypatch.setenv("LC_ALL", lang)
    assert words(setting) == said


def test_qt_is_loaded_without_every_name_of_it() -> None:
    pytest.importorskip("PySide6.QtWebEngineWidgets", reason="Qt is missing: make setup")
    done = run_python(
        "import sys\n"
        "from stepline_desktop.binding import stand_in_for_qtpy\n"
        "stand_in_for_qtpy()\n"
        "import stepline_desktop.qt, webview.platforms.qt\n"
        "from PySide6 import QtGui, QtWebEngineCore\n"
        "assert sys.modules['qtpy.QtWidgets'].QAction is QtGui.QAction\n"
        "assert webview.platforms.qt.QWebPage is QtWebEngineCore.QWebEnginePage\n"
        "assert not hasattr(sys.modules['qtpy'], '__file__')\n"
        "assert not hasattr(sys.modules['qtpy.QtCore'], 'QNoSuchClass')\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("fill", ["showMaximized", "showFullScreen"])
def test_a_window_that_fills_the_screen_remembers_the_place_before(fill: str) -> None:
    pytest.importorskip("PySide6.QtWebEngineWidgets", reason="Qt is missing: make setup")
    done = run_python(
        "import os\n"
        "os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "from stepline_desktop import surroundings\n"
        "surroundings.prepare()\n"
        "from PySide6.QtWebEngineWidgets import QWebEngineView\n"
        "from PySide6.QtWidgets import QApplication, QMainWindow\n"
        "from stepline_desktop.qt import QtSide\n"
        "from stepline_desktop.words import ENGLISH\n"
        "application = QApplication([])\n"
        "window = QMainWindow()\n"
        "window.webview = QWebEngineView(window)\n"
        "side = QtSide(window, lambda: ENGLISH, lambda: None)\n"
        "window.resize(500, 490)\n"
        "window.move(70, 60)\n"
        "window.show()\n"
        "application.processEvents()\n"
        f"window.{fill}()\n"
        "application.processEvents()\n"
        "assert window.width() > 500\n"
        "place = side.place()\n"
        "assert (place.x, place.y, place.width, place.height) == (70, 60, 500, 490), place\n"
        f"assert place.maximized == {fill == 'showMaximized'}\n"
        "window.showNormal()\n"
        "application.processEvents()\n"
        "assert side.place() == place.__class__(500, 490, 70, 60), side.place()\n"
        "os._exit(0)\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be without a display")
@pytest.mark.parametrize(
    "set_names", [{}, {"DISPLAY": ":4711"}, {"WAYLAND_DISPLAY": "nothing-4711"}, {"QT_QPA_PLATFORM": "xcb"}]
)
def test_without_a_display_no_window_can_open(set_names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("webview") is None:
        pytest.skip("pywebview is missing: make setup")
    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_names.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable) as caught:
        surroundings.prepare()
    assert caught.value.why
    assert caught.value.action
    # A browser would open where the window cannot: it is not said to be open.
    assert not surroundings.has_display()


@pytest.mark.parametrize(("rule", "forbidden"), [("1\n", True), ("0\n", False), (None, False)])
def test_the_sandbox_is_left_out_where_the_system_forbids_it(rule: str | None, forbidden: bool, tmp_path: Path) -> None:
    file = tmp_path / "rule"
    if rule is not None:
        file.write_text(rule)
    assert surroundings.forbids_sandboxes(file) == forbidden
