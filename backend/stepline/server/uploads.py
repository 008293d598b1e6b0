"""Files that a page sends to be imported: written into a folder of the moment in the home, which is then removed.

The body is `multipart/form-data`: parts `file`, whose file name is the file's path below what the person chose, and as
many parts `modified`, each file's date in milliseconds since 1970, in the same order. Nothing is held in memory.

The answer is `telling`'s.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from flask import Request, Response
from werkzeug.formparser import FormDataParser

from stepline.errors import ImportFailed, UsageError
from stepline.home import Home
from stepline.server.door import Door
from stepline.server.telling import MIMETYPE, lines_of

PATH = "/api/imports"
MOST_BYTES = 2 << 30
MOST_FILES = 2000
_MOST_DEPTH = 24
_MOST_NAME_BYTES = 200
_FORBIDDEN = frozenset('<>:"|?*')
"""What one of the systems does not have in a file's name."""
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in "123456789"))
)
"""What Windows takes for a device, whatever follows after a dot."""


def uploads_folder(home: Home) -> Path:
    """What one upload needs lies here while it is imported; only the home's writer has it."""
    return home.folder / "uploads"


def taken_in(request: Request, door: Door) -> Response:
    """The answer, which imports while it is sent. Raises UsageError, ImportFailed; RequestEntityTooLarge of HTTP."""
    held = ExitStack()
    folder = held.enter_context(received(request, door.home))
    lines = lines_of(partial(door.take_in_uploaded, folder), held.close)
    response = Response(lines, mimetype=MIMETYPE)
    response.call_on_close(held.close)
    return response


@contextmanager
def received(request: Request, home: Home) -> Iterator[Path]:
    """A folder with the files of the request's body. Raises UsageError, ImportFailed; RequestEntityTooLarge of HTTP."""
    folder = uploads_folder(home)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="upload-", dir=folder, ignore_cleanup_errors=True) as name:
            # Closed also where the parser gives up: Windows removes no folder with open files in it.
            with ExitStack() as opened:
                _write(request, Path(name), opened)
            yield Path(name)
    except OSError as error:
        raise ImportFailed(
            "What was sent cannot be kept while it is imported",
            why=error.strerror or str(error),
            action="Free some space, or name the path to `stepline import`",
        ) from error


def _write(request: Request, folder: Path, opened: ExitStack) -> None:
    written: list[Path] = []

    def open_file(
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        path = _free(folder, _parts(filename or ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(path)
        return opened.enter_context(path.open("w+b"))

    parser = FormDataParser(
        open_file,
        max_form_memory_size=1 << 20,
        max_content_length=MOST_BYTES,
        silent=False,
        max_form_parts=2 * MOST_FILES,
    )
    if request.mimetype != "multipart/form-data":
        raise UsageError("What was sent is no upload", action="Send multipart/form-data with parts named `file`")
    try:
        _, form, _ = parser.parse(
            request.stream, request.mimetype, request.content_length, dict(request.mimetype_params)
        )
    except ValueError as error:
        raise UsageError("The upload cannot be read", why=str(error), action="Send it again") from error
    opened.close()
    if not written:
        raise UsageError("No file was sent", action="Choose at least one")
    for path, modified in zip(written, form.getlist("modified"), strict=False):
        # A source that tells no time bears its file's date; one that is none leaves today's.
        with suppress(ValueError, OverflowError, OSError):
            os.utime(path, (float(modified) / 1000, float(modified) / 1000))


def _parts(name: str) -> list[str]:
    """The path's parts as this system can have them: none leads out of the folder, none is too long."""
    parts = []
    for part in name.replace("\\", "/").split("/")[-_MOST_DEPTH:]:
        kept = "".join("_" if sign in _FORBIDDEN or ord(sign) < 32 else sign for sign in part).strip(" .") or ""
        if part.startswith(".") and kept:
            kept = f".{kept}"
        encoded = kept.encode(errors="replace")
        if len(encoded) > _MOST_NAME_BYTES:
            # The end says what a file is.
            kept = encoded[-_MOST_NAME_BYTES:].decode(errors="ignore")
        if kept.partition(".")[0].strip().lower() in _DEVICES:
            kept = f"_{kept}"
        if kept:
            parts.append(kept)
    return parts or ["file"]


def _free(folder: Path, parts: list[str]) -> Path:
    """A number goes before the part of the path that stands in the way: a file of that name, or a folder."""
    names, count = list(parts), 1
    while (at := _taken(folder, names)) is not None:
        count += 1
        names[at] = f"{count}-{parts[at]}"
    return folder.joinpath(*names)


def _taken(folder: Path, names: list[str]) -> int | None:
    for at in range(1, len(names)):
        if folder.joinpath(*names[:at]).is_file():
            return at - 1
    return len(names) - 1 if folder.joinpath(*names).exists() else None
