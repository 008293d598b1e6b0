"""The compiled kernels: where each begins and goes on, and what two threads share of it."""

from __future__ import annotations

import numpy as np

from stepline.kernels import jitted, plain
from stepline.kernels.halves import LONG_SCAN, LONG_SMOOTHING, both, worth_splitting
from stepline.kernels.types import AverageState, Bytes, EmaState, Extremes, Floats, Ints, Words
from stepline.kernels.vectors import BLOCK, LANES


def extremes(values: Floats, starts: Ints) -> Extremes:
    """See `stepline.kernels.extremes`."""
    cells = len(starts)
    columns = [np.empty(cells, np.int64) for _ in range(7)]
    if worth_splitting(len(values), LONG_SCAN) and cells > 1:
        half = int(np.searchsorted(starts, len(values) // 2))
        both(
            lambda: jitted.extremes(values, starts, 0, half, *columns),
            lambda: jitted.extremes(values, starts, half, cells, *columns),
        )
    else:
        jitted.extremes(values, starts, 0, cells, *columns)
    return Extremes(*columns)


def ema(values: Floats, span: int, state: EmaState | None) -> tuple[Floats, EmaState]:
    """See `stepline.kernels.ema`."""
    count = len(values)
    out = np.empty(count)
    alpha = 2.0 / (span + 1.0)
    state = state or EmaState()
    begin = 0
    if state.seen == 0:
        begin = jitted.first_finite(values)
        out[:begin] = np.nan
        if begin == count:
            return out, state
        first = float(values[begin])
        state = EmaState(origin=first if abs(first) <= plain.LARGEST_ORIGIN else 0.0)
    origin = state.origin
    numerator, denominator, seen, begin = jitted.ema_debiased(
        values, begin, count, alpha, origin, state.numerator, state.denominator, state.seen, out
    )
    if begin == count:
        return out, EmaState(origin, numerator, denominator, seen)
    scale = 1.0 / denominator
    if worth_splitting(count - begin, LONG_SMOOTHING):
        half = begin + (count - begin) // 2
        parts = [(begin, half, numerator), (half, count, 0.0)]
    else:
        parts = [(begin, count, numerator)]
    ends, finite = np.empty((len(parts), LANES)), np.empty((len(parts), LANES), np.int64)

    def work(number: int) -> None:
        first, last, before = parts[number]
        jitted.ema(values, first, last, alpha, origin, before, scale, out, ends[number], finite[number])

    if len(parts) == 2:
        both(lambda: work(0), lambda: work(1))
    else:
        work(0)
    cuts = [first + (last - first) // BLOCK * LANES * lane for first, last, _ in parts for lane in range(LANES)]
    carry = jitted.ema_carries(
        values, np.array([*cuts, count]), ends.ravel(), finite.ravel(), alpha, origin, scale, out
    )
    return out, EmaState(origin, carry, denominator, seen + int(finite.sum()))


def moving_average(values: Floats, span: int, state: AverageState | None) -> tuple[Floats, AverageState]:
    """See `stepline.kernels.moving_average`."""
    count = len(values)
    before = state or AverageState()
    if before.seen == 0:
        begin = jitted.first_finite(values)
        if begin == count:
            return np.full(count, np.nan), before
        first = float(values[begin])
        before = AverageState(origin=first if abs(first) <= plain.LARGEST_ORIGIN else 0.0)
    out = np.empty(count)
    began = before.seen - len(before.recent)
    nothing = np.zeros(0)
    results: dict[int, tuple[int, bool]] = {}

    def work(part: int, recent: Floats, known: int, begin: int, end: int, seen: int) -> None:
        held = np.zeros(min(span, len(recent) + end - known) + 1)
        results[part] = jitted.average(recent, values, known, begin, end, before.origin, span, seen, held, out)

    half = count // 2
    if worth_splitting(count, LONG_SMOOTHING) and span < count // 8:
        seen = before.seen + int(jitted.count_finite(values.view(np.int64), 0, half))
        start = max(0, (seen // span - 1) * span)
    if worth_splitting(count, LONG_SMOOTHING) and span < count // 8 and start >= before.seen:
        known = jitted.back_over(values, half, seen - start)
        both(
            lambda: work(0, before.recent, 0, 0, half, began),
            lambda: work(1, nothing, known, half, count, start),
        )
    else:
        work(1, before.recent, 0, 0, count, began)
    if any(overflow for _, overflow in results.values()):
        return plain.moving_average(values, span, state)
    seen = results[1][0]
    first_needed = plain.first_needed(seen, span)
    return out, AverageState(before.origin, seen, _recent(values, before, first_needed, seen))


def _recent(values: Floats, before: AverageState, first_needed: int, seen: int) -> Floats:
    """The points from `first_needed` on, counted from the run's start, less the origin."""
    from_values = min(seen - first_needed, seen - before.seen)
    begin = jitted.back_over(values, len(values), from_values)
    late = values[begin:]
    late = late[np.isfinite(late)] - before.origin
    missing = seen - first_needed - len(late)
    return np.concatenate([before.recent[len(before.recent) - missing :], late])


def interleave(planes: Bytes, varying: int, held: int, out: Words) -> None:
    """See `stepline.kernels.interleave`."""
    jitted.interleave(planes, varying, np.uint64(held), out)


def widen(planes: Bytes, varying: int, held: int, out: Floats) -> None:
    """See `stepline.kernels.widen`."""
    jitted.widen(planes, varying, np.uint64(held), out)


def stretches(begins: Ints, firsts: Ints, steps: Ints, out: Ints | Floats) -> None:
    """See `stepline.kernels.stretches`."""
    jitted.stretches(begins, firsts, steps, out)
