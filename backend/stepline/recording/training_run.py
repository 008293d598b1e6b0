"""One run of a transformers training: what its events mean, as records.

Driven by `callback`, which guards every call; imports neither transformers nor torch. `args`, `state` and
`control` are the trainer's own objects (TrainingArguments, TrainerState, TrainerControl).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from stepline.home import Home
from stepline.recording import trainer_facts
from stepline.recording.commands import LOOK_EVERY_SECS, Command, CommandFile
from stepline.recording.endings import Ending
from stepline.recording.journal import Update
from stepline.recording.run_journal import Recorder, new_header, size_bytes
from stepline.recording.speed import TrainingClock
from stepline.recording.surroundings import surroundings
from stepline.recording.task_identity import TaskIdentity, read_side_car, write_side_car

DONE = {"stop": "Stopped", "save": "Saving", "evaluate": "Evaluating", "log": "Logging"}


class TrainingRun:
    """A run that begins now. `find_trainer` gives the Trainer where it is known, else None."""

    def __init__(
        self, home: Home, task: TaskIdentity, args: Any, state: Any, model: Any, find_trainer: Callable[[], Any]
    ) -> None:
        trainer = find_trainer()
        settings = trainer_facts.settings_of(args, state, model, trainer)
        self.recorder = Recorder(home, new_header(task, trainer_facts.total_steps(state), settings))
        self.task = task
        self._find_trainer = find_trainer
        self._clock = TrainingClock()
        self._commands = CommandFile(home.journals, self.recorder.header.run_id)
        self._controls = trainer_facts.controls(args, trainer)
        self._next_look = 0.0
        self._stopped_by: str | None = None
        self._evaluating = False
        self._evaluation: dict[str, Any] = {}
        self._evaluation_at: tuple[int, float | None] = (0, None)
        self._closing: dict[str, Any] = {}
        self._interrupted_at = 0.0
        self._first_step = self._logged_step = self._saved_step = state.global_step
        self._logged_tokens = state.num_input_tokens_seen
        self._follow_up = threading.Thread(target=self._tell_surroundings, name="stepline-surroundings", daemon=True)
        self._begin(args, state)

    def _begin(self, args: Any, state: Any) -> None:
        details: dict[str, Any] = {"controls": self._controls}
        if (why := trainer_facts.no_controls(args)) is not None:
            details["no_controls"] = why
        rows = []
        if state.is_hyper_param_search:
            details["trial"] = state.trial_name
        if state.global_step > 0:
            self.recorder.phase = "fast_forward"
            details["resumed_from_step"] = state.global_step
            if read_side_car(args.output_dir) is None:
                rows = list(trainer_facts.history(state.log_history, state.global_step))
                details["backfilled"] = len(rows)
        self.recorder.record("train_start", step=state.global_step, epoch=state.epoch, details=details)
        for kind, step, epoch, metrics in rows:
            self.recorder.record(kind, step=step, epoch=epoch, metrics=metrics, details={"backfilled": True})
        self.recorder.step = state.global_step
        with suppress(OSError):
            # A folder that cannot be written names its task by its path.
            write_side_car(args.output_dir, self.task, self.recorder.header.run_id)
        self._follow_up.start()

    def end(self, ending: Ending) -> None:
        """End the run, whoever says so."""
        self._write_evaluation()
        self._follow_up.join(timeout=1)
        self.recorder.end(ending, self._closing, self._closing.pop("epoch", None))
        if self.recorder.process == os.getpid():
            self._commands.remove()

    def train_ended(self, args: Any, state: Any) -> None:
        """The trainer says that its training has ended, without an exception."""
        if state.global_step > self._first_step and state.global_step != self._saved_step:
            # A checkpoint made on SIGTERM (enable_jit_checkpoint) comes without the save event.
            folder = trainer_facts.checkpoint_folder(args, state, self._find_trainer())
            if folder is not None and folder.stat().st_mtime >= self.recorder.header.time:
                self._record_checkpoint(folder, state, None)
        self.recorder.step = state.global_step
        if state.global_step >= state.max_steps:
            self.end(Ending("completed"))
        else:
            why = self._stopped_by or trainer_facts.why_stopped(self._find_trainer())
            at = f"at step {state.global_step:,} of {state.max_steps:,}"
            self.end(Ending("stopped", why or f"The training ended {at}"))

    def step_begins(self) -> None:
        self.recorder.phase = "train"
        self._evaluating = False
        self._clock.step_begins(perf_counter())

    def step_ended(self, state: Any, control: Any) -> None:
        now = perf_counter()
        self.recorder.step = state.global_step
        self._clock.step_ended(now)
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY_SECS
            if self._controls:
                for command in self._commands.new():
                    self._carry_out(command, state, control)
        if control.should_evaluate or control.should_save:
            self.interruption_due(control)

    def interruption_due(self, control: Any) -> None:
        """An evaluation or a save comes next, after the log that may come first."""
        self._interrupted_at = perf_counter()
        self._clock.interruption_due(self._interrupted_at)
        self.recorder.phase = "evaluate" if control.should_evaluate else "save"

    def logged(self, args: Any, state: Any, logs: Mapping[str, Any]) -> None:
        row = dict(logs)
        self._write_evaluation()
        if trainer_facts.is_closing(row):
            self._closing = row
        elif self._evaluating or trainer_facts.is_evaluation(row):
            # The evaluate event follows at once with the same figures; here may be more of them (TRL adds its own).
            self._evaluation = row
            self._evaluation_at = (state.global_step, state.epoch)
        else:
            epoch = row.pop("epoch", state.epoch)
            if "loss" in row:
                self._add_speed(row, args, state)
            self.recorder.record("step", step=state.global_step, epoch=epoch, metrics=row)

    def predicting(self) -> None:
        """One batch of an evaluation or prediction is done."""
        self.recorder.phase = "evaluate"
        self._evaluating = True
        self._clock.interruption_goes_on(perf_counter())

    def evaluated(self, state: Any, control: Any, metrics: Mapping[str, Any]) -> None:
        if not (self._evaluation.keys() & metrics.keys()) - {"epoch"}:
            self._write_evaluation()
        self._evaluation |= metrics
        self._evaluation_at = (state.global_step, state.epoch)
        self._write_evaluation()
        self.interruption_over(control)

    def saved(self, args: Any, state: Any, control: Any) -> None:
        secs = perf_counter() - self._interrupted_at if self.recorder.phase == "save" else None
        self._record_checkpoint(trainer_facts.checkpoint_folder(args, state, self._find_trainer()), state, secs)
        self.interruption_over(control)

    def interruption_over(self, control: Any) -> None:
        """An evaluation, prediction or save has ended; another may follow at once."""
        self._evaluating = False
        self._interrupted_at = perf_counter()
        self._clock.interruption_goes_on(self._interrupted_at)
        self.recorder.phase = "save" if control.should_save else "train"

    def _write_evaluation(self) -> None:
        row, self._evaluation = self._evaluation, {}
        if row:
            step, epoch = self._evaluation_at
            epoch = row.pop("epoch", epoch)
            self.recorder.record("evaluation", step=step, epoch=epoch, metrics=row)

    def _record_checkpoint(self, folder: Path | None, state: Any, secs: float | None) -> None:
        self._saved_step = state.global_step
        details: dict[str, Any] = {"path": None, "bytes": None, "secs": secs}
        if folder is not None:
            details |= {"path": str(folder), "bytes": size_bytes(str(folder))}
        self.recorder.record("checkpoint", step=state.global_step, epoch=state.epoch, details=details)
        if folder is not None:
            with suppress(OSError):
                write_side_car(folder, self.task, self.recorder.header.run_id, state.global_step)

    def _add_speed(self, row: dict[str, Any], args: Any, state: Any) -> None:
        secs = self._clock.take(perf_counter())
        steps = state.global_step - self._logged_step
        tokens = state.num_input_tokens_seen - self._logged_tokens
        self._logged_step, self._logged_tokens = state.global_step, state.num_input_tokens_seen
        if secs > 0 and steps > 0:
            samples = steps * trainer_facts.effective_batch(args, self._find_trainer())
            row.setdefault("samples_per_second", samples / secs)
            if tokens > 0:
                row.setdefault("tokens_per_second", tokens / secs)

    def _carry_out(self, command: Command, state: Any, control: Any) -> None:
        details: dict[str, Any] = {"command": command.id, "request": command.name}
        if command.name not in self._controls:
            details["refused"] = "there is no evaluation set"
            words = f"Request to {command.name} refused: there is no evaluation set"
        else:
            # The trainer acts on these flags right after this event.
            if command.name == "stop":
                control.should_training_stop = True
            else:
                setattr(control, f"should_{command.name}", True)
            details["applied_step"] = state.global_step
            words = f"{DONE[command.name]} by request at step {state.global_step:,}"
            if command.name == "stop":
                self._stopped_by = words
        self.recorder.record("message", step=state.global_step, message=words, details=details)

    def _tell_surroundings(self) -> None:
        self.recorder.update(Update(settings=surroundings()))
