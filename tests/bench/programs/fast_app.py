"""HOME INTERVAL_SECS: `stepline serve` whose pages hear of what is new that often: a day of ticks in less time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stepline.app import App
from stepline.home import Home
from stepline.live import Live, Source


def main() -> None:
    app = App(Home.open(Path(sys.argv[1])))
    app.live = Live(Source(lambda: app.store, app.detail, lambda: app.is_writer), interval_secs=float(sys.argv[2]))
    app.start()
    print(json.dumps({"url": app.url}), flush=True)
    sys.stdin.read()
    app.stop()


if __name__ == "__main__":
    main()
