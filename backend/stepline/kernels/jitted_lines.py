# mypy: ignore-errors
# These bodies are written for numba: with a signed integer beside an unsigned one it computes in floats.
"""Lines of text that differ in their numbers alone, read into numbers: 0.2 µs a line, where a JSON decoder takes 1.2.

A pattern is what such lines have in common: a literal text before each number and one after the last. Numbers are read
as Python reads them, to the bit: up to 19 digits, by a multiplication with 128 bits of a power of ten (D. Lemire,
"Number parsing at a gigabyte per second", 2021). A number that would need more, is not JSON, or does not fit its place
ends the scan at its line; so does a line of no known pattern.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from stepline.kernels.lines import EPOCH, NO_STEP, STEP, TIME

_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_ints = types.Array(types.int64, 1, "C", readonly=True)
_out_floats = types.Array(types.float64, 1, "C")
_out_bits = types.Array(types.uint64, 1, "C")
_out_ints = types.Array(types.int64, 1, "C")
_i8, _f8, _u8 = types.int64, types.float64, types.uint64

_NO_STEP = np.int64(NO_STEP)

_LEAST, _MOST = -342, 308


def _powers():
    """Powers of five from 5^-342 to 5^308, the first 128 bits of each: high, low, high, low …"""
    halves = []
    for power in range(_LEAST, _MOST + 1):
        if power >= 0:
            number = 5**power
            shift = 128 - number.bit_length()
            number = number << shift if shift >= 0 else number >> -shift
        else:
            divisor = 5**-power
            length = (divisor - 1).bit_length()
            number = (1 << (length + 127 if power >= -27 else 2 * length + 128)) // divisor + 1
            number >>= max(0, number.bit_length() - 128)
        halves += [number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF]
    return np.array(halves, np.uint64)


_POWERS = _powers()
_TENS = np.array([10.0**power for power in range(23)])
_LOW = np.uint64(0xFFFF_FFFF)
_ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_0, _1, _3 = np.uint64(0), np.uint64(1), np.uint64(3)
_32, _63 = np.uint64(32), np.uint64(63)
_EXACT = np.uint64(1 << 53)
_HIDDEN = np.uint64(1 << 52)
_TEN = np.uint64(10)


@njit(types.UniTuple(_u8, 2)(_u8, _u8), nogil=True, cache=True)
def product(a, b):
    """(high, low) of the 128 bits of a · b."""
    a1, a0, b1, b0 = a >> _32, a & _LOW, b >> _32, b & _LOW
    low = a0 * b0
    middle = a1 * b0 + (low >> _32)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _32) + (other >> _32), a * b


@njit(types.Tuple((types.boolean, _u8))(_u8, _i8), nogil=True, cache=True)
def float_bits(digits, power):
    """(whether it was found, the bits of the float nearest to digits · 10^power). digits is not 0."""
    if power < _LEAST or power > _MOST:
        return False, _0
    shift = _0
    for step in (32, 16, 8, 4, 2, 1):
        if digits >> np.uint64(64 - step) == _0:
            digits <<= np.uint64(step)
            shift += np.uint64(step)
    at = 2 * (power - _LEAST)
    high, low = product(digits, _POWERS[at])
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):
        more, _ = product(digits, _POWERS[at + 1])
        low += more
        if low < more:
            high += _1
    if low == _ONES and (power < -27 or power > 55):
        return False, _0
    upper = high >> _63
    dropped = upper + np.uint64(9)
    mantissa = high >> dropped
    exponent = ((217_706 * power) >> 16) + 63 + np.int64(upper) - np.int64(shift) + 1023
    if exponent <= 0:
        return False, _0
    if low <= _1 and -4 <= power <= 23 and mantissa & _3 == _1 and mantissa << dropped == high:
        # Half way between two floats: to the even one.
        mantissa -= _1
    mantissa = (mantissa + (mantissa & _1)) >> _1
    if mantissa >= _EXACT:
        mantissa = _HIDDEN
        exponent += 1
    if exponent >= 0x7FF:
        return False, _0
    return True, (mantissa & (_HIDDEN - _1)) | (np.uint64(exponent) << np.uint64(52))


@njit(types.Tuple((_i8, types.boolean, types.boolean, _u8, _i8))(_bytes, _i8), nogil=True, cache=True)
def number_at(data, at):
    """(end of the number that begins at `at`, or -1; whether it is negative; whether it is an integer; its digits; the
    power of ten they are multiplied with). The data ends with a newline, which ends any number."""
    negative = data[at] == 45
    if negative:
        at += 1
    begin = at
    digits = _0
    while 48 <= data[at] <= 57:
        digits = digits * _TEN + np.uint64(data[at] - 48)
        at += 1
    count = at - begin
    if count == 0 or (count > 1 and data[begin] == 48):
        return -1, negative, False, _0, 0
    if data[begin] == 48:
        count = 0
    power = 0
    whole = True
    if data[at] == 46:
        whole = False
        at += 1
        begin = at
        while 48 <= data[at] <= 57:
            digits = digits * _TEN + np.uint64(data[at] - 48)
            # Zeros before the first other digit are none of its digits.
            count += 1 if digits != _0 else 0
            at += 1
        power = begin - at
        if power == 0:
            return -1, negative, False, _0, 0
    if data[at] == 101 or data[at] == 69:
        whole = False
        at += 1
        below = data[at] == 45
        if below or data[at] == 43:
            at += 1
        begin = at
        exponent = 0
        while 48 <= data[at] <= 57 and at - begin < 5:
            exponent = exponent * 10 + np.int64(data[at] - 48)
            at += 1
        if at == begin or 48 <= data[at] <= 57:
            return -1, negative, False, _0, 0
        power += -exponent if below else exponent
    if count > 19:
        return -1, negative, False, _0, 0
    return at, negative, whole, digits, power


@njit(_i8(_bytes, _i8, _bytes, _i8, _i8), nogil=True, cache=True)
def after(data, at, text, begin, end):
    """Where the data goes on after text[begin:end], or -1 where it does not stand at `at`."""
    if at + end - begin > len(data):
        return -1
    for i in range(np.uint64(end - begin)):
        if data[np.uint64(at) + i] != text[np.uint64(begin) + i]:
            return -1
    return at + end - begin


_QUOTED = np.frombuffer(b'"NaN""Infinity""-Infinity"', np.uint8)


@njit(
    _i8(_bytes, _i8, _bytes, _ints, _i8, _ints, _i8, _i8, _i8, _i8, _out_floats, _out_ints, _out_floats, _out_floats,
        _out_floats, _out_bits),
    nogil=True, cache=True,
)  # fmt: skip
def read_line(
    data, at, texts, ends, text, targets, first, last, line, used, time, step, epoch, values, scratch, scratch_bits
):
    """The end of the line at `at` whose numbers are those of targets[first:last], the first text `text`; -1 where it is
    another line, or has a number that is for others to read."""
    for number in range(first, last):
        at = after(data, at, texts, ends[text], ends[text + 1])
        if at < 0:
            return -1
        text += 1
        target = targets[number]
        if data[at] == 34 and target >= 0:
            found = after(data, at, _QUOTED, 0, 5)
            value = np.nan
            if found < 0:
                found = after(data, at, _QUOTED, 5, 15)
                value = np.inf
            if found < 0:
                found = after(data, at, _QUOTED, 15, 26)
                value = -np.inf
            if found < 0:
                return -1
            values[used + target] = value
            at = found
            continue
        at, negative, whole, digits, power = number_at(data, at)
        if at < 0 or (whole and negative and digits == _0):
            # Python reads -0 as the integer 0.
            return -1
        if target == STEP:
            if not whole or digits >> _63 != _0:
                return -1
            step[line] = -np.int64(digits) if negative else np.int64(digits)
            continue
        if digits <= _EXACT and -22 <= power <= 22:
            value = np.float64(digits)
            value = value / _TENS[-power] if power < 0 else value * _TENS[power]
        elif digits == _0:
            value = 0.0
        else:
            ok, scratch_bits[0] = float_bits(digits, power)
            if not ok:
                return -1
            value = scratch[0]
        value = -value if negative else value
        if target == TIME:
            time[line] = value
        elif target == EPOCH:
            epoch[line] = value
        elif target >= 0:
            values[used + target] = value
    return after(data, at, texts, ends[text], ends[text + 1])


@njit(
    types.UniTuple(_i8, 4)(_bytes, _i8, _bytes, _ints, _ints, _ints, _ints, _i8, _i8, _i8, _out_ints, _out_floats,
                           _out_ints, _out_floats, _out_floats),
    nogil=True, cache=True,
)  # fmt: skip
def scan(data, at, texts, ends, starts, targets, sizes, pattern, line, used, which, time, step, epoch, values):
    """(where it stopped, the pattern that took the last line, the next line's place, that of its values).

    Pattern p has the numbers [starts[p], starts[p + 1]) of `targets`, one text more, and sizes[p] metrics.
    """
    scratch = np.empty(1)
    scratch_bits = scratch.view(np.uint64)
    patterns = len(sizes)
    while at < len(data):
        end = -1
        for _ in range(patterns):
            step[line] = _NO_STEP
            epoch[line] = np.nan
            first = starts[pattern]
            end = read_line(
                data, at, texts, ends, first + pattern, targets, first, starts[pattern + 1], line, used, time, step,
                epoch, values, scratch, scratch_bits,
            )  # fmt: skip
            if end >= 0:
                break
            pattern = pattern + 1 if pattern + 1 < patterns else 0
        if end < 0:
            break
        which[line] = pattern
        line += 1
        used += sizes[pattern]
        at = end
    return at, pattern, line, used
