"""Shows the page: in the window where one can open, else in the browser, else by its address."""

from __future__ import annotations

import contextlib
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stepline.app import App
from stepline.command import heap
from stepline.command.asking import Memory, bring_forward
from stepline.command.homes import open_home, say
from stepline.command.quitting import Quitting
from stepline.errors import SteplineError, Unavailable
from stepline.intake import taken
from stepline.news import News
from stepline.visit import import_into
from stepline.wire import TakenIn
from stepline_desktop import surroundings
from stepline_desktop.companion import Companion
from stepline_desktop.words import words

if TYPE_CHECKING:  # it loads pywebview, which not every machine has
    from stepline_desktop.window import Window


def open_window(path: Path | None, paths: Sequence[Path] = ()) -> None:
    """`stepline open`: returns when the window is closed."""
    home = open_home(path)
    wanted = [each.expanduser().absolute() for each in paths]
    if bring_forward(home):
        if wanted:
            bring_forward(home, taken(import_into(home, wanted)))
        say("Stepline is open already; its window is in front now.")
        return
    heap.share()
    with Quitting() as quitting:
        obstacle = window_obstacle()
        app = App(home)
        app.start()
        try:
            if obstacle is None:
                window = new_window(app)
                if wanted:
                    threading.Thread(
                        target=open_paths, args=(app, wanted), name="stepline-opening", daemon=True
                    ).start()
                show_window(window, app, quitting)
            else:
                say(str(obstacle))
                if wanted:
                    open_paths(app, wanted)
                show_address(app)
                app.on_focus = no_window
                if sys.stderr is None:  # Windows' menu starts us without a terminal, where Ctrl-C could end us
                    said = words(Memory(app).setting("language", None))
                    threading.Thread(target=message, args=(said.in_browser, quitting), daemon=True).start()
                quitting.wait()
        finally:
            app.stop()


def message(text: str, quitting: Quitting) -> None:
    """Show it; who closes it ends the program."""
    if surroundings.show_message(text):
        quitting.now()


def open_paths(app: App, paths: Sequence[Path]) -> None:
    """Take the histories at `paths` in and show the first of their tasks: in the window, else when the page opens."""
    found = taken(import_into(app.home, paths))
    if found["tasks"]:
        Memory(app).set_setting("task", found["tasks"][0])
    for each in found["imported"]:
        if each["error"] is not None:
            said = each["error"]
            say(f"stepline: {SteplineError(said['what'], why=said['why'], action=said['action'], lost=said['lost'])}")
    with contextlib.suppress(Unavailable):
        app.focus(found)


def serve(path: Path | None, port: int) -> None:
    """`stepline serve`: one line with the address, then until it is ended."""
    heap.share()
    home = open_home(path)
    with Quitting() as quitting:
        app = App(home, port=port)
        app.on_focus = no_window
        app.start()
        try:
            print(f"Stepline is at {app.url}", flush=True)
            quitting.wait()
        finally:
            app.stop()


def window_obstacle() -> Unavailable | None:
    """Why no window can open here; None: its libraries are loaded and it can."""
    try:
        surroundings.prepare()
    except Unavailable as obstacle:
        return obstacle
    return None


def new_window(app: App, *, is_busy: Callable[[], bool] = lambda: False) -> Window:
    """A window on `app`, not shown yet; `window_obstacle` has found none."""
    from stepline_desktop.window import Window

    return Window(app.url, Memory(app), is_busy=is_busy)


def show_window(window: Window, app: App, quitting: Quitting) -> None:
    """Show the window, in the main thread, until it is closed or the end is asked for."""
    from stepline_desktop.window import icon

    companion = Companion(window, Memory(app), News(lambda: app.store, app.findings).look, icon=icon())
    # Not before: the first data in the window wait for nothing that is not needed for them.
    window.on_loaded.append(companion.start)
    app.on_focus = partial(focus, window)
    quitting.on_end(window.close)
    try:
        window.show()
    finally:
        companion.stop()


def show_address(app: App) -> bool:
    """Open the browser where a person could see it, and print the address anyway. Whether a browser opened."""
    opened = surroundings.has_display() and webbrowser.open(app.url)
    print(f"Stepline is at {app.url}", flush=True)
    say("It is open in the browser. Ctrl-C ends it." if opened else "Ctrl-C ends it.")
    return opened


def focus(window: Window, taken: TakenIn | None) -> None:
    window.focus()
    if taken is not None:
        window.present(taken)


def no_window(taken: TakenIn | None) -> None:
    """A second start asks for the window of a Stepline that has none: it opens its own then."""
    raise Unavailable("This Stepline has no window", why="It only serves the page", action="Open its address")
