"""`python -m tests.bench [PART…]`, all parts by default: one table on standard output, and as JSON in bench-results/.

BENCH_LARGE=1 adds 100 million points and the long forms. A peer that is not installed is named as missing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import (
    backlog,
    browser,
    drawing,
    exporting,
    importing,
    kernels,
    live,
    opening,
    page,
    recording,
    windows,
)
from tests.bench.ground import Ground
from tests.bench.table import FORM, HEAD, Row

PARTS: dict[str, Callable[[Ground], Iterator[Row]]] = {
    "kernels": kernels.rows,
    "windows": windows.rows,
    "backlog": backlog.rows,
    "recording": recording.rows,
    "importing": importing.rows,
    "exporting": exporting.rows,
    "page": lambda ground: browser.rows_of("page", page.rows(ground)),
    "drawing": lambda ground: browser.rows_of("drawing", drawing.rows()),
    "live": lambda ground: browser.rows_of("live", live.rows(ground.large)),
    "opening": opening.rows,
}
"""Each gives the rows of its measures, as it has them."""
RESULTS = Path("bench-results")


def main() -> None:
    asked = sys.argv[1:] or list(PARTS)
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]!r}. Ask for {' or '.join(PARTS)}.")
    # A user's Python keeps what it has compiled of a module: forbidden here, each start compiles ours anew, for 0.15 s.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    large = os.environ.get("BENCH_LARGE") == "1"
    sizes = (10**5, 10**6, 10**7, *((10**8,) if large else ()))
    print(FORM.format(*HEAD))
    table = []
    with tempfile.TemporaryDirectory(prefix="stepline-bench-") as folder:
        ground = Ground(sizes, large, Path(folder))
        for name in asked:
            for row in PARTS[name](ground):
                table.append(row)
                print(FORM.format(*row.cells()), flush=True)
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    place.write_text(json.dumps({"machine": machine, "rows": [row.as_json() for row in table]}, indent=1) + "\n")
    print(f"\nWritten to {place}.")


if __name__ == "__main__":
    main()
