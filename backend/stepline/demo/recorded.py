"""The demo where nothing can train: a recorded one is played, at a pace to watch, and says that it is one.

`recorded.jsonl` is the demo's own training (`stepline.demo.training`), as its journals had it: a line of settings for
each run, then its records without their times.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from stepline.home import Home
from stepline.recording.endings import Ending
from stepline.recording.run_journal import Recorder, new_header
from stepline.recording.task_identity import task_of_key

RECORDED = Path(__file__).with_name("recorded.jsonl")
SECS_PER_STEP = 0.2
NAME = "tiny-gpt (recorded · 录制)"
SAID = "A recorded training is played here; nothing is trained. 这里回放一段录制的训练，并未真正训练。"


def play(home: Home, stopping: threading.Event, secs_per_step: float = SECS_PER_STEP) -> None:
    """Write the recorded runs as a task of its own, until the end or until `stopping` is set."""
    task = task_of_key(f"recorded demo {os.urandom(8).hex()}", NAME)
    recorder: Recorder | None = None
    for line in RECORDED.read_text("utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        kind = said.pop("kind", None)
        if kind is None:
            recorder = Recorder(home, new_header(task, said["total_steps"], said["settings"]))
            continue
        assert recorder is not None, "the first line is a run's settings"
        if stopping.is_set():
            recorder.end(Ending("stopped", "The playing was ended"))
            return
        if kind == "train_end":
            status = said["details"]["status"]
            recorder.end(Ending(status, said.get("message")), said.get("metrics"), said.get("epoch"))
            continue
        recorder.record(kind, **said)
        if kind == "train_start":
            recorder.record("message", message=SAID)
        elif kind == "step":
            stopping.wait(secs_per_step)
