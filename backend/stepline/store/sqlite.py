"""All that is SQLite's own: opening, pragmas, versions, connections, error codes.

The rest of the package speaks peewee and no dialect, so that another database needs another module like this one.

- A connection a thread, opened at its first query and closed with the thread. `close` ends them all.
- Write-ahead log: readers never wait for the writer, nor it for them. `synchronous=NORMAL` may lose the newest commits
  in a power cut but never mixes them up; the journals still have what they held.
- The file is read and not mapped, and little of it is kept: the system keeps it for all connections at once. Mapped, a
  connection a thread of 100M x 5 records had 2.6 GiB of its pages while it was browsed, and no window was faster.
- Pages of 8 KiB, set before the journal mode: once that is set the page size silently stays at 4 KiB. Of 16 KiB, 24
  tables and indexes that are nearly empty took 3.9 bytes a step of 100,000 steps; windows take as long with either.
- Nothing is written to a file that is not ours: its kind and version are read before the first pragma that writes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee

from stepline.errors import DatabaseDamaged, StoreError

PAGE_BYTES = 8_192
APPLICATION_ID = 0x53544550
"""Stands in the file's header and says that the database is Stepline's ("STEP")."""
BUSY_SECS = 10.0
CACHE_KIB = 1_024
"""What a connection keeps of the file: the way to its rows. What lies there are columns, which are asked for once."""
_HEADER_BYTES = 100
FETCHED_ROWS = 16_384


class _Cursor(sqlite3.Cursor):
    """One call at a time on a connection: closing it while another thread is in one crashes the process."""

    connection: Connection

    def execute(self, *arguments: Any) -> Any:
        with self.connection.used():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        with self.connection.used():
            return super().executemany(*arguments)

    def fetchone(self) -> Any:
        with self.connection.used():
            return super().fetchone()

    def fetchmany(self, *arguments: Any) -> Any:
        with self.connection.used():
            return super().fetchmany(*arguments)

    def fetchall(self) -> Any:
        with self.connection.used():
            return super().fetchall()

    def __next__(self) -> Any:
        with self.connection.used():
            return super().__next__()


class Connection(sqlite3.Connection):
    """Of one thread, closed by any."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.path = Path(arguments[0])
        self._guard = threading.RLock()
        self._ended = False

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def used(self) -> threading.RLock:
        """Held during a call. Raises sqlite3.ProgrammingError once it is to be closed: a reader that went on taking
        the lock kept the one that closes waiting for ever."""
        if self._ended:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return self._guard

    def end(self) -> None:
        """Close it; a statement that runs is interrupted."""
        self._ended = True
        if not self._guard.acquire(blocking=False):
            # Only then: an interrupted connection does not put its log into the file when it closes.
            self.interrupt()
            self._guard.acquire()
        try:
            self.close()
        finally:
            self._guard.release()


class _Hold:
    """A thread's hold on its connection, which ends with the thread. The connection itself would wait for the garbage
    collector, as its cache of statements refers to it: hundreds of requests' connections were open, with their files
    and pages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __del__(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.end()


class Database(peewee.SqliteDatabase):
    """The database at `path`, which must be ours or not there yet (see `inspect`). Not writable: queries only."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._connections_lock = threading.Lock()
        self._own = threading.local()
        self._ended = False
        pragmas: list[tuple[str, Any]] = [("mmap_size", 0), ("cache_size", -CACHE_KIB), ("temp_store", "memory")]
        if writable:
            # The log is cut back to 64 MiB after a backlog has made it long.
            first: list[tuple[str, Any]] = [("page_size", PAGE_BYTES), ("journal_mode", "wal")]
            pragmas = [*first, ("synchronous", "normal"), ("journal_size_limit", 64 << 20), *pragmas]
        else:
            pragmas.append(("query_only", 1))
        super().__init__(
            str(path), pragmas=pragmas, timeout=BUSY_SECS, factory=Connection, check_same_thread=False, uri=False
        )

    def _connect(self) -> Any:
        connection = super()._connect()  # type: ignore[misc]
        with self._connections_lock:
            # Asked here: one that is opened while all are closed would stay open.
            if self._ended:
                connection.end()
                raise StoreError(f"The database {self.path} is closed", action="Open it again")
            self._connections.add(connection)
        self._own.hold = _Hold(connection)
        return connection

    def connection(self) -> Any:
        with translated(self.path):
            return super().connection()  # type: ignore[no-untyped-call]

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        with translated(self.path):
            return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]

    def rollback(self) -> None:
        # A full disk makes SQLite take the transaction back by itself; asked again it would tell of that instead.
        if self.connection().in_transaction:
            super().rollback()

    def end(self) -> None:
        """Close the connections of all threads; what they read from then on raises StoreError.

        The last one to close a database puts its log into the file.
        """
        with self._connections_lock:
            self._ended = True
            for connection in list(self._connections):
                with suppress(sqlite3.Error):
                    connection.end()
            self._connections.clear()
        with suppress(peewee.PeeweeException):
            self.close()


def inspect(path: Path) -> int | None:
    """The schema version of the database at `path`, which is left untouched; None where there is none yet.

    Raises DatabaseDamaged for a file that is no database or another program's, StoreError where it cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    if path.stat().st_size < _HEADER_BYTES:
        # SQLite takes so short a file for an empty database and would write over it.
        raise _error(path, sqlite3.DatabaseError("file is too short"), sqlite3.SQLITE_NOTADB)
    # Closing the last connection puts a log that a killed process left into the file; reading only does not.
    log = path.with_name(path.name + "-wal")
    mode = "ro" if log.exists() else "rw"
    with translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECS)
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            connection.close()
    if application == APPLICATION_ID:
        return version
    if tables == 0 and version == 0:
        return None
    raise DatabaseDamaged(
        f"{path} is a database, but not Stepline's",
        why="It was made by another program",
        action="Name another home with --home DIR or STEPLINE_HOME. The file was left untouched",
    )


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """One transaction that writes, from its first statement on: all of it or nothing."""
    with translated(database.path), database.atomic("IMMEDIATE"):
        yield


@contextmanager
def on_disk(database: Database) -> Iterator[None]:
    """A transaction within is on the disk when it is committed, and all before it: a power cut takes none back."""
    database.execute_sql("PRAGMA synchronous = full")
    try:
        yield
    finally:
        database.execute_sql("PRAGMA synchronous = normal")


@contextmanager
def reading(database: Database) -> Iterator[None]:
    """Queries that all see the database as it is at the first of them. To be short: the log grows meanwhile."""
    with translated(database.path), database.atomic("DEFERRED"):
        yield


def back_up(database: Database, path: Path) -> None:
    """Copy the database to `path`, whole, log included; one that lies there already is the same version's and goes."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    with translated(partial):
        copy = sqlite3.connect(partial)
        try:
            database.connection().backup(copy)
        finally:
            copy.close()
    os.replace(partial, path)


def set_version(database: Database, version: int) -> None:
    """Within the transaction that made the schema so."""
    database.execute_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute_sql(f"PRAGMA user_version = {version}")


def faults(database: Database) -> list[str]:
    """What is wrong with the file as SQLite itself says it, the first few lines; empty where nothing is."""
    told = [str(line) for (line,) in fetched(database, "PRAGMA integrity_check(5)", ())]
    return [] if told == ["ok"] else told


def rows(database: Database, query: Any) -> list[Any]:
    """All rows of a peewee query: models, or tuples where it says so."""
    with translated(database.path):
        return list(query.execute(database))


def raw(database: Database, query: Any) -> list[tuple[Any, ...]]:
    """All rows of `query` as the driver gives them."""
    cursor = database.execute(query)  # type: ignore[no-untyped-call]
    with translated(database.path):
        return list(cursor.fetchall())


def fetched(database: Database, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """All rows of a statement that is written out, as the driver gives them."""
    cursor = database.execute_sql(sql, values)
    with translated(database.path):
        return list(cursor.fetchall())


def blob(connection: Connection, table: str, column: str, row: int) -> bytes:
    """One long value, by its row's number. As a query's, 30 MB of columns take 28 ms in the place of 3."""
    with translated(connection.path), connection.used(), connection.blobopen(table, column, row, readonly=True) as held:
        return bytes(held.read())


def fetched_in_parts(
    database: Database, sql: str, values: tuple[Any, ...], count: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Likewise, in lists of up to `count`."""
    return _in_parts(database, database.execute_sql(sql, values), count)


def fetch(database: Database, query: Any, count: int = FETCHED_ROWS) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of `query` as the driver gives them, in lists of up to `count`."""
    return _in_parts(database, database.execute(query), count)  # type: ignore[no-untyped-call]


def _in_parts(database: Database, cursor: Any, count: int) -> Iterator[list[tuple[Any, ...]]]:
    while True:
        with translated(database.path):
            some = cursor.fetchmany(count)
        if not some:
            return
        yield some


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """The driver's errors as ours, told apart by SQLite's result code."""
    try:
        yield
    except (peewee.DatabaseError, peewee.InterfaceError, sqlite3.Error) as error:
        raise _error(path, error) from error


def _error(path: Path, error: Exception, code: int | None = None) -> StoreError:
    driver = error
    while hasattr(driver, "orig"):  # peewee's errors wrap the driver's, on connecting even twice
        driver = driver.orig
    code = (code or getattr(driver, "sqlite_errorcode", None) or 0) & 0xFF
    why = str(driver)
    if code == sqlite3.SQLITE_INTERRUPT or isinstance(driver, sqlite3.ProgrammingError):
        return StoreError(f"The database {path} was closed", why=why, action="Open it again")
    if code == sqlite3.SQLITE_NOTADB:
        return DatabaseDamaged(
            f"{path} is not a database",
            why=why,
            action="Move it away, then start again: the journals that still lie in the home are taken in anew",
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return DatabaseDamaged(
            f"The database {path} is damaged",
            why=why,
            action="Move it away or restore a copy. The journals that still lie in the home are taken in anew",
        )
    # Where no room is left for the log of what is written or its index, SQLite speaks of a failed write.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return StoreError(
            f"The disk that holds {path} is full",
            why=why,
            action="Make room; what is missing is then taken in from the journals",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"The database {path} stayed locked for {BUSY_SECS:g} seconds",
            why="Another program works on it",
            action="End that program, or wait and try again",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(
            f"The database {path} cannot be {'opened' if code == sqlite3.SQLITE_CANTOPEN else 'written'}",
            why=why,
            action="See that its folder is there and may be read and written",
        )
    return StoreError(f"The database {path} cannot be used", why=why, action="Run `stepline doctor`")


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < PAGE_BYTES
    except OSError:
        return False
