"""Rows cut into stretches: the compiled loop and the plain one say the same, in whatever parts the rows come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stepline.kernels import jitted_rows, plain_rows
from stepline.kernels.types import CLOSING, EITHER, TRAINING

LAYOUTS = 4
rows = st.lists(st.tuples(st.integers(-3, 9), st.integers(0, LAYOUTS - 1), st.floats(0, 9)), max_size=60)


def cut(survey, parts, groups, sorts):
    """What is told at each stop, and what was kept of each layout there."""
    last, first_time = np.zeros(LAYOUTS), np.zeros(LAYOUTS)
    seen_at, last_step, held = np.zeros((3, LAYOUTS), np.int64)
    clock, closed, repeats, told = 1, 0, 0, []
    for part in parts:
        step = np.array([each[0] for each in part], np.int64)
        layout = np.array([each[1] for each in part], np.int32)
        time = np.array([each[2] for each in part], np.float64)
        row, passed = 0, -1
        while True:
            row, back, after, clock, closed, repeats = survey(
                time, step, layout, row, len(part), passed, groups, sorts, last, seen_at, clock, closed, repeats,
                first_time, last_step, held,
            )  # fmt: skip
            where = held > 0
            told.append(
                (
                    row,
                    back,
                    after,
                    closed,
                    repeats,
                    held.tolist(),
                    first_time[where].tolist(),
                    last_step[where].tolist(),
                )
            )
            if row == len(part):
                break
            held[:] = 0
            passed = row
    return told


@settings(max_examples=200, deadline=None)
@given(
    st.lists(rows, max_size=4),
    st.lists(st.integers(0, 2), min_size=LAYOUTS, max_size=LAYOUTS),
    st.lists(st.sampled_from([CLOSING, EITHER, TRAINING, TRAINING]), min_size=LAYOUTS, max_size=LAYOUTS),
)
def test_both_cut_at_the_same_rows(parts, groups, sorts):
    groups, sorts = np.array(groups, np.int64), np.array(sorts, np.uint8)
    assert cut(plain_rows.survey, parts, groups, sorts) == cut(jitted_rows.survey, parts, groups, sorts)
