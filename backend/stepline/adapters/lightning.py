"""PyTorch Lightning: `Trainer(logger=SteplineLogger("my training"))`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only

from stepline.adapters import is_evaluation, with_known_names
from stepline.recording.recorder import Run, record


class SteplineLogger(Logger):
    """Records what the trainer logs, on rank zero. The same `task` again makes the task's next run."""

    def __init__(self, task: str = "lightning", *, total_steps: int | None = None, home: str | Path | None = None):
        super().__init__()
        self._task = task
        self._total_steps = total_steps
        self._home = home
        self._run: Run | None = None
        self._saved: set[str] = set()

    @property
    def name(self) -> str:
        return self._task

    @property
    def version(self) -> str | None:
        """The run's id, None before it began."""
        return self._run.id if self._run else None

    @property
    def experiment(self) -> Run:
        """The run, for messages and metrics of your own; the trainer begins it by asking for it."""
        if self._run is None:
            self._run = record(self._task, self._total_steps, None, self._home).__enter__()
        return self._run

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        self.experiment.add_settings(vars(params) if isinstance(params, Namespace) else params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = with_known_names(metrics)
        epoch = values.pop("epoch", None)
        log = self.experiment.evaluation if is_evaluation(metrics) else self.experiment.log
        log(values, step=step, epoch=None if epoch is None else float(epoch))

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        for path in (checkpoint_callback.best_model_path, getattr(checkpoint_callback, "last_model_path", "")):
            if path and path not in self._saved and os.path.exists(path):
                self._saved.add(path)
                self.experiment.checkpoint(path)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._run is None:
            return
        error: BaseException | None = None
        if status not in ("success", "finished"):
            # Lightning says "failed" of Ctrl-C too, while it handles what was raised.
            error = sys.exc_info()[1] or RuntimeError(f"Lightning says: {status}")
        run, self._run = self._run, None
        run.__exit__(None if error is None else type(error), error, None)
