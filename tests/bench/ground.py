"""What the parts share: the sizes, a folder that goes at the end, and stored homes that are made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stepline.home import Home
from tests.bench import stored

GOAL_SIZE = 10**7
"""The goals of windows and kernels are of ten million points."""


@dataclass
class Ground:
    sizes: tuple[int, ...]
    large: bool
    """BENCH_LARGE=1: a hundred million points, ten million steps in files, and the long runs of the page."""
    folder: Path
    _homes: dict[int, Home] = field(default_factory=dict)

    def home(self, size: int) -> Home:
        """A home with the task "t" of five metrics and `size` records, not to be written to."""
        if size not in self._homes:
            home = Home.open(self.folder / f"home-{size}")
            if not home.database.exists():
                stored.fill(home.database, size).close()
            self._homes[size] = home
        return self._homes[size]

    def new_folder(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        return place
