"""The window: what it remembers, when it asks, and how it ends, in a real one on a screen of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import stepline
from stepline.home import Home
from stepline.store import Store
from stepline.visit import take_in
from stepline.writer import read_address
from stepline_desktop.words import CHINESE, ENGLISH
from tests.desks import LOGIN, NOTIFICATIONS, desk
from tests.front_door import wait_for
from tests.import_files import event_file, log_history, trainer_state
from tests.screens import Page, close, free_port, geometry, opened, window_on, xdotool


def test_the_window_shows_the_page_and_remembers_its_place(display: str, home: Home) -> None:
    with stepline.record("pilot", home=home.path) as run:
        run.log({"loss": 2.5}, step=1)
    port = free_port()
    with opened(display, home, "open", port=port) as program:
        window = window_on(display)
        page = Page(port)
        wait_for(lambda: page.shows("pilot"))
        assert page.run("!document.createElement('canvas').getContext('webgl')"), "it must not use the GPU"
        before = page.run("devicePixelRatio")
        xdotool(display, "windowfocus", "--sync", window)
        xdotool(display, "key", "ctrl+plus")
        wait_for(lambda: page.run("devicePixelRatio") > before)
        zoomed = page.run("devicePixelRatio")
        page.close()
        xdotool(display, "windowsize", window, "1000", "700")
        xdotool(display, "windowmove", window, "120", "80")
        wait_for(lambda: geometry(display, window)["WIDTH"] == 1000 and geometry(display, window)["X"] == 120)
        close(display, window)
        assert program.ends() == 0
    assert read_address(home) is None
    with opened(display, home, "open", port=port) as program:
        again = geometry(display, window_on(display))
        page = Page(port)
        wait_for(lambda: page.run("devicePixelRatio") == zoomed)
        page.close()
        assert (again["X"], again["Y"], again["WIDTH"], again["HEIGHT"]) == (120, 80, 1000, 700)
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0
        # The port that this test looks through tells of itself.
        assert [line for line in program.told if line and not line.startswith("DevTools")] == []


def test_a_second_start_brings_the_first_window_forward(display: str, home: Home) -> None:
    with opened(display, home, "open") as first:
        window_on(display)
        wait_for(lambda: read_address(home))
        with opened(display, home, "open") as second:
            assert second.ends() == 0
            assert "open already" in second.told[0]
        assert first.process.poll() is None
        first.process.send_signal(signal.SIGINT)
        assert first.ends() == 0
        assert first.told == []


def test_the_page_and_the_menus_follow_the_system_once_they_are_to(display: str, home: Home) -> None:
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("theme", "dark")
    port = free_port()
    # A desktop that has a light theme and takes a program's own.
    desktop = {"XDG_CURRENT_DESKTOP": "GNOME", "QT_QPA_PLATFORMTHEME": "gnome"}
    with opened(display, home, "open", port=port, **desktop):
        page = Page(port)
        wait_for(lambda: page.run("document.querySelector('header') !== null"))
        wait_for(lambda: menu_shades(display) == ("dark", "readable"))
        assert page.run("matchMedia('(prefers-color-scheme: dark)').matches")
        page.run("fetch('api/settings', {method: 'PUT', body: JSON.stringify({theme: 'system'})})")
        wait_for(lambda: menu_shades(display) == ("light", "readable"))
        wait_for(lambda: page.run("!matchMedia('(prefers-color-scheme: dark)').matches"))
        page.close()


def test_a_link_opens_in_the_browser(display: str, home: Home, tmp_path: Path) -> None:
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho \"$1\" > '{told}.part' && mv '{told}.part' '{told}'\n")
    browser.chmod(0o755)
    port = free_port()
    with opened(display, home, "open", port=port, BROWSER=str(browser)):
        page = Page(port)
        wait_for(lambda: page.run("document.querySelector('header') !== null"))
        place = page.run("location.href")
        page.run(
            "const link = document.createElement('a'); link.href = 'https://example.org/a'; link.target = '_blank';"
            "document.body.append(link); link.click()"
        )
        wait_for(told.is_file)
        assert told.read_text() == "https://example.org/a\n"
        assert page.run("location.href") == place
        page.close()


def test_what_the_page_exports_is_saved_by_the_desktops_dialog(display: str, home: Home, tmp_path: Path) -> None:
    with stepline.record("pilot", home=home.path) as run:
        run.log({"loss": 2.5}, step=1)
    with take_in(home) as store:
        (task,) = store.tasks()
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("language", "zh")
        store.set_setting("theme", "dark")
    port = free_port()
    with opened(display, home, "open", port=port, HOME=str(tmp_path)) as program:
        page = Page(port)
        wait_for(lambda: page.shows("pilot"))
        # Menus that can be read, in the theme that the page has now.
        wait_for(lambda: menu_shades(display) == ("dark", "readable"))
        page.run("fetch('api/settings', {method: 'PUT', body: JSON.stringify({theme: 'light'})})")
        wait_for(lambda: menu_shades(display) == ("light", "readable"))
        page.run(f"location.href = 'api/tasks/{task.id}/export?format=csv'")
        dialog = wait_for(lambda: xdotool(display, "search", "--onlyvisible", "--name", f"^{CHINESE.save}$"))
        saved = tmp_path / "kept here.csv"
        # The dialog's own ending is left out: it is added.
        wait_for(lambda: [typed(display, dialog, saved.with_suffix("")), saved.is_file()][1])
        assert "2.5" in saved.read_text()
        page.close()
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0


@pytest.mark.parametrize(("language", "title"), [("en", "Open"), ("zh", "打开")])
def test_the_menus_import_opens_the_desktops_dialog_in_the_pages_language(
    language: str, title: str, display: str, home: Home, tmp_path: Path
) -> None:
    # In letters that xdotool finds on the keyboard: for others it changes the keyboard, and Qt may read the key before.
    history = tmp_path / "chosen here.csv"
    history.write_text("step,loss\n1,2.5\n2,2.25\n")
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("language", language)
    port = free_port()
    with opened(display, home, "open", port=port, HOME=str(tmp_path), LC_ALL="C.UTF-8") as program:
        page = Page(port)
        wait_for(lambda: page.run("document.querySelector('[data-testid=import]') !== null"))
        window = window_on(display)

        def dialog() -> str:
            return xdotool(display, "search", "--onlyvisible", "--name", f"^{title}").partition("\n")[0]

        def chosen() -> bool:
            if chooser := dialog():
                typed(display, chooser, history)
            elif not page.shows("chosen here"):
                # Pressed again until it is there: the menu's key works once the window has the focus. A second press
                # while the dialog is made would ask for another one.
                xdotool(display, "windowfocus", window)
                xdotool(display, "key", "ctrl+o")
                with contextlib.suppress(AssertionError):
                    wait_for(dialog, 3)
            return page.shows("chosen here")

        wait_for(chosen, 60)
        page.close()
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0


def test_files_and_folders_that_are_dragged_onto_the_window_come_in(display: str, home: Home, tmp_path: Path) -> None:
    lines = [tmp_path / name for name in ("one.jsonl", "two.jsonl", "three.jsonl")]
    for steps, path in enumerate(lines, 20):
        path.write_text("".join(json.dumps({"step": step, "loss": steps / step}) + "\n" for step in range(1, steps)))
    trainer_state(tmp_path / "out" / "trainer_state.json", log_history(range(1, 40), closing=True))
    event_file(tmp_path / "out" / "runs" / "a" / "events", [(step, "train/loss", 10 / step) for step in range(1, 40)])
    port = free_port()
    with opened(display, home, "open", port=port):
        window = window_on(display)
        page = Page(port)
        wait_for(lambda: page.run("document.querySelector('header') !== null"))
        came: set[str] = set()
        for dragged in ([lines[0]], lines[1:], [tmp_path / "out"]):
            drag(display, window, page, dragged)
            came |= {path.stem for path in dragged}
            wait_for(partial(has_come, home, page, came, dragged[-1].stem))
        page.close()
    assert named(home) == {"one": 19, "two": 20, "three": 21, "out": 40}


def has_come(home: Home, page: Page, names: set[str], name: str) -> bool:
    """Whether these tasks are there and no others, and the page shows the one of that name."""
    return named(home).keys() == names and page.shows(name)


def drag(display: str, window: str, page: Page, paths: list[Path]) -> None:
    """Press on a window of another program, go to the middle of ours, let go there."""
    source = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("drag_source.py"), *paths],
        env={**os.environ, "DISPLAY": display},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert source.stdout is not None
        assert source.stdout.readline() == "shown\n"
        box = geometry(display, window)
        x, y = box["X"] + box["WIDTH"] // 2, box["Y"] + box["HEIGHT"] // 2
        xdotool(display, "mousemove", "30", "30", "mousedown", "1")
        assert source.stdout.readline() == "dragging\n"

        def over() -> bool:
            for shift in (-20, 0):
                xdotool(display, "mousemove", str(x + shift), str(y + shift))
            return bool(page.run("document.querySelector('[data-testid=drop]') !== null"))

        wait_for(over)
        xdotool(display, "mouseup", "1")
        assert source.stdout.readline() == "dropped\n"
        wait_for(lambda: page.run("document.querySelector('[data-testid=drop]') === null"))
    finally:
        source.kill()
        source.wait()


def menu_shades(display: str) -> tuple[str, str]:
    """Of the menus' ground, and whether their letters stand out from it."""
    shot = ["import", "-window", window_on(display), "-crop", "120x18+2+2", "-depth", "8", "gray:-"]
    shades = subprocess.run(shot, env={**os.environ, "DISPLAY": display}, capture_output=True, check=True).stdout
    ground = sorted(shades)[len(shades) // 2]
    contrast = max(abs(shade - ground) for shade in shades)
    return ("dark" if ground < 128 else "light"), ("readable" if contrast > 128 else "unreadable")


def typed(display: str, dialog: str, path: Path) -> None:
    """A file's name typed into a dialog, and confirmed; nothing where it has gone."""
    xdotool(display, "windowfocus", "--sync", dialog)
    xdotool(display, "key", "--window", dialog, "ctrl+a")
    xdotool(display, "type", "--window", dialog, str(path))
    xdotool(display, "key", "--window", dialog, "Return")
    time.sleep(0.3)


def test_it_tells_of_trainings_and_keeps_the_machine_awake(display: str, home: Home, tmp_path: Path) -> None:
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("language", "zh")
    with (
        desk(tmp_path, NOTIFICATIONS, LOGIN) as made,
        opened(display, home, "open", **made.environment) as program,
    ):
        window = window_on(display)
        with stepline.record("pilot", home=home.path, total_steps=4) as run:
            run.log({"loss": 2.5}, step=1)
            wait_for(lambda: xdotool(display, "getwindowname", window) == "25 % · pilot · Stepline")
            wait_for(lambda: made.progress and made.progress[-1]["progress"] == 0.25)
            assert made.is_held
            assert made.notified == []
            run.log({"loss": 1.5}, step=4)
        wait_for(lambda: made.notified == [(CHINESE.completed, "pilot")])
        wait_for(lambda: made.progress[-1] == {"progress": 0.0, "progress-visible": False} | unseen(1))
        wait_for(lambda: not made.is_held)
        assert xdotool(display, "getwindowname", window) == "pilot · Stepline"
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0
        assert program.told == []
        assert made.progress[-1] == {"progress": 0.0, "progress-visible": False} | unseen(0)


def unseen(count: int) -> dict[str, object]:
    return {"count": count, "count-visible": count > 0}


def test_what_is_not_wanted_is_not_done(display: str, home: Home, tmp_path: Path) -> None:
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("notify", {"ended": False, "failed": True, "stalled": True, "finding": True})
        store.set_setting("keepAwake", False)
    with (
        desk(tmp_path, NOTIFICATIONS, LOGIN) as made,
        opened(display, home, "open", **made.environment) as program,
    ):
        window_on(display)
        for name in ("one", "two"):
            with contextlib.suppress(ZeroDivisionError), stepline.record(name, home=home.path, total_steps=2) as run:
                run.log({"loss": 2.5}, step=1)
                wait_for(lambda: made.progress and made.progress[-1]["progress-visible"])
                if name == "two":
                    raise ZeroDivisionError("by nought")
            wait_for(lambda: not made.progress[-1]["progress-visible"])
        wait_for(lambda: made.notified)
        assert made.notified == [(ENGLISH.failed, "two\nZeroDivisionError: by nought")]
        assert made.inhibited == []
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0


def test_closing_while_a_training_runs_here_asks_first(display: str, home: Home) -> None:
    pytest.importorskip("transformers", reason="torch and transformers are missing: make setup")

    def question() -> str:
        return xdotool(display, "search", "--onlyvisible", "--name", f"^{CHINESE.close_title}$").partition("\n")[0]

    def answer(key: str) -> None:
        """Pressed again while the question stands: a key that comes before the dialog listens is lost."""
        wait_for(question)
        wait_for(lambda: not (question() and [xdotool(display, "key", "--window", question(), key), question()][1]))

    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("language", "zh")
    with opened(display, home, "demo") as program:
        window = window_on(display)
        wait_for(lambda: [task for task in tasks(home) if task[1] > 3], 120)
        close(display, window)
        answer("Escape")
        assert program.process.poll() is None
        records = tasks(home)[0][1]
        wait_for(lambda: tasks(home)[0][1] > records)

        close(display, window)
        answer("Return")
        assert program.ends() == 0
    with take_in(home) as store:
        (task,) = store.tasks()
        assert store.runs(task.id)[-1].status == "stopped"


def tasks(home: Home) -> list[tuple[str, int]]:
    with take_in(home) as store:
        return [(task.id, task.records) for task in store.tasks()]


def named(home: Home) -> dict[str, int]:
    with take_in(home) as store:
        return {task.name: task.records for task in store.tasks()}
