"""Where the window stood last, how large it and its page were, kept in the store's settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

SETTING = "window"
MINIMUM = (420, 480)
ZOOM = (0.5, 3.0)
TITLE_PX = 40
"""What a title bar takes, about; how high it is here is known only once the window stands."""


class Screen(NamedTuple):
    """A screen's rectangle without the desktop's bars, in the desktop's pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Place:
    """Size and place in the desktop's pixels, zoom of the page (1: actual size).

    `x` and `y` are None until the person or the desktop has placed it.
    """

    width: int = 1280
    height: int = 860
    x: int | None = None
    y: int | None = None
    maximized: bool = False
    zoom: float = 1.0

    def to_setting(self) -> dict[str, Any]:
        return asdict(self)


def from_setting(value: Any) -> Place:
    """The place that the store holds; the standard one where it holds none, or one of another form."""
    if not isinstance(value, dict):
        return Place()
    known = {name: value.get(name) for name in ("width", "height", "x", "y")}
    if any(isinstance(number, bool) or not isinstance(number, int | None) for number in known.values()):
        return Place()
    width, height = known["width"], known["height"]
    if width is None or height is None:
        return Place()
    zoom = value.get("zoom")
    if isinstance(zoom, bool) or not isinstance(zoom, int | float) or not ZOOM[0] <= zoom <= ZOOM[1]:
        zoom = 1.0
    return Place(width, height, known["x"], known["y"], value.get("maximized") is True, float(zoom))


def fit(place: Place, screens: Iterable[Screen]) -> Place:
    """A place that can be seen and moved on one of `screens`: a screen may be gone, or smaller than it was.

    The window keeps its place where its title's middle is on a screen; else it comes to the middle of the first one,
    no larger than that, with its title bar (a screen of 1366 x 768 hid it).
    """
    every = list(screens)
    if not every:
        return place
    home = next((screen for screen in every if _holds_title(screen, place)), None)
    screen = home or every[0]
    width = max(MINIMUM[0], min(place.width, screen.width))
    if home is not None:
        return replace(place, width=width, height=max(MINIMUM[1], min(place.height, screen.height)))
    height = max(MINIMUM[1], min(place.height, screen.height - TITLE_PX))
    x = screen.x + max(0, screen.width - width) // 2
    y = screen.y + max(0, screen.height - TITLE_PX - height) // 2
    return replace(place, width=width, height=height, x=x, y=y)


def _holds_title(screen: Screen, place: Place) -> bool:
    if place.x is None or place.y is None:
        return False
    middle = place.x + place.width // 2
    return screen.x <= middle < screen.x + screen.width and screen.y <= place.y < screen.y + screen.height - TITLE_PX
