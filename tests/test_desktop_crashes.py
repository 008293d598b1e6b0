"""A page's process that ends: the window loads the page anew, and nothing is lost."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import psutil

import stepline
from stepline.home import Home
from stepline.store import Store
from stepline_desktop.words import CHINESE
from tests.front_door import wait_for
from tests.import_files import log_history, trainer_state
from tests.programs import Program
from tests.screens import Page, free_port, opened, xdotool


def test_a_page_whose_process_is_killed_comes_back_and_takes_what_a_second_start_brings(
    display: str, home: Home, tmp_path: Path
) -> None:
    with stepline.record("pilot", home=home.path) as run:
        run.log({"loss": 2.5}, step=1)
    port = free_port()
    with opened(display, home, "open", port=port) as program:
        page = Page(port)
        wait_for(lambda: page.shows("pilot"))
        page.close()
        kill_page(program)
        page = Page(port)
        wait_for(lambda: page.shows("pilot"))
        history = tmp_path / "from elsewhere 训练" / "trainer_state.json"
        trainer_state(history, log_history(range(10, 51, 10)))
        with opened(display, home, "open", str(history)) as second:
            assert second.ends() == 0
        wait_for(lambda: page.run("document.title") == "from elsewhere 训练 · Stepline")
        page.close()
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0


def test_a_page_that_crashes_each_time_is_told_of(display: str, home: Home) -> None:
    with contextlib.closing(Store.open(home.database, writable=True)) as store:
        store.set_setting("language", "zh")
    port = free_port()
    with opened(display, home, "open", port=port) as program:
        title = f"^{CHINESE.crashed_title}$"
        for _ in range(4):
            page = Page(port)
            wait_for(lambda page=page: page.run("document.querySelector('header') !== null"))
            page.close()
            assert xdotool(display, "search", "--onlyvisible", "--name", title) == ""
            kill_page(program)
        box = wait_for(lambda: xdotool(display, "search", "--onlyvisible", "--name", title))
        wait_for(
            lambda: [
                xdotool(display, "key", "--window", box, "Return"),
                not xdotool(display, "search", "--onlyvisible", "--name", title),
            ][1]
        )
        page = Page(port)
        wait_for(lambda: page.run("document.querySelector('header') !== null"))
        page.close()
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0


def kill_page(program: Program) -> None:
    """End the processes that show pages: what Chromium's zygote forked, under the zygote's own command line."""
    pages = []
    for each in psutil.Process(program.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            parent = each.parent()
            words = parent.cmdline() if parent is not None else []
            if "--type=zygote" in words and "--no-zygote-sandbox" not in words and not each.children():
                each.kill()
                pages.append(each)
    assert pages
    psutil.wait_procs(pages)
