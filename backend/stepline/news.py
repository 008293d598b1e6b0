"""What happens to trainings that a person should hear of: one that ended, failed or stalled, a finding.

News begin with the first look: what had ended by then is no news, and neither is a finding in records that were there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from stepline.errors import TaskNotFound
from stepline.store.rows import ENDED, LIVE, RunRow, TaskRow
from stepline.wire import Finding, Status

NewsKind = Literal["ended", "failed", "stalled", "finding"]


class Happening(NamedTuple):
    kind: NewsKind
    task_id: str
    task: str
    """Its name as shown."""
    status: Status
    rule: str | None = None
    """Of a finding, as `stepline.diagnosis` names it."""
    why: str | None = None
    """What its last run said of its end."""


class Training(NamedTuple):
    """A task that trains now."""

    task_id: str
    progress: float | None
    """Part of its total steps that is done, 0 to 1; None where the total is not known."""


class Looked(NamedTuple):
    happenings: list[Happening]
    trainings: list[Training]
    runs_here: bool
    """Whether one of them runs on this machine."""


class Source(Protocol):
    """What is looked at; `stepline.store.Store` has it."""

    def tasks(self) -> Sequence[TaskRow]: ...
    def runs(self, task_id: str) -> Sequence[RunRow]: ...
    def live_runs(self) -> Sequence[RunRow]: ...


class News:
    """`look` now and then, from one thread. It costs what changed, and a question to each task that trains."""

    def __init__(self, store: Callable[[], Source], findings: Callable[[str], Sequence[Finding]]) -> None:
        self._store = store
        self._findings = findings
        self._before: dict[str, TaskRow] | None = None
        self._since: dict[str, int] = {}
        """Of each task that trains, the sequence from which on findings are news."""
        self._told: dict[str, set[str]] = {}

    def look(self) -> Looked:
        """What happened since the last look, and what trains now. Raises StoreError."""
        store = self._store()
        tasks = store.tasks()
        found: list[Happening] = []
        trainings: list[Training] = []
        for task in tasks:
            before = None if self._before is None else self._before.get(task.id)
            lived = before is not None and before.status in LIVE
            if task.status in LIVE:
                if task.id not in self._since:
                    # A long history is examined for seconds after this: where a finding lies says whether it is old.
                    self._since[task.id] = task.records if self._before is None else before.records if before else 0
                if task.status != "pending":
                    trainings.append(Training(task.id, _progress(task)))
            if task.id in self._since:
                found += self._found_in(task)
            if task.status in ENDED:
                if lived:
                    kind: NewsKind = "failed" if task.status == "failed" else "ended"
                    runs = store.runs(task.id)
                    why = runs[-1].message if runs else None
                    found.append(Happening(kind, task.id, task.name, task.status, why=why))
                self._since.pop(task.id, None)
                self._told.pop(task.id, None)
        self._before = {task.id: task for task in tasks}
        host = socket.gethostname()
        live = store.live_runs() if trainings else []
        return Looked(found, trainings, any(run.status != "pending" and run.process.host == host for run in live))

    def _found_in(self, task: TaskRow) -> list[Happening]:
        try:
            findings = self._findings(task.id)
        except TaskNotFound:
            return []
        told = self._told.setdefault(task.id, set())
        new = [each for each in findings if each["id"] not in told]
        told.update(each["id"] for each in new)
        return [
            Happening(
                "stalled" if each["rule"] == "stall" else "finding", task.id, task.name, task.status, each["rule"]
            )
            for each in new
            if each["rule"] == "stall" or each["last_sequence"] >= self._since[task.id]
        ]


def _progress(task: TaskRow) -> float | None:
    if task.step is None or not task.total_steps:
        return None
    return min(1.0, max(0.0, task.step / task.total_steps))
