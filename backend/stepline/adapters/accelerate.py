"""accelerate: `Accelerator(log_with=SteplineTracker("my training"))`, then `init_trackers`, `log`, `end_training`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker

from stepline.adapters import is_evaluation, with_known_names
from stepline.recording.recorder import Run, record


class SteplineTracker(GeneralTracker):
    """Records what `accelerator.log` is given, on the main process. The same `task` again makes the task's next run."""

    name = "stepline"
    requires_logging_directory = False

    def __init__(self, task: str, *, total_steps: int | None = None, home: str | Path | None = None) -> None:
        super().__init__()
        self._task = task
        self._total_steps = total_steps
        self._home = home
        self._settings: dict[str, Any] = {}
        self._run: Run | None = None

    @property
    def tracker(self) -> Run:
        """The run, begun with the first values, so that the configuration stored before them is its settings."""
        if self._run is None:
            self._run = record(self._task, self._total_steps, self._settings, self._home).__enter__()
        return self._run

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._settings.update(values)

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        write = self.tracker.evaluation if is_evaluation(values) else self.tracker.log
        write(with_known_names(values), step=step)

    def finish(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            run.__exit__(None, None, None)
