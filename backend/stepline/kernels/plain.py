"""The kernels in NumPy alone: they answer while the compiled ones are being made ready, and where numba is absent.

Same places as `stepline.kernels.compiled`, and averages within 1e-12 of the largest value. Ten to thirty times slower,
still far from a compiler's seconds.
"""

from __future__ import annotations

import math

import numpy as np

from stepline.kernels.types import AverageState, Bytes, EmaState, Extremes, Floats, Ints, Words

LARGEST_ORIGIN = 1e290
"""A run that begins beyond this is averaged without an origin: the difference of two such values could overflow."""


def extremes(values: Floats, starts: Ints) -> Extremes:
    """Per cell [starts[i], starts[i + 1]): see `stepline.kernels.extremes`."""
    cells = len(starts)
    count = np.zeros(cells, np.int64)
    none = np.full(cells, -1, np.int64)
    if cells == 0:
        return Extremes(none, none.copy(), none.copy(), none.copy(), none.copy(), count, count.copy())
    finite = np.isfinite(values)
    lengths = np.diff(starts, append=len(values))
    count = np.add.reduceat(finite, starts, dtype=np.int64)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    some = count > 0
    minimum_at = _first_place(finite & (values == np.repeat(low, lengths)), starts, some)
    maximum_at = _first_place(finite & (values == np.repeat(high, lengths)), starts, some)
    first_at = _first_place(finite, starts, some)
    last_at = none.copy()
    places = np.flatnonzero(finite)
    last_at[some] = places[np.searchsorted(places, starts[some] + lengths[some]) - 1]
    non_finite_count = lengths - count
    non_finite_at = _first_place(~finite, starts, non_finite_count > 0)
    return Extremes(minimum_at, maximum_at, first_at, last_at, non_finite_at, non_finite_count, count)


def _first_place(flags: np.ndarray[tuple[int], np.dtype[np.bool_]], starts: Ints, where: np.ndarray) -> Ints:
    """The first flagged place of each cell in `where` (which has one), -1 for the others."""
    places = np.flatnonzero(flags)
    found = np.full(len(starts), -1, np.int64)
    found[where] = places[np.searchsorted(places, starts[where])]
    return found


def ema(values: Floats, span: int, state: EmaState | None) -> tuple[Floats, EmaState]:
    """See `stepline.kernels.ema`.

    Within a stretch the recurrence is a running sum of values divided by the weight's powers; a stretch ends before
    those powers grow too large, and carries are handed from stretch to stretch.
    """
    finite = np.isfinite(values)
    out = np.full(len(values), np.nan)
    kept = values[finite]
    if len(kept) == 0:
        return out, state or EmaState()
    if state is None or state.seen == 0:
        first = float(kept[0])
        state = EmaState(origin=first if abs(first) <= LARGEST_ORIGIN else 0.0)
    alpha = 2.0 / (span + 1.0)
    decay = 1.0 - alpha
    offset = kept - state.origin
    # Offsets near the largest float times 1e60 would overflow: there stretches are shorter, and a power of two, which
    # changes no digit, makes room. No more than that: 2^-400 alone took 6e-213 beside 1e200 to zero.
    scale, growth = (2.0**-40, 1e7) if float(np.max(np.abs(offset))) > 1e200 else (1.0, 1e60)
    if decay == 0.0:
        numerator = offset * alpha
    else:
        length = max(1, min(len(kept), int(math.log(growth) / -math.log(decay))))
        rows = -(-len(kept) // length)
        padded = np.zeros(rows * length)
        padded[: len(kept)] = offset * (alpha * scale)
        block = padded.reshape(rows, length)
        powers = decay ** np.arange(1, length + 1)
        np.multiply(block, decay / powers, out=block)
        np.cumsum(block, axis=1, out=block)
        np.multiply(block, powers / decay, out=block)
        carry = np.empty(rows)
        before = state.numerator * scale
        for row in range(rows):
            carry[row] = before
            before = block[row, -1] + powers[-1] * before
        block += carry[:, None] * powers
        numerator = block.reshape(-1)[: len(kept)] / scale
    seen = state.seen + np.arange(1, len(kept) + 1)
    # The sum of the weights alpha w^j. Rounded, 1 - w is not alpha: for a span of a million they differ by 5e-11.
    denominator = np.ones(len(kept)) if decay == 0.0 else np.expm1(seen * math.log(decay)) * (alpha / (decay - 1.0))
    out[finite] = state.origin + numerator / denominator
    after = EmaState(state.origin, float(numerator[-1]), float(denominator[-1]), state.seen + len(kept))
    return out, after


def moving_average(values: Floats, span: int, state: AverageState | None) -> tuple[Floats, AverageState]:
    """See `stepline.kernels.moving_average`.

    Points are cut into stretches of `span` from the run's start; a window is the end of one stretch and the beginning
    of the next, so it is the sum of two running sums and nothing is ever subtracted: a spike of 1e300 leaves no trace.
    """
    finite = np.isfinite(values)
    out = np.full(len(values), np.nan)
    kept = values[finite]
    if len(kept) == 0:
        return out, state or AverageState()
    if state is None or state.seen == 0:
        first = float(kept[0])
        state = AverageState(origin=first if abs(first) <= LARGEST_ORIGIN else 0.0)
    known = len(state.recent)
    offset = np.concatenate([state.recent, kept - state.origin])
    began = state.seen - known
    with np.errstate(over="ignore", invalid="ignore"):
        means = _trailing_means(offset, span, began)[known:]
    for place in np.flatnonzero(~np.isfinite(means)):
        window = offset[max(0, place + known + 1 - span) : place + known + 1]
        means[place] = np.sum(window / len(window))
    out[finite] = state.origin + means
    seen = state.seen + len(kept)
    return out, AverageState(state.origin, seen, offset[max(0, first_needed(seen, span) - began) :].copy())


def first_needed(seen: int, span: int) -> int:
    """Counted from the run's start, the first point that later windows ask for: that of the last whole stretch."""
    return max(0, (seen // span - 1) * span)


def _trailing_means(offset: Floats, span: int, began: int) -> Floats:
    """Means of the last `span` points at every point.

    offset: begins with a stretch, `began` points from the run's start. Of the first stretch only a run's own start is
    right; going on, those means are known already and are not asked for.
    """
    rows = -(-len(offset) // span)
    if rows == 1:
        return np.asarray(np.cumsum(offset) / np.arange(1, len(offset) + 1), np.float64)
    padded = np.zeros(rows * span)
    padded[: len(offset)] = offset
    block = padded.reshape(rows, span)
    sums = np.cumsum(block, axis=1)
    sums[1:, :-1] += np.cumsum(block[:-1, :0:-1], axis=1)[:, ::-1]
    divisor = np.full(rows * span, float(span))
    if began == 0:
        divisor[:span] = np.arange(1, span + 1)
    means: Floats = sums.reshape(-1)[: len(offset)] / divisor[: len(offset)]
    return means


def interleave(planes: Bytes, varying: int, held: int, out: Words) -> None:
    """See `stepline.kernels.interleave`."""
    out.fill(held)
    _put_planes(planes, varying, out.view(np.uint8).reshape(-1, 8))


def widen(planes: Bytes, varying: int, held: int, out: Floats) -> None:
    """See `stepline.kernels.widen`."""
    narrow = np.full(len(out), held, np.uint32)
    _put_planes(planes, varying, narrow.view(np.uint8).reshape(-1, 4))
    with np.errstate(invalid="ignore"):
        out[:] = narrow.view(np.float32)


def _put_planes(planes: Bytes, varying: int, split: Bytes) -> None:
    used = 0
    for place in range(split.shape[1]):
        if varying >> place & 1:
            split[:, place] = planes[used : used + len(split)]
            used += len(split)


def stretches(begins: Ints, firsts: Ints, steps: Ints, out: Ints | Floats) -> None:
    """See `stepline.kernels.stretches`."""
    lengths = np.diff(begins, append=len(out))
    place = np.arange(len(out)) - np.repeat(begins, lengths)
    out[:] = np.repeat(firsts, lengths) + place * np.repeat(steps, lengths)
