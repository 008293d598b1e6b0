"""Tasks by id and by name, as a reader last saw them: kept in memory, and brought up to date by what changed since."""

from __future__ import annotations

import threading
from dataclasses import replace

from stepline.errors import TaskAmbiguous, TaskNotFound
from stepline.store import sqlite, statements, trash
from stepline.store.models import ChangeModel, TaskModel
from stepline.store.naming import Named, display_names
from stepline.store.rows import TaskRow


def count_of_changes(database: sqlite.Database) -> int:
    """A number that grows with every change of a task, a run or a record, by whatever process."""
    ((count,),) = statements.select(database, ChangeModel, ("count",), id=1)
    return int(count)


def not_found(name: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {name!r}", action="`stepline tasks` lists those there are")


class TaskList:
    """All tasks of a database, those in the trash too. Any thread may ask."""

    def __init__(self, database: sqlite.Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._version = -1
        self._removals = -1
        self._tasks: dict[str, tuple[int, TaskRow, Named]] = {}
        self._numbers: dict[str, int] = {}

    def all(self) -> list[TaskRow]:
        """The one that changed last first. Costs what changed since the last call."""
        with self._lock:
            self._refresh()
            rows = sorted(self._tasks.values(), key=lambda each: each[0], reverse=True)
            return [row for _, row, _ in rows]

    def get(self, task_id: str) -> TaskRow:
        """Raises TaskNotFound."""
        with self._lock:
            self._refresh()
            found = self._tasks.get(task_id)
        if found is None:
            raise not_found(task_id)
        return found[1]

    def find(self, name_or_id: str) -> TaskRow:
        """See Store.find_task."""
        tasks = {task.id: task for task in self.all() if task.trashed is None}
        if name_or_id in tasks:
            return tasks[name_or_id]
        given = [named for _, _, named in list(self._tasks.values()) if name_or_id in (named.name, named.key)]
        shown = [task for task in tasks.values() if task.name == name_or_id]
        found = shown or [tasks[named.id] for named in given if named.id in tasks]
        if not found:
            raise not_found(name_or_id)
        if len(found) > 1:
            raise TaskAmbiguous(
                f"{len(found)} tasks are called {name_or_id!r}",
                action="Name one by its id: " + ", ".join(task.id for task in found),
            )
        return found[0]

    def number(self, task_id: str) -> int:
        """The id of the task's row. Raises TaskNotFound."""
        number = self._numbers.get(task_id)
        if number is None:
            found = statements.select(self._database, TaskModel, ("id",), uid=task_id)
            if not found:
                raise not_found(task_id)
            number = self._numbers[task_id] = found[0][0]
        return number

    def _refresh(self) -> None:
        newest = count_of_changes(self._database)
        if newest == self._version:
            return
        removals = trash.removals(self._database)
        if removals != self._removals:
            # The same id may be another row's now, and a row's number another task's.
            self._removals = removals
            self._tasks.clear()
            self._numbers.clear()
            self._version = -1
        named_anew = False
        query = TaskModel.select().where(TaskModel.changed > self._version).namedtuples()
        for task in sqlite.rows(self._database, query):
            named = Named(task.uid, task.name, task.key, task.label)
            known = self._tasks.get(task.uid)
            named_anew |= known is None or known[2] != named
            row = TaskRow.of(task, known[1].name if known else task.name)
            self._tasks[task.uid] = (task.changed, row, named)
            self._numbers[task.uid] = task.id
        if named_anew:
            names = display_names(named for _, _, named in self._tasks.values())
            for uid, (changed, row, named) in list(self._tasks.items()):
                if row.name != names[uid]:
                    self._tasks[uid] = (changed, replace(row, name=names[uid]), named)
        self._version = newest
