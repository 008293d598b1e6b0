"""Tries the packaged app on the system that it was built on, as a person uses it; the standard library alone.

    python build/smoke.py PROGRAM WHEEL     the app's program; the recorder's wheel

From a folder with a blank and Chinese characters: a history is imported and opened in the window (where none can open,
served), a training is followed live, an unchanged script is recorded by `stepline run`, the app ends in order. Each
step is told; the first that fails ends it with exit code 1.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_SECS = 120.0
SCRIPT = """
import stepline
with stepline.record("unchanged", total_steps=3) as run:
    for step in range(1, 4):
        run.log({"loss": 1 / step}, step=step)
"""


class Failed(Exception):
    """What did not come."""


class Smoke:
    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.home = folder / "home"

    def command(self, name: str, *words: str | Path) -> str:
        """What a command answers. Raises Failed."""
        done = subprocess.run([self.program, name, "--home", self.home, *words], capture_output=True, check=False)
        said, told = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        if done.returncode:
            raise Failed(f"{name} ended with {done.returncode}: {said}{told}")
        return said

    def ask(self, path: str) -> Any:
        """What the app that runs answers; None where none answers."""
        try:
            writer = json.loads((self.home / "writer.json").read_text("utf-8"))
            asked = urllib.request.Request(
                writer["address"] + path, headers={"Authorization": f"Bearer {writer['token']}"}
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def tasks(self) -> dict[str, Any]:
        return {task["name"]: task for task in (self.ask("/api/tasks") or {"tasks": []})["tasks"]}


def main(program: Path, wheel: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="stepline smoke 训练 ", ignore_cleanup_errors=True) as folder:
        smoke = Smoke(program.absolute(), Path(folder))
        say(version(program))
        found = {check["subject"]: check for check in json.loads(smoke.command("doctor", "--json"))}
        window = found["window"]["state"] == "well"
        say(f"window: {found['window']['told']}")
        history = smoke.folder / "trainer_state.json"
        log = [{"step": step, "epoch": step / 100, "loss": 2 / step} for step in range(1, 51)]
        state = {"log_history": log, "global_step": 50, "max_steps": 50}
        history.write_text(json.dumps(state), "utf-8")
        words = ["open", history] if window else ["serve"]
        if not window:
            smoke.command("import", history)
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # else the end that is asked for reaches us as well
        app = subprocess.Popen(
            [smoke.program, *words, "--home", smoke.home], creationflags=flags, stdout=subprocess.DEVNULL
        )
        try:
            follow(smoke, app, wheel, window)
        finally:
            if app.poll() is None:
                app.kill()
            app.wait()
        names = {task["name"]: task["records"] for task in json.loads(smoke.command("tasks", "--json"))}
        say(f"kept: {names}")
        if names.get("unchanged") != 5 or names.get("live") != 22:
            raise Failed(f"the records of its trainings; there are {names}")


def follow(smoke: Smoke, app: subprocess.Popen[bytes], wheel: Path, window: bool) -> None:
    wait_for(lambda: any(task["records"] == 50 for task in smoke.tasks().values()), "the imported history", app)
    say("imported")
    if window:
        # Written by the page, half a second after it showed the task: so its code runs in the window.
        wait_for(lambda: (smoke.ask("/api/settings") or {}).get("task"), "a page in the window", app)
        say("shown")
    sys.path.insert(0, str(wheel))
    import stepline

    with stepline.record("live", home=smoke.home, total_steps=20) as run:
        for step in range(1, 11):
            run.log({"loss": 2 / step}, step=step)
        wait_for(lambda: smoke.tasks().get("live", {}).get("step") == 10, "the live training", app)
        for step in range(11, 21):
            run.log({"loss": 2 / step}, step=step)
        wait_for(lambda: smoke.tasks()["live"]["step"] == 20, "its newest steps", app)
    say("followed")
    script = smoke.folder / "train.py"
    script.write_text(SCRIPT, "utf-8")
    smoke.command("run", "--", sys.executable, script)
    wait_for(lambda: smoke.tasks().get("unchanged", {}).get("status") == "completed", "the unchanged script", app)
    say("recorded")
    wait_for(lambda: (smoke.ask("/api/about") or {}).get("kernels") == "ready", "the compiled kernels", app)
    say("compiled")
    app.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
    if app.wait(PATIENCE_SECS) != 0:
        raise Failed(f"an end in order; it ended with {app.returncode}")
    if (smoke.home / "writer.json").exists():
        raise Failed("an end in order; its address is still there")
    say("ended")


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def wait_for(condition: Callable[[], Any], what: str, app: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE_SECS
    while not condition():
        if app.poll() is not None:
            raise Failed(f"{what}; the app ended with {app.returncode}")
        if time.monotonic() > ends:
            raise Failed(what)
        time.sleep(0.1)


def say(line: str) -> None:
    print(f"smoke: {line}", flush=True)


if __name__ == "__main__":
    os.environ["PYTHONIOENCODING"] = "utf-8"
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Failed as failure:
        sys.exit(f"smoke: did not come: {failure}")
    say("all is well")
