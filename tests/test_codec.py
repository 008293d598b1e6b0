"""Arrays as bytes and back: every number to the bit, in as few bytes as their form allows; damage is told."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepline.errors import DatabaseDamaged
from stepline.store import codec

MASKED = struct.unpack("<d", struct.pack("<Q", 0x7FF84C4F53533D30))[0]
"""A NaN that is no float32."""

wide = st.floats() | st.just(MASKED)
narrow = st.floats(width=32) | st.just(float("nan"))
even = st.builds(
    lambda parts: np.concatenate([first + step * np.arange(length) for length, first, step in parts]),
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(-(2**40), 2**40), st.integers(-1000, 1000)), min_size=1, max_size=6
    ),
)
arrays = st.one_of(
    hnp.arrays(np.float64, st.integers(0, 200), elements=wide),
    hnp.arrays(np.float64, st.integers(0, 200), elements=narrow),
    hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1)),
    even,
    *(hnp.arrays(np.dtype(name), st.integers(0, 200)) for name in ("<i4", "<u4", "<u2", "|u1")),
)


def bits(array):
    return array.dtype, array.tobytes()


@settings(deadline=None)
@given(st.lists(arrays, min_size=1, max_size=4))
def test_numbers_come_back_to_the_bit(some):
    data = codec.encode(*some)
    assert [bits(each) for each in codec.decode(data)] == [bits(each) for each in some]
    if len(some) == 1:
        out = np.full(len(some[0]), 7, some[0].dtype)
        codec.decode_into(data, out)
        assert bits(out) == bits(some[0])


ABSENT = -(2**63)
steps = hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1) | st.just(ABSENT)) | even
alternating = st.builds(
    lambda number, length: np.array([number, ABSENT] * length),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(17, 60),
)


@settings(deadline=None)
@given(steps | alternating)
def test_whole_numbers_come_back_as_floats_and_absent_ones_as_nan(array):
    out = np.full(len(array), 7.0)
    codec.decode_as_floats(codec.encode(array), out, ABSENT)
    wanted = array.astype(np.float64)
    wanted[array == ABSENT] = np.nan
    np.testing.assert_array_equal(out, wanted)


def test_what_trainers_log_takes_few_bytes():
    random = np.random.default_rng(0)
    loss = random.normal(2, 0.1, 65_536).astype(np.float32).astype(np.float64)
    loss[17] = np.nan
    step = 10 * np.arange(65_536)
    evaluated = np.sort(np.concatenate([step, step[::500]]))
    assert len(codec.encode(loss)) < 3 * len(loss)
    assert len(codec.encode(step)) < 100
    assert len(codec.encode(evaluated)) < 3_000
    assert len(codec.encode(np.full(65_536, -(2**63)))) < 30


@pytest.mark.parametrize("array", [np.arange(100.0) ** 2, np.repeat([3, 9], 50), np.sqrt(np.arange(100.0))])
def test_a_damaged_column_is_told_and_harms_nothing(array):
    data = codec.encode(array)
    kept = np.zeros(len(array), array.dtype)
    for place in range(len(data)):
        for wrong in (data[:place], data[:place] + bytes([data[place] ^ 0x11]) + data[place + 1 :]):
            try:
                codec.decode_into(wrong, kept)
            except DatabaseDamaged:
                continue
            # What zstd cannot tell, such as another number among the literals, has the right length at least.
            assert len(kept) == len(array)
    with pytest.raises(DatabaseDamaged):
        codec.decode_into(data, np.zeros(len(array) + 1, array.dtype))


@pytest.mark.parametrize(
    ("array", "number"),
    [
        (np.full(70_000, -(2**40)), -(2**40)),
        (np.full(1, 3), 3),
        (np.array([3, 3, 4]), None),
        (np.arange(1000), None),
        (np.full(9, 3.0), None),
        (np.zeros(0, np.int64), None),
    ],
)
def test_a_column_of_one_number_is_known_by_it(array, number):
    assert codec.single(codec.encode(array)) == number
    assert codec.single(codec.encode(array, array)) is None


def test_the_head_of_a_damaged_column_of_one_number_is_told():
    with pytest.raises(DatabaseDamaged):
        codec.single(codec.encode(np.full(9, 3))[:-1])
