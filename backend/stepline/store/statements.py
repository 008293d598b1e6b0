"""Statements of every append and every look, written out in standard SQL.

peewee builds each query anew, 0.1 to 0.4 ms of Python; with ten of them an append of one record took 2.5 ms. These take
a tenth of it. Values pass through the models' fields, so both ways write and read the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from peewee import Model

from stepline.store.sqlite import Database, translated


@lru_cache(maxsize=256)
def _select(table: str, columns: tuple[str, ...], where: str, order: tuple[str, ...], mark: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    ordering = ", ".join(f'"{name}"' for name in order)
    sql = f'SELECT {names} FROM "{table}" WHERE "{where}" = {mark}'
    return f"{sql} ORDER BY {ordering}" if order else sql


@lru_cache(maxsize=256)
def _update(table: str, columns: tuple[str, ...], where: str, mark: str) -> str:
    changes = ", ".join(f'"{name}" = {mark}' for name in columns)
    return f'UPDATE "{table}" SET {changes} WHERE "{where}" = {mark}'


@lru_cache(maxsize=256)
def _insert(table: str, columns: tuple[str, ...], key: tuple[str, ...], mark: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    sql = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join([mark] * len(columns))})'
    if not key:
        return sql
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    return f"{sql} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def select(
    database: Database, model: type[Model], columns: Sequence[str], *, order: Sequence[str] = (), **where: Any
) -> list[tuple[Any, ...]]:
    """Rows whose one column named in `where` has the value given there."""
    ((column, value),) = where.items()
    meta = model._meta
    sql = _select(meta.table_name, tuple(columns), column, tuple(order), database.param)
    convert = [meta.columns[name].python_value for name in columns]
    with translated(database.path):
        rows = database.execute_sql(sql, (value,)).fetchall()
    return [tuple(f(v) for f, v in zip(convert, row, strict=True)) for row in rows]


def update(database: Database, model: type[Model], values: dict[str, Any], **where: Any) -> int:
    """Change rows whose one column named in `where` has the value given there; returns their count."""
    ((column, value),) = where.items()
    meta = model._meta
    sql = _update(meta.table_name, tuple(values), column, database.param)
    changed = [meta.columns[name].db_value(each) for name, each in values.items()]
    return int(database.execute_sql(sql, (*changed, value)).rowcount)


def add(database: Database, model: type[Model], values: dict[str, Any]) -> None:
    """Insert one row."""
    row = [model._meta.columns[name].db_value(value) for name, value in values.items()]
    insert(database, model, tuple(values), [row])


def insert(
    database: Database,
    model: type[Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str] = (),
) -> None:
    """Insert rows of database values, by one executemany. With `key`, a row of the same key is replaced.

    Leaving out columns that are NULL is worth it: the driver takes 0.6 µs to bind a None, 0.1 µs a number.
    """
    sql = _insert(model._meta.table_name, tuple(columns), tuple(key), database.param)
    connection = database.connection()
    with translated(database.path):
        connection.executemany(sql, rows)
