"""What `make package` has left; a test that misses it skips."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
LEAN = ROOT / ".cache" / "package" / "venv"
APP = ROOT / ".cache" / "package" / "app" / "stepline" / "stepline"


def package(pattern: str) -> Path:
    found = sorted(DIST.glob(pattern))
    if not found:
        pytest.skip(f"dist/{pattern} is not there: make package")
    return found[-1]


def app() -> Path:
    if not APP.is_file():
        pytest.skip("the app is not built: make package")
    return APP
