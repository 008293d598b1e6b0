"""The whole way: a trainer in another process → journal → ingest → store → socket → a point in a real browser."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stepline.app import App
from stepline.home import Home
from tests.front_door import wait_for

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect
TRAININGS = Path(__file__).parents[1] / "trainings.py"


def figure(page, name: str) -> str:
    return page.get_by_test_id(f"strip-{name}").locator(".figure").inner_text()


def points(page) -> int:
    """Points of the loss chart, from the words that stand for it."""
    said = page.get_by_test_id("chart-loss").get_by_role("img").get_attribute("aria-label") or ""
    found = re.search(r"([\d,]+) points", said)
    return int(found[1].replace(",", "")) if found else 0


def test_a_trainer_in_another_process_is_watched_to_its_death(home: Home, app: App, open_page, tmp_path: Path):
    pytest.importorskip("transformers", reason="transformers is missing: make setup")
    assert home.path == tmp_path / "home"
    page = open_page()
    # Nothing has been trained here yet: the page waits, and the task appears by itself.
    expect(page.get_by_role("heading", name="Nothing has been trained here yet")).to_be_visible()
    training = subprocess.Popen(
        [sys.executable, str(TRAININGS), "endless", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        expect(page.get_by_test_id("task-selector")).to_contain_text("Running", timeout=120_000)
        expect(page.get_by_test_id("chart-loss")).to_be_visible()
        expect(page.get_by_test_id("strip-steps").locator(".number")).to_have_text(
            re.compile(r"^([6-9]|\d{2}|[\d,]{3,})")
        )
        before, step = points(page), figure(page, "steps")
        page.wait_for_function(
            "before => document.querySelector('[data-testid=strip-steps] .figure').innerText !== before", arg=step
        )
        wait_for(lambda: points(page) > before or page.wait_for_timeout(100))
        training.send_signal(signal.SIGKILL)
        training.wait()
        # Killed: nobody says goodbye. The app finds it within ten seconds, and live becomes review by itself.
        expect(page.get_by_test_id("task-selector")).to_contain_text("Failed", timeout=60_000)
        expect(page.locator(".strip")).to_have_class(re.compile("is-review"))
    finally:
        training.kill()
        training.wait()
