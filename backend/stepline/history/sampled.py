"""Windows of GPU and system figures: thinned as all series are, but placed by time, for they have no sequence.

Where others have a sequence these have whole milliseconds of Unix time: bucket edges are multiples of the bucket in
time, so what is drawn stays where it is when samples come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stepline.history import frames
from stepline.history.axes import Points
from stepline.history.series import Series
from stepline.history.smoothing import Smoothing
from stepline.history.windows import POINTS, of_series
from stepline.kernels import Floats


class Sampled(Protocol):
    """A series by time, run by run."""

    @property
    def run(self) -> NDArray[Any]: ...
    @property
    def time(self) -> NDArray[Any]: ...
    @property
    def value(self) -> NDArray[Any]: ...


class Source(Protocol):
    def samples(
        self, task_id: str, names: Sequence[str], first: float | None = None, last: float | None = None
    ) -> Mapping[str, Sampled]: ...


def sampled_frame(
    source: Source,
    task_id: str,
    names: Sequence[str],
    *,
    first: float | None = None,
    last: float | None = None,
    points: int = POINTS,
) -> bytes:
    """The samples with first <= time <= last (Unix seconds; None: all there is) as a frame by time (docs/frame.md).

    Its sequences, `from`, `to` and `cursor` are milliseconds. A series without a sample there has no points.
    """
    found = source.samples(task_id, names, first, last)
    series = [_series(name, found.get(name)) for name in names]
    held = [one for one in series if len(one)]
    begin = min((int(one.sequence[0]) for one in held), default=0)
    end = max((one.cursor for one in held), default=0)
    windows = [of_series(one, _by_time, begin, end, points=points) for one in series]
    return frames.encode(task_id, "time", begin, end, end, Smoothing(), windows)


def _series(name: str, samples: Sampled | None) -> Series:
    if samples is None:
        nothing = np.zeros(0)
        return Series(name, 0, np.zeros(0, np.int64), np.zeros(0, np.int32), nothing, nothing, nothing, nothing)
    # By time over all runs: two that live at once interleave.
    order = np.argsort(samples.time, kind="stable")
    time = samples.time[order]
    sequence = np.round(time * 1000).astype(np.int64)
    nowhere = np.full(len(time), np.nan)
    return Series(
        name, int(sequence[-1]) + 1, sequence, samples.run[order], nowhere, nowhere, time, samples.value[order]
    )


def _by_time(points: Points) -> Floats:
    assert points.time is not None
    return points.time
