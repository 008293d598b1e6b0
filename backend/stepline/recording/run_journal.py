"""Writing a run's journal from inside a training, which must never feel it.

A call here does not raise, does not wait for anything but one `write`, and does nothing at all in a forked child (a
data-loader worker that inherits the run). The first failure is told once on standard error, with its cause; with
STEPLINE_STRICT=1 each is raised where it happened. What cannot be written waits and is tried again
(`journal_file`); what is lost in the end is counted and told.

A run may be pending at first: its header is there and its heart beats. One that never begins because nobody needs it
any more is taken back, journal and all; one that an exception or a kill kept from beginning stays, and says so.

Standard library only.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from stepline.errors import SteplineError, UsageError
from stepline.home import Home
from stepline.recording import endings
from stepline.recording.endings import Ending
from stepline.recording.journal import (
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
from stepline.recording.journal_file import JournalFile
from stepline.recording.plain import LARGEST_STEP, flat_settings, text, whole_step
from stepline.recording.task_identity import TaskIdentity

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
        total_steps=total if (total := whole_step(total_steps)) is not None and total > 0 else None,
        settings=flat_settings(settings),
        launch=os.environ.get("STEPLINE_LAUNCH"),
    )


class Recorder:
    """Writes one run's journal, from any thread of this process. The header is written at once.

    `pending`: whether the run waits for `begin`. `step` and `phase` are what the heartbeat tells; whoever drives the
    training sets them.
    """

    def __init__(self, home: Home, header: Header, *, pending: bool = False) -> None:
        self.header = header
        self.pending = pending
        self.step: int | None = None
        self.phase: Phase = "pending" if pending else "train"
        self.thread = threading.get_ident()
        self.process = os.getpid()
        self.journals = home.journals
        self._file = JournalFile(home.journals / f"{header.run_id}.jsonl")
        # Reentrant: a signal handler may log while the main thread is inside a log call.
        self._lock = threading.RLock()
        self._quiet = True
        self._told = False
        self._ended = threading.Event()
        endings.watch(self)
        if not pending:
            endings.begun(self)
        try:
            self._write(encode_header(header))
        except OSError as error:
            self.tell(error)
        try:
            threading.Thread(target=self._beat, name="stepline-heartbeat", daemon=True).start()
        except RuntimeError as error:
            # The process may start no more threads: the run is recorded without heartbeats.
            self.tell(error)

    def begin(self) -> None:
        """A pending run begins, in this thread."""
        self.pending = False
        self.phase = "train"
        self.thread = threading.get_ident()
        endings.begun(self)

    def withdraw(self) -> None:
        """Take back a run that is still pending: its journal is removed. Does nothing to one that has begun."""
        if os.getpid() != self.process:
            return
        with self._lock:
            if self.pending and not self._ended.is_set():
                self._ended.set()
                endings.forget(self)
                self._file.discard()

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
        """Write one record. A failure is told, and raised only with STEPLINE_STRICT=1."""
        if os.getpid() != self.process:
            return
        try:
            # Laid out here and not as a Record: this runs inside the training, and the object costs a microsecond.
            fields: dict[str, Any] = {"kind": kind, "time": time.time()}
            wrong = None
            if step is not None:
                if step.__class__ is not int or not -LARGEST_STEP < step < LARGEST_STEP:
                    # A reader leaves out a line with another step, and with it what was logged there.
                    wrong, step = step, whole_step(step)
                if step is not None:
                    self.step = fields["step"] = step
                    wrong = None
            if epoch is not None:
                fields["epoch"] = epoch
            if metrics:
                fields["metrics"] = metrics if metrics.__class__ is dict else dict(metrics)
            if message is not None:
                fields["message"] = text(message)
            if details:
                fields["details"] = details
            self._write(encode_line(fields))
            if wrong is not None:
                self.tell(
                    UsageError(
                        f"A step is a whole number, and {text(repr(wrong), 100)} is none",
                        action="Give it as one",
                        lost="What was logged with it stands without a step",
                    )
                )
        except Exception as error:
            self.tell(error)

    def update(self, update: Update) -> None:
        """Write later knowledge about the run, while it is open. A failure is told as in `record`."""
        if os.getpid() != self.process:
            return
        with self._lock:
            try:
                if not self._ended.is_set():
                    self._write(encode_update(update))
            except Exception as error:
                self.tell(error)

    def end(self, ending: Ending, metrics: Mapping[Any, Any] | None = None, epoch: float | None = None) -> None:
        """Write `train_end` and close the journal. The first ending counts, any later one does nothing."""
        if os.getpid() != self.process:
            return
        with self._lock:
            if self._ended.is_set():
                return
            details: dict[str, Any] = {"status": ending.status}
            if ending.error is not None:
                details["error"] = ending.error
            try:
                self.record(
                    "train_end",
                    step=self.step,
                    epoch=epoch,
                    metrics=metrics,
                    message=ending.message,
                    details=details,
                )
            finally:
                self._ended.set()
                endings.forget(self)
                self._file.close()
                if lost := self._file.lost_lines:
                    say(f"Stepline: {lost} lines of {self._file.path} could not be written and are lost.")

    def add(self, kind: Kind, *, step: int | None, epoch: float | None, metrics: Mapping[Any, Any]) -> None:
        """Write a record of a run that has ended. Its journal is there for as long as this process; where it was
        removed, nothing is written. A failure is told as in `record`."""
        if os.getpid() != self.process:
            return
        try:
            line = encode_line(
                {"kind": kind, "time": time.time(), "step": step, "epoch": epoch, "metrics": dict(metrics)}
            )
            with self._lock:
                self._file.append_late(line)
        except FileNotFoundError:
            return
        except Exception as error:
            self.tell(error)

    def tell(self, error: Exception) -> None:
        """Tell the first failure on standard error; with STEPLINE_STRICT=1 raise each."""
        if strict():
            raise error
        self._tell_once(error)

    def _tell_once(self, error: Exception) -> None:
        first, self._told = not self._told, True
        if first:
            kept = f"What is not written to {self._file.path} is kept and tried again."
            say(failure_text(error, kept if isinstance(error, OSError) else "The training goes on."))

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
