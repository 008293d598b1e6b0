"""Fixtures that every test may use. The suite runs strict: a recorder's failure is an exception."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["STEPLINE_STRICT"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Without a deadline: a test says what is right, and a loaded machine is not wrong.
settings.register_profile("stepline", deadline=None)
settings.load_profile("stepline")


@pytest.fixture
def home(tmp_path: Path):
    """A fresh home folder of its own."""
    from stepline.home import Home

    return Home.open(tmp_path / "home")
