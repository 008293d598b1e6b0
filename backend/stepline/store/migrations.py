"""The schema, as numbered steps from an empty database to the newest version.

A migration never changes once it was released; the next change is the next number. All that are missing run in one
transaction with the new version number, so a database has a whole version or the one before. What was there before is
kept beside it, as `stepline.db.<version>.bak`. An older program refuses a newer database; a reader never migrates.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from stepline.store import blocks, entries, masking, sqlite, writing
from stepline.store.reading import MetricNames
from stepline.store.wanted import Wanted

_FIRST = (
    """CREATE TABLE tasks (
        id INTEGER NOT NULL PRIMARY KEY, uid TEXT NOT NULL, name TEXT NOT NULL, key TEXT, label TEXT,
        tags TEXT NOT NULL, notes TEXT NOT NULL, next_sequence INTEGER NOT NULL, status TEXT NOT NULL,
        runs INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL, step INTEGER, total_steps INTEGER,
        started REAL, updated REAL, duration_secs REAL NOT NULL, last_loss REAL, best_loss REAL, best_evaluation REAL,
        changed INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX tasks_uid ON tasks (uid)",
    "CREATE INDEX tasks_changed ON tasks (changed)",
    """CREATE TABLE runs (
        id INTEGER NOT NULL PRIMARY KEY, uid TEXT NOT NULL, task_id INTEGER NOT NULL, number INTEGER NOT NULL,
        status TEXT NOT NULL, inferred INTEGER NOT NULL, message TEXT, started REAL NOT NULL, ended REAL, updated REAL,
        total_steps INTEGER, settings TEXT NOT NULL, pid INTEGER NOT NULL, process_started REAL, host TEXT NOT NULL,
        boot TEXT, pid_namespace TEXT, records INTEGER NOT NULL, first_sequence INTEGER, last_sequence INTEGER,
        first_step INTEGER, last_step INTEGER, heartbeat_time REAL, heartbeat_step INTEGER, heartbeat_phase TEXT,
        position INTEGER NOT NULL, damaged INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX runs_uid ON runs (uid)",
    "CREATE UNIQUE INDEX runs_task_number ON runs (task_id, number)",
    "CREATE INDEX runs_status ON runs (status)",
    "CREATE TABLE metric_sets (id INTEGER NOT NULL PRIMARY KEY, names TEXT NOT NULL)",
    "CREATE UNIQUE INDEX metric_sets_names ON metric_sets (names)",
    # Clustered by its key: a task's records lie together and in order, however many tasks write at once.
    """CREATE TABLE training_logs (
        task_id INTEGER NOT NULL, sequence INTEGER NOT NULL, run_id INTEGER NOT NULL, kind TEXT NOT NULL, step INTEGER,
        epoch REAL, time REAL NOT NULL, metric_set_id INTEGER, metrics BLOB, texts TEXT, message TEXT, details TEXT,
        PRIMARY KEY (task_id, sequence)) WITHOUT ROWID""",
    # Most records are steps; the few others are found without reading those.
    "CREATE INDEX training_logs_kind ON training_logs (task_id, kind, sequence) WHERE kind <> 'step'",
    """CREATE TABLE series (
        task_id INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, last_number REAL,
        last_text TEXT, last_step INTEGER, last_sequence INTEGER NOT NULL, lowest REAL, highest REAL,
        PRIMARY KEY (task_id, name)) WITHOUT ROWID""",
    """CREATE TABLE checkpoints (
        task_id INTEGER NOT NULL, sequence INTEGER NOT NULL, run_id INTEGER NOT NULL, step INTEGER, time REAL NOT NULL,
        path TEXT, bytes INTEGER, secs REAL, PRIMARY KEY (task_id, sequence)) WITHOUT ROWID""",
    "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE changes (id INTEGER NOT NULL PRIMARY KEY, count INTEGER NOT NULL)",
    "INSERT INTO changes (id, count) VALUES (1, 0)",
)


def _first(database: sqlite.Database) -> None:
    for statement in _FIRST:
        database.execute_sql(statement)


def _sources(database: sqlite.Database) -> None:
    """Where imported runs came from."""
    database.execute_sql(
        """CREATE TABLE sources (
        key TEXT NOT NULL PRIMARY KEY, task_id TEXT NOT NULL, format TEXT NOT NULL, head TEXT NOT NULL,
        runs TEXT NOT NULL, taken REAL NOT NULL) WITHOUT ROWID"""
    )
    database.execute_sql("CREATE INDEX sources_head ON sources (head)")


_BLOCKS = (
    # Sequences below `packed` lie in blocks; `generation` counts the times that records were taken away.
    "ALTER TABLE tasks ADD COLUMN packed INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
    # The long columns come last: what stands before them is read without them.
    """CREATE TABLE blocks (
        id INTEGER NOT NULL PRIMARY KEY, task_id INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        count INTEGER NOT NULL, bytes INTEGER NOT NULL, kinds TEXT NOT NULL, runs TEXT NOT NULL,
        metric_sets TEXT NOT NULL, kind BLOB NOT NULL, run BLOB NOT NULL, metric_set BLOB NOT NULL, sequence BLOB,
        step BLOB NOT NULL, epoch BLOB NOT NULL, time BLOB NOT NULL, notes BLOB)""",
    "CREATE UNIQUE INDEX blocks_first ON blocks (task_id, first)",
    """CREATE TABLE block_series (
        id INTEGER NOT NULL PRIMARY KEY, block_id INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
        levels BLOB NOT NULL, value BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX block_series_name ON block_series (block_id, name)",
    """CREATE TABLE levels (
        id INTEGER NOT NULL PRIMARY KEY, task_id INTEGER NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL,
        data BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX levels_first ON levels (task_id, name, first)",
)


def _blocks(database: sqlite.Database) -> None:
    """Older records in columns."""
    for statement in _BLOCKS:
        database.execute_sql(statement)


_TRASH = (
    "ALTER TABLE tasks ADD COLUMN trashed REAL",
    """CREATE TABLE removed_runs (
        uid TEXT NOT NULL PRIMARY KEY, task_id TEXT NOT NULL, removed REAL NOT NULL) WITHOUT ROWID""",
    # Counts the tasks that were removed: who remembers rows reads them anew when it grows.
    "INSERT INTO changes (id, count) VALUES (2, 0)",
)


def _trash(database: sqlite.Database) -> None:
    """Tasks that lie in the trash, and the runs of those that were removed from it."""
    for statement in _TRASH:
        database.execute_sql(statement)


def _samples(database: sqlite.Database) -> None:
    """GPU and system figures."""
    database.execute_sql(
        """CREATE TABLE samples (
        id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, metric_set_id INTEGER NOT NULL, first REAL NOT NULL,
        last REAL NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL)"""
    )
    database.execute_sql("CREATE INDEX samples_place ON samples (run_id, metric_set_id, first, count)")


def _levels(database: sqlite.Database) -> None:
    """Levels of more widths, with the step and the time of each point that stands for a bucket."""
    database.execute_sql("DROP TABLE levels")
    database.execute_sql(
        """CREATE TABLE levels (
        id INTEGER NOT NULL PRIMARY KEY, task_id INTEGER NOT NULL, name TEXT NOT NULL, shift INTEGER NOT NULL,
        first INTEGER NOT NULL, data BLOB NOT NULL)"""
    )
    database.execute_sql("CREATE UNIQUE INDEX levels_first ON levels (task_id, name, shift, first)")
    blocks.sum_up_anew(database, MetricNames(database).of)


def _controls(database: sqlite.Database) -> None:
    """What a run told of the requests it takes, found until now among its first records."""
    database.execute_sql("ALTER TABLE runs ADD COLUMN controls TEXT")
    names = MetricNames(database)
    wanted = Wanted(["train_start", "message"], None)
    living = "SELECT id, uid, task_id, first_sequence FROM runs WHERE ended IS NULL AND first_sequence IS NOT NULL"
    for number, uid, task_id, first in database.execute_sql(living).fetchall():
        begun = entries.records(
            database, names, task_id, first, first + 64, wanted, limit=None, offset=0, newest_first=False
        )
        for entry in begun:
            if entry.run_id == uid and isinstance(entry.details.get("controls"), list):
                told = {name: entry.details.get(name) for name in ("controls", "no_controls")}
                database.execute_sql("UPDATE runs SET controls = ? WHERE id = ?", (json.dumps(told), number))


def _masked(database: sqlite.Database) -> None:
    """Losses of 0.0 that hide a NaN, taken in before they were told apart."""
    names = MetricNames(database).of
    zero = "SELECT task_id FROM series WHERE name = 'loss' AND kind = 'number' AND lowest <= 0 AND highest >= 0"
    for (task_id,) in database.execute_sql(zero).fetchall():
        before: dict[int, masking.Floats] = {}
        blocks.pack_rows(database, task_id, names)
        blocks.count_bytes(database, task_id)
        for block in blocks.find(database, task_id, 0, 2**62):
            content = blocks.read(database, names, block)
            if masking.mask_runs(content, before):
                blocks.write_metric(database, block, content, masking.LOSS)
        blocks.sum_up(database, task_id)
        writing.count_series(database, task_id, names)
        database.execute_sql(
            """UPDATE tasks SET (last_loss, best_loss) = (SELECT last_number, lowest FROM series
            WHERE task_id = tasks.id AND name = 'loss') WHERE id = ?""",
            (task_id,),
        )


def _narrow(database: sqlite.Database) -> None:
    """Columns of float32 and of even steps, which an older program cannot read; levels of more widths in shorter
    rows. Blocks stay as they were written: their form is said in them."""
    tasks = sqlite.fetched(database, "SELECT DISTINCT task_id FROM blocks", ())
    for (task_id,) in tasks:
        blocks.sum_up(database, task_id)


MIGRATIONS: tuple[Callable[[sqlite.Database], None], ...] = (
    _first,
    _sources,
    _blocks,
    _trash,
    _samples,
    _levels,
    _controls,
    _masked,
    _narrow,
)
VERSION = len(MIGRATIONS)


def migrate(database: sqlite.Database, version: int) -> None:
    """Bring a database of `version` (0: empty) to VERSION."""
    if version >= VERSION:
        return
    if version:
        sqlite.back_up(database, database.path.with_name(f"{database.path.name}.{version}.bak"))
    with sqlite.writing(database):
        for migration in MIGRATIONS[version:]:
            migration(database)
        sqlite.set_version(database, VERSION)
