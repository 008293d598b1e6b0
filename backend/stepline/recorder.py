"""Writing a run's journal from inside a training, which must never feel it.

A call here does not raise, does not wait for anything but one `write`, and does nothing at all in a forked child (a
data-loader worker that inherits the run). The first failure is told once on standard error, with its cause; with
STEPLINE_STRICT=1 each is raised where it happened. What cannot be written waits and is tried again
(stepline.journal_file); what is lost in the end is counted and told.

    with stepline.record("pilot", total_steps=100, settings={"lr": 3e-4}) as run:
        for step in range(1, 101):
            run.log({"loss": loss}, step=step)

Standard library only.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from stepline import endings
from stepline.endings import Ending
from stepline.errors import SteplineError, UsageError
from stepline.home import Home
from stepline.journal import (
    Header,
    Heartbeat,
    Kind,
    Phase,
    Process,
    Update,
    encode_header,
    encode_heartbeat,
    encode_line,
    encode_update,
)
from stepline.journal_file import JournalFile
from stepline.plain import flat_settings
from stepline.task_identity import TaskIdentity, task_of_key

HEARTBEAT_SECS = 5.0


def new_run_id() -> str:
    """`YYYYMMDD-HHMMSS-xxxxxxxx` in UTC, so that ids sort by age."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(4).hex()}"


def new_header(task: TaskIdentity, total_steps: int | None, settings: Mapping[Any, Any]) -> Header:
    """The header of a run that this process begins now."""
    return Header(
        task_id=task.id,
        task_name=task.name,
        task_key=task.key,
        run_id=new_run_id(),
        time=time.time(),
        process=Process.current(),
        total_steps=total_steps,
        settings=flat_settings(settings),
        launch=os.environ.get("STEPLINE_LAUNCH"),
    )


class Recorder:
    """Writes one run's journal, from any thread of this process. The header is written at once.

    `step` and `phase` are what the heartbeat tells; whoever drives the training sets them.
    """

    def __init__(self, home: Home, header: Header) -> None:
        self.header = header
        self.step: int | None = None
        self.phase: Phase = "train"
        self.thread = threading.get_ident()
        self.process = os.getpid()
        self._file = JournalFile(home.journals / f"{header.run_id}.jsonl")
        # Reentrant: a signal handler may log while the main thread is inside a log call.
        self._lock = threading.RLock()
        self._quiet = True
        self._told = False
        self._ended = threading.Event()
        try:
            self._write(encode_header(header))
        except OSError as error:
            self.tell(error)
        endings.watch(self)
        threading.Thread(target=self._beat, name="stepline-heartbeat", daemon=True).start()

    @property
    def open(self) -> bool:
        return not self._ended.is_set()

    def record(
        self,
        kind: Kind,
        *,
        step: int | None = None,
        epoch: float | None = None,
        metrics: Mapping[Any, Any] | None = None,
        message: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one record. Raises OSError where its line has to wait; callers in a training hand that to `tell`."""
        if os.getpid() != self.process:
            return
        # Laid out by hand and not through Record: this runs inside the training, and the object costs a microsecond.
        fields: dict[str, Any] = {"kind": kind, "time": time.time()}
        if step is not None:
            self.step = fields["step"] = step
        if epoch is not None:
            fields["epoch"] = epoch
        if metrics:
            fields["metrics"] = metrics if metrics.__class__ is dict else dict(metrics)
        if message is not None:
            fields["message"] = message
        if details:
            fields["details"] = details
        self._write(encode_line(fields))

    def update(self, update: Update) -> None:
        """Write later knowledge about the run. Raises as `record` does."""
        if os.getpid() == self.process:
            self._write(encode_update(update))

    def end(self, ending: Ending, metrics: Mapping[Any, Any] | None = None) -> None:
        """Write `train_end` and close the journal. The first ending counts, any later one does nothing."""
        if os.getpid() != self.process:
            return
        with self._lock:
            if self._ended.is_set():
                return
            details: dict[str, Any] = {"status": ending.status}
            if ending.error is not None:
                details["error"] = ending.error
            failure: Exception | None = None
            try:
                self.record("train_end", step=self.step, metrics=metrics, message=ending.message, details=details)
            except Exception as error:
                failure = error
            self._ended.set()
            endings.forget(self)
            self._file.close()
        if self._file.lost_lines:
            say(f"Stepline: {self._file.lost_lines} lines of {self._file.path} could not be written and are lost.")
        if failure is not None:
            self.tell(failure)

    def tell(self, error: Exception) -> None:
        """Tell the first failure on standard error; with STEPLINE_STRICT=1 raise each."""
        if strict():
            raise error
        self._tell_once(error)

    def _tell_once(self, error: Exception) -> None:
        first, self._told = not self._told, True
        if first:
            say(failure_text(error, f"What is not written to {self._file.path} is kept and tried again."))

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._ended.is_set():
                raise UsageError("This run has ended", action="Begin another run to record more")
            self._quiet = False
            self._file.append(line)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECS):
            try:
                with self._lock:
                    if self._ended.is_set():
                        return
                    if self._file.check():
                        say(f"Stepline: the journal {self._file.path} was removed while it was written; it is back.")
                    quiet, self._quiet = self._quiet, True
                    if quiet:
                        self._file.append(encode_heartbeat(Heartbeat(time.time(), self.step, self.phase)))
            except Exception as error:
                # Nobody's own line to raise at: this is a thread of ours.
                self._tell_once(error)


class Run:
    """A run of any training loop. Made by `stepline.record`; use it as a context manager.

    Metrics are numbers (also tensors and numpy scalars of one element) or texts, under any names.
    """

    def __init__(self, task: TaskIdentity, total_steps: int | None, settings: object, home: object) -> None:
        self._task = task
        self._total_steps = total_steps
        self._settings = settings
        self._home = home
        self._recorder: Recorder | None = None
        self._told = False

    @property
    def id(self) -> str | None:
        """The run's id; None before it began, and where its journal cannot be written."""
        return self._recorder.header.run_id if self._recorder else None

    @property
    def task_id(self) -> str:
        return self._task.id

    def __enter__(self) -> Run:
        try:
            settings = self._settings
            if settings is not None and not isinstance(settings, Mapping):
                settings = vars(settings)
            header = new_header(self._task, self._total_steps, settings or {})
            home = self._home if isinstance(self._home, Home) else Home.open(self._home)  # type: ignore[arg-type]
            self._recorder = Recorder(home, header)
            self._recorder.record("train_start")
        except Exception as error:
            self._tell(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recorder is not None:
            self._recorder.end(endings.ending_of(error) if error is not None else Ending("completed"))

    def log(self, metrics: Mapping[str, Any], step: int | None = None, epoch: float | None = None) -> None:
        """Record training metrics: a record of kind `step`."""
        try:
            if self._recorder is not None:
                self._recorder.record("step", step=step, epoch=epoch, metrics=metrics)
        except Exception as error:
            self._tell(error)

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Record settings that are known only after the run began."""
        try:
            if self._recorder is not None:
                self._recorder.update(Update(settings=flat_settings(settings)))
        except Exception as error:
            self._tell(error)

    def evaluation(self, metrics: Mapping[str, Any], step: int | None = None, epoch: float | None = None) -> None:
        """Record what an evaluation gave."""
        try:
            if self._recorder is not None:
                self._recorder.record("evaluation", step=step, epoch=epoch, metrics=metrics)
        except Exception as error:
            self._tell(error)

    def checkpoint(self, path: str | os.PathLike[str], step: int | None = None) -> None:
        """Record that a checkpoint was written at `path`, a file or a folder."""
        try:
            if self._recorder is not None:
                place = os.path.abspath(os.fspath(path))
                self._recorder.record("checkpoint", step=step, details={"path": place, "bytes": size_bytes(place)})
        except Exception as error:
            self._tell(error)

    def message(self, text: str, step: int | None = None) -> None:
        """Record a line of text for people."""
        try:
            if self._recorder is not None:
                self._recorder.record("message", step=step, message=text)
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self._recorder is not None:
            self._recorder.tell(error)
        elif strict():
            raise error
        elif not self._told:
            self._told = True
            say(failure_text(error, "The training goes on, and this run is not recorded."))


def record(
    name: str,
    total_steps: int | None = None,
    settings: Mapping[str, Any] | object | None = None,
    home: str | Path | Home | None = None,
) -> Run:
    """A run of the task that `name` names, to be used as a context manager.

    Entering it writes the journal's header. Leaving it ends the run: `completed`, or `failed` with the exception's type
    and text, or `stopped` by Ctrl-C. The same name again makes the task's next run. `settings`: a mapping, or an object
    with attributes such as argparse's namespace. `home`: the folder; by default STEPLINE_HOME or the user's own.
    """
    return Run(task_of_key(name), total_steps, settings, home)


def size_bytes(path: str) -> int | None:
    """Bytes of the file, or of all files in the folder, at `path`; None where that cannot be read."""
    try:
        if not os.path.isdir(path):
            return os.path.getsize(path)
        total = 0
        for folder, _, files in os.walk(path):
            total += sum(os.lstat(os.path.join(folder, file)).st_size for file in files)
        return total
    except OSError:
        return None


def strict() -> bool:
    return os.environ.get("STEPLINE_STRICT", "") not in ("", "0")


def failure_text(error: Exception, consequence: str) -> str:
    """The one line that a person reads about `error`."""
    cause = str(error) if isinstance(error, SteplineError) else f"{type(error).__name__}: {error}."
    return f"Stepline cannot record: {cause} {consequence}"


def say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        # Standard error is closed or was never there; there is nowhere left to tell it.
        return
