"""MLflow's file store: below a run's `metrics` a file a metric, with lines `timestamp value step`; beside it `params`
with a file a setting, and `meta.yaml`, of which the name and the status are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepline.errors import ImportFailed
from stepline.importers.imported import Reading, Remarks, Row, Status
from stepline.importers.lines import lines
from stepline.importers.naming import folder_name, unpacked_name
from stepline.importers.opening import Opened
from stepline.importers.values import number, wall_time, whole

FORMAT = "mlflow"

_LINE = re.compile(r"^(\d{12,16}) (\S+)(?: (-?\d+))?$")
_META = re.compile(r"^(run_name|status|run_id): *['\"]?([^'\"\n]*)", re.MULTILINE)
_STATUS: dict[str, Status] = {"3": "completed", "4": "failed", "5": "stopped", "1": "stopped"}
_SETTING_BYTES = 6_000
_MOST_SETTINGS = 2_000


def is_metric_file(sample: list[str]) -> bool:
    """Whether lines are such values; the last may be torn."""
    return bool(sample) and sum(_LINE.match(words) is not None for words in sample) * 2 > len(sample)


@dataclass(slots=True)
class Point:
    step: int
    time: float
    name: str
    value: float


def read(*paths: Path) -> Reading:
    """One run, from the files of its metrics. Raises ImportFailed where no line of them is a value."""
    remarks = Remarks()
    metrics = metrics_folder(paths[0])
    points = sorted(_points(paths, metrics, remarks), key=lambda point: (point.step, point.time))
    if not points:
        raise ImportFailed(
            f"{paths[0]} holds no value",
            why="It looks like a metric of MLflow's file store, but no line of it is whole",
            action="Copy it again",
        )
    run = metrics.parent if metrics is not None else paths[0].parent
    told = dict(_META.findall(_text_of(run / "meta.yaml"))) if metrics is not None else {}
    name = told.get("run_name", "").strip() or (folder_name(run) if metrics is not None else unpacked_name(paths[0]))
    return Reading(
        FORMAT,
        paths[0],
        name,
        lambda: _rows(points),
        remarks=remarks,
        settings=dict(_settings(run / "params")) if metrics is not None else {},
        finished=_STATUS.get(told.get("status", "").strip()),
    )


def metrics_folder(path: Path) -> Path | None:
    """The folder `metrics` that a metric's file lies in or below; None for one that lies by itself."""
    return next((folder for folder in path.parents if folder.name == "metrics"), None)


def _points(paths: Iterable[Path], metrics: Path | None, remarks: Remarks) -> Iterator[Point]:
    for path in paths:
        name = path.relative_to(metrics).as_posix() if metrics is not None else unpacked_name(path)
        with Opened(path) as opened:
            for place, words in lines(opened, remarks):
                matched = _LINE.match(words.strip())
                value = number(matched[2]) if matched else None
                if matched is None or value is None:
                    remarks.leave_out(f"{path.name}, line {place}", "not `timestamp value step`")
                else:
                    yield Point(whole(matched[3] or "0") or 0, wall_time(float(matched[1])) or 0.0, name, value)


def _rows(points: list[Point]) -> Iterator[Row]:
    row: Row | None = None
    for point in points:
        if row is None or row.step != point.step or point.name in row.values:
            if row is not None:
                yield row
            row = Row({}, step=point.step, time=point.time)
        row.values[point.name] = point.value
    if row is not None:
        yield row


def _settings(folder: Path) -> Iterator[tuple[str, Any]]:
    if not folder.is_dir():
        return
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count >= _MOST_SETTINGS:
            return
        if path.is_file():
            words = _text_of(path).strip()
            found = number(words)
            yield path.relative_to(folder).as_posix(), words if found is None else found


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SETTING_BYTES).decode(errors="replace")
    except OSError:
        return ""
