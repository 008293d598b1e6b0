"""The slow twin of a store's levels: every bucket of every run from the raw points."""

from __future__ import annotations

import math

import numpy as np


def brute(columns, shift):
    """(bucket, run) → its points that stand for it, lowest and highest step, sum, count, and count of non-finite."""
    cells = {}
    names = ("sequence", "value", "step", "time", "run")
    for point in zip(*(getattr(columns, name).tolist() for name in names), strict=True):
        cells.setdefault((point[0] >> shift, point[-1]), []).append(point)
    found = {}
    nothing = (-1, math.nan, math.nan, math.nan)
    for key, points in cells.items():
        finite = [point for point in points if math.isfinite(point[1])]
        others = [point for point in points if not math.isfinite(point[1])]
        low = min(finite, key=lambda each: each[1], default=nothing)
        high = max(finite, key=lambda each: each[1], default=nothing)
        first, last = (finite[0], finite[-1]) if finite else (nothing, nothing)
        steps = [point[2] for point in points if not math.isnan(point[2])]
        found[key] = (
            [point[:4] for point in (low, high, first, last, others[0] if others else nothing)],
            (min(steps, default=math.nan), max(steps, default=math.nan)),
            sum(point[1] for point in finite), len(finite), len(others),
        )  # fmt: skip
    return found


def check_levels(store, metric, shift, first=0, last=None):
    found = store.levels("t1", metric, shift, first, last)
    expected = brute(store.columns("t1", metric, first, last), shift)
    keys = list(zip(found.bucket.tolist(), found.run.tolist(), strict=True))
    assert keys == sorted(expected)
    wanted = [expected[key] for key in keys]
    points = np.array([each[0] for each in wanted]).reshape(-1, 5, 4)
    got = np.stack([found.at, found.value, found.step, found.time]).transpose(2, 1, 0)
    np.testing.assert_array_equal(got, points)
    np.testing.assert_array_equal(found.lowest_step, [each[1][0] for each in wanted])
    np.testing.assert_array_equal(found.highest_step, [each[1][1] for each in wanted])
    np.testing.assert_allclose(found.total, [each[2] for each in wanted], rtol=1e-9, atol=1e-9)
    assert found.finite_count.tolist() == [each[3] for each in wanted]
    assert found.non_finite_count.tolist() == [each[4] for each in wanted]
