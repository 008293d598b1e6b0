"""Keras: `model.fit(…, callbacks=[SteplineKerasCallback("my training")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from stepline.adapters import EVALUATION_PREFIXES, with_known_names
from stepline.recording.recorder import Run, record


class SteplineKerasCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Records every `every_batches`-th batch, each epoch's last, its validation. Steps count all epochs' batches.

    Keras gives a batch's metrics as means since the epoch's start; they are recorded as given.
    """

    def __init__(self, task: str = "keras", *, every_batches: int = 10, home: str | Path | None = None) -> None:
        super().__init__()
        self._task = task
        self._every = max(1, every_batches)
        self._home = home
        self._run: Run | None = None
        self._step = self._told_step = 0
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        batches, epochs = self.params.get("steps"), self.params.get("epochs")
        total = batches * epochs if batches and epochs else None
        optimizer = getattr(self.model, "optimizer", None)
        settings = optimizer.get_config() if optimizer is not None else {}
        self._step = self._told_step = 0
        self._run = record(self._task, total, settings, self._home).__enter__()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step += 1
        if self._run is not None and self._step % self._every == 0:
            batches = self.params.get("steps")
            epoch = self._epoch + (batch + 1) / batches if batches else float(self._epoch)
            self._run.log(dict(logs or {}), step=self._step, epoch=epoch)
            self._told_step = self._step

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        measured = {name: value for name, value in (logs or {}).items() if name.startswith(EVALUATION_PREFIXES)}
        trained = {name: value for name, value in (logs or {}).items() if name not in measured}
        if self._run is not None and trained and self._told_step < self._step:
            # A training of few batches would have no points at all.
            self._run.log(trained, step=self._step, epoch=epoch + 1.0)
            self._told_step = self._step
        if self._run is not None and measured:
            self._run.evaluation(with_known_names(measured), step=self._step, epoch=epoch + 1.0)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            run.__exit__(None, None, None)
