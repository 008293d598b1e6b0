"""One run of a transformers training: what its events mean, as records.

Driven by `callback`, which guards every call; imports neither transformers nor torch. `args`, `state` and
`control` are the trainer's own objects (TrainingArguments, TrainerState, TrainerControl).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from stepline.home import Home
from stepline.recording import trainer_facts
from stepline.recording.commands import LOOK_EVERY_SECS, Command, CommandFile, CommandName
from stepline.recording.endings import Ending
from stepline.recording.journal import Update
from stepline.recording.ranks import SHARED, SharedRequests, WhyNot
from stepline.recording.run_journal import Recorder, new_header, size_bytes
from stepline.recording.speed import TrainingClock
from stepline.recording.surroundings import surroundings
from stepline.recording.task_identity import TaskIdentity, read_side_car, write_side_car

TELL_SKIPPED_SECS = 1.0
DONE = {"stop": "Stopped", "save": "Saving", "evaluate": "Evaluating", "log": "Logging"}


def obey(name: CommandName, control: Any) -> None:
    """Have the trainer do what was asked; it acts on these flags right after the event."""
    setattr(control, "should_training_stop" if name == "stop" else f"should_{name}", True)


class TrainingRun:
    """The run of a trainer that was built: pending until `begin`. `find_trainer` gives it, or None where not known."""

    def __init__(
        self, home: Home, task: TaskIdentity, args: Any, state: Any, model: Any, find_trainer: Callable[[], Any]
    ) -> None:
        self.task = task
        settings = trainer_facts.settings_of(args, state, model, find_trainer())
        header = new_header(task, args.max_steps if args.max_steps > 0 else None, settings)
        self.recorder = Recorder(home, header, pending=True)
        self._find_trainer = find_trainer
        self._clock = TrainingClock()
        self._commands = CommandFile(home.journals, header.run_id)
        self._controls: list[CommandName] = []
        self._alone = True
        self._next_look = 0.0
        self._stopped_by: str | None = None
        self._evaluating = False
        self._evaluation: dict[str, Any] = {}
        self._evaluation_at: tuple[int, float | None] = (0, None)
        self._evaluating_since: float | None = None
        self._closing: dict[str, Any] = {}
        self._interrupted_at = 0.0
        self._skipping_since: float | None = None
        self._begun_at = header.time
        self._checkpoints: set[Path] = set()
        self._logged_step = self._logged_tokens = 0
        self._follow_up = threading.Thread(target=self._tell_surroundings, name="stepline-surroundings", daemon=True)

    def withdraw(self) -> None:
        """The trainer will not train: as if it had not been built. Does nothing to a run that has begun."""
        self.recorder.withdraw()

    def begin(
        self, args: Any, state: Any, model: Any, find_trainer: Callable[[], Any], ranks: SharedRequests | None
    ) -> None:
        """The training begins; `ranks` where there are several."""
        self._find_trainer = find_trainer
        self._alone = ranks is None
        self._begun_at = time.time()
        self._logged_step, self._logged_tokens = state.global_step, state.num_input_tokens_seen
        self.recorder.begin()
        self._tell_what_changed(args, state, model)
        details: dict[str, Any] = {}
        if ranks is None:
            details["controls"] = self._controls = trainer_facts.controls(args, find_trainer())
        else:
            details |= {"controls": [], "no_controls": ranks.why_not}
        if (waited_secs := self._begun_at - self.recorder.header.time) >= 1:
            details["waited_secs"] = waited_secs
        rows = []
        if state.is_hyper_param_search:
            details["trial"] = state.trial_name or trainer_facts.output_folder(args, self._find_trainer()).name
        if state.global_step > 0:
            if not getattr(args, "ignore_data_skip", False):
                self.recorder.phase = "fast_forward"
                self._skipping_since = perf_counter()
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

    def _tell_what_changed(self, args: Any, state: Any, model: Any) -> None:
        """What is known only now, or was changed since the trainer was built: a search does both at each trial."""
        before = self.recorder.header
        settings = trainer_facts.settings_of(args, state, model, self._find_trainer())
        changed = {name: value for name, value in settings.items() if before.settings.get(name, ...) != value}
        total = trainer_facts.total_steps(state)
        if changed or total != before.total_steps:
            self.recorder.update(Update(total_steps=total, settings=changed or None))

    def end(self, ending: Ending) -> None:
        """End the run, whoever says so."""
        self._write_evaluation()
        if self._follow_up.ident is not None:
            self._follow_up.join(timeout=1)
        self.recorder.end(ending, self._closing, self._closing.pop("epoch", None))
        if self.recorder.process == os.getpid():
            self._commands.remove()

    def train_ended(self, args: Any, state: Any, control: Any) -> None:
        """The trainer says that its training has ended, without an exception."""
        for folder in trainer_facts.checkpoints_since(self._begun_at, args, self._find_trainer()):
            # One made on SIGTERM (enable_jit_checkpoint) comes without the save event.
            if folder not in self._checkpoints:
                self._record_checkpoint(folder, trainer_facts.step_of(folder), None, None)
        self.recorder.step = state.global_step
        if state.global_step >= state.max_steps:
            self.end(Ending("completed"))
        else:
            at = f"at step {state.global_step:,} of {state.max_steps:,}"
            why = self._stopped_by or trainer_facts.why_stopped(self._find_trainer())
            if why is None and state.is_hyper_param_search and not control.should_training_stop:
                # A search that gives a trial up says that it has ended, and then raises.
                why = f"The search gave this trial up {at}"
            self.end(Ending("stopped", why or f"The training ended {at}"))

    def step_begins(self) -> None:
        if self._skipping_since is not None:
            self._tell_skipped(perf_counter() - self._skipping_since)
        self.recorder.phase = "train"
        self._evaluating = False
        self._evaluating_since = None
        self._clock.step_begins(perf_counter())

    def step_ended(self, state: Any, control: Any) -> None:
        now = perf_counter()
        self.recorder.step = state.global_step
        self._clock.step_ended(now)
        if self._alone and now >= self._next_look:
            for command in self.new_requests():
                if self.takes(command):
                    obey(command.name, control)
                self.answer(command, state)
        if control.should_evaluate or control.should_save:
            self.interruption_due(control)

    def interruption_due(self, control: Any) -> None:
        """An evaluation or a save comes next, after the log that may come first."""
        self._interrupted_at = perf_counter()
        self._clock.interruption_due(self._interrupted_at)
        self.recorder.phase = "evaluate" if control.should_evaluate else "save"
        self._evaluating_since = self._interrupted_at if control.should_evaluate else None

    def logged(self, args: Any, state: Any, logs: Mapping[str, Any]) -> None:
        row = dict(logs)
        self._write_evaluation()
        if trainer_facts.is_closing(row):
            # transformers' PrinterCallback takes it out of the logs for all callbacks that come after it.
            self._closing = {"total_flos": state.total_flos, **row}
        elif self._evaluating or trainer_facts.is_evaluation(row):
            # The evaluate event follows at once with the same figures; here may be more of them (TRL adds its own).
            self._evaluation = row
            self._evaluation_at = (state.global_step, state.epoch)
        else:
            epoch = row.pop("epoch", state.epoch)
            if "loss" in row:
                self._add_speed(row, args, state)
            self.recorder.record("step", step=state.global_step, epoch=epoch, metrics=row)
            if self._evaluating_since is not None:
                # The log comes first, and waits for the GPU.
                self._evaluating_since = perf_counter()

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
        since, now = self._evaluating_since, perf_counter()
        # One that a program asks for by itself is not announced.
        self._write_evaluation(None if since is None else now - since)
        self._evaluating_since = None if since is None else now
        self.interruption_over(control)

    def evaluated_after(self, state: Any, metrics: Mapping[str, Any]) -> None:
        """An evaluation once the training has ended."""
        row = dict(metrics)
        epoch = row.pop("epoch", state.epoch)
        self.recorder.add("evaluation", step=state.global_step, epoch=epoch, metrics=row)

    def saved(self, args: Any, state: Any, control: Any) -> None:
        secs = perf_counter() - self._interrupted_at if self.recorder.phase == "save" else None
        folder = trainer_facts.checkpoint_folder(args, state, self._find_trainer())
        self._record_checkpoint(folder, state.global_step, state.epoch, secs)
        self.interruption_over(control)

    def interruption_over(self, control: Any) -> None:
        """An evaluation, prediction or save has ended; another may follow at once."""
        self._evaluating = False
        self._interrupted_at = perf_counter()
        self._clock.interruption_goes_on(self._interrupted_at)
        self.recorder.phase = "save" if control.should_save else "train"

    def _write_evaluation(self, secs: float | None = None) -> None:
        row, self._evaluation = self._evaluation, {}
        if row:
            step, epoch = self._evaluation_at
            epoch = row.pop("epoch", epoch)
            details = None if secs is None else {"secs": secs}
            self.recorder.record("evaluation", step=step, epoch=epoch, metrics=row, details=details)

    def _record_checkpoint(self, folder: Path | None, step: int, epoch: float | None, secs: float | None) -> None:
        details: dict[str, Any] = {"path": None, "bytes": None, "secs": secs}
        if folder is not None:
            details |= {"path": str(folder), "bytes": size_bytes(str(folder))}
        self.recorder.record("checkpoint", step=step, epoch=epoch, details=details)
        if folder is not None:
            self._checkpoints.add(folder)
            with suppress(OSError):
                write_side_car(folder, self.task, self.recorder.header.run_id, step)

    def _tell_skipped(self, secs: float) -> None:
        """A resumed run has skipped the data that was trained on before. Mostly that takes no time, and is no news."""
        self._skipping_since = None
        if secs >= TELL_SKIPPED_SECS:
            words = f"Skipping the data that was trained on before took {secs:,.1f} s"
            self.recorder.record(
                "message", step=self.recorder.step, message=words, details={"fast_forward_secs": round(secs, 3)}
            )

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

    def tell_controls(self, args: Any, why_not: WhyNot | None) -> None:
        """Whether all ranks listen is known after the first log."""
        if why_not is not None:
            words = f"Not all of the {args.world_size} ranks have Stepline: no requests can be taken"
            details: dict[str, Any] = {"controls": [], "no_controls": why_not}
        else:
            self._controls = [name for name in trainer_facts.controls(args, self._find_trainer()) if name in SHARED]
            words = f"Requests act on all {args.world_size} ranks, at steps that log"
            details = {"controls": self._controls, "controls_at": "log"}
        self.recorder.record("message", step=self.recorder.step, message=words, details=details)

    def new_requests(self) -> list[Command]:
        """What was asked since the last look, which is taken at most every 300 ms."""
        now = perf_counter()
        if not self._controls or now < self._next_look:
            return []
        self._next_look = now + LOOK_EVERY_SECS
        return self._commands.new()

    def takes(self, command: Command) -> bool:
        return command.name in self._controls

    def answer(self, command: Command, state: Any) -> None:
        """Record what becomes of a request at this step."""
        details: dict[str, Any] = {"command": command.id, "request": command.name}
        if not self.takes(command):
            why = "there is no evaluation set" if command.name == "evaluate" else "several ranks log together"
            details["refused"] = why
            words = f"Request to {command.name} refused: {why}"
        else:
            details["applied_step"] = state.global_step
            words = f"{DONE[command.name]} by request at step {state.global_step:,}"
            if command.name == "stop":
                self._stopped_by = words
        self.recorder.record("message", step=state.global_step, message=words, details=details)

    def _tell_surroundings(self) -> None:
        self.recorder.update(Update(settings=surroundings()))
