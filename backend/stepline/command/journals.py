"""Journals in the home that cannot be taken in."""

from __future__ import annotations

from pathlib import Path

from stepline.errors import JournalError
from stepline.home import Home
from stepline.ingest.journals import JournalFile, journal_names, open_journal
from stepline.store import Store


def opened(path: Path) -> JournalFile:
    try:
        journal = open_journal(path)
    except JournalError as error:
        if str(path) in error.what:
            raise
        raise type(error)(f"{path}: {error.what}", why=error.why, action=error.action, lost=error.lost) from error
    if journal is None:
        raise JournalError(
            f"The journal {path} has no header yet",
            why="Its first line is not all there",
            action="Wait until the training has begun, or copy the file again",
        )
    return journal


def refused(home: Home, store: Store) -> list[str]:
    """Why journals in the home were not taken in, one line each. Only those that the store does not know are opened."""
    known = store.positions()
    told = []
    for entry in journal_names(home.journals):
        if entry.name.removesuffix(".jsonl") not in known:
            try:
                opened(Path(entry.path))
            except JournalError as error:
                told.append(str(error))
    return told
