"""A stored history written for other programs: the time and the memory of `stepline export`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.ground import GOAL_SIZE, Ground
from tests.bench.processes import BIN, measured
from tests.bench.table import Row

FORMS = ("csv", "jsonl", "parquet")
MOST_MIB = 1024.0


def rows(ground: Ground) -> Iterator[Row]:
    """Ten million steps; by default a tenth of them."""
    size = GOAL_SIZE if ground.large else GOAL_SIZE // 10
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / f"history.{form}"
            secs, mib = measured(
                BIN / "stepline", "export", "t", "--home", ground.home(size).path, "--format", form, "-o", output
            )
            written = output.stat().st_size / size
        yield Row(f"memory while exporting as {form}", size, mib, "MiB", most=MOST_MIB)
        yield Row(f"exporting as {form}", size, secs, "s", note=f"{written:.0f} bytes a step")
