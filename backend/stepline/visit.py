"""A visit to a home: what a command or a notebook does there for a moment, without a server of its own.

Where nobody writes the home, the visitor takes the lock for as long as it takes in; where somebody does, that one is
asked. A module of its own, because the app's takes 0.1 s to load: Flask, the socket, all that runs beside them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from stepline.errors import Refused, StoreError, Unavailable, error_of
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.intake import Progress, take_in_all
from stepline.store import Store
from stepline.wire import Imported, TakenIn
from stepline.writer import ANSWER_SECS, WriterLock, read_address

if TYPE_CHECKING:
    from stepline.importers import Following

PATIENCE_SECS = 30.0
"""How long to wait for another process that has the lock but does not answer yet: it is starting, or a command."""


@contextmanager
def take_in(home: Home) -> Iterator[Store]:
    """Take in all that lies in the home; then the store, to read from. Raises HomeError, StoreError, Unavailable.

    The lock is held for the taking in alone: a long export or a notebook keeps nobody from writing.
    """
    import_into(home)
    with contextlib.closing(open_beside(home)) as store:
        yield store


def import_into(
    home: Home,
    paths: Sequence[str | Path] = (),
    *,
    progress: Progress | None = None,
    growing: bool = False,
    following: Following | None = None,
) -> list[Imported]:
    """Take in all that lies in the home, and the histories at `paths`; what became of each path.

    Where another process writes the home it is asked to do so; leaving this call, by an interrupt say, calls that off.
    Raises HomeError, StoreError, Unavailable; a path that fails is a result with its error.
    """
    places = [Path(path).absolute() for path in paths]
    lock = WriterLock(home)
    ends = time.monotonic() + PATIENCE_SECS
    while True:
        if lock.acquire():
            try:
                with contextlib.closing(Store.open(home.database, writable=True)) as store:
                    return take_in_all(
                        Ingest(home, store), store, places, progress, growing=growing, following=following
                    )
            finally:
                lock.release()
        found = _asked(home, places, progress, growing)
        if found is not None:
            return found
        if time.monotonic() > ends:
            raise Unavailable(
                "Another process writes this home and does not answer",
                why=f"It holds {home.lock} for {PATIENCE_SECS:g} seconds already",
                action="End it, or try again later",
            )
        time.sleep(0.05)


def open_beside(home: Home) -> Store:
    """The store of a home that another process writes; awaited where that one is just making it."""
    ends = time.monotonic() + PATIENCE_SECS
    while True:
        try:
            return Store.open(home.database, writable=False)
        except StoreError as error:
            if type(error) is not StoreError or time.monotonic() > ends:
                raise
            time.sleep(0.05)


def _asked(home: Home, paths: Sequence[Path], progress: Progress | None, growing: bool) -> list[Imported] | None:
    """What the writer took in for us; None where it was not there. Raises what it says was wrong."""
    writer = read_address(home)
    if writer is None:
        return None
    place = urlsplit(writer.address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_SECS)
    try:
        body = json.dumps({"paths": [str(path) for path in paths], "growing": growing, "telling": True})
        headers = {"Authorization": f"Bearer {writer.token}", "Content-Type": "application/json"}
        connection.request("POST", "/api/take-in", body, headers)
        answer = connection.getresponse()
        said: dict[str, Any] = {} if answer.status == 200 else json.loads(answer.read())
        for line in answer:
            said = json.loads(line)
            if progress is not None and "share" in said and paths:
                progress(paths[min(int(said["share"] * len(paths)), len(paths) - 1)], said["share"])
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if answer.status == Refused.http_status:
        # The address is older than whoever listens there now.
        return None
    if "error" in said:
        error = said["error"]
        raise error_of(error["code"])(error["what"], why=error["why"], action=error["action"], lost=error["lost"])
    if "imported" not in said:
        # It ended meanwhile.
        return None
    taken = cast("TakenIn", said)
    return taken["imported"]
