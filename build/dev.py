"""`make dev`: the page with hot reload, on Vite's own server, against a live backend. Ctrl-C ends both.

STEPLINE_HOME=DIR make dev
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    stepline = Path(sys.executable).with_name("stepline")
    with subprocess.Popen([stepline, "serve"], stdout=subprocess.PIPE, text=True) as backend:
        assert backend.stdout is not None
        line = backend.stdout.readline()
        if not line:
            return backend.wait()
        url = line.split()[-1]
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run(
                ["npm", "run", "dev"], cwd=ROOT / "web", env={**os.environ, "STEPLINE_URL": url}, check=False
            )
        backend.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
