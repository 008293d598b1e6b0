# mypy: ignore-errors
# These bodies are written for numba: with a signed integer beside an unsigned one it computes in floats.
"""TensorFlow's records and the events in them, read into columns: 60 ns an event of one scalar, where Python takes
5 µs.

A record is a length, the masked CRC-32C of that, the data and its masked CRC-32C. An event is protobuf; what is read of
it here is what nearly all events are: a time, a step and a summary whose values are a tag and a number, simple or as a
tensor without dimensions. Any other is left to the caller.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from stepline.kernels.events import (
    DAMAGED,
    FORM_BYTES,
    FULL,
    LONGEST_CHECKED,
    MORE,
    NO_LENGTH,
    OTHER,
    UNKNOWN,
)
from stepline.kernels.jitted_crc32c import long, masked_sum, word

_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_ints = types.Array(types.int64, 1, "C", readonly=True)
_out_ints = types.Array(types.int64, 1, "C")
_out_floats = types.Array(types.float64, 1, "C")
_out_bytes = types.Array(types.uint8, 1, "C")
_out_i4 = types.Array(types.int32, 1, "C")
_out_u8 = types.Array(types.uint64, 1, "C")
_out_singles = types.Array(types.float32, 1, "C")
_out_words = types.Array(types.uint32, 1, "C")
_i8, _u8, _f8 = types.int64, types.uint64, types.float64


@njit(types.UniTuple(_u8, 2)(_bytes, _u8, _u8), nogil=True, cache=True, forceinline=True)
def varint(data, at, end):
    """(the number, where it ends); where it does not end before `end`, its end is beyond that."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift <= np.uint64(63):
        byte = np.uint64(data[at])
        at += np.uint64(1)
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            return value, at
        shift += np.uint64(7)
    return value, end + np.uint64(1)


@njit(types.boolean(_bytes, _u8, _bytes, _i8, _i8), nogil=True, cache=True, forceinline=True)
def same(data, at, texts, begin, end):
    """Whether texts[begin:end] stands at `at`; there are so many bytes."""
    i, length, begin = np.uint64(0), np.uint64(end - begin), np.uint64(begin)
    if length >= np.uint64(8):
        last = length - np.uint64(8)
        while i < last:
            if long(data, at + i) != long(texts, begin + i):
                return False
            i += np.uint64(8)
        return long(data, at + last) == long(texts, begin + last)
    while i < length:
        if data[at + i] != texts[begin + i]:
            return False
        i += np.uint64(1)
    return True


@njit(_i8(_bytes, _u8, _u8, _i8, _bytes, _ints, _ints), nogil=True, cache=True)
def known(data, begin, end, guess, texts, ends, slots):
    """The place of the text data[begin:end] among those that are known, or -1. `guess` is tried first.

    Text n is texts[ends[n]:ends[n + 1]]. slots: -1 or a text's place, from its sum on, modulo their count (a power of
    two).
    """
    length = np.int64(end - begin)
    if (
        guess >= 0
        and ends[guess + 1] - ends[guess] == length
        and same(data, begin, texts, ends[guess], ends[guess + 1])
    ):
        return guess
    mask = np.uint64(len(slots) - 1)
    slot = np.uint64(masked_sum(data, begin, end)) & mask
    while slots[slot] >= 0:
        text = slots[slot]
        if ends[text + 1] - ends[text] == length and same(data, begin, texts, ends[text], ends[text + 1]):
            return text
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(
    types.Tuple((types.boolean, _f8, _u8, _u8))(_bytes, _u8, _u8, _out_floats, _out_u8, _out_singles, _out_words),
    nogil=True, cache=True,
)  # fmt: skip
def tensor_number(data, at, end, double, longs, single, words):
    """(whether it was read, the number, where it stands, its bytes) of a float or double tensor without dimensions."""
    kind = np.uint64(0)
    width = np.uint64(0)
    place = at
    value = 0.0
    while at < end:
        key = data[at]
        at += np.uint64(1)
        if key == 0x08:
            kind, at = varint(data, at, end)
            if at > end:
                return False, 0.0, at, width
            continue
        if at >= end or data[at] >= 0x80:
            return False, 0.0, at, width
        if key == 0x12:
            if data[at] != 0:
                return False, 0.0, at, width
            at += np.uint64(1)
            continue
        if width != np.uint64(0):
            return False, 0.0, at, width
        if key == 0x35:
            length = np.uint64(4)
        else:
            if key != 0x22 and key != 0x2A and key != 0x32:
                return False, 0.0, at, width
            length = np.uint64(data[at])
            at += np.uint64(1)
        if at + length > end or (length != np.uint64(4) and length != np.uint64(8)):
            return False, 0.0, at, width
        if (key == 0x2A and length != np.uint64(4)) or (key == 0x32 and length != np.uint64(8)):
            return False, 0.0, at, width
        width = length
        place = at
        if length == np.uint64(4):
            words[0] = word(data, at)
            value = np.float64(single[0])
        else:
            longs[0] = long(data, at)
            value = double[0]
        at += length
    if (kind == np.uint64(1) and width == np.uint64(4)) or (kind == np.uint64(2) and width == np.uint64(8)):
        return True, value, place, width
    return False, 0.0, at, width


@njit(
    types.Tuple((_i8, _i8, _i8, _u8, _u8, _u8))(
        _bytes, _u8, _u8, _bytes, _ints, _ints, _bytes, _ints, _ints, _i8, _i8, _out_ints,
        _out_floats, _out_ints, _out_i4, _out_floats, _out_floats, _out_u8, _out_singles, _out_words,
    ),
    nogil=True, cache=True,
)  # fmt: skip
def read_event(
    data, at, end, tags, tag_ends, tag_slots, metas, meta_ends, meta_slots, count, tag_before, following,
    time, step, tag, value, double, longs, single, words,
):  # fmt: skip
    """(what data[at:end] was: OTHER, UNKNOWN, or MORE for an event that was read; scalars so far; the last tag; where
    what is behind the step begins; where the last number stands; its bytes)."""
    begin = count
    own_time = 0.0
    own_step = np.int64(0)
    rest = at
    place = at
    width = np.uint64(0)
    summary = np.uint64(0)
    summary_end = np.uint64(0)
    while at < end:
        key = data[at]
        at += np.uint64(1)
        if key == 0x09:
            if at + np.uint64(8) > end:
                return OTHER, begin, tag_before, at, at, at
            longs[0] = long(data, at)
            own_time = double[0]
            at += np.uint64(8)
            rest = at
        elif key == 0x10:
            found, at = varint(data, at, end)
            if at > end:
                return OTHER, begin, tag_before, at, at, at
            own_step = np.int64(found)
            rest = at
        elif key == 0x2A and summary == np.uint64(0):
            length, at = varint(data, at, end)
            if at > end or length > end - at:
                return OTHER, begin, tag_before, at, at, at
            summary = at
            at += length
            summary_end = at
        else:
            return OTHER, begin, tag_before, at, at, at
    at = summary
    while at < summary_end:
        if data[at] != 0x0A:
            return OTHER, begin, tag_before, at, at, at
        length, at = varint(data, at + np.uint64(1), summary_end)
        if at > summary_end or length > summary_end - at:
            return OTHER, begin, tag_before, at, at, at
        value_end = at + length
        own_tag = np.int64(-1)
        is_read = False
        has_tensor = False
        number = 0.0
        while at < value_end:
            key = data[at]
            at += np.uint64(1)
            if key == 0x15:
                if at + np.uint64(4) > value_end or is_read:
                    return OTHER, begin, tag_before, at, at, at
                words[0] = word(data, at)
                number = np.float64(single[0])
                is_read = True
                place, width = at, np.uint64(4)
                at += np.uint64(4)
                continue
            if key != 0x0A and key != 0x42 and key != 0x4A:
                return OTHER, begin, tag_before, at, at, at
            length, at = varint(data, at, value_end)
            if at > value_end or length > value_end - at:
                return OTHER, begin, tag_before, at, at, at
            if key == 0x0A:
                guess = following[tag_before] if tag_before >= 0 else -1
                own_tag = known(data, at, at + length, guess, tags, tag_ends, tag_slots)
                if own_tag < 0:
                    return UNKNOWN, begin, tag_before, at, at, at
                if tag_before >= 0:
                    following[tag_before] = own_tag
                tag_before = own_tag
            elif key == 0x42:
                if has_tensor or is_read:
                    return OTHER, begin, tag_before, at, at, at
                has_tensor = True
                is_read, number, place, width = tensor_number(data, at, at + length, double, longs, single, words)
                if not is_read:
                    return OTHER, begin, tag_before, at, at, at
            elif known(data, at, at + length, -1, metas, meta_ends, meta_slots) < 0:
                return UNKNOWN, begin, tag_before, at, at, at
            at += length
        if own_tag < 0 or not is_read:
            return OTHER, begin, tag_before, at, at, at
        time[count] = own_time
        step[count] = own_step
        tag[count] = own_tag
        value[count] = number
        count += 1
    return MORE, count, tag_before, rest, place, width


@njit(
    types.Tuple((_i8, _i8, _i8, _i8, _i8, _i8))(
        _bytes, _i8, types.boolean, _i8, _bytes, _ints, _ints, _bytes, _ints, _ints, _i8, _out_ints, _out_ints,
        _out_bytes, _i8, _i8, _out_floats, _out_ints, _out_i4, _out_floats, _out_ints, _i8,
    ),
    nogil=True, cache=True,
)  # fmt: skip
def scan(
    data, at, check, left, tags, tag_ends, tag_slots, metas, meta_ends, meta_slots, tag_before, following, forms,
    form_bytes, count, records, time, step, tag, value, odd, longest,
):  # fmt: skip
    """(why it stopped, where, scalars so far, records so far, what was odd so far, the last tag).

    `left` is the place of a record whose unknown texts are none to learn: it is odd. odd: five numbers for each: what
    it is (OTHER, DAMAGED), where its data begins, how long they are, the scalars, the records before it.

    An event of one scalar differs from the one of this tag before it in its time, step and number alone. forms: for
    each tag five numbers of that one: its length and the sum of it, how many bytes are before the number and behind
    it, and how many it has. form_bytes: FORM_BYTES for each tag, those before the number, then those behind.
    """
    double = np.empty(1, np.float64)
    longs = double.view(np.uint64)
    single = np.empty(1, np.float32)
    words = single.view(np.uint32)
    odds = 0
    most_odd = len(odd) // 5
    size = len(data)
    while True:
        if at + 12 > size:
            return MORE, at, count, records, odds, tag_before
        place = np.uint64(at)
        guess = following[tag_before] if tag_before >= 0 else -1
        if guess >= 0 and forms[5 * guess + 4] > 0 and count < len(time):
            length = np.uint64(forms[5 * guess])
            end = at + 12 + forms[5 * guess]
            if (
                end + 4 <= size
                and long(data, place) == length
                and np.int64(word(data, place + np.uint64(8))) == forms[5 * guess + 1]
                and data[place + np.uint64(12)] == 0x09
            ):
                own_step = np.uint64(0)
                here = place + np.uint64(21)
                if data[here] == 0x10:
                    own_step, here = varint(data, here + np.uint64(1), np.uint64(end))
                before, behind, width = forms[5 * guess + 2], forms[5 * guess + 3], forms[5 * guess + 4]
                begin = guess * FORM_BYTES
                number = here + np.uint64(before)
                if (
                    np.int64(number) + width + behind == end
                    and same(data, here, form_bytes, begin, begin + before)
                    and same(data, number + np.uint64(width), form_bytes, begin + before, begin + before + behind)
                    and (
                        not check
                        or masked_sum(data, place + np.uint64(12), np.uint64(end)) == word(data, np.uint64(end))
                    )
                ):
                    longs[0] = long(data, place + np.uint64(13))
                    time[count] = double[0]
                    step[count] = np.int64(own_step)
                    tag[count] = guess
                    if width == 4:
                        words[0] = word(data, number)
                        value[count] = np.float64(single[0])
                    else:
                        longs[0] = long(data, number)
                        value[count] = double[0]
                    tag_before = guess
                    count += 1
                    records += 1
                    at = end + 4
                    continue
        length = long(data, place)
        if length >= np.uint64(longest) or masked_sum(data, place, place + np.uint64(8)) != word(
            data, place + np.uint64(8)
        ):
            return NO_LENGTH, at, count, records, odds, tag_before
        end = at + 12 + np.int64(length)
        if end + 4 > size:
            return MORE, at, count, records, odds, tag_before
        if count + np.int64(length) // 9 + 1 > len(time) or odds == most_odd:
            if count > 0 or odds > 0:
                return FULL, at, count, records, odds, tag_before
            what = OTHER
        elif (
            check
            and length <= np.uint64(LONGEST_CHECKED)
            and masked_sum(data, place + np.uint64(12), np.uint64(end)) != word(data, np.uint64(end))
        ):
            what = DAMAGED
        else:
            before_count = count
            what, count, tag_before, rest, number, width = read_event(
                data, place + np.uint64(12), np.uint64(end), tags, tag_ends, tag_slots, metas, meta_ends, meta_slots,
                count, tag_before, following, time, step, tag, value, double, longs, single, words,
            )  # fmt: skip
            if what == UNKNOWN:
                if at != left:
                    return UNKNOWN, at, count, records, odds, tag_before
                what = OTHER
            before = np.int64(number) - np.int64(rest)
            behind = end - np.int64(number) - np.int64(width)
            if what == MORE and count == before_count + 1 and before >= 0 and before + behind <= FORM_BYTES:
                forms[5 * tag_before] = np.int64(length)
                forms[5 * tag_before + 1] = np.int64(word(data, place + np.uint64(8)))
                forms[5 * tag_before + 2] = before
                forms[5 * tag_before + 3] = behind
                forms[5 * tag_before + 4] = np.int64(width)
                begin = tag_before * FORM_BYTES
                for i in range(before):
                    form_bytes[begin + i] = data[rest + np.uint64(i)]
                for i in range(behind):
                    form_bytes[begin + before + i] = data[np.uint64(end - behind + i)]
        if what != MORE:
            odd[odds * 5] = what
            odd[odds * 5 + 1] = at + 12
            odd[odds * 5 + 2] = np.int64(length)
            odd[odds * 5 + 3] = count
            odd[odds * 5 + 4] = records
            odds += 1
        if what != DAMAGED:
            records += 1
        at = end + 4
