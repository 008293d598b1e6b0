"""The smoothed line of a whole series, summed up in buckets: computed once at a span, over every point; kept small.

A series is smoothed in pieces of 65,536 sequences, one after another. What is kept are the buckets of 2^10 and 2^13
sequences, an eighth of a byte a point, those of 2^8 too where the line is not very long, and how the smoother stood at
the beginning of pieces: any piece can be smoothed anew from there, to the bit, for a window that is finer than the
buckets or ends within one. The newest piece is done again as it grows. While one piece is read, the one before it is
smoothed; what is left half done is gone on with.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from stepline.history.curve import Curve, levels_of
from stepline.history.kept import Kept
from stepline.history.series import Series
from stepline.history.smoothing import Smoother, Smoothing
from stepline.kernels import Floats
from stepline.kernels.ahead import read_ahead
from stepline.store import levels
from stepline.store.levels import Levels

PIECE_SHIFT = 16
WIDTHS = (13, 10)
FINE_WIDTH = 8
"""Without it, a window of a million points went through each of them again: 12 ms."""
LONGEST_FINE = 1 << 24
"""Sequences of a line that has buckets of that width, 7 MiB of them at the most."""
AT_ONCE = 64
"""Pieces whose buckets are put away together."""


class _Piece(NamedTuple):
    points: Series
    values: Floats
    """Smoothed."""
    before: Smoother
    after: Smoother


class SmoothedLine:
    """One smoothed line; one thread at a time works on it. Every point below `cursor` is in."""

    def __init__(self, curve: Curve, smoothing: Smoothing) -> None:
        self.metric = curve.metric
        self._lock = threading.Lock()
        self._smoothing = smoothing
        # A moving average stands on up to two spans of points: 16 KiB a piece at the most.
        self._stride = max(1, smoothing.ma // 1024)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._cursor = 0
        self._starts = {0: Smoother(self._smoothing)}
        """By piece: at its beginning."""
        self._whole = {width: Kept(width) for width in (*WIDTHS, FINE_WIDTH)}
        """By width: of the pieces before the newest one that has begun."""
        self._newest: dict[int, Levels] = {}

    @property
    def bytes(self) -> int:
        # Copies, for another thread may smooth meanwhile.
        held: tuple[Kept | Levels | Smoother, ...]
        held = (*self._whole.values(), *self._newest.values(), *self._starts.values())
        return sum(each.bytes for each in held)

    def levels(self, curve: Curve, shift: int, first: int, last: int, cursor: int) -> Levels:
        """Buckets of 2^shift of the smoothed values at the points in [first, last). Times are not known."""
        with self._lock:
            self._bring_up(curve, cursor)
            parts = list(self._parts(curve, shift, first, last))
        return levels.coarser(levels.joined([part for part in parts if len(part)]), 0)

    def points(self, curve: Curve, first: int, last: int, cursor: int) -> tuple[Series, Floats, Smoother]:
        """The points in [first, last), their smoothed values, and, where `last` is the cursor, a smoother that goes on
        from there."""
        with self._lock:
            self._bring_up(curve, cursor)
            pieces = list(self._pieces(curve, first, last, ("step", "time")))
        which = [piece.points.part(first, last) for piece in pieces]
        series = joined([piece.points.cut(part) for piece, part in zip(pieces, which, strict=True)])
        values = np.concatenate([piece.values[part] for piece, part in zip(pieces, which, strict=True)])
        return series, values, pieces[-1].after

    def _bring_up(self, curve: Curve, cursor: int) -> None:
        if self._cursor > curve.source.next_sequence(curve.task_id):
            # The task was deleted and has come anew.
            self._begin_anew()
        if self._cursor >= cursor:
            return
        if cursor > LONGEST_FINE:
            self._whole.pop(FINE_WIDTH, None)
        begin, whole = self._cursor >> PIECE_SHIFT, cursor >> PIECE_SHIFT
        waiting: list[Levels] = []
        newest: dict[int, Levels] = {}
        for number, piece in zip(count(begin), self._pieces(curve, self._cursor, cursor, ("step",), until=cursor)):
            if number % self._stride == 0:
                self._starts[number] = piece.before
            finest = levels_of(piece.points, piece.values, min(self._whole), summed=False)
            if number == whole:
                newest = self._by_width(finest)
            else:
                waiting.append(finest)
                if len(waiting) == AT_ONCE or number + 1 == whole:
                    self._put_away(waiting, number + 1)
        self._newest, self._cursor = newest, cursor

    def _put_away(self, waiting: list[Levels], until: int) -> None:
        """Buckets of the pieces that come next, up to the piece `until`."""
        for width, found in self._by_width(levels.joined([part for part in waiting if len(part)])).items():
            self._whole[width].add(found)
        self._newest, self._cursor = {}, until << PIECE_SHIFT
        waiting.clear()

    def _by_width(self, finest: Levels) -> dict[int, Levels]:
        return {width: levels.coarser(finest, width - min(self._whole)) for width in self._whole}

    def _parts(self, curve: Curve, shift: int, first: int, last: int) -> Iterator[Levels]:
        """[first, last) in ascending parts: buckets that are kept, and what they do not cover smoothed anew."""
        if first >= last:
            return
        for width in self._whole:
            begin, end = -(-first >> width), -(-self._cursor >> width) if last >= self._cursor else last >> width
            if shift >= width and begin < end:
                yield from self._parts(curve, shift, first, begin << width)
                yield levels.coarser(self._whole[width].within(begin, end), shift - width)
                if self._newest:
                    yield levels.coarser(levels.within(self._newest[width], begin, end), shift - width)
                yield from self._parts(curve, shift, end << width, last)
                return
        for piece in self._pieces(curve, first, last, ("step",)):
            which = piece.points.part(first, last)
            yield levels_of(piece.points.cut(which), piece.values[which], shift, summed=False)

    def _pieces(
        self, curve: Curve, first: int, last: int, places: Collection[str], until: int | None = None
    ) -> Iterator[_Piece]:
        """The pieces that have sequences in [first, last), smoothed; each whole, as far as the line goes."""
        until = self._cursor if until is None else until
        wanted, end = first >> PIECE_SHIFT, max(first + 1, last) - 1 >> PIECE_SHIFT
        begin = max(number for number in self._starts if number <= wanted)
        smoother = self._starts[begin]
        pieces = cut(curve, begin, end + 1, until, places)
        for number, points in zip(count(begin), read_ahead(pieces) if end - begin > 1 else pieces):
            before, smoother = smoother, smoother.copy()
            values = smoother.take(points.run, points.value)
            if number >= wanted:
                yield _Piece(points, values, before, smoother)


def cut(curve: Curve, begin: int, end: int, until: int, places: Collection[str]) -> Iterator[Series]:
    """The points of each piece of [begin, end), as far as they lie below the sequence until; a piece may have none."""
    waiting: list[Series] = []
    for part in curve.parts(begin << PIECE_SHIFT, min(until, end << PIECE_SHIFT), places):
        while len(part) and part.sequence[-1] >> PIECE_SHIFT > begin:
            begin += 1
            which = part.part(0, begin << PIECE_SHIFT)
            yield joined([*waiting, part.cut(which)])
            waiting, part = [], part.cut(slice(which.stop, None))
        waiting.append(part)
    while begin < end:
        yield joined(waiting)
        waiting = [waiting[0].cut(slice(0, 0))]
        begin += 1


def joined(parts: list[Series]) -> Series:
    result = parts[0]
    for part in parts[1:]:
        result = result.followed_by(part)
    return result
