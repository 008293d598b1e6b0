"""The store: tasks, runs and records in one database. The only package with SQL; docs/store.md shows the tables."""

from __future__ import annotations

from stepline.store.content import KIND_CODES, KIND_ORDER, NO_STEP, Values
from stepline.store.levels import Levels
from stepline.store.record_columns import RecordColumns
from stepline.store.rows import LIVE, CheckpointRow, Columns, LogEntry, MetricRow, RunRow, TaskRow
from stepline.store.samples import Samples
from stepline.store.sources import SourceRow, SourceRun, Together
from stepline.store.store import Store

__all__ = [
    "KIND_CODES",
    "KIND_ORDER",
    "LIVE",
    "NO_STEP",
    "CheckpointRow",
    "Columns",
    "Levels",
    "LogEntry",
    "MetricRow",
    "RecordColumns",
    "RunRow",
    "Samples",
    "SourceRow",
    "SourceRun",
    "Store",
    "TaskRow",
    "Together",
    "Values",
]
