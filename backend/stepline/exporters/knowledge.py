"""What is known of a task and its runs beside their records, as JSON: goes with an export, and comes back with it."""

from __future__ import annotations

from typing import Any

from stepline.store import Store


def of_runs(store: Store, task_id: str) -> dict[str, dict[str, Any]]:
    """By run id. Raises TaskNotFound."""
    task = store.task(task_id)
    about = {"id": task.id, "name": task.name, "tags": list(task.tags), "notes": task.notes}
    return {
        run.id: {
            "id": run.id,
            "task": about,
            "number": run.number,
            "status": run.status,
            "message": run.message,
            "started": run.started,
            "total_steps": run.total_steps,
            "settings": run.settings,
        }
        for run in store.runs(task_id)
    }
