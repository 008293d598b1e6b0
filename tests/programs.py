"""Runs `stepline` as a user does: in a process of its own, waiting for what it says, or one command in this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest

from stepline.command import main
from tests.front_door import wait_for

STEPLINE = Path(sys.executable).with_name("stepline")
ENDS_SECS = 60.0


def environment(**changed: str) -> dict[str, str]:
    """This process's, without a display, so that no window opens where none is meant."""
    left_out = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "STEPLINE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONUNBUFFERED": "1", **changed}


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of one command."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


class Program:
    """`stepline` with these words; `said` and `told` grow as it writes to standard output and standard error."""

    def __init__(self, *words: str | Path, **changed: str) -> None:
        self.said: list[str] = []
        self.told: list[str] = []
        if not STEPLINE.is_file():
            pytest.skip("the command is not installed: make setup")
        self.process = subprocess.Popen(
            [STEPLINE, *map(str, words)],
            env=environment(**changed),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=_read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.said), (self.process.stderr, self.told))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def line(self, beginning: str) -> str:
        """The first line of its answer that begins so."""
        return str(wait_for(lambda: next((line for line in self.said if line.startswith(beginning)), None)))

    def ends(self) -> int:
        """Its exit code, once it has ended and all that it said is read."""
        code = self.process.wait(ENDS_SECS)
        for reader in self._readers:
            reader.join()
        return code


def _read(stream: IO[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))  # noqa: PERF401 (each as it comes)
