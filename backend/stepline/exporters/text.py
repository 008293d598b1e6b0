"""Records as JSON lines and as CSV, in UTF-8, in pieces of some hundred kilobytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from stepline.exporters import knowledge
from stepline.recording.plain import spelled
from stepline.store import LogEntry, Store

PLACE = ("sequence", "run", "step", "epoch", "time", "kind")
AFTER = ("message", "details")
_PIECE_RECORDS = 2048

# One encoder for all records: json.dumps makes one each time its options are not the defaults.
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def jsonl(store: Store, task_id: str) -> Iterator[bytes]:
    """One object a line and record. Raises TaskNotFound, at once."""
    return _joined(_lines(store, task_id, entries(store, task_id)))


def csv_rows(store: Store, task_id: str) -> Iterator[bytes]:
    """A heading, then a row for each record. Raises TaskNotFound, at once."""
    found = entries(store, task_id)
    # After the last record is settled: what comes meanwhile may bring further metrics, but no record of these.
    return _joined(_rows([metric.name for metric in store.metrics(task_id)], found))


def entries(store: Store, task_id: str) -> Iterator[LogEntry]:
    """All records there are now. Raises TaskNotFound, at once."""
    return store.records(task_id, last=store.next_sequence(task_id))


def heading(metric: str) -> str:
    """A metric's column; one that is named like a column of the record is told apart."""
    return f"metrics.{metric}" if metric in (*PLACE, *AFTER) else metric


def details_text(entry: LogEntry) -> str | None:
    return _json(entry.details) if entry.details else None


def _lines(store: Store, task_id: str, found: Iterator[LogEntry]) -> Iterator[str]:
    runs = knowledge.of_runs(store, task_id)
    for entry in found:
        fields = {
            "sequence": entry.sequence,
            "run": entry.run_id,
            "step": entry.step,
            "epoch": spelled(entry.epoch),
            "time": spelled(entry.time),
            "kind": entry.kind,
            "metrics": {name: spelled(value) for name, value in entry.metrics.items()},
            "message": entry.message,
        }
        if entry.details:
            fields["details"] = entry.details
        if entry.run_id in runs:
            fields["about_run"] = runs.pop(entry.run_id)
        yield _json(fields) + "\n"


def _rows(names: list[str], found: Iterator[LogEntry]) -> Iterator[str]:
    stream = io.StringIO(newline="")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow([*PLACE, *map(heading, names), *AFTER])
    for entry in found:
        get = entry.metrics.get
        rows.writerow(
            [
                entry.sequence,
                entry.run_id,
                entry.step,
                spelled(entry.epoch),
                spelled(entry.time),
                entry.kind,
                *(spelled(get(name)) for name in names),
                entry.message,
                details_text(entry),
            ]
        )
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()
    yield stream.getvalue()


def _joined(texts: Iterator[str]) -> Iterator[bytes]:
    held: list[str] = []
    for words in texts:
        held.append(words)
        if len(held) >= _PIECE_RECORDS:
            yield "".join(held).encode()
            held.clear()
    if held:
        yield "".join(held).encode()
