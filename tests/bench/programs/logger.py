"""NAME FOLDER: a logger of that name, started in this process. Answers, for each `log COUNT`, with the times of as many
calls in microseconds; `kill COUNT` kills this process when as many calls have returned."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable

METRICS = {"loss": 2.1234, "grad_norm": 1.25, "learning_rate": 5e-05, "samples_per_second": 812.5, "entropy": 0.75}

Log = Callable[[int], object]


def stepline(folder: str) -> Log:
    from stepline import record

    run = record("bench", home=folder).__enter__()
    return lambda step: run.log(METRICS, step=step)


def trackio(folder: str) -> Log:
    os.environ["TRACKIO_DIR"] = folder
    import trackio

    trackio.init(project="bench")
    return lambda step: trackio.log(METRICS, step=step)


def wandb(folder: str) -> Log:
    import wandb

    run = wandb.init(project="bench", mode="offline", dir=folder, settings=wandb.Settings(silent=True))
    return lambda step: run.log(METRICS, step=step)


def summary_writer(folder: str) -> Log:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def log(step: int) -> None:
        for name, value in METRICS.items():
            writer.add_scalar(name, value, step)

    return log


LOGGERS = {each.__name__: each for each in (stepline, trackio, wandb, summary_writer)}


def main() -> None:
    name, folder = sys.argv[1:]
    began = time.perf_counter()
    # What a logger says belongs to nobody here.
    with contextlib.redirect_stdout(sys.stderr):
        log = LOGGERS[name](folder)
    print(json.dumps({"started": (time.perf_counter() - began) * 1000, "loaded": sorted(sys.modules)}), flush=True)
    step = 0
    for line in sys.stdin:
        what, count = line.split()[0], int(line.split()[1])
        times = []
        for _ in range(count):
            step += 1
            began = time.perf_counter_ns()
            log(step)
            times.append((time.perf_counter_ns() - began) / 1000)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        print(json.dumps(times), flush=True)
    # A logger's own end may take seconds, and is not what is measured.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
