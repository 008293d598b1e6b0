"""The store: tasks, runs and records in one database. The only package with SQL; docs/store.md shows the tables."""

from __future__ import annotations

from stepline.store.levels import Levels
from stepline.store.rows import CheckpointRow, Columns, LogEntry, MetricRow, RunRow, TaskRow
from stepline.store.sources import SourceRow, SourceRun, Together
from stepline.store.store import Store

__all__ = [
    "CheckpointRow",
    "Columns",
    "Levels",
    "LogEntry",
    "MetricRow",
    "RunRow",
    "SourceRow",
    "SourceRun",
    "Store",
    "TaskRow",
    "Together",
]
