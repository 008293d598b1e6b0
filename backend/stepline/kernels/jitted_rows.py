# mypy: ignore-errors
# These bodies are written for numba, whose types they have.
"""Scalars of event files into rows, and rows into stretches in which a step never goes back: 20 ns a scalar."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from stepline.kernels.events import FULL, MORE, TOO_MANY
from stepline.kernels.types import CLOSING, EITHER

_flags = types.Array(types.uint8, 1, "C", readonly=True)
_ints = types.Array(types.int64, 1, "C", readonly=True)
_floats = types.Array(types.float64, 1, "C", readonly=True)
_in_i4 = types.Array(types.int32, 1, "C", readonly=True)
_out_ints = types.Array(types.int64, 1, "C")
_out_floats = types.Array(types.float64, 1, "C")
_out_i4 = types.Array(types.int32, 1, "C")
_i8 = types.int64


@njit(
    types.UniTuple(_i8, 4)(
        _floats, _ints, _in_i4, _i8, _flags, _out_ints, _i8, _out_ints, _out_ints, _out_ints, _out_ints, _out_ints, _i8,
        _i8, _out_floats, _out_ints, _out_i4, _out_i4,
    ),
    nogil=True, cache=True,
)  # fmt: skip
def group(
    time, step, tag, count, sorts, stamps, stamp, keys, nodes, likely_tag, likely_node, grown, layouts, most_rows,
    row_time, row_step, row_layout, row_of,
):  # fmt: skip
    """(why it stopped, rows begun, the scalar that begins the last of them, layouts so far).

    A row is what follows one another at one step, each tag once, and not of two sorts. A layout is a row's tags in
    their order: a node of a tree whose edges are tags, `keys` and `nodes` by hash; grown: of each layout the one that
    it grew from and the tag.
    """
    mask = np.uint64(len(keys) - 1)
    most_layouts = len(likely_tag)
    rows = np.int64(-1)
    begin = np.int64(0)
    row_sort = EITHER
    node = np.int64(0)
    for i in range(count):
        own = np.int64(tag[i])
        sort = np.int64(sorts[own])
        if (
            rows < 0
            or row_step[rows] != step[i]
            or stamps[own] == stamp + rows
            or (sort != row_sort and sort != EITHER and row_sort != EITHER)
        ):
            if rows >= 0:
                row_layout[rows] = node
            rows += 1
            if rows == most_rows:
                return FULL, rows, i, layouts
            begin = i
            row_time[rows] = time[i]
            row_step[rows] = step[i]
            row_sort = EITHER
            node = 0
        if sort != EITHER:
            row_sort = sort
        stamps[own] = stamp + rows
        row_of[i] = rows
        if likely_tag[node] == own:
            node = likely_node[node]
            continue
        key = (node << 32) | own
        slot = (np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) & mask
        while keys[slot] >= 0 and keys[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if keys[slot] < 0:
            if layouts == most_layouts:
                return TOO_MANY, rows, begin, layouts
            keys[slot] = key
            nodes[slot] = layouts
            grown[2 * layouts] = node
            grown[2 * layouts + 1] = own
            layouts += 1
        likely_tag[node] = own
        likely_node[node] = nodes[slot]
        node = nodes[slot]
    if rows >= 0:
        row_layout[rows] = node
    return MORE, rows + 1, begin, layouts


@njit(types.void(_in_i4, _floats, _in_i4, _i8, _out_ints, _out_ints, _out_floats), nogil=True, cache=True)
def by_tag(tag, value, row_of, count, at, rows, values):
    """The first `count` scalars' rows and values, those of one tag together: at[t] is where those of tag t begin, and
    then where they end."""
    for i in range(count):
        place = at[tag[i]]
        rows[place] = row_of[i]
        values[place] = value[i]
        at[tag[i]] = place + 1


@njit(
    types.UniTuple(_i8, 6)(
        _floats, _ints, _in_i4, _i8, _i8, _i8, _ints, _flags, _out_floats, _out_ints, _i8, _i8, _i8,
        _out_floats, _out_ints, _out_ints,
    ),
    nogil=True, cache=True,
)  # fmt: skip
def survey(
    time, step, layout, row, count, passed, group_of, sort_of, last, seen_at, clock, closed, repeats, first_time,
    last_step, held,
):  # fmt: skip
    """(the row at which it stopped, whether the step went back there, whether it comes after a closing row, clock,
    closed, repeats): the row is `count`, or one that begins a run perhaps and is not seen yet; `passed` was told
    before.

    last[g] is the last step of the group g, where seen_at[g] is the clock. sort_of: of each layout CLOSING, EITHER for
    an evaluation, 0 for others. Of each layout: first_time, last_step and how many rows it has, since they were set.
    """
    while row < count:
        own = np.int64(layout[row])
        at_closing = sort_of[own] == CLOSING
        after = closed != 0 and not at_closing and sort_of[own] != EITHER
        value = np.float64(step[row])
        if not at_closing:
            held_group = group_of[own]
            has = seen_at[held_group] == clock
            back = has and value < last[held_group]
            if (back or after) and row != passed:
                return row, np.int64(back), np.int64(after), clock, closed, repeats
            if back:
                clock += 1
            elif has and last[held_group] == value:
                repeats += 1
            last[held_group] = value
            seen_at[held_group] = clock
            if after:
                closed = np.int64(0)
        else:
            closed = np.int64(1)
        if held[own] == 0:
            first_time[own] = time[row]
            last_step[own] = step[row]
        else:
            first_time[own] = min(first_time[own], time[row])
            last_step[own] = max(last_step[own], step[row])
        held[own] += 1
        row += 1
    return row, np.int64(0), np.int64(0), clock, closed, repeats
