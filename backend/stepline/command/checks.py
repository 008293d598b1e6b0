"""What `stepline doctor` looks at: one check a line, with what it found and, where that is not well, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from stepline import __version__, environments, frozen
from stepline.command.asking import send
from stepline.command.journals import refused
from stepline.command.listing import damage
from stepline.errors import HomeError, SteplineError
from stepline.home import Home, default_home
from stepline.samplers.gpus import Gpus
from stepline.server.returning import port_before
from stepline.visit import take_in
from stepline.writer import read_address
from stepline_desktop import surroundings

State = Literal["well", "note", "wrong"]
QT = ("PySide6_Essentials",) if sys.platform == "linux" else ()
"""Elsewhere the window is the system's own."""
PACKAGES = ("flask", "peewee", "numba", "pywebview", *QT, "torch", "transformers")
LITTLE_SPACE_BYTES = 1 << 30
NO_SPACE_BYTES = 50 << 20
"""Below it a commit and its write-ahead log may not find room."""
GIB, MIB = 1 << 30, 1 << 20


@dataclass(frozen=True)
class Check:
    """One thing looked at. `note`: worth knowing; `wrong`: to be mended, and the command fails."""

    subject: str
    state: State
    told: str
    mend: str = ""
    """What to do; "" where nothing has to be done."""

    @classmethod
    def of(cls, subject: str, state: State, error: SteplineError) -> Check:
        told = SteplineError(error.what, why=error.why, lost=error.lost)
        return cls(subject, state, str(told), error.action)


def look(path: Path | None) -> Iterator[Check]:
    """All checks, each as it is done. `path` names the home as on the command line."""
    yield Check(
        "version", "well", f"Stepline {__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    yield Check("program", "well", f"{'Packaged, in' if frozen.folder() else 'In'} {frozen.folder() or sys.prefix}")
    yield Check("packages", "well", ", ".join(versions()))
    yield window()
    yield gpu()
    yield trainings()
    try:
        home = Home.open(path, create=False)
    except HomeError as error:
        place = path or default_home()
        if place.exists():
            yield Check.of("home", "wrong", error)
        else:
            yield Check("home", "note", f"{place} is not there yet; the first training or start makes it")
        yield port(None)
        return
    moved = f"; on a network file system, so the database is in {home.folder}" if home.database_moved else ""
    yield Check("home", "note" if moved else "well", f"{home.path}{moved}")
    yield disk(home)
    yield app(home)
    yield port(home)
    yield kernels(home)
    yield from store(home)


def versions() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} not installed"


def window() -> Check:
    try:
        surroundings.prepare()
    except SteplineError as obstacle:
        return Check.of("window", "note", obstacle)
    return Check("window", "well", "It can open here")


def gpu() -> Check:
    gpus = Gpus()
    try:
        names = gpus.names()
    finally:
        gpus.close()
    if names:
        return Check("gpu", "well", ", ".join(names))
    if Path("/dev/nvidiactl").exists():
        return Check(
            "gpu",
            "note",
            "There is an NVIDIA GPU, but its driver does not answer: trainings have no GPU figures",
            "Run nvidia-smi, which says why; after an update of the driver, restart the machine",
        )
    return Check("gpu", "well", "No NVIDIA driver: trainings have no GPU figures, all else works")


def trainings() -> Check:
    found = environments.find()
    told = ", ".join(f"{each.folder} (transformers {each.transformers})" for each in found)
    return Check("trainings", "well", f"Environments with transformers: {told or 'none where tools put them'}")


def disk(home: Home) -> Check:
    free = shutil.disk_usage(home.folder).free
    told = f"{free / GIB:.1f} GiB free at {home.folder}"
    if free >= LITTLE_SPACE_BYTES:
        return Check("disk", "well", told)
    mend = "Make room there, empty the trash, or move the home and name it with --home DIR or STEPLINE_HOME"
    return Check("disk", "wrong" if free < NO_SPACE_BYTES else "note", told, mend)


def app(home: Home) -> Check:
    address = read_address(home)
    if address is None:
        return Check("app", "well", "Not running on this home")
    if send(address.address, address.token, "GET", "/api/about"):
        return Check("app", "well", f"Running at {address.address}, process {address.pid}")
    told = f"Process {address.pid} left its address but does not answer"
    return Check("app", "note", told, "Nothing where it has ended: the next start takes over. Else end that process")


def port(home: Home | None) -> Check:
    """Whether a program of this machine reaches another: a sandbox or a firewall may forbid even that."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        return Check(
            "port",
            "wrong",
            f"Programs of this machine cannot reach each other at 127.0.0.1 ({error.strerror or error})",
            "Allow loopback connections in the firewall or the sandbox",
        )
    before = port_before(home) if home is not None else 0
    return Check("port", "well", f"127.0.0.1 can be reached{f'; the last start used port {before}' if before else ''}")


def kernels(home: Home) -> Check:
    folder = home.kernels_cache
    place = folder if folder.is_dir() else folder.parent
    if not os.access(place, os.W_OK):
        mend = f"Allow writing there: chmod u+rwx '{place}'. Until then each start compiles them anew in the background"
        return Check("kernels", "note", f"Compiled kernels cannot be kept in {place}", mend)
    count = sum(1 for _ in folder.rglob("*.nbi")) if folder.is_dir() else 0
    told = f"{count} compiled, in {folder}" if count else "Not compiled yet; the first start does it in the background"
    return Check("kernels", "well", told)


def store(home: Home) -> Iterator[Check]:
    try:
        with take_in(home) as opened:
            faults = opened.faults()
            tasks = opened.tasks()
            damaged = damage([(task, opened.runs(task.id)) for task in tasks])
            left = refused(home, opened)
    except SteplineError as error:
        yield Check.of("database", "wrong", error)
        return
    if faults:
        copies = ", ".join(path.name for path in sorted(home.folder.glob(f"{home.database.name}.*.bak")))
        yield Check(
            "database",
            "wrong",
            f"{home.database} is damaged: {'; '.join(faults)}",
            f"End Stepline and move the file away: journals that still lie in the home come in anew{_or(copies)}",
        )
        return
    size = home.database.stat().st_size / MIB
    records = sum(task.records for task in tasks)
    told = f"{len(tasks)} tasks, {records:,} records, {size:.1f} MiB at {home.database}, checked whole"
    yield Check("database", "well", told)
    for note in (*left, *damaged):
        yield Check("journal", "note", note)


def _or(copies: str) -> str:
    return f", or restore a copy that an update left: {copies}" if copies else ""
