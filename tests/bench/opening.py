"""The real window on a screen of its own: from the program's start until the first chart is drawn, files warm."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard

from tests import screens
from tests.bench import importing
from tests.bench.ground import Ground
from tests.bench.processes import BIN, measured
from tests.bench.table import Row
from tests.front_door import wait_for

ROUNDS = 5
PACKAGED = "dist/stepline-*-linux-*.tar.zst"
STARTS_SECS = 60.0
MEASURE = "window: start → first data"

# When the first chart was drawn; null before. Asked again and again: the answer to one long question is lost where the
# page that was asked is just being left.
DRAWN = """(() => {
  const look = () => {
    if (document.querySelector('[data-testid=chart-loss] canvas') === null) return requestAnimationFrame(look)
    requestAnimationFrame(() => (window.drawnAt = performance.timeOrigin + performance.now()))
  }
  if (window.drawnAt === undefined) {
    window.drawnAt = null
    look()
  }
  return window.drawnAt
})()"""


def rows(ground: Ground) -> Iterator[Row]:
    """The program of this checkout, and the packaged one where it was built."""
    programs = {"from the checkout": (BIN / "stepline", 800.0), "packaged": (_unpacked(ground), 1200.0)}
    lacking = [package for program, package in screens.NEEDED.items() if shutil.which(program) is None]
    folder = ground.new_folder("window")
    importing.write_state(folder / "trainer_state.json")
    for kind, (program, most) in programs.items():
        if lacking or program is None:
            lack = f"no {', '.join(lacking)}" if lacking else f"no {PACKAGED}: make package"
            yield Row(MEASURE, importing.ENTRIES, None, most=most, note=lack)
            continue
        # Each makes its own: the packaged one may be older than this checkout.
        home = folder / kind
        measured(program, "import", folder / "trainer_state.json", "--home", home)
        with screens.screen() as display:
            # The first one brings the files into memory.
            times = [_opened(program, home, display) for _ in range(1 + ROUNDS)][1:]
        yield Row(MEASURE, importing.ENTRIES, statistics.median(times), most=most, note=kind)


def _unpacked(ground: Ground) -> Path | None:
    """The packaged program, out of the archive that is handed out."""
    archives = sorted(Path().glob(PACKAGED))
    if not archives:
        return None
    folder = ground.new_folder("packaged")
    with zstandard.open(archives[-1], "rb") as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
        archive.extractall(folder, filter="data")
    (program,) = folder.glob("*/app/stepline")
    return program


def _opened(program: Path, home: Path, display: str) -> float:
    port = screens.free_port()
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QTWEBENGINE_REMOTE_DEBUGGING": f"127.0.0.1:{port}",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
    }
    began = time.time() * 1000
    process = subprocess.Popen(
        [program, "open", "--home", home], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        page = screens.Page(port, STARTS_SECS)
        drawn = wait_for(lambda: page.run(DRAWN), STARTS_SECS)
        page.close()
    finally:
        process.terminate()
        process.wait()
    return float(drawn) - began
