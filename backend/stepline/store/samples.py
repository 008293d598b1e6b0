"""GPU and system figures of runs: placed by time, apart from the records.

A row of `samples` holds stretches of several series at the same times, compressed as one: a single sample as it comes,
360 together (an hour, at one every ten seconds) once there are so many. Twelve series then take about 40 bytes a
sample: 10 MB for a month.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.store import codec, sqlite, statements
from stepline.store.content import Names
from stepline.store.models import RunModel, SampleModel

TOGETHER = 360
_COLUMNS = ("run_id", "first", "last", "count", "metric_set_id", "data")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Samples:
    """One series by time, run by run. Arrays of one length; times are Unix seconds, ascending within a run."""

    run: NDArray[np.int32]
    """Number of the run."""
    time: Floats
    value: Floats


def add(database: sqlite.Database, run_uid: str, time: float, values: dict[str, float], number: int) -> None:
    """Within the caller's transaction; a run that is gone by now adds nothing. number: the metric set of the names."""
    found = statements.select(database, RunModel, ("id",), uid=run_uid)
    if not found:
        return
    ((run_id,),) = found
    column = np.array([time]), np.array(list(values.values()), np.float64)
    statements.insert(database, SampleModel, _COLUMNS, [[run_id, time, time, 1, number, codec.encode(*column)]])
    single = (SampleModel.run_id == run_id) & (SampleModel.count == 1) & (SampleModel.metric_set_id == number)
    query = SampleModel.select(SampleModel.id, SampleModel.data).where(single).order_by(SampleModel.first)
    if SampleModel.select().where(single).count(database) < TOGETHER:
        return
    rows = sqlite.raw(database, query)
    parts = [codec.decode(data) for _, data in rows]
    times = np.concatenate([part[0] for part in parts])
    # Series after series: what changes little stands together.
    columns = np.stack([part[1] for part in parts], axis=1).reshape(-1)
    SampleModel.delete().where(SampleModel.id.in_([each for each, _ in rows])).execute(database)
    row = [run_id, float(times[0]), float(times[-1]), len(times), number, codec.encode(times, columns)]
    statements.insert(database, SampleModel, _COLUMNS, [row])


def read(
    database: sqlite.Database, names: Names, task_id: int, wanted: list[str], first: float | None, last: float | None
) -> dict[str, Samples]:
    """Series of a task with first <= time <= last (None: all there is), by name, where they have a sample."""
    where = SampleModel.run_id.in_(_runs(task_id))
    if first is not None:
        where &= SampleModel.last >= first
    if last is not None:
        where &= SampleModel.first <= last
    query = (
        SampleModel.select(RunModel.number, SampleModel.metric_set_id, SampleModel.data)
        .join(RunModel, on=(RunModel.id == SampleModel.run_id))
        .where(where)
        .order_by(RunModel.number, SampleModel.first)
    )
    parts: dict[str, list[tuple[NDArray[np.int32], Floats, Floats]]] = {name: [] for name in wanted}
    for number, metric_set, data in sqlite.raw(database, query):
        held = names(metric_set)
        times, columns = codec.decode(data)
        columns = columns.reshape(len(held), -1)
        which = (times >= (-math.inf if first is None else first)) & (times <= (math.inf if last is None else last))
        for name, values in zip(held, columns, strict=True):
            if name in parts and which.any():
                parts[name].append((np.full(int(which.sum()), number, np.int32), times[which], values[which]))
    return {name: _in_order(held) for name, held in parts.items() if held}


def _in_order(parts: list[tuple[NDArray[np.int32], Floats, Floats]]) -> Samples:
    run, time, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    # A GPU that comes and goes makes two sets of series, whose stretches overlap.
    order = np.lexsort((time, run))
    return Samples(run[order], time[order], value[order])


def newest(database: sqlite.Database, names: Names, task_id: int) -> dict[str, float]:
    """The newest value of each series of a task, by name."""
    model = SampleModel
    query = model.select(model.metric_set_id, model.data, model.first).where(model.run_id.in_(_runs(task_id)))
    sets = model.select(model.metric_set_id).distinct().where(model.run_id.in_(_runs(task_id)))
    rows = []
    for (number,) in sqlite.raw(database, sets):
        last = query.where(model.metric_set_id == number).order_by(model.first.desc()).limit(1)
        rows += sqlite.raw(database, last)
    found: dict[str, float] = {}
    for number, data, _ in sorted(rows, key=lambda row: row[2]):
        held = names(number)
        columns = codec.decode(data)[1].reshape(len(held), -1)
        found |= dict(zip(held, columns[:, -1].tolist(), strict=True))
    return found


def _runs(task_id: int) -> Any:
    return RunModel.select(RunModel.id).where(RunModel.task_id == task_id)
