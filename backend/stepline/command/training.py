"""`stepline demo`: trains in a thread of this process, and shows it in the window, the browser or the terminal."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stepline.app import App
from stepline.command.asking import Memory, bring_forward
from stepline.command.homes import open_home, say
from stepline.command.quitting import Quitting
from stepline.command.showing import new_window, no_window, show_address, show_window, window_obstacle
from stepline.demo.training import SECS_PER_STEP, DemoTraining
from stepline.errors import SteplineError, Unavailable
from stepline.home import Home
from stepline.recording.task_identity import read_side_car
from stepline.visit import import_into, take_in
from stepline.wire import TakenIn

if TYPE_CHECKING:
    from stepline_desktop.window import Window

TOLD_EVERY_STEPS = 20
"""Where no terminal can draw a bar."""


class TrainingThread:
    """The demo's training in a thread. `end` stops it in order; `error` is what ended it otherwise."""

    def __init__(self, home: Home, max_steps: int | None, secs_per_step: float) -> None:
        self.training = DemoTraining(home.path, max_steps=max_steps, secs_per_step=secs_per_step)
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="stepline-demo", daemon=True)

    def start(self) -> None:
        """Begin; nothing happens where it has begun."""
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def wait(self, secs: float) -> None:
        self._thread.join(secs)

    def end(self) -> None:
        """Stop after the current step, and wait for it. Raises SteplineError where the training had failed."""
        self.training.stop()
        if self._thread.ident is not None:
            self._thread.join()
        if isinstance(self.error, SteplineError):
            raise self.error
        if self.error is not None:
            why = f"{type(self.error).__name__}: {self.error}"
            raise SteplineError("The demo's training failed", why=why, action="Its log says more: stepline open")

    def _run(self) -> None:
        try:
            self.training.run()
        except Exception as error:
            self.error = error


def demo(path: Path | None, *, max_steps: int | None, headless: bool) -> None:
    missing = [name for name in ("torch", "transformers", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            "The demo cannot train",
            why=f"Not installed: {', '.join(missing)}",
            action="Install it: pip install 'stepline[demo]'",
        )
    home = open_home(path)
    with Quitting() as quitting:
        thread = TrainingThread(home, max_steps, 0.0 if headless else SECS_PER_STEP)
        quitting.on_end(thread.training.stop)
        if headless:
            in_terminal(home, thread)
        elif bring_forward(home):
            say("Stepline is open already: its window shows the demo.")
            thread.training.on_begin = lambda: bring_forward(home, begun_task(home, thread.training))
            in_terminal(home, thread)
        else:
            shown(home, thread, quitting)


def in_terminal(home: Home, thread: TrainingThread) -> None:
    thread.start()
    try:
        follow(thread)
    finally:
        thread.end()
    summarise(home, thread.training)


def shown(home: Home, thread: TrainingThread, quitting: Quitting) -> None:
    """In the window, or by the page's address where none can open."""
    obstacle = window_obstacle()
    app = App(home)
    app.start()
    try:
        window = new_window(app, is_busy=thread.is_alive) if obstacle is None else None
        thread.training.on_begin = partial(open_at, app, thread.training, window)
        try:
            if window is not None:
                # Not before: loading torch takes Python's lock for seconds, and the window would wait for it.
                window.on_loaded.append(thread.start)
                show_window(window, app, quitting)
            else:
                say(str(obstacle))
                app.on_focus = no_window
                opened = show_address(app)
                thread.start()
                follow(thread)
                if (opened or sys.stdout.isatty()) and not quitting.is_set:
                    say("The training has ended; the page stays until Ctrl-C.")
                    quitting.wait()
        finally:
            thread.end()
    finally:
        app.stop()
    if obstacle is not None:
        summarise(home, thread.training)


def open_at(app: App, training: DemoTraining, window: Window | None) -> None:
    """Let the page open with the demo's task, and a window that is open already go to it."""
    if begun := begun_task(app.home, training):
        Memory(app).set_setting("task", begun["tasks"][0])
        if window is not None:
            window.present(begun)


def begun_task(home: Home, training: DemoTraining) -> TakenIn | None:
    """The demo's task, once the store knows of it."""
    side_car = training.folder and read_side_car(training.folder)
    if not side_car:
        return None
    import_into(home)
    return {"tasks": [side_car.task_id], "imported": []}


def follow(thread: TrainingThread) -> None:
    """Show the progress until the training ends: a bar in a terminal, else a line now and then."""
    console = Console()
    if not console.is_terminal:
        follow_in_lines(thread, console)
        return
    training = thread.training
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[loss]}"), console=console) as bar:
        task = bar.add_task("Loading torch", total=None, loss="")
        while thread.is_alive():
            now = training.progress
            if now.run:
                loss = "" if now.loss is None else f"loss {now.loss:.3f}"
                bar.update(task, description=f"Run {now.run}", completed=now.step, total=now.total_steps, loss=loss)
            thread.wait(0.1)


def follow_in_lines(thread: TrainingThread, console: Console) -> None:
    told = (0, 0)
    console.print("Loading torch", highlight=False)
    while thread.is_alive():
        now = thread.training.progress
        place = (now.run, now.step // TOLD_EVERY_STEPS)
        if now.step and place != told:
            told = place
            loss = "" if now.loss is None else f", loss {now.loss:.3f}"
            console.print(f"Run {now.run}: step {now.step} of {now.total_steps}{loss}", highlight=False)
        thread.wait(0.1)


def summarise(home: Home, training: DemoTraining) -> None:
    """What was recorded, read back from the store."""
    task_beside = training.folder and read_side_car(training.folder)
    if not task_beside:
        print("Ended before the training began; nothing was recorded.")
        return
    with take_in(home) as store:
        task = store.task(task_beside.task_id)
        runs = store.runs(task.id)
    said = ", ".join(f"run {run.number} {run.status} at step {run.last_step}" for run in runs)
    loss = "" if task.last_loss is None else f", loss {task.last_loss:.3f}"
    print(f"{task.name}: {said}; {task.records} records{loss}. It lies in {home.path}. See it: stepline open")
