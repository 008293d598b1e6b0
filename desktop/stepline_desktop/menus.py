"""The window's menus, in the page's language, and their keys. What they do is the window's and the page's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from stepline_desktop.words import Words


class Entry(NamedTuple):
    """`keys` as Qt writes them ("Ctrl" is the command key on a Mac); "" for none. `do` runs in any thread."""

    title: str
    keys: str
    do: Callable[[], None]


class Menu(NamedTuple):
    """None stands for a line between two groups."""

    title: str
    entries: tuple[Entry | None, ...]


class Doing(NamedTuple):
    """What the menus ask for. `ask` hands a wish to the page, `import_` lets it choose files. `zoom` takes a factor,
    None for the actual size; it is None itself where the web view has keys of its own for it."""

    ask: Callable[[dict[str, Any]], None]
    import_: Callable[[], None]
    zoom: Callable[[float | None], None] | None
    reload: Callable[[], None]
    full_screen: Callable[[], None]
    close: Callable[[], None]


def menus(said: Words, do: Doing) -> Iterator[Menu]:
    yield Menu(
        said.file,
        (
            Entry(said.import_, "Ctrl+O", do.import_),
            None,
            Entry(said.close, "Ctrl+W", do.close),
        ),
    )
    pages = (("monitor", said.monitor), ("tasks", said.tasks), ("settings", said.settings))
    yield Menu(
        said.view,
        (
            *(_page(name, title, f"Ctrl+{place}", do) for place, (name, title) in enumerate(pages, 1)),
            None,
            *(_zooms(said, do.zoom) if do.zoom else ()),
            Entry(said.full_screen, "F11", do.full_screen),
            None,
            Entry(said.reload, "Ctrl+R", do.reload),
        ),
    )
    yield Menu(said.help, (Entry(said.help_and_keys, "F1", lambda: do.ask({"action": "help"})),))


def _zooms(said: Words, zoom: Callable[[float | None], None]) -> tuple[Entry, ...]:
    return (
        Entry(said.larger, "Ctrl++", lambda: zoom(1.1)),
        Entry(said.smaller, "Ctrl+-", lambda: zoom(1 / 1.1)),
        Entry(said.actual_size, "Ctrl+0", lambda: zoom(None)),
    )


def _page(name: str, title: str, keys: str, do: Doing) -> Entry:
    return Entry(title, keys, lambda: do.ask({"page": name}))
