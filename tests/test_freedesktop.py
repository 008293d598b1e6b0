"""The Linux desktop's services, on a message bus of our own: what they hear; where they are not, nothing fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stepline_desktop.desktop import Desktop, this_desktop
from tests.desks import LOGIN, NOTIFICATIONS, SESSION_MANAGER, Desk, desk
from tests.front_door import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="D-Bus is Linux's")


def connected(made: Desk, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return this_desktop(None)


def test_a_notification_is_shown_replaced_and_clicked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, NOTIFICATIONS) as made:
        desktop = connected(made, monkeypatch)
        desktop.notify("a", "Training failed", "a <b> & c")
        desktop.notify("b", "Training completed", "b")
        desktop.notify("a", "Training completed", "a")
        assert made.notified == [
            ("Training failed", "a &lt;b&gt; &amp; c"),
            ("Training completed", "b"),
            ("Training completed", "a"),
        ]
        assert made.replaced == [0, 0, 1]
        assert desktop.clicked() == []
        made.click(2)
        made.click(99)
        wait_for(lambda: [desktop.wait(0.05), desktop.clicked()][1] == ["b"])
        desktop.close()


def test_the_task_bar_hears_of_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path) as made:
        desktop = connected(made, monkeypatch)
        desktop.show_progress(0.25, 0)
        desktop.show_progress(None, 2)
        wait_for(lambda: len(made.progress) == 2)
        assert made.progress == [
            {"progress": 0.25, "progress-visible": True, "count": 0, "count-visible": False},
            {"progress": 0.0, "progress-visible": False, "count": 2, "count-visible": True},
        ]
        desktop.close()


def test_logind_keeps_the_machine_awake_until_it_is_not_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, LOGIN) as made:
        desktop = connected(made, monkeypatch)
        desktop.keep_awake(True, "A training is running")
        desktop.keep_awake(True, "A training is running")
        assert made.inhibited == [("sleep:idle", "Stepline", "A training is running", "block")]
        assert made.is_held
        desktop.keep_awake(False, "")
        wait_for(lambda: not made.is_held)
        desktop.keep_awake(True, "again")
        assert made.is_held
        desktop.close()
        wait_for(lambda: not made.is_held)


def test_without_logind_the_session_keeps_it_awake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, SESSION_MANAGER) as made:
        desktop = connected(made, monkeypatch)
        desktop.keep_awake(True, "A training is running")
        assert made.inhibited == [("Stepline", 0, "A training is running", 4)]
        desktop.close()
        assert made.released == [71]


@pytest.mark.parametrize("bus", ["", "unix:path=/nowhere/at/all", "tcp:host=localhost,port=1", "nonsense"])
def test_where_no_bus_is_nothing_fails(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jeepney", reason="jeepney is missing: make setup")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus or "unix:path=/nowhere")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    use_all(this_desktop(None))


def test_where_no_service_is_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path) as made:
        use_all(connected(made, monkeypatch))


def test_a_bus_that_goes_away_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, NOTIFICATIONS) as made:
        desktop = connected(made, monkeypatch)
        desktop.notify("a", "Training completed", "a")
    use_all(desktop)


def use_all(desktop: Desktop) -> None:
    desktop.notify("a", "Training failed", "a")
    desktop.show_progress(0.5, 1)
    desktop.keep_awake(True, "A training is running")
    desktop.wait(0.01)
    assert desktop.clicked() == []
    desktop.keep_awake(False, "")
    desktop.close()
