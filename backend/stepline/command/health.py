"""`stepline doctor`: what is found on this machine, what is wrong with it, and how to mend it."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.console import Console

from stepline import __version__
from stepline.app import take_in
from stepline.command.asking import send
from stepline.command.journals import refused
from stepline.command.listing import damage
from stepline.errors import HomeError, SteplineError
from stepline.home import Home, default_home
from stepline.writer import read_address
from stepline_desktop import surroundings

State = Literal["well", "note", "wrong"]
PACKAGES = ("flask", "peewee", "numba", "pywebview", "PySide6_Essentials", "torch", "transformers")
LITTLE_SPACE_BYTES = 1 << 30


@dataclass(frozen=True)
class Check:
    """One thing looked at. `note`: worth knowing; `wrong`: to be mended, and the command fails."""

    subject: str
    state: State
    told: str


def doctor(path: Path | None, *, as_json: bool) -> None:
    """Print what was found. Raises SteplineError after it where something is wrong."""
    found = list(look(path))
    if as_json:
        print(json.dumps([asdict(check) for check in found], ensure_ascii=False, indent=2))
    else:
        draw(found)
    wrong = [check.subject for check in found if check.state == "wrong"]
    if wrong:
        raise SteplineError(f"Wrong: {', '.join(wrong)}", action="What to do stands beside each")


def draw(found: list[Check]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    marks = {"well": "[green]well [/]", "note": "[yellow]note [/]", "wrong": "[red]wrong[/]"}
    for check in found:
        console.print(f"{marks[check.state]}  {check.subject:<9}", end=" ")
        console.print(check.told, markup=False)


def look(path: Path | None) -> Iterator[Check]:
    yield Check(
        "version", "well", f"Stepline {__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    yield Check("packages", "well", ", ".join(versions()))
    yield window()
    yield from home_checks(path)


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
        return Check("window", "note", str(obstacle))
    return Check("window", "well", "It can open here")


def home_checks(path: Path | None) -> Iterator[Check]:
    try:
        home = Home.open(path, create=False)
    except HomeError as error:
        place = path or default_home()
        if not place.exists():
            yield Check("home", "note", f"{place} is not there yet; the first training or start makes it")
        else:
            yield Check("home", "wrong", str(error))
        return
    moved = f"; on a network file system, so the database is in {home.folder}" if home.database_moved else ""
    yield Check("home", "note" if moved else "well", f"{home.path}{moved}")
    free = shutil.disk_usage(home.folder).free
    little = free < LITTLE_SPACE_BYTES
    yield Check("disk", "note" if little else "well", f"{free / (1 << 30):.1f} GiB free at {home.folder}")
    yield writer(home)
    yield from store_checks(home)


def writer(home: Home) -> Check:
    address = read_address(home)
    if address is None:
        return Check("app", "well", "Not running on this home")
    if send(address.address, address.token, "GET", "/api/about"):
        return Check("app", "well", f"Running at {address.address}, process {address.pid}")
    return Check("app", "note", f"Process {address.pid} left its address but does not answer; the next takes over")


def store_checks(home: Home) -> Iterator[Check]:
    try:
        with take_in(home) as store:
            tasks = store.tasks()
            damaged = damage([(task, store.runs(task.id)) for task in tasks])
            left = refused(home, store)
    except SteplineError as error:
        yield Check("database", "wrong", str(error))
        return
    size = home.database.stat().st_size / (1 << 20)
    records = sum(task.records for task in tasks)
    yield Check("database", "well", f"{len(tasks)} tasks, {records:,} records, {size:.1f} MiB at {home.database}")
    for note in (*left, *damaged):
        yield Check("journal", "note", note)
