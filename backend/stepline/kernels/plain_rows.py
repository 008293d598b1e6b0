"""Rows into stretches in which a step never goes back, one by one: what `jitted_rows.survey` does, 1 µs a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stepline.kernels.types import CLOSING, EITHER, Floats, Ints


def survey(
    time: Floats, step: Ints, layout: NDArray[np.int32], row: int, count: int, passed: int, group_of: Ints,
    sort_of: NDArray[np.uint8], last: Floats, seen_at: Ints, clock: int, closed: int, repeats: int,
    first_time: Floats, last_step: Ints, held: Ints,
) -> tuple[int, int, int, int, int, int]:  # fmt: skip
    """See `stepline.kernels.jitted_rows.survey`."""
    groups, sorts = group_of.tolist(), sort_of.tolist()
    before = {group: float(last[group]) for group in set(groups) if seen_at[group] == clock}
    rest = slice(row, count)
    for own_time, own_step, own in zip(time[rest].tolist(), step[rest].tolist(), layout[rest].tolist(), strict=True):
        if sorts[own] == CLOSING:
            closed = 1
        else:
            group, value = groups[own], float(own_step)
            known = before.get(group)
            back = known is not None and value < known
            after = bool(closed) and sorts[own] != EITHER
            if (back or after) and row != passed:
                _keep(before, last, seen_at, clock)
                return row, int(back), int(after), clock, closed, repeats
            if back:
                before.clear()
                clock += 1
            elif known == value:
                repeats += 1
            before[group] = value
            if after:
                closed = 0
        if held[own]:
            first_time[own] = min(first_time[own], own_time)
            last_step[own] = max(last_step[own], own_step)
        else:
            first_time[own], last_step[own] = own_time, own_step
        held[own] += 1
        row += 1
    _keep(before, last, seen_at, clock)
    return row, 0, 0, clock, closed, repeats


def _keep(before: dict[int, float], last: Floats, seen_at: Ints, clock: int) -> None:
    for group, value in before.items():
        last[group], seen_at[group] = value, clock
