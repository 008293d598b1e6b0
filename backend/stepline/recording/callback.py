"""The transformers Trainer's callback: `Trainer(callbacks=[SteplineCallback()])`.

What each event really means is taken from the trainer's own code. In the order of one step: step_end, log (training),
prediction_step for each batch evaluated, log (evaluation) and evaluate with the same figures, save. `logs` are copied
and never changed; the step is the state's, for they have none; a loss is the mean since the log before. There is no
event for an exception: `train_call` and `endings` see those.

A run is pending from the trainer's being built on, and is taken back where it never trains: see `run_journal`.

A hook that raises would end the training, so none does: see `run_journal` for what becomes of a failure. Only
rank zero writes; the others listen for its requests, see `ranks`. This is the only module beside the demo that
imports transformers.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback

from stepline.home import Home
from stepline.recording.endings import Ending, ending_of
from stepline.recording.ranks import SharedRequests, shared_requests
from stepline.recording.run_journal import failure_text, say, strict
from stepline.recording.serving import serve
from stepline.recording.task_identity import TaskIdentity, task_of_folder, task_of_key
from stepline.recording.train_call import Follower, follow_train
from stepline.recording.training_run import TrainingRun, obey


def _safe(hook: Callable[..., None]) -> Callable[..., None]:
    """`hook`, whose failure is told and does not reach the trainer, which would end the training."""

    @functools.wraps(hook)
    def safe(self: SteplineCallback, *args: Any, **kwargs: Any) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self._tell(error)

    return safe


class SteplineCallback(TrainerCallback, Follower):
    """Records a transformers training.

    task: a key that names the task; training again with it makes the task's next run. By default the output folder
        names it.
    name: the label people read; by default the key, or the last part of the output folder.
    home: the folder that holds the histories; by default STEPLINE_HOME or the user's own.
    serve: whether to serve the page from this process; its address is printed once.
    """

    def __init__(
        self,
        task: str | None = None,
        name: str | None = None,
        home: str | Path | Home | None = None,
        serve: bool = False,
    ) -> None:
        self.task = task
        self.name = name
        self.home = home
        self.serve = serve
        self._pending: TrainingRun | None = None
        self._run: TrainingRun | None = None
        self._ended_run: TrainingRun | None = None
        self._ranks: SharedRequests | None = None
        self._find_trainer: Callable[[], Any] = _no_trainer
        self._told = False
        # Without accelerate there is no Trainer to follow, and nothing that could train either.
        with suppress(ImportError):
            from transformers.trainer import Trainer

            follow_train(Trainer)

    def __getstate__(self) -> dict[str, Any]:
        # A trainer may be pickled, as Ray's hyperparameter search does; a run stays in its process.
        return {
            **self.__dict__,
            "_pending": None,
            "_run": None,
            "_ended_run": None,
            "_ranks": None,
            "_find_trainer": _no_trainer,
        }

    def train_called(self, trainer: Any) -> None:
        self._find_trainer = weakref.ref(trainer)

    @_safe
    def train_raised(self, error: BaseException) -> None:
        self._end(ending_of(error))

    @_safe
    def on_init_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if state.is_world_process_zero and self._run is None and not self._stands_back(args, control):
            self._withdraw()
            self._wait_for_training(args, state, model)

    @_safe
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self._stands_back(args, control):
            return
        self._ranks = shared_requests(args)
        if not state.is_world_process_zero:
            return
        if self._run is not None:
            # The trainer begins again without having ended.
            words = "A new training began before this one ended"
            if getattr(args, "auto_find_batch_size", False):
                words = "Out of memory: the trainer starts over with a smaller batch (auto_find_batch_size)"
            self._end(Ending("failed", words))
        if self._pending is not None and self._pending.task != self._task_of(args):
            # Its output folder was changed after it was built.
            self._withdraw()
        if self._pending is None:
            self._wait_for_training(args, state, model)
        self._run, self._pending, self._ended_run = self._pending, None, None
        assert self._run is not None
        self._run.begin(args, state, model, self._find_trainer, self._ranks)
        if self.serve and (address := serve(self._home())) is not None:
            print(f"Stepline is at {address}", flush=True)

    @_safe
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        run, self._run = self._run, None
        self._ranks = None
        if run is not None:
            run.train_ended(args, state, control)
            self._ended_run = run

    # These two run at every step. Guarded here and not by _safe, whose extra call costs 0.4 µs each.

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._run is not None:
            try:
                self._run.step_begins()
            except Exception as error:
                self._tell(error)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._ranks is not None and control.should_log:
            self._share_requests(state, control)
        if self._run is not None:
            try:
                self._run.step_ended(state, control)
            except Exception as error:
                self._tell(error)

    @_safe
    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._ranks is not None and control.should_log:
            self._share_requests(state, control)
        if self._run is not None and (control.should_evaluate or control.should_save):
            self._run.interruption_due(control)

    @_safe
    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **kwargs: Any) -> None:
        if self._run is not None:
            self._run.logged(args, state, logs)
        if self._ranks is not None and "loss" in logs and self._ranks.logged() and self._run is not None:
            self._run.tell_controls(args, self._ranks.why_not)

    @_safe
    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._run is not None:
            self._run.predicting()

    @_safe
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        if self._run is not None:
            self._run.evaluated(state, control, metrics or {})
        elif self._ended_run is not None:
            # Scripts evaluate what they have trained.
            self._ended_run.evaluated_after(state, metrics or {})

    @_safe
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        if self._run is not None:
            self._run.interruption_over(control)

    @_safe
    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._run is not None:
            self._run.saved(args, state, control)

    def _wait_for_training(self, args: Any, state: Any, model: Any) -> None:
        run = TrainingRun(self._home(), self._task_of(args), args, state, model, self._find_trainer)
        self._pending = run
        # A trainer that is thrown away without having trained takes its run with it.
        weakref.finalize(self, run.withdraw).atexit = False

    def _withdraw(self) -> None:
        run, self._pending = self._pending, None
        if run is not None:
            run.withdraw()

    def _stands_back(self, args: Any, control: Any) -> bool:
        """Whether another callback of the same trainer records this training: `report_to="stepline"` makes one, beside
        which a script may have its own. That one, which was told something, is kept. They know each other by the
        trainer's control, which all of them are given."""
        _attached[:] = [(known, callback) for known, callback in _attached if known() is not None and callback()]
        here = [each for known, callback in _attached if known() is control and (each := callback()) is not None]
        if self not in here:
            here.append(self)
            _attached.append((weakref.ref(control), weakref.ref(self)))
        for other in here:
            is_one = self._is_plain() or other._is_plain() or self._place(args) == other._place(args)
            if other is self or not is_one:
                continue
            if other._run is not None or (self._is_plain() and not other._is_plain()):
                return True
            if other._is_plain() and not self._is_plain():
                other._withdraw()
            elif here.index(other) < here.index(self):
                return True
        return False

    def _is_plain(self) -> bool:
        return self.task is None and self.name is None and self.home is None

    def _place(self, args: Any) -> tuple[Path, str]:
        return self._home().path, self._task_of(args).id

    def _home(self) -> Home:
        return self.home if isinstance(self.home, Home) else Home.open(self.home)

    def _task_of(self, args: Any) -> TaskIdentity:
        return task_of_folder(args.output_dir, self.name) if self.task is None else task_of_key(self.task, self.name)

    @_safe
    def _share_requests(self, state: Any, control: Any) -> None:
        """At a step that logs, on every rank: what rank zero was asked is done by all."""
        assert self._ranks is not None
        run, commands = self._run, []
        try:
            commands = run.new_requests() if run is not None else []
        finally:
            # Whatever happened on this rank, the others wait for it here.
            asked = [command.name for command in commands if run is not None and run.takes(command)]
            for name in self._ranks.exchange(asked):
                obey(name, control)
        for command in commands:
            assert run is not None
            run.answer(command, state)

    def _end(self, ending: Ending) -> None:
        run, self._run = self._run or self._pending, None
        self._pending = self._ranks = None
        if run is not None:
            run.end(ending)

    def _tell(self, error: Exception) -> None:
        if self._run is not None:
            self._run.recorder.tell(error)
        elif strict():
            raise error
        elif not self._told:
            self._told = True
            say(failure_text(error, "The training goes on, and this run is not recorded."))


_attached: list[tuple[weakref.ref[Any], weakref.ref[SteplineCallback]]] = []
"""The control of a trainer, and a callback of it."""


def _no_trainer() -> None:
    return None
