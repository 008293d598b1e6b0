"""HOME: a process from its start to the frames of loss and perplexity. Then waits, if told to, for compiled kernels."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from stepline import kernels
from stepline.history import History
from stepline.home import Home
from stepline.store import Store


def main() -> None:
    home = Home.open(Path(sys.argv[1]))
    began = time.perf_counter()
    kernels.prepare(home.kernels_cache)
    history = History(Store.open(home.database, writable=False))
    frame = history.frame("t", ["loss", "perplexity"])
    took = (time.perf_counter() - began) * 1000
    print(json.dumps({"frame": took, "bytes": len(frame), "compiled": kernels.ready()}), flush=True)
    sys.stdin.readline()
    kernels.prepare(wait=True)
    print(json.dumps({"compiled": (time.perf_counter() - began) * 1000, "failure": kernels.failure()}), flush=True)


if __name__ == "__main__":
    main()
