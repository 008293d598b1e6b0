"""`stepline export` and `stepline import`: histories out of the home and into it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from stepline import exporters
from stepline.app import take_in
from stepline.command.homes import open_home, say
from stepline.command.journals import named
from stepline.errors import SteplineError


def export(path: Path | None, task: str, form: str, output: Path | None) -> None:
    """Every record of a task, to a file or to standard output."""
    home = open_home(path)
    with take_in(home) as store:
        found = store.find_task(task)
        with destination(output) as stream:
            exporters.export(store, found.id, form, stream)
    if output is not None:
        say(f"{found.records} records of {found.name} are in {output}.")


@contextlib.contextmanager
def destination(output: Path | None) -> Iterator[TextIO]:
    """Where an export goes. A file is there whole or not at all. Raises SteplineError where it cannot be written."""
    if output is None or str(output) == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8", newline="") as stream:
            yield stream
        os.replace(draft, output)
    except OSError as error:
        raise SteplineError(
            f"{output} cannot be written", why=error.strerror or str(error), action="Name another file with -o"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def import_paths(path: Path | None, paths: tuple[Path, ...]) -> None:
    """Take in journals from elsewhere. All are looked at before the first is taken in."""
    home = open_home(path)
    journals = list(named(paths))
    with take_in(home, [journal.path for journal in journals]) as store:
        for journal in journals:
            run = store.run(journal.header.run_id)
            if run is not None:
                name = store.task(run.task_id).name
                damaged = f", {run.damaged} damaged lines left out" if run.damaged else ""
                print(f"{journal.path}: {name}, run {run.number}, {run.records} records, {run.status}{damaged}")
