"""The frame's bytes: what docs/frame.md says, and the golden file that the page's tests read as well.

After a change that is meant: `STEPLINE_WRITE_GOLDEN=1 pytest tests/test_frame.py`, and look at the difference.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from stepline import history
from stepline.errors import UsageError
from stepline.history import Smoothing
from tests.histories import MemoryStore

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["loss", "perplexity", "späte Größe 评估", "not_begun"]


def seed_store():
    """Stopped at step 30 and started over, a NaN and an infinity, an interleaved run, a series that begins late."""
    store = MemoryStore()
    store.append(1, {"loss": [4.0, 3.5, 3.25]})
    store.append(2, {"loss": [4.0, float("nan"), 3.0, float("-inf")]})
    store.append([2, 3, 2, 3], {"loss": [2.75, 900.0, 2.5, 1.0], NAMES[2]: [1.0, 2.0, 3.0, 4.0]})
    return store


def golden_frame():
    return history.frame(seed_store(), "t-1", NAMES, smoothing=Smoothing(3, 2), axis="step")


def readable(frame):
    """The frame as JSON has it: a NaN is null, infinities are words."""

    def number(value):
        return None if np.isnan(value) else value if np.isfinite(value) else "Infinity" if value > 0 else "-Infinity"

    decoded = history.decode(frame)
    series = [
        {
            "name": one.name,
            "points": one.points,
            "bucket": one.bucket,
            "lines": one.lines,
            "columns": {name: [number(value) for value in column.tolist()] for name, column in one.columns.items()},
        }
        for one in decoded.series
    ]
    return {**{key: decoded.metadata[key] for key in ("task", "axis", "from", "to", "cursor")}, "series": series}


def test_the_golden_file_is_what_is_written_now():
    frame = golden_frame()
    if os.environ.get("STEPLINE_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / "frame.bin").write_bytes(frame)
        text = json.dumps(readable(frame), ensure_ascii=False, allow_nan=False).replace(', "', ',\n"')
        (GOLDEN / "frame.json").write_text(text + "\n", encoding="utf-8")
    kept = (GOLDEN / "frame.bin").read_bytes()
    expected = json.loads((GOLDEN / "frame.json").read_text(encoding="utf-8"))
    assert readable(kept) == expected
    now, was = history.decode(frame), history.decode(kept)
    assert now.metadata == was.metadata
    for one, other in zip(now.series, was.series, strict=True):
        for name, column in one.columns.items():
            # The compiled and the plain average may differ in the last digit.
            np.testing.assert_allclose(column, other.columns[name], rtol=1e-13)


def test_the_layout_is_that_of_the_page_of_docs():
    frame = golden_frame()
    magic, length = struct.unpack_from("<4sI", frame)
    assert magic == b"SLF1"
    metadata = json.loads(frame[8 : 8 + length].decode())
    begin = (8 + length + 7) // 8 * 8
    assert not any(frame[8 + length : begin])
    end = begin
    for series in metadata["series"]:
        for offset, count in series["columns"].values():
            assert offset % 8 == 0
            end = max(end, begin + offset + 8 * count)
    assert end == len(frame)
    loss = metadata["series"][0]
    offset, count = loss["columns"]["sequence"]
    assert struct.unpack_from(f"<{count}d", frame, begin + offset) == (0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 10)


def test_on_the_sequence_axis_x_is_the_same_bytes():
    frame = history.decode(history.frame(seed_store(), "t-1", ["loss"], smoothing=Smoothing(3, 2)))
    columns = frame.metadata["series"][0]["columns"]
    assert columns["x"] == columns["sequence"] == columns["smooth_x"] == columns["smooth_sequence"]


def test_without_smoothing_there_are_no_smooth_columns():
    frame = history.decode(history.frame(seed_store(), "t-1", ["loss"]))
    assert not any(name.startswith("smooth") for name in frame.series[0].columns)
    assert all("smooth" not in line for line in frame.series[0].lines)
    assert frame.metadata["smoothing"] == {"ema": 0, "ma": 0}


def test_a_series_that_has_not_begun_is_empty():
    late = history.decode(golden_frame()).series[3]
    assert (late.points, late.bucket, late.lines) == (0, 1, [])
    assert all(len(column) == 0 for column in late.columns.values())


def test_decoded_columns_are_views_of_the_frame():
    column = history.decode(golden_frame()).series[0].columns["value"]
    assert not column.flags.owndata
    assert not column.flags.writeable


@pytest.mark.parametrize("data", [b"", b"SLF", b"SLF2" + bytes(20), b"<html>"])
def test_other_bytes_are_refused(data):
    with pytest.raises(UsageError, match="not a frame"):
        history.decode(data)
