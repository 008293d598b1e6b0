"""The tables, as peewee models. What each column means stands in docs/store.md.

The models belong to no database: each query is executed on the database of the store that asks. The schema itself is
made by numbered migrations (stepline.store.migrations); a test compares the two.
"""

from __future__ import annotations

import json
import math
from typing import Any

from peewee import AutoField, BlobField, BooleanField, CompositeKey, Field, FloatField, IntegerField, Model, TextField


class NumberField(Field):
    """A float that may be NaN or infinite. SQLite would make NaN a NULL, so these stand as the journal's words."""

    field_type = "DOUBLE"

    def db_value(self, value: Any) -> Any:
        if value is None:
            return None
        number = float(value)
        if math.isfinite(number):
            return number
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"

    def python_value(self, value: Any) -> Any:
        return None if value is None else float(value)


class JSONText(Field):
    field_type = "TEXT"

    def db_value(self, value: Any) -> Any:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: Any) -> Any:
        return None if value is None else json.loads(value)


class _Table(Model):
    class Meta:
        legacy_table_names = False


class TaskModel(_Table):
    id = AutoField()
    uid = TextField(unique=True)
    name = TextField()
    key = TextField(null=True)
    label = TextField(null=True)
    tags = JSONText()
    notes = TextField()
    next_sequence = IntegerField()
    status = TextField()
    runs = IntegerField()
    records = IntegerField()
    bytes = IntegerField()
    step = IntegerField(null=True)
    total_steps = IntegerField(null=True)
    started = FloatField(null=True)
    updated = FloatField(null=True)
    duration_secs = FloatField()
    last_loss = NumberField(null=True)
    best_loss = NumberField(null=True)
    best_evaluation = NumberField(null=True)
    changed = IntegerField(index=True)
    packed = IntegerField()
    generation = IntegerField()
    trashed = FloatField(null=True)

    class Meta:
        table_name = "tasks"


class RunModel(_Table):
    id = AutoField()
    uid = TextField(unique=True)
    task_id = IntegerField(index=True)
    number = IntegerField()
    status = TextField(index=True)
    inferred = BooleanField()
    message = TextField(null=True)
    started = FloatField()
    ended = FloatField(null=True)
    updated = FloatField(null=True)
    total_steps = IntegerField(null=True)
    settings = JSONText()
    pid = IntegerField()
    process_started = FloatField(null=True)
    host = TextField()
    boot = TextField(null=True)
    pid_namespace = TextField(null=True)
    records = IntegerField()
    first_sequence = IntegerField(null=True)
    last_sequence = IntegerField(null=True)
    first_step = IntegerField(null=True)
    last_step = IntegerField(null=True)
    heartbeat_time = FloatField(null=True)
    heartbeat_step = IntegerField(null=True)
    heartbeat_phase = TextField(null=True)
    controls = JSONText(null=True)
    position = IntegerField()
    damaged = IntegerField()

    class Meta:
        table_name = "runs"


class MetricSetModel(_Table):
    id = AutoField()
    names = TextField(unique=True)

    class Meta:
        table_name = "metric_sets"


class TrainingLogModel(_Table):
    task_id = IntegerField()
    sequence = IntegerField()
    run_id = IntegerField()
    kind = TextField()
    step = IntegerField(null=True)
    epoch = FloatField(null=True)
    time = FloatField()
    metric_set_id = IntegerField(null=True)
    metrics = BlobField(null=True)
    texts = TextField(null=True)
    message = TextField(null=True)
    details = TextField(null=True)

    class Meta:
        table_name = "training_logs"
        primary_key = CompositeKey("task_id", "sequence")


class BlockModel(_Table):
    id = AutoField()
    task_id = IntegerField()
    first = IntegerField()
    last = IntegerField()
    count = IntegerField()
    bytes = IntegerField()
    kinds = JSONText()
    runs = JSONText()
    metric_sets = JSONText()
    kind = BlobField()
    run = BlobField()
    metric_set = BlobField()
    sequence = BlobField(null=True)
    step = BlobField()
    epoch = BlobField()
    time = BlobField()
    notes = BlobField(null=True)

    class Meta:
        table_name = "blocks"


class BlockSeriesModel(_Table):
    id = AutoField()
    block_id = IntegerField()
    name = TextField()
    count = IntegerField()
    levels = BlobField()
    value = BlobField()

    class Meta:
        table_name = "block_series"


class LevelsModel(_Table):
    id = AutoField()
    task_id = IntegerField()
    name = TextField()
    shift = IntegerField()
    first = IntegerField()
    data = BlobField()

    class Meta:
        table_name = "levels"


class SeriesModel(_Table):
    task_id = IntegerField()
    name = TextField()
    kind = TextField()
    count = IntegerField()
    last_number = NumberField(null=True)
    last_text = TextField(null=True)
    last_step = IntegerField(null=True)
    last_sequence = IntegerField()
    lowest = FloatField(null=True)
    highest = FloatField(null=True)

    class Meta:
        table_name = "series"
        primary_key = CompositeKey("task_id", "name")


class CheckpointModel(_Table):
    task_id = IntegerField()
    sequence = IntegerField()
    run_id = IntegerField()
    step = IntegerField(null=True)
    time = FloatField()
    path = TextField(null=True)
    bytes = IntegerField(null=True)
    secs = FloatField(null=True)

    class Meta:
        table_name = "checkpoints"
        primary_key = CompositeKey("task_id", "sequence")


class SampleModel(_Table):
    id = AutoField()
    run_id = IntegerField()
    metric_set_id = IntegerField()
    first = FloatField()
    last = FloatField()
    count = IntegerField()
    data = BlobField()

    class Meta:
        table_name = "samples"


class SettingModel(_Table):
    name = TextField(primary_key=True)
    value = JSONText()

    class Meta:
        table_name = "settings"


class SourceModel(_Table):
    key = TextField(primary_key=True)
    task_id = TextField()
    format = TextField()
    head = TextField(index=True)
    runs = JSONText()
    taken = FloatField()

    class Meta:
        table_name = "sources"


class RemovedRunModel(_Table):
    uid = TextField(primary_key=True)
    task_id = TextField()
    removed = FloatField()

    class Meta:
        table_name = "removed_runs"


class ChangeModel(_Table):
    id = AutoField()
    count = IntegerField()

    class Meta:
        table_name = "changes"


MODELS: tuple[type[Model], ...] = (
    TaskModel,
    RunModel,
    MetricSetModel,
    TrainingLogModel,
    BlockModel,
    BlockSeriesModel,
    LevelsModel,
    SeriesModel,
    CheckpointModel,
    SampleModel,
    SettingModel,
    SourceModel,
    RemovedRunModel,
    ChangeModel,
)
