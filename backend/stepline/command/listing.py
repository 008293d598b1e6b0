"""`stepline tasks`: what lies in the home, after every journal there was taken in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stepline.command.homes import answer, open_home, say
from stepline.command.journals import refused
from stepline.store import RunRow, TaskRow
from stepline.visit import take_in

STATUS_COLOURS = {
    "running": "green",
    "stopping": "green",
    "completed": "blue",
    "pending": "yellow",
    "failed": "red",
    "stopped": "bright_black",
}
"""The seed's five colours; `stopping` is drawn as running."""


def tasks(path: Path | None, *, as_json: bool) -> None:
    home = open_home(path)
    with take_in(home) as store:
        listed = [(task, store.runs(task.id)) for task in store.tasks()]
        notes = [*damage(listed), *refused(home, store)]
    if as_json:
        answer([task_object(task, runs) for task, runs in listed])
    elif listed:
        draw(listed)
    else:
        print(f"No training was recorded in {home.path} yet. Watch one: stepline demo")
    for note in notes:
        say(note)


def damage(listed: list[tuple[TaskRow, list[RunRow]]]) -> list[str]:
    """One line for each run whose journal had lines that could not be read."""
    return [
        f"{task.name}, run {run.number}: {run.damaged} damaged line{'s' if run.damaged > 1 else ''} of its journal "
        "could not be read and left out."
        for task, runs in listed
        for run in runs
        if run.damaged
    ]


def task_object(task: TaskRow, runs: list[RunRow]) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": task.name,
        "status": task.status,
        "records": task.records,
        "step": task.step,
        "total_steps": task.total_steps,
        "started": task.started,
        "updated": task.updated,
        "runs": [
            {
                "id": run.id,
                "number": run.number,
                "status": run.status,
                "records": run.records,
                "first_step": run.first_step,
                "last_step": run.last_step,
                "total_steps": run.total_steps,
                "started": run.started,
                "ended": run.ended,
                "message": run.message,
                "damaged_lines": run.damaged,
            }
            for run in runs
        ],
    }


def draw(listed: list[tuple[TaskRow, list[RunRow]]]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # whole names in a pipe
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Task", overflow="fold")
    table.add_column("Status")
    for name in ("Step", "Runs", "Records", "Loss"):
        table.add_column(name, justify="right")
    table.add_column("Updated")
    table.add_column("Id", style="bright_black", no_wrap=True)
    for task, _ in listed:
        step = "" if task.step is None else f"{task.step:,}"
        total = "" if task.total_steps is None else f" / {task.total_steps:,}"
        updated = "" if task.updated is None else f"{datetime.fromtimestamp(task.updated):%Y-%m-%d %H:%M}"
        colour = STATUS_COLOURS[task.status]
        loss = "" if task.last_loss is None else f"{task.last_loss:.4g}"
        table.add_row(
            task.name,
            f"[{colour}]{task.status}[/]",
            step + total,
            str(task.runs),
            f"{task.records:,}",
            loss,
            updated,
            task.id,
        )
    console.print(table)
