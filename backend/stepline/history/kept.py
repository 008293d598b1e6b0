"""The buckets of a smoothed line as they are kept: half of what `Levels` take, in stretches that are never moved.

A hundred million points have 110,000 of them a line, ten million 50,000. Times are not known here, sums are not asked
for, and a place is no further from its bucket's beginning than the bucket is wide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.kernels import Floats, Ints
from stepline.store import levels
from stepline.store.levels import NON_FINITE, Levels

WIDEST = 16
"""2^16 sequences: places in a bucket are two bytes."""
A_STRETCH = 4_096


@dataclass(frozen=True, slots=True)
class _Stretch:
    """See `Levels`."""

    bucket: Ints
    run: NDArray[np.int32]
    value: Floats
    at: NDArray[np.uint16]
    step: Floats
    counts: NDArray[np.uint32]

    @property
    def bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in self.__slots__)


class Kept:
    """Buckets of 2^shift, ascending; it grows at its end."""

    def __init__(self, shift: int) -> None:
        assert shift <= WIDEST
        self._shift = shift
        self._stretches: list[_Stretch] = []
        self.bytes = 0

    def add(self, found: Levels) -> None:
        """Those that come next."""
        newer = self._narrow(found)
        if self._stretches and len(self._stretches[-1].bucket) + len(newer.bucket) <= A_STRETCH:
            last = self._stretches.pop()
            self.bytes -= last.bytes
            pairs = zip(_columns(last), _columns(newer), strict=True)
            newer = _Stretch(*(np.concatenate(pair, axis=-1) for pair in pairs))
        self._stretches.append(newer)
        self.bytes += newer.bytes

    def within(self, first: int, last: int) -> Levels:
        """Those with first <= bucket < last."""
        return levels.joined([part for part in self._within(first, last) if len(part)])

    def _within(self, first: int, last: int) -> Iterable[Levels]:
        for stretch in self._stretches:
            begin, end = np.searchsorted(stretch.bucket, [first, last]).tolist()
            if begin < end:
                yield self._widened(_Stretch(*(column[..., begin:end] for column in _columns(stretch))))

    def _narrow(self, found: Levels) -> _Stretch:
        places = np.maximum(found.at - (found.bucket << self._shift), 0).astype(np.uint16)
        counts = np.stack([found.finite_count, found.non_finite_count]).astype(np.uint32)
        return _Stretch(found.bucket, found.run.astype(np.int32), found.value, places, found.step, counts)

    def _widened(self, stretch: _Stretch) -> Levels:
        finite, non_finite = stretch.counts.astype(np.int64)
        at = stretch.at + (stretch.bucket << self._shift)
        at[:NON_FINITE, finite == 0] = -1
        at[NON_FINITE, non_finite == 0] = -1
        unknown = np.full(len(finite), np.nan)
        return Levels(
            stretch.bucket, stretch.run.astype(np.int64), stretch.value, at, stretch.step,
            np.broadcast_to(unknown, stretch.value.shape), unknown, unknown, unknown, finite, non_finite,
        )  # fmt: skip


def _columns(stretch: _Stretch) -> list[NDArray[Any]]:
    return [getattr(stretch, name) for name in stretch.__slots__]
