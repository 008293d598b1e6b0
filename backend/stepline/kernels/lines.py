"""Lines of text that differ in their numbers alone, read into columns.

There is no plain twin: until the compiled scan is ready, `scan` takes no line, and whoever asked reads it otherwise,
as every line of no known pattern. `stepline.recording.journal.parse_lines` is what it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.kernels.types import Floats, Ints

TIME, STEP, EPOCH, IGNORED = -1, -2, -3, -4
"""Where a pattern's number goes; from 0 on: it is the metric of that place."""
NO_STEP = -(2**63)

_jitted: Any = None


@dataclass(frozen=True)
class Pattern:
    """What lines have in common: the texts before their numbers and after the last one, which ends with a newline."""

    texts: tuple[bytes, ...]
    targets: tuple[int, ...]
    """Where each number goes. A step is an integer; a metric may also be the text "NaN", "Infinity", "-Infinity"."""
    metrics: int
    """How many there are; each is the target of one number."""


class Patterns:
    """Several, in the form that the scan reads."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        texts = [text for pattern in patterns for text in pattern.texts]
        self.texts = np.frombuffer(b"".join(texts), np.uint8)
        self.ends = np.array([0, *accumulate(map(len, texts))], np.int64)
        self.starts = np.array([0, *accumulate(len(pattern.targets) for pattern in patterns)], np.int64)
        self.targets = np.array([target for pattern in patterns for target in pattern.targets], np.int64)
        self.sizes = np.array([pattern.metrics for pattern in patterns], np.int64)


class Lines:
    """Lines as columns, with room for `lines` of them that hold `values` numbers in all."""

    def __init__(self, lines: int, values: int) -> None:
        self.pattern: Ints = np.full(lines, -1, np.int64)
        """-1 for a line that the scan did not take."""
        self.time: Floats = np.zeros(lines)
        self.step: Ints = np.full(lines, NO_STEP, np.int64)
        self.epoch: Floats = np.full(lines, np.nan)
        self.values: Floats = np.empty(values)
        """The metrics of all lines, one line after the other."""
        self.count = 0
        self.used = 0
        self._current = 0


def scan(data: NDArray[np.uint8], at: int, patterns: Patterns, lines: Lines) -> int:
    """Append to `lines` what lines of these patterns follow from `at` on; returns where it stopped.

    data: uint8, whole lines. A line is left, and ends the scan, where it is of no pattern, and where a number is none
    that the scan can read to the bit. Read by others, it counts as a line: `lines.count` goes on by one.
    """
    if _jitted is None or not len(patterns.sizes):
        return at
    at, lines._current, lines.count, lines.used = _jitted.scan(
        data, at, patterns.texts, patterns.ends, patterns.starts, patterns.targets, patterns.sizes,
        lines._current % len(patterns.sizes), lines.count, lines.used, lines.pattern, lines.time, lines.step,
        lines.epoch, lines.values,
    )  # fmt: skip
    return at


def ready() -> bool:
    """Whether `scan` takes any line."""
    return _jitted is not None


def prepare() -> None:
    """Compile the scan, or load it from numba's cache."""
    global _jitted
    from stepline.kernels import jitted_lines

    _jitted = jitted_lines
