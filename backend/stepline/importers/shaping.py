"""A source's rows as a task: what each format's parser gave, in the form that the store takes.

Rows become records one by one (`row_shape`), columns as they are (`column_shape`), to the same outcome.
"""

from __future__ import annotations

from stepline.errors import ImportFailed
from stepline.importers.column_shape import ColumnShape
from stepline.importers.imported import ImportedTask, Reading
from stepline.importers.row_shape import RowShape


def shaped(reading: Reading) -> ImportedTask:
    """The task of one source. Raises ImportFailed where no row holds a metric."""
    columns = reading.columns
    # A tag that is named as another is renamed would be one with it.
    is_plain = columns is not None and not any(tag.endswith(" (other)") for tag in columns.tags)
    shape = ColumnShape(reading, columns) if columns is not None and is_plain else RowShape(reading)
    survey = shape.survey
    has_metric = any(count for name, count in survey.counts.items() if name not in survey.places)
    # One row of numbers that names neither a loss nor a place is somebody's configuration.
    is_lone = survey.rows < 2 and not shape.mapping and survey.step is None and survey.epoch is None
    if not survey.closing_rows and (is_lone or not has_metric):
        raise nothing_in(reading)
    runs = shape.runs()
    if not runs:
        # A total of steps and nothing else, say.
        raise nothing_in(reading)
    told = [*reading.told, *shape.told]
    return ImportedTask(
        name=reading.name,
        key=reading.key or f"path:{reading.path.resolve()}",
        format=reading.format,
        paths=[reading.path],
        runs=runs,
        names={target: source for source, target in shape.mapping.items() if source != target},
        left_out=reading.remarks.kept,
        left_out_count=reading.remarks.count,
        told=told,
        has_times=shape.has_times,
        stream=None if isinstance(shape, ColumnShape) else shape.stream,
        parts=shape.pieces if isinstance(shape, ColumnShape) else None,
        count=shape.count,
        reading=reading if reading.files else None,
    )


def nothing_in(reading: Reading) -> ImportFailed:
    kept = reading.remarks.kept
    seen = "; ".join(f"{remark.place}: {remark.reason}" for remark in kept[:3])
    return ImportFailed(
        f"{reading.path} holds no training history",
        why=f"Read as {reading.format}, it has no row with a step or epoch and a number under a metric's name"
        + (f" ({seen})" if seen else ""),
        action="See docs/importing.md for what can be imported",
    )
