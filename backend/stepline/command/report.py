"""`stepline doctor --bundle FILE`: what a bug report needs, in a zip, without anything personal.

doctor.json         what the doctor found
store.json          of each task and run: states, counts, versions; no names, no values, no texts of a training
surroundings.json   system, versions, variables that bear on Stepline
README.txt          what this is
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import socket
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from stepline import __version__, environments, frozen
from stepline.command.checks import Check
from stepline.command.redaction import Redaction
from stepline.errors import SteplineError, UsageError
from stepline.home import Home, default_home
from stepline.store import Store
from stepline.visit import take_in
from stepline.watching import watched_folders

VARIABLES = (
    *("LANG", "LC_ALL", "LC_CTYPE", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "DISPLAY", "WAYLAND_DISPLAY"),
    *("QT_QPA_PLATFORM", "QT_SCALE_FACTOR", "QTWEBENGINE_CHROMIUM_FLAGS", "PYWEBVIEW_GUI", "CUDA_VISIBLE_DEVICES"),
    *("STEPLINE_HOME", "STEPLINE_STRICT", "STEPLINE_LAUNCH", "DBUS_SESSION_BUS_ADDRESS", "SSH_CONNECTION"),
)
SAID = frozenset(("zh", "en", "light", "dark", "system", "sequence", "step", "epoch", "time", "relative", "tokens"))
"""Words that settings may have; any other text in them is a person's."""
ABOUT = """A report of Stepline for its developers, made by `stepline doctor --bundle`.

Names of people, machines, tasks, folders and files were replaced by marks such as <task 1> or <path>; values, settings
and messages of trainings are not in it. Look through the three JSON files before you hand it on.
"""


def write(file: Path, found: Sequence[Check], path: Path | None) -> None:
    """Write the report to `file`. Raises UsageError where something lies there already or it cannot be written."""
    known: dict[str, str] = dict(_of_this_machine())
    told: dict[str, Any] = {}
    place = path or default_home()
    known[str(place)] = known[str(place.absolute())] = "<home>"
    with contextlib.suppress(SteplineError):
        home = Home.open(path, create=False)
        # The home's mark last: where the database lies in it, both are one folder.
        known |= {str(home.folder): "<database folder>", str(home.path): "<home>"}
        known[os.path.realpath(home.path)] = "<home>"
        told = _files(home)
        with take_in(home) as store:
            known |= _of_tasks(store)
            told |= _store(store)
    clean = Redaction(known)
    parts = {
        "doctor.json": clean([asdict(check) for check in found]),
        "store.json": told,
        "surroundings.json": clean(_surroundings()),
    }
    try:
        with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", ABOUT)
            for name, part in parts.items():
                archive.writestr(name, json.dumps(part, ensure_ascii=False, indent=1))
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {file}",
            why=error.strerror or str(error),
            action="Name a file that is not there yet, in a folder that may be written",
        ) from error


def _of_this_machine() -> Iterator[tuple[str, str]]:
    yield socket.gethostname(), "<host>"
    yield socket.gethostname().partition(".")[0], "<host>"
    with contextlib.suppress(OSError, KeyError, ImportError):
        yield getpass.getuser(), "<user>"
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        if value := os.environ.get(name):
            yield value, "<user>"
    if sys.platform != "win32":
        import pwd

        with contextlib.suppress(KeyError):
            yield pwd.getpwuid(os.getuid()).pw_gecos.partition(",")[0], "<user>"
    with contextlib.suppress(RuntimeError):
        yield str(Path.home()), "<user's folder>"
        yield os.path.realpath(Path.home()), "<user's folder>"
    yield str(frozen.folder() or Path(sys.prefix)), "<program>"
    for number, each in enumerate(environments.find(), 1):
        yield str(each.folder), f"<environment {number}>"


def _of_tasks(store: Store) -> dict[str, str]:
    known: dict[str, str] = {}
    for number, task in enumerate((*store.tasks(), *store.trash()), 1):
        names = (task.name, task.label, task.key, task.id, *task.tags, *(run.id for run in store.runs(task.id)))
        # A key is a path: its last part alone may stand in a sentence.
        known |= {name: f"<task {number}>" for name in names if name}
        known |= {Path(task.key).name: f"<task {number}>"} if task.key else {}
        known |= {run.process.host: "<host>" for run in store.runs(task.id)}
    known |= {str(folder): f"<watched folder {number}>" for number, folder in enumerate(watched_folders(store), 1)}
    return known


def _store(store: Store) -> dict[str, Any]:
    return {
        "settings": {name: _setting(value) for name, value in store.settings().items()},
        "tasks": [
            {
                "task": f"<task {number}>",
                "status": task.status,
                "records": task.records,
                "bytes": task.bytes,
                "metrics": len(store.metrics(task.id)),
                "trashed": task.trashed is not None,
                "runs": [
                    {
                        "number": run.number,
                        "status": run.status,
                        "found_to_have_ended": run.inferred,
                        "records": run.records,
                        "damaged_lines": run.damaged,
                        "journal_bytes": run.position,
                        "phase": run.heartbeat_phase,
                    }
                    for run in store.runs(task.id)
                ],
            }
            for number, task in enumerate((*store.tasks(), *store.trash()), 1)
        ],
    }


def _setting(value: Any) -> Any:
    if isinstance(value, dict):
        return f"<{len(value)} entries>"
    if isinstance(value, list):
        return f"<{len(value)} items>"
    return value if value is None or isinstance(value, bool | int | float) or value in SAID else "<text>"


def _files(home: Home) -> dict[str, Any]:
    """Sizes in bytes; of journals their number too."""
    database = {path.name: path.stat().st_size for path in home.folder.glob(f"{home.database.name}*")}
    journals = [path.stat().st_size for path in home.journals.glob("*.jsonl")]
    return {"database": database, "journals": {"count": len(journals), "bytes": sum(journals)}}


def _surroundings() -> dict[str, Any]:
    return {
        "stepline": __version__,
        "packaged": frozen.folder() is not None,
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
