"""Builds the page into the Python package.

Three callers: hatchling (wheel, sdist, editable install), `make page`, and a person (`python build/hatch_web.py`).
The page is built again only when its sources differ from those that the built page was made from: their digest lies
beside it in `web_dist/.sources`. A digest and not times, because a clone, a branch switch and an unpacked sdist set
times as they like. The sdist carries the built page, and in an unpacked one it is never built: installing needs no npm.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("backend/stepline/web_dist")
SOURCE_FOLDERS = ("src", "public")
SOURCE_SUFFIXES = {".html", ".json", ".ts", ".js"}


class PageError(RuntimeError):
    """The page cannot be built: what is missing and what to do."""


def sources(web: Path) -> Iterator[Path]:
    """The files that the page is made from; tests beside them are none."""
    for path in sorted(web.iterdir()):
        if path.is_file() and path.suffix in SOURCE_SUFFIXES:
            yield path
    for folder in SOURCE_FOLDERS:
        yield from (path for path in sorted((web / folder).rglob("*")) if path.is_file() and ".test." not in path.name)


def digest(web: Path) -> str:
    """SHA-256 over the sources' names and contents."""
    seen = hashlib.sha256()
    for path in sources(web):
        content = path.read_bytes()
        seen.update(f"{path.relative_to(web).as_posix()} {len(content)}\n".encode())
        seen.update(content)
    return seen.hexdigest()


def build_page(root: Path) -> bool:
    """Build the page where it is missing or old. True: it was built now."""
    web, page = root / "web", root / PAGE
    stamp = page / ".sources"
    if (root / "PKG-INFO").is_file() and (page / "index.html").is_file():
        return False
    wanted = digest(web) if (web / "package.json").is_file() else None
    if (page / "index.html").is_file() and (wanted is None or (stamp.is_file() and stamp.read_text() == wanted)):
        return False
    if wanted is None:
        raise PageError("The page's sources are missing: there is no web/package.json. Clone the repository anew.")
    npm = shutil.which("npm")
    if npm is None:
        raise PageError("The page cannot be built: npm is not installed. Install Node.js 20 or later, which brings it.")
    if not installed(web):
        call([npm, "ci", "--no-audit", "--no-fund"], web)
    call([npm, "run", "build"], web)
    stamp.write_text(wanted)
    return True


def installed(web: Path) -> bool:
    """Whether node_modules is what the lock asks for: npm writes its own copy of the lock when it is done."""
    done = web / "node_modules" / ".package-lock.json"
    return done.is_file() and done.stat().st_mtime >= (web / "package-lock.json").stat().st_mtime


def call(command: list[str], folder: Path) -> None:
    """Run one of npm's commands; its words stay visible, its failure ends the build."""
    if subprocess.run(command, cwd=folder, stdout=sys.stderr).returncode:
        words = " ".join(["npm", *command[1:]])
        raise PageError(f"The page cannot be built: `{words}` in web/ failed; its own words stand above.")


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's door: the built page goes into the package although git ignores it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        build_page(root)
        if version != "editable":
            inside = PAGE if self.target_name == "sdist" else PAGE.relative_to("backend")
            build_data["force_include"][str(root / PAGE)] = inside.as_posix()


if __name__ == "__main__":
    try:
        built = build_page(Path(__file__).resolve().parent.parent)
    except PageError as error:
        sys.exit(str(error))
    if built:
        print(f"The page is built: {PAGE}")
