"""Any value becomes what JSON carries, and none raises."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.recording.plain import COUNT_LIMIT, TEXT_LIMIT, flat_settings, metric_value, plain


class Broken:
    """Raises when it is asked for a text or a number."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        return "Broken()"

    def __float__(self) -> float:
        raise RuntimeError("no number")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        (np.array([2.5]), 2.5),
        (np.float16(math.inf), math.inf),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        ("text", "text"),
        (np.str_("text"), "text"),
        (None, None),
        (np.zeros((300, 400)), "ndarray of shape (300, 400)"),
        (Broken(), "a Broken"),
        (Path("a/b"), str(Path("a/b"))),
    ],
)
def test_a_metric_is_a_number_or_a_text(value: object, expected: object) -> None:
    assert metric_value(value) == expected


def test_a_metric_that_is_a_tensor() -> None:
    torch = pytest.importorskip("torch")
    assert metric_value(torch.tensor(2.5, requires_grad=True)) == 2.5
    assert metric_value(torch.tensor([3], dtype=torch.bfloat16)) == 3.0
    assert metric_value(torch.zeros(4, 5)) == "Tensor of shape (4, 5)"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Broken()),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.integers() | st.text() | st.tuples(st.integers()), inside, max_size=3)
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_anything_becomes_json(value: object) -> None:
    text = json.dumps(plain(value), allow_nan=False, ensure_ascii=False)
    text.encode()


@given(st.dictionaries(st.text(), ANYTHING, max_size=4))
def test_settings_are_one_level_of_json(settings: dict[str, object]) -> None:
    flat = flat_settings(settings)
    json.dumps(flat, allow_nan=False, ensure_ascii=False).encode()
    assert not any(isinstance(value, dict) and value for value in flat.values())


def test_what_is_inside_itself_and_what_is_huge_is_cut() -> None:
    inside: dict[str, object] = {"a": 1}
    inside["itself"] = inside
    assert len(json.dumps(flat_settings(inside))) < 100_000
    assert len(flat_settings({str(number): number for number in range(10**5)})) == COUNT_LIMIT
    assert len(plain(list(range(10**5)))) == COUNT_LIMIT
    assert len(plain("x" * 10**6)) == TEXT_LIMIT
    assert flat_settings({"a": {"b": 1, "c": {}}, "d": {2: [1, (2, {3})]}}) == {
        "a.b": 1,
        "a.c": {},
        "d.2": [1, [2, [3]]],
    }
