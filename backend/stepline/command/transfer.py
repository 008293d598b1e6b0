"""`stepline export` and `stepline import`: histories out of the home and into it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stepline.command.homes import open_home, say
from stepline.errors import SteplineError
from stepline.home import Home
from stepline.intake import Progress
from stepline.visit import import_into, take_in
from stepline.watching import LEAST_PAUSE_SECS, TAKING_PART, Units
from stepline.wire import Imported

if TYPE_CHECKING:
    from stepline.importers import Following

LEFT_OUT_SHOWN = 10
"""Places told one by one; the rest is counted."""


def export(path: Path | None, task: str, form: str, output: Path | None) -> None:
    """Every record of a task, to a file or to standard output; TensorBoard's event files into a folder."""
    from stepline import exporters

    home = open_home(path)
    with take_in(home) as store:
        found = store.find_task(task)
        if form == "tensorboard" and output is not None and str(output) != "-" and output.suffix != ".zip":
            write_folder(output, exporters.event_folder(store, found.id))
        else:
            write_file(output, exporters.of(form).pieces(store, found.id))
    if output is not None:
        say(f"{found.records} records of {found.name} are in {output}.")


def write_file(output: Path | None, pieces: Iterator[bytes]) -> None:
    """To a file, which is there whole or not at all, or to standard output. Raises SteplineError where it cannot be
    written."""
    if output is None or str(output) == "-":
        for data in pieces:
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    # A link is written through. What is no file, a pipe or /dev/null, is written to: a file in its place would end it.
    target = Path(os.path.realpath(output))
    is_plain = not target.exists() or target.is_file()
    draft = target.with_name(f".{target.name}.{os.getpid()}") if is_plain else target
    try:
        with draft.open("wb") as stream:
            stream.writelines(pieces)
        if is_plain:
            os.replace(draft, target)
    except OSError as error:
        raise _cannot_write(output, error) from error
    finally:
        if is_plain:
            draft.unlink(missing_ok=True)


def write_folder(output: Path, files: Iterable[tuple[PurePosixPath, Iterator[bytes]]]) -> None:
    """Files below a folder, each whole or not at all. Raises SteplineError where they cannot be written."""
    for place, pieces in files:
        try:
            output.joinpath(place.parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(output, error) from error
        write_file(output / place, pieces)


def _cannot_write(output: Path, error: OSError) -> SteplineError:
    return SteplineError(
        f"{output} cannot be written", why=error.strerror or str(error), action="Name another place with -o"
    )


def import_paths(path: Path | None, paths: tuple[Path, ...], *, follow: bool = False) -> int:
    """Take in histories from elsewhere, each path for itself: a line of what was taken on standard output, what was
    left out and what failed on standard error. Returns the exit code, 1 where a path failed."""
    home = open_home(path)
    places = [each.expanduser().absolute() for each in paths]
    from stepline.importers import Following

    following = Following()
    try:
        with bar() as progress:
            found = import_into(home, places, progress=progress, growing=follow, following=following)
    except KeyboardInterrupt:
        raise SteplineError(
            "The import was interrupted",
            action="Import the same paths again to take them in",
            lost="No new task of them was kept",
        ) from None
    code = tell(found)
    if follow and any(each["error"] is None for each in found):
        follow_on(home, places, following)
    return code


def follow_on(home: Home, places: list[Path], following: Following) -> None:
    """Take in what is written to the files from now on, until Ctrl-C; then their runs end as they say."""
    units = Units()
    told: set[tuple[object, ...]] = set()

    def take(_unit: Path, _growing: bool) -> None:
        for each in import_into(home, places, growing=True, following=following):
            if each["records"] or (each["error"] is not None and (each["path"], each["error"]["what"]) not in told):
                told.add((each["path"], (each["error"] or {"what": ""})["what"]))
                tell([each])

    units.look(places, lambda _unit, _growing: None)
    say("Following; Ctrl-C ends it.")
    try:
        while True:
            begun = time.monotonic()
            units.look(places, take)
            time.sleep(max(LEAST_PAUSE_SECS, (time.monotonic() - begun) / TAKING_PART))
    except KeyboardInterrupt:
        tell([each for each in import_into(home, places) if each["records"]])


def tell(found: Sequence[Imported]) -> int:
    """Say what became of each path; the exit code."""
    for each in found:
        if each["error"] is not None:
            error = each["error"]
            sentences = SteplineError(error["what"], why=error["why"], action=error["action"], lost=error["lost"])
            say(f"stepline: {' '.join(str(sentences).split())}")
            continue
        print(f"{each['path']}: {taken(each)}")
        for sentence in each["told"]:
            say(f"  {sentence}")
        for place in each["left_out"][:LEFT_OUT_SHOWN]:
            say(f"  left out: {place['place']}: {place['reason']}")
        more = each["left_out_count"] - LEFT_OUT_SHOWN
        if more > 0:
            say(f"  left out: {more} more")
    return int(any(each["error"] is not None for each in found))


def taken(imported: Imported) -> str:
    """What became of one task, in a few words."""
    records, runs = imported["records"], imported["runs"]
    counted = f"{records} {'record' if records == 1 else 'records'}"
    words = {
        "imported": f"{counted} in {runs} {'run' if runs == 1 else 'runs'}",
        "grown": f"{counted} more",
        "replaced": f"it had changed; {counted} in place of those before",
        "unchanged": "nothing new",
        "recorded": "recorded by Stepline itself, nothing to add",
        "cancelled": "cancelled",
    }[imported["state"]]
    return f"{imported['name']}, {words}" if imported["name"] else words


@contextlib.contextmanager
def bar() -> Iterator[Progress | None]:
    """A progress bar where somebody looks at standard error."""
    if not sys.stderr.isatty():
        yield None
        return
    # 50 ms, where nobody looks for nothing.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=console, transient=True) as shown:
        line = shown.add_task("", total=1.0)
        yield lambda path, share: shown.update(line, description=escape(path.name), completed=share)
