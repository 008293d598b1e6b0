"""Recording any training loop: what `stepline.record` gives.

    with stepline.record("pilot", total_steps=100, settings={"lr": 3e-4}) as run:
        for step in range(1, 101):
            run.log({"loss": loss}, step=step)
            if run.should_stop:
                break

Without `with`, the run begins at its first log and `run.finish()` ends it.

Nothing here raises into the loop: see `run_journal`. Standard library only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from stepline.home import Home
from stepline.recording.commands import LOOK_EVERY_SECS, CommandFile
from stepline.recording.endings import Ending, ending_of
from stepline.recording.journal import Update
from stepline.recording.plain import flat_settings
from stepline.recording.run_journal import Recorder, failure_text, new_header, say, size_bytes, strict
from stepline.recording.task_identity import TaskIdentity, task_of_key


class Run:
    """A run of any training loop. Made by `stepline.record`; use it as a context manager, or end it by `finish`.

    Metrics are numbers (also tensors and numpy scalars of one element) or texts, under any names.
    """

    def __init__(self, task: TaskIdentity, total_steps: int | None, settings: object, home: object) -> None:
        self._task = task
        self._total_steps = total_steps
        self._settings = settings
        self._home = home
        self._recorder: Recorder | None = None
        self._tried = False
        self._commands: CommandFile | None = None
        self._next_look = 0.0
        self._stopped_by: str | None = None

    @property
    def id(self) -> str | None:
        """The run's id; None before it began, and where its journal cannot be written."""
        return self._recorder.header.run_id if self._recorder else None

    @property
    def task_id(self) -> str:
        return self._task.id

    def __enter__(self) -> Run:
        self._begun()
        return self

    def _begun(self) -> Recorder | None:
        """What writes this run's journal, begun at the first call: a loop without `with` would lose every log."""
        if self._recorder is not None or self._tried:
            return self._recorder
        self._tried = True
        try:
            settings = self._settings
            if settings is not None and not isinstance(settings, Mapping):
                settings = vars(settings)
            header = new_header(self._task, self._total_steps, settings or {})
            home = self._home if isinstance(self._home, Home) else Home.open(self._home)  # type: ignore[arg-type]
            self._recorder = Recorder(home, header)
        except Exception as error:
            if strict():
                raise
            say(failure_text(error, "The training goes on, and this run is not recorded."))
        else:
            self._recorder.record("train_start")
        return self._recorder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(ending_of(error) if error is not None else None)

    def finish(self) -> None:
        """End the run as completed, or as stopped where a person asked for it. Only needed without `with`.

        A run that nobody finished ends with its process, as failed by an exception or else as stopped.
        """
        self._end(None)

    def _end(self, ending: Ending | None) -> None:
        if self._recorder is None:
            return
        stopped = Ending("completed") if self._stopped_by is None else Ending("stopped", self._stopped_by)
        self._recorder.end(ending or stopped)
        if self._commands is not None and self._recorder.process == os.getpid():
            self._commands.remove()

    @property
    def should_stop(self) -> bool:
        """Whether a person asked this run to stop; leave the loop then, and the run ends as stopped by request.

        Ask at each step, from the first on: the page offers its button once this was asked. It costs under a
        microsecond; the request is looked for at most every 300 ms.
        """
        recorder, now = self._begun(), time.monotonic()
        if recorder is None or now < self._next_look or recorder.process != os.getpid():
            return self._stopped_by is not None
        self._next_look = now + LOOK_EVERY_SECS
        if self._commands is None:
            self._commands = CommandFile(recorder.journals, recorder.header.run_id)
            recorder.record("message", message="Takes requests to stop", details={"controls": ["stop"]})
        try:
            commands = self._commands.new()
        except OSError as error:
            recorder.tell(error)
            commands = []
        for command in commands:
            details: dict[str, Any] = {"command": command.id, "request": command.name}
            if command.name == "stop":
                at = f" at step {recorder.step:,}" if recorder.step is not None else ""
                words = self._stopped_by = f"Stopped by request{at}"
                details["applied_step"] = recorder.step
            else:
                details["refused"] = "this loop can only be stopped"
                words = f"Request to {command.name} refused: this loop can only be stopped"
            recorder.record("message", step=recorder.step, message=words, details=details)
        return self._stopped_by is not None

    def log(self, metrics: Mapping[str, Any], step: int | None = None, epoch: float | None = None) -> None:
        """Record training metrics: a record of kind `step`."""
        if (recorder := self._begun()) is not None:
            recorder.record("step", step=step, epoch=epoch, metrics=metrics)

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Record settings that are known only after the run began."""
        if (recorder := self._begun()) is not None:
            recorder.update(Update(settings=flat_settings(settings)))

    def evaluation(self, metrics: Mapping[str, Any], step: int | None = None, epoch: float | None = None) -> None:
        """Record what an evaluation gave."""
        if (recorder := self._begun()) is not None:
            recorder.record("evaluation", step=step, epoch=epoch, metrics=metrics)

    def checkpoint(
        self,
        path: str | os.PathLike[str],
        step: int | None = None,
        epoch: float | None = None,
        secs: float | None = None,
    ) -> None:
        """Record that a checkpoint was written at `path`, a file or a folder, in `secs` seconds."""
        if (recorder := self._begun()) is not None:
            place = os.path.abspath(str(path))
            details = {"path": place, "bytes": size_bytes(place), "secs": secs}
            recorder.record("checkpoint", step=step, epoch=epoch, details=details)

    def message(self, text: str, step: int | None = None) -> None:
        """Record a line of text for people."""
        if (recorder := self._begun()) is not None:
            recorder.record("message", step=step, message=text)


def record(
    name: str,
    total_steps: int | None = None,
    settings: Mapping[str, Any] | object | None = None,
    home: str | Path | Home | None = None,
) -> Run:
    """A run of the task that `name` names, to be used as a context manager, or to be ended by `finish`.

    Entering it, or else its first log, writes the journal's header. Leaving it ends the run: `completed`, or `failed`
    with the exception's type and text, or `stopped` by Ctrl-C. The same name again makes the task's next run.
    `settings`: a mapping, or an object with attributes such as argparse's namespace. `home`: the folder; by default
    STEPLINE_HOME or the user's own.
    """
    return Run(task_of_key(name), total_steps, settings, home)
