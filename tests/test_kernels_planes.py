"""Columns out of their bytes: planes and even steps become numbers again, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.kernels import compiled, plain

FORMS = pytest.mark.parametrize("form", [plain, compiled], ids=["plain", "compiled"])


whole_numbers = st.integers(-(2**63), 2**63 - 1)


def bits(width):
    return st.integers(0, 2**width - 1)


def planes_of(numbers, varying):
    """(the planes that vary, one after another; which; the bytes of all numbers that do not)."""
    width = numbers.itemsize
    split = numbers.view(np.uint8).reshape(-1, width)
    chosen = [place for place in range(width) if varying >> place & 1]
    held = sum(int(split[0, place]) << 8 * place for place in range(width) if place not in chosen) if len(split) else 0
    return np.ascontiguousarray(split[:, chosen].T).reshape(-1), varying, held


@FORMS
@given(numbers=st.lists(st.integers(0, 2**64 - 1), max_size=300).map(lambda some: some * 10), varying=bits(8))
def test_planes_become_numbers_again(form, numbers, varying):
    wanted = np.array(numbers, np.uint64)
    mask = sum(0xFF << 8 * place for place in range(8) if varying >> place & 1)
    wanted = wanted & np.uint64(mask) | (wanted[:1] & np.uint64(~mask & 2**64 - 1) if len(wanted) else np.uint64(0))
    out = np.full(len(wanted), 17, np.uint64)
    form.interleave(*planes_of(wanted, varying), out)
    assert np.array_equal(out, wanted)


@FORMS
@given(
    numbers=st.lists(st.floats(width=32) | st.just(float("nan")), max_size=300).map(lambda some: some * 10),
    varying=bits(4),
)
def test_planes_of_narrow_numbers_become_wide_ones(form, numbers, varying):
    words = np.array(numbers, np.float32).view(np.uint32)
    mask = sum(0xFF << 8 * place for place in range(4) if varying >> place & 1)
    words = words & np.uint32(mask) | (words[:1] & np.uint32(~mask & 2**32 - 1) if len(words) else np.uint32(0))
    out = np.zeros(len(words))
    form.widen(*planes_of(words, varying), out)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out, words.view(np.float32).astype(np.float64))


@FORMS
@given(
    parts=st.lists(st.tuples(st.integers(1, 40), whole_numbers, whole_numbers), max_size=20),
)
def test_stretches_become_numbers_again(form, parts):
    numbers = [first + place * step for length, first, step in parts for place in range(length)]
    wanted = [(number + 2**63) % 2**64 - 2**63 for number in numbers]
    lengths, firsts, steps = zip(*parts, strict=True) if parts else ((), (), ())
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))])[:-1]
    out = np.zeros(len(wanted), np.int64)
    form.stretches(begins, np.array(firsts, np.int64), np.array(steps, np.int64), out)
    assert out.tolist() == wanted
    floats = np.zeros(len(wanted))
    form.stretches(begins, np.array(firsts, np.int64), np.array(steps, np.int64), floats)
    assert floats.tolist() == [float(number) for number in wanted]
