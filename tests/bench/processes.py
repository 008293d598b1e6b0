"""Processes that are measured: programs of ours and of peers, and `stepline serve` on a home."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import psutil

MIB = 2**20
LOOK_SECS = 0.02
BIN = Path(sys.executable).parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What is installed has its bytecode: a start that compiles 390 modules anew (0.1 s) is nobody's."""


class Program:
    """`python -m tests.bench.programs.NAME …`; `answer` reads its next line, `ask` writes one before."""

    def __init__(self, name: str, *words: object, **environment: str) -> None:
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the program)
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.programs.{name}", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            env={**ENVIRONMENT, **environment},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if error is not None:
            self._process.kill()
        self._process.wait()
        self._told.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # What a library prints by itself is passed over.
            with contextlib.suppress(ValueError):
                return json.loads(line)
        self._told.seek(0)
        raise RuntimeError(f"{self._process.args} gave no answer: {self._told.read().decode(errors='replace')[-2000:]}")

    def tell(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def ask(self, *words: object) -> Any:
        self.tell(*words)
        return self.answer()

    def wait(self) -> None:
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def run(name: str, *words: object, **environment: str) -> Any:
    """The one answer of a program that ends by itself."""
    with Program(name, *words, **environment) as program:
        return program.answer()


def installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


class Serving:
    """`stepline serve` on a home, and what it answers."""

    def __init__(self, home: Path) -> None:
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [BIN / "stepline", "serve", "--home", home], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        place = urlsplit(self.url)
        self._address = f"{place.scheme}://{place.netloc}"
        self._token = parse_qs(place.query)["token"][0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self._address + path, headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            body: bytes = answer.read()
            return body

    def frame(self, task: str, names: Sequence[str], **query: object) -> bytes:
        words = [f"series={name}" for name in names] + [f"{key}={value}" for key, value in query.items()]
        return self.get(f"/api/tasks/{task}/frame?{'&'.join(words)}")

    @property
    def pid(self) -> int:
        return self._process.pid


def most_mib(pid: int) -> float:
    """The most memory that a process held so far, in MiB, mapped files included; what it holds now where the system
    does not tell."""
    told = _told(pid, "VmHWM")
    return psutil.Process(pid).memory_info().rss / MIB if told is None else told


def own_mib(pid: int) -> float | None:
    """What a process holds now, in MiB, without the pages of files, which the system may take back at any time."""
    return _told(pid, "RssAnon")


def _told(pid: int, name: str) -> float | None:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def measured(*command: object, until: str | None = None, **environment: str) -> tuple[float, float]:
    """(seconds, most MiB) of a command until it ends, or until a line of its output has that in it; then it is killed.

    Raises RuntimeError where it fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**ENVIRONMENT, **environment},
    )
    most = [0.0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECS):
            # A process that is just ending has no memory left to tell of.
            with contextlib.suppress(OSError, ValueError, psutil.Error):
                most[0] = max(most[0], most_mib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    said = []
    assert process.stdout is not None
    found = False
    for line in process.stdout:
        said.append(line)
        if until is not None and until in line:
            found = True
            break
    secs = time.perf_counter() - began
    ended.set()
    watcher.join()
    if found:
        most[0] = max(most[0], most_mib(process.pid))
        process.kill()
    process.stdout.close()
    code = process.wait()
    if not found and (code != 0 or until is not None):
        raise RuntimeError(f"{command[0]} ended with {code}: {''.join(said[-5:])}")
    return secs, most[0]
