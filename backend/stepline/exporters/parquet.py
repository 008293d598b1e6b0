"""Records as Parquet: place, a double column a metric, texts and details as JSON; the runs in the file's metadata.

The records' columns are those of the CSV. A metric's texts stand in the column `texts`, so that a column has one type;
an absent number is null and NaN is NaN. The metadata has `stepline.runs`, JSON of what is known of each run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import Any

from stepline.exporters import knowledge
from stepline.exporters.text import AFTER, PLACE, details_text, entries, heading
from stepline.store import LogEntry, Store

RUNS_KEY = "stepline.runs"
TEXTS = "texts"
GROUP_VALUES = 4_000_000
"""Values of one group of rows, about 32 MB: a group is held in memory whole."""
_MOST_ROWS = 1 << 17
_BATCH_ROWS = 8_192
_CHUNK_BYTES = 1 << 20
_TYPES = ("int64", "string", "int64", "float64", "float64", "string")


def pieces(store: Store, task_id: str) -> Iterator[bytes]:
    """The file's bytes. It is written whole into a file of the moment first: a Parquet file has its index at its end.
    Raises TaskNotFound, at once."""
    found = entries(store, task_id)
    return _pieces(store, task_id, found)


def _pieces(store: Store, task_id: str, found: Iterator[LogEntry]) -> Iterator[bytes]:
    # Only an export needs the library, and loading it takes 40 ms.
    from arro3.core import DataType, Field, RecordBatchReader, Schema
    from arro3.io import write_parquet

    names = [metric.name for metric in store.metrics(task_id) if metric.kind == "number"]
    columns = [
        *zip(PLACE, _TYPES, strict=True),
        *((heading(name), "float64") for name in names),
        *((name, "string") for name in (TEXTS, *AFTER)),
    ]
    types = {"int64": DataType.int64(), "float64": DataType.float64(), "string": DataType.string()}
    schema = Schema([Field(name, types[form], nullable=True) for name, form in columns])
    rows = max(_BATCH_ROWS, min(_MOST_ROWS, GROUP_VALUES // len(columns)))
    with tempfile.TemporaryFile() as file:
        write_parquet(
            RecordBatchReader.from_batches(schema, _batches(schema, names, found)),
            file,
            compression="zstd(1)",
            max_row_group_size=rows,
            key_value_metadata={RUNS_KEY: json.dumps(knowledge.of_runs(store, task_id), ensure_ascii=False)},
        )
        file.seek(0)
        while data := file.read(_CHUNK_BYTES):
            yield data


def _batches(schema: Any, names: list[str], found: Iterator[LogEntry]) -> Iterator[Any]:
    from arro3.core import Array, RecordBatch

    while held := list(islice(found, _BATCH_ROWS)):
        numbers = [[_number(entry.metrics.get(name)) for entry in held] for name in names]
        columns: list[list[Any]] = [
            [entry.sequence for entry in held],
            [entry.run_id for entry in held],
            [entry.step for entry in held],
            [entry.epoch for entry in held],
            [entry.time for entry in held],
            [entry.kind for entry in held],
            *numbers,
            [_texts(entry) for entry in held],
            [entry.message for entry in held],
            [details_text(entry) for entry in held],
        ]
        yield RecordBatch.from_arrays(
            [Array(values, schema.field(place).type) for place, values in enumerate(columns)], schema=schema
        )


def _number(value: float | str | None) -> float | None:
    return None if value.__class__ is str else value  # type: ignore[return-value]


def _texts(entry: LogEntry) -> str | None:
    if str not in {value.__class__ for value in entry.metrics.values()}:
        return None
    return json.dumps({name: value for name, value in entry.metrics.items() if isinstance(value, str)})
