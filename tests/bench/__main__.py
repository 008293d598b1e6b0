"""`python -m tests.bench [PART…]`, all parts by default: one table on standard output, and as JSON in bench-results/.

BENCH_LARGE=1 adds 100 million points. Peers that are not installed are replaced by a floor of NumPy's.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path

from stepline import kernels as stepline_kernels
from tests.bench import backlog, kernels, page, recording, windows
from tests.bench.timing import Row

PARTS = {
    "kernels": kernels.rows,
    "windows": windows.rows,
    "backlog": backlog.rows,
    "recording": recording.rows,
    "page": page.rows,
}
"""Each gives the rows of its measures, at the sizes it is given or at its own."""
HEAD = ("measure", "points", "ours", "peer or floor", "its", "ratio", "goal", "met")
FORM = "{:<52} {:>11} {:>10} {:<37} {:>10} {:>7} {:>7} {:>4}"


def main() -> None:
    asked = sys.argv[1:] or list(PARTS)
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]!r}. Ask for {' or '.join(PARTS)}.")
    sizes = [10**5, 10**6, 10**7] + ([10**8] if os.environ.get("BENCH_LARGE") == "1" else [])
    stepline_kernels.prepare(wait=True)
    print(FORM.format(*HEAD))
    table = []
    for name in asked:
        for row in PARTS[name](sizes):
            table.append(row)
            print(FORM.format(*_cells(row)), flush=True)
    place = Path("bench-results") / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    place.parent.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    place.write_text(json.dumps({"machine": machine, "rows": [row.as_json() for row in table]}, indent=1) + "\n")
    print(f"\nWritten to {place}.")


def _cells(row: Row) -> list[str]:
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return [
        row.measure,
        f"{row.size:,}",
        f"{row.ours:.3g} {row.unit}",
        row.beside_name,
        "" if row.beside is None else f"{row.beside:.3g} {row.unit}",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.goal is None else f"{row.goal:g}",
        met,
    ]


if __name__ == "__main__":
    main()
