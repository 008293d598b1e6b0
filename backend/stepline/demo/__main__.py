"""`python -m stepline.demo HOME`: the demo's training in a process of its own, until standard input ends."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from stepline.demo.training import SECS_PER_STEP, DemoTraining

training = DemoTraining(Path(sys.argv[1]), secs_per_step=SECS_PER_STEP)


def listen() -> None:
    sys.stdin.read()
    training.stop()


threading.Thread(target=listen, name="stepline-listen", daemon=True).start()
training.run()
