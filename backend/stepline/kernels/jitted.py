# mypy: ignore-errors
# These bodies are written for numba, whose types they have: an index is unsigned because that compiles to faster code.
"""The compiled loops. Importing this module compiles them, or loads them from numba's cache.

All are `nogil` and none is `parallel`. Signatures are explicit, so that nothing is compiled later in a thread that a
chart waits for; inputs may be read-only. `stepline.kernels.compiled` calls them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from stepline.kernels.vectors import (
    BLOCK,
    CHUNK,
    FEW,
    LANES,
    SMALLEST,
    added,
    averaged,
    extremes_of_chunk,
    extremes_of_few,
)

_floats = types.Array(types.float64, 1, "C", readonly=True)
_ints = types.Array(types.int64, 1, "C", readonly=True)
_out_floats = types.Array(types.float64, 1, "C")
_out_ints = types.Array(types.int64, 1, "C")
_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_i8, _f8 = types.int64, types.float64

FAR = np.int64(0x7FFF_FFFF_FFFF_FFFF)
EXPONENT = np.int64(0x7FF0_0000_0000_0000)
NEGLIGIBLE_WEIGHT = 1e-17
"""The weight of what came before the run's start, below which it changes no digit. Carried on, it would turn denormal
after 74,000 points of span 200, and every point would take 35 ns instead of 2."""


@njit(_i8(_floats, _i8, _i8, _f8), nogil=True, cache=True)
def first_place(values, chunk, chunk_end, wanted):
    """First place of a value that stands in this chunk. 0 and -0 are one value."""
    place = FAR
    for i in range(np.uint64(chunk), np.uint64(chunk_end)):
        place = min(place, np.int64(i) if values[i] == wanted else FAR)
    return place


@njit(types.void(_floats, _ints, _i8, _i8, *[_out_ints] * 7), nogil=True, cache=True)
def extremes(values, starts, begin, end, minimum_at, maximum_at, first_at, last_at, bad_at, bad_count, finite_count):
    """Cells [begin, end) of the values.

    Indices are unsigned: a signed one may be negative, and checks for that keep a loop scalar.
    """
    padded = np.empty(CHUNK)
    for cell in range(begin, end):
        first = starts[cell]
        last = starts[cell + 1] if cell + 1 < len(starts) else len(values)
        lowest, highest = np.inf, -np.inf
        lowest_chunk = highest_chunk = bad_chunk = np.int64(-1)
        bad = np.int64(0)
        for chunk in range(first, last, CHUNK):
            length = min(CHUNK, last - chunk)
            whole = length == CHUNK
            if whole:
                low, high, lost = extremes_of_chunk(values, chunk)
            if not whole or low == -np.inf or high == np.inf:
                # Infinities as NaN, and NaN after the end.
                # A bucket of buckets has 4 or 32 entries: reading 128 for them took half as long again.
                room = FEW if length <= FEW else CHUNK
                for i in range(np.uint64(length)):
                    value = values[np.uint64(chunk) + i]
                    padded[i] = value if value - value == 0.0 else np.nan
                padded[length:room] = np.nan
                low, high, lost = extremes_of_few(padded, 0) if length <= FEW else extremes_of_chunk(padded, 0)
                lost -= room - length
            lower, higher = low < lowest, high > highest
            lowest, lowest_chunk = (low if lower else lowest), (chunk if lower else lowest_chunk)
            highest, highest_chunk = (high if higher else highest), (chunk if higher else highest_chunk)
            if bad_chunk < 0 and lost > 0:
                bad_chunk = chunk
            bad += lost
        finite_count[cell] = last - first - bad
        bad_count[cell] = bad
        minimum_at[cell] = maximum_at[cell] = first_at[cell] = last_at[cell] = bad_at[cell] = -1
        if finite_count[cell] > 0:
            minimum_at[cell] = first_place(values, lowest_chunk, min(lowest_chunk + CHUNK, last), lowest)
            maximum_at[cell] = first_place(values, highest_chunk, min(highest_chunk + CHUNK, last), highest)
            i = np.uint64(first)
            while not np.isfinite(values[i]):
                i += np.uint64(1)
            first_at[cell] = i
            i = np.uint64(last - 1)
            while not np.isfinite(values[i]):
                i -= np.uint64(1)
            last_at[cell] = i
        if bad_chunk >= 0:
            i = np.uint64(bad_chunk)
            while np.isfinite(values[i]):
                i += np.uint64(1)
            bad_at[cell] = i


@njit(
    types.Tuple((_f8, _f8, _i8, _i8))(_floats, _i8, _i8, _f8, _f8, _f8, _f8, _i8, _out_floats),
    nogil=True,
    cache=True,
)
def ema_debiased(values, begin, end, alpha, origin, numerator, denominator, seen, out):
    """The first points of a run, until what came before it weighs nothing; also says where that was."""
    decay = 1.0 - alpha
    weight = decay**seen
    i = begin
    while i < end and weight >= NEGLIGIBLE_WEIGHT:
        value = values[i]
        if np.isfinite(value):
            numerator = decay * numerator + alpha * (value - origin)
            if abs(numerator) < SMALLEST:
                numerator = 0.0
            denominator = decay * denominator + alpha
            weight *= decay
            seen += 1
            out[i] = origin + numerator / denominator
        else:
            out[i] = np.nan
        i += 1
    return numerator, denominator, seen, i


@njit(types.void(_floats, _i8, _i8, _f8, _f8, _f8, _f8, _out_floats, _out_floats, _out_ints), nogil=True, cache=True)
def ema(values, begin, end, alpha, origin, numerator, scale, out, ends, finite):
    """The points after that, in LANES stretches of whole blocks (the last has what is over): the first goes on from
    `numerator`, the others from nothing. ends, finite: of each, where its mean stands and how many points are finite.

    A point waits for the one before it, 2.8 ns; stretches at once wait together.
    """
    decay = 1.0 - alpha
    length = (end - begin) // BLOCK * LANES
    ends[:] = 0.0
    ends[0] = numerator
    averaged(values, begin, length, length // LANES, alpha, origin, scale, ends, finite, out)
    finite[:] = length - finite
    last, mean = LANES - 1, ends[LANES - 1]
    for i in range(begin + LANES * length, end):
        out[i] = np.nan
        if np.isfinite(values[i]):
            mean = decay * mean + alpha * (values[i] - origin)
            mean = 0.0 if abs(mean) < SMALLEST else mean
            out[i] = origin + mean * scale
            finite[last] += 1
    ends[last] = mean


@njit(types.void(_floats, _i8, _i8, _f8, _f8, _f8, _f8, _out_floats), nogil=True, cache=True)
def ema_carry(values, begin, end, alpha, origin, carry, scale, out):
    """Adds to means that began from nothing what the points before them weigh, until that changes no digit."""
    decay = 1.0 - alpha
    weights = np.empty(LANES)
    weight = 1.0
    for lane in range(LANES):
        weight *= decay
        weights[lane] = weight
    largest = 0.0
    carry *= scale
    for first in range(begin, end, LANES):
        mean = abs(out[first] - origin)
        if first + LANES <= end and added(values, first, weights, carry, out):
            carry *= weight
            largest = max(largest, mean)
        else:
            for i in range(first, min(first + LANES, end)):
                if np.isfinite(values[i]):
                    carry *= decay
                    largest = max(largest, abs(out[i] - origin))
                    out[i] += carry
        if abs(carry) <= max(SMALLEST, 1e-18 * largest):
            return


@njit(_f8(_floats, _ints, _floats, _ints, _f8, _f8, _f8, _out_floats), nogil=True, cache=True)
def ema_carries(values, cuts, ends, finite, alpha, origin, scale, out):
    """Adds to the stretches between the cuts what those before them weigh; where the mean stands at the last one's end.

    One call for all: each takes the interpreter lock anew, from a thread that reads meanwhile.
    """
    carry = ends[0]
    for part in range(1, len(ends)):
        ema_carry(values, cuts[part], cuts[part + 1], alpha, origin, carry, scale, out)
        carry = ends[part] + carry * (1.0 - alpha) ** finite[part]
    return carry


@njit(types.int64(_floats), nogil=True, cache=True)
def first_finite(values):
    for i in range(len(values)):
        if np.isfinite(values[i]):
            return i
    return len(values)


@njit(_i8(_ints, _i8, _i8), nogil=True, cache=True)
def count_finite(bits, begin, end):
    count = np.int64(0)
    for i in range(np.uint64(begin), np.uint64(end)):
        count += np.int64((bits[i] & EXPONENT) != EXPONENT)
    return count


@njit(types.int64(_floats, _i8, _i8), nogil=True, cache=True)
def back_over(values, end, count):
    """The place from which there are `count` finite values before `end`."""
    i = end
    while count > 0:
        i -= 1
        count -= np.int64(np.isfinite(values[i]))
    return i


@njit(types.void(_out_floats, _i8), nogil=True, cache=True)
def sum_to_end(held, span):
    """Each place becomes the sum from it to the end. Four quarters at once: an addition waits for the one before."""
    quarter = np.uint64(span) // np.uint64(4)
    one, two, three = quarter, quarter + quarter, quarter + quarter + quarter
    sum_1 = sum_2 = sum_3 = sum_4 = 0.0
    for k in range(np.uint64(span) - quarter - three):
        i = np.uint64(span) - np.uint64(1) - k
        sum_4 += held[i]
        held[i] = sum_4
    for k in range(np.uint64(1), quarter + np.uint64(1)):
        sum_1 += held[one - k]
        held[one - k] = sum_1
        sum_2 += held[two - k]
        held[two - k] = sum_2
        sum_3 += held[three - k]
        held[three - k] = sum_3
        sum_4 += held[three + quarter - k]
        held[three + quarter - k] = sum_4
    sum_3 += sum_4
    sum_2 += sum_3
    for k in range(quarter):
        held[k] += sum_2
        held[one + k] += sum_3
        held[two + k] += sum_4


@njit(
    types.Tuple((_i8, types.boolean))(_floats, _floats, _i8, _i8, _i8, _f8, _i8, _i8, _out_floats, _out_floats),
    nogil=True,
    cache=True,
)
def average(recent, values, known, begin, end, origin, span, seen, held, out):
    """Means for [begin, end). `recent` and values [known, begin) come before; `seen` finite points before those.

    held: span + 1 zeros, fewer where fewer points come. It gets the sums from each place to the end of the stretch
    before, and this stretch's values one place behind where it is read.
    """
    one = np.uint64(1)
    place, stretch = np.uint64(0), np.uint64(span)
    total = strange = 0.0
    inverse = 1.0 / span
    for value in recent:
        total += value
        held[place] = value
        place += one
        if place == stretch:
            sum_to_end(held, span)
            place, total = np.uint64(0), 0.0
    seen += len(recent)
    for i in range(np.uint64(known), np.uint64(begin)):
        value = values[i] - origin
        if np.isfinite(values[i]):
            total += value
            seen += 1
            held[place] = value
            place += one
            if place == stretch:
                sum_to_end(held, span)
                place, total = np.uint64(0), 0.0
    at = np.uint64(begin)
    while at < np.uint64(end):
        # No further than the stretch may reach, so that its end is not asked for at every point.
        until = min(np.uint64(end), at + (stretch - place))
        begun, early = place, seen < span
        for i in range(at, until):
            value = values[i] - origin
            if np.isfinite(values[i]):
                total += value
                mean = total / np.float64(place + one) if early else (total + held[place + one]) * inverse
                # NaN from the first sum on that overflows.
                strange += mean * 0.0
                held[place] = value
                place += one
                out[i] = origin + mean
            else:
                out[i] = np.nan
        at = until
        seen += np.int64(place - begun)
        if place == stretch:
            sum_to_end(held, span)
            place, total = np.uint64(0), 0.0
    return seen, strange != 0.0


@njit(types.void(_bytes, _i8, types.uint64, types.Array(types.uint64, 1, "C")), nogil=True, cache=True)
def interleave(planes, varying, held, out):
    """Put the bytes of each plane into the numbers; `held` has those that are alike. varying: a bit for each plane."""
    count = np.uint64(len(out))
    # A stretch stays in the nearest cache while one plane after the other goes over it.
    stretch = np.uint64(2048)
    for begin in range(np.uint64(0), count, stretch):
        end = min(begin + stretch, count)
        out[begin:end] = held
        offset = np.uint64(0)
        for place in range(8):
            if varying >> place & 1:
                shift = np.uint64(8 * place)
                for i in range(begin, end):
                    out[i] |= np.uint64(planes[offset + i]) << shift
                offset += count


@njit(types.void(_bytes, _i8, types.uint64, _out_floats), nogil=True, cache=True)
def widen(planes, varying, held, out):
    """Likewise for numbers of 4 bytes, which are float32."""
    count = np.uint64(len(out))
    stretch = np.uint64(2048)
    words = np.empty(2048, np.uint32)
    numbers = words.view(np.float32)
    for begin in range(np.uint64(0), count, stretch):
        length = min(stretch, count - begin)
        words[:] = np.uint32(held)
        offset = begin
        for place in range(4):
            if varying >> place & 1:
                shift = np.uint32(8 * place)
                for i in range(length):
                    words[i] |= np.uint32(planes[offset + i]) << shift
                offset += count
        for i in range(length):
            out[begin + i] = numbers[i]


@njit([types.void(_ints, _ints, _ints, out) for out in (_out_ints, _out_floats)], nogil=True, cache=True)
def stretches(begins, firsts, steps, out):
    for which in range(len(begins)):
        end = begins[which + 1] if which + 1 < len(begins) else len(out)
        # In names of their own: for all the compiler knows, what is written to lies in those arrays.
        number, step = firsts[which], steps[which]
        for i in range(np.uint64(begins[which]), np.uint64(end)):
            out[i] = number
            number += step
