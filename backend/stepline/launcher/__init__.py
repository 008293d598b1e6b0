"""`stepline run -- python train.py`: watch a training without a change of its script or its environment.

The recorder's own files (standard library only) are laid into the home and put on the child's path, with a
sitecustomize that gives every `transformers.Trainer` the callback. The child's standard error passes through unchanged,
as a terminal where ours is one; its last lines and the exit code name the end of a run that could not say it itself.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import stepline
from stepline.errors import UsageError
from stepline.frozen import outer_environment
from stepline.home import Home
from stepline.launcher.ending import Ending, memory_kills, name_ending
from stepline.recording.journal import Record, encode_record

__all__ = ["Ending", "launch"]

TAIL_BYTES = 64 * 1024


def launch(command: Sequence[str], home: Home, *, task: str | None = None) -> Ending:
    """Runs `command` to its end and says how it ended. Raises UsageError where it cannot be started."""
    launch_id = secrets.token_hex(8)
    environment = _environment(home, launch_id, task)
    killed_before = memory_kills()
    if sys.platform != "win32" and sys.stderr.isatty():
        reader, writer = os.openpty()
    else:
        reader, writer = os.pipe()
    try:
        child = subprocess.Popen(list(command), env=environment, stderr=writer)
    except OSError as error:
        os.close(reader)
        raise UsageError(
            f"{command[0] or 'An empty command'} cannot be started",
            why=error.strerror or str(error),
            action="Write the command as you would without Stepline, after two dashes: stepline run -- python train.py",
        ) from error
    finally:
        os.close(writer)
    tail = bytearray()
    copier = threading.Thread(target=_copy, args=(reader, tail), name="stepline-stderr", daemon=True)
    copier.start()
    returncode = _wait(child)
    # A grandchild may hold the pipe open for as long as it likes; what ended has said what it had to say.
    copier.join(timeout=2)
    ending = name_ending(
        returncode, tail.decode(errors="replace"), memory_kills_meanwhile=memory_kills() - killed_before
    )
    has_run = _tell_journals(home, launch_id, ending, tail.decode(errors="replace"))
    return replace(ending, has_run=has_run)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """The keyboard's interrupt reaches the child too (one process group); we stay until it has ended of it."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def _copy(reader: int, tail: bytearray) -> None:
    with os.fdopen(reader, "rb", buffering=0) as source:
        while True:
            try:
                data = source.read(65536)
            except OSError:  # a terminal's other end is gone: Linux says EIO where a pipe says end of file
                return
            if not data:
                return
            tail += data
            del tail[:-TAIL_BYTES]
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()


def _environment(home: Home, launch_id: str, task: str | None) -> dict[str, str]:
    folder = lay_out_core(home)
    places = [str(folder), os.environ.get("PYTHONPATH", "")]
    environment = outer_environment()
    environment["PYTHONPATH"] = os.pathsep.join(place for place in places if place)
    environment["STEPLINE_HOME"] = str(home.path)
    environment["STEPLINE_LAUNCH"] = launch_id
    if task is not None:
        environment["STEPLINE_TASK"] = task
    return environment


def lay_out_core(home: Home) -> Path:
    """The recorder's files in a folder of their own, so that nothing else of our environment is on the child's path."""
    source = resources.files("stepline")
    folder = home.path / "launch" / stepline.__version__
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    (fresh / "stepline" / "recording").mkdir(parents=True)
    for name in core_files():
        (fresh / "stepline" / name).write_bytes((source / name).read_bytes())
    injected = source / "launcher" / "injected" / "sitecustomize.py"
    (fresh / "sitecustomize.py").write_bytes(injected.read_bytes())
    if folder.exists() and _same(folder, fresh):
        shutil.rmtree(fresh)
        return folder
    # Two launches at once: each has whole files, whoever comes last.
    if folder.exists():
        return fresh
    try:
        fresh.rename(folder)
    except OSError:
        return fresh
    return folder


def core_files() -> list[str]:
    """What a training process needs of the package; the import contracts hold that it needs nothing else of it."""
    recording = (resources.files("stepline") / "recording").iterdir()
    names = sorted(f"recording/{file.name}" for file in recording if file.name.endswith(".py"))
    return ["__init__.py", "errors.py", "home.py", *names]


def _same(one: Path, other: Path) -> bool:
    files = sorted(path.relative_to(other) for path in other.rglob("*.py"))
    return all((one / path).is_file() and (one / path).read_bytes() == (other / path).read_bytes() for path in files)


def _tell_journals(home: Home, launch_id: str, ending: Ending, errors: str) -> bool:
    """Ends the runs of this launch that could not say it themselves: killed, or ended without Python's goodbye. Whether
    the launch has a run."""
    has_run = False
    for journal in home.journals.glob("*.jsonl"):
        try:
            with journal.open("rb") as file:
                header = json.loads(file.readline())
                if header.get("launch") != launch_id:
                    continue
                has_run = True
                lines = file.read()
            if b'"train_end"' in lines:
                continue
            if ending.status == "completed" and b'"train_start"' not in lines:
                # A trainer that was built and never trained, in a process that left without Python's goodbye.
                journal.unlink()
                continue
        except (OSError, ValueError, AttributeError):
            continue
        details = {
            "status": ending.status,
            "exit": {"code": ending.returncode, "cause": ending.cause},
            "standard_error": errors[-4000:],
        }
        line = encode_record(Record("train_end", time.time(), message=ending.text, details=details))
        with journal.open("ab", buffering=0) as file:
            file.write(b"\n" + line)
    return has_run
