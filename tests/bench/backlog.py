"""Journals into the store: a backlog beside parsing its lines, what it takes on the disk, a line that comes live."""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from stepline import kernels
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.recording.journal import (
    Header,
    Heartbeat,
    Process,
    Record,
    encode_header,
    encode_heartbeat,
    encode_record,
)
from stepline.store import Store
from tests.bench import event_files
from tests.bench.ground import Ground
from tests.bench.table import Beside, Row
from tests.bench.timing import part

RUN = "20260101-000000-aaaaaaaa"
LINES = 200
LARGEST, LARGEST_LARGE = 10**6, 10**7
"""Records of a journal here: ten million are 2.4 GB of lines, written and read with BENCH_LARGE=1 alone."""
GOAL_US = 2.5
"""400,000 records a second."""
GOAL_BYTES = 20.0
GOAL_MS = 100.0


def rows(ground: Ground) -> Iterator[Row]:
    kernels.prepare(wait=True)
    largest = LARGEST_LARGE if ground.large else LARGEST
    for size in (each for each in ground.sizes if each <= largest):
        yield from _backlog(size)
    yield from _live()


def _write(home: Home, size: int) -> Path:
    """What a trainer logs: numbers that were float32, a schedule, a heartbeat now and then."""
    rng = np.random.default_rng(0)
    step = np.arange(size)
    columns = {
        "loss": 8 / (1 + step / 1e4) ** 0.25 + rng.normal(0, 0.2, size),
        "grad_norm": rng.gamma(3, 0.3, size),
        "learning_rate": 5e-5 * (1 - step / size),
        "entropy": rng.normal(2, 0.1, size),
        "samples_per_second": rng.normal(800, 20, size),
    }
    values = [column.astype(np.float32).astype(float).tolist() for column in columns.values()]
    times = (1.7e9 + step * 0.31 + rng.uniform(0, 0.05, size)).tolist()
    path = home.journals / f"{RUN}.jsonl"
    with path.open("wb") as file:
        file.write(_header())
        for number, (moment, *numbers) in enumerate(zip(times, *values, strict=True)):
            record = Record("step", moment, number, number / 3000, dict(zip(columns, numbers, strict=True)))
            file.write(encode_record(record))
            if number % 20 == 0:
                file.write(encode_heartbeat(Heartbeat(moment, number, "train")))
    return path


def _header(process: Process | None = None) -> bytes:
    process = process or Process(1, 1.0, "elsewhere", "boot", None)
    return encode_header(Header("t", "bench", None, RUN, time.time(), process, None, {}))


def _backlog(size: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        journal = _write(home, size)
        ours, floor, inserted = [], [], []
        rows_of_sqlite = Path(folder) / "rows.db"
        for _ in range(3 if size <= LARGEST else 1):
            ours.append(_us(lambda: _take_in(home), size))
            floor.append(_us(lambda: _parse(journal), size))
            inserted.append(_us(lambda: _insert(journal, rows_of_sqlite), size))
        name = "journal backlog → store, a record of 5 metrics"
        yield Row(name, size, min(ours), "µs", Beside("json.loads of the lines", min(floor)), most=GOAL_US)
        yield Row(name, size, min(ours), "µs", Beside("json.loads, rows of SQLite", min(inserted)))
        _take_in(home)
        journal.unlink()
        held = sum(
            each.stat().st_size for each in home.path.rglob("*") if each.is_file() and "kernels" not in each.parts
        )
        yield Row(
            "bytes on disk a step of 6 columns, journal removed", size, held / size, "B",
            Beside("TensorBoard's event file", _bytes_of_events(Path(folder) / "events", size)), most=GOAL_BYTES,
        )  # fmt: skip


def _bytes_of_events(folder: Path, size: int) -> float:
    return event_files.write(folder, size).stat().st_size / size


def _us(call: Callable[[], object], size: int) -> float:
    """Of wall time, a record."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) / size * 1e6


def _take_in(home: Home) -> None:
    for each in home.path.glob("stepline.db*"):
        each.unlink()
    store = Store.open(home.database, writable=True)
    Ingest(home, store).take_in_all()
    store.close()


def _parse(journal: Path) -> None:
    with journal.open("rb") as file:
        for line in file:
            json.loads(line)


def _insert(journal: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = wal; CREATE TABLE r (step, time, epoch, a, b, c, d, e)")
    with journal.open("rb") as file:
        lines = (json.loads(line) for line in file)
        records = ((r["step"], r["time"], r["epoch"], *r["metrics"].values()) for r in lines if r.get("kind") == "step")
        database.executemany("INSERT INTO r VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
    database.commit()
    database.close()


def _live() -> Iterator[Row]:
    """From the write of a line until it is committed, while one run grows."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        path = home.journals / f"{RUN}.jsonl"
        path.write_bytes(_header(Process.current()))
        store = Store.open(home.database, writable=True)
        ingest = Ingest(home, store)
        committed: list[float] = []
        ingest.on_change = lambda tasks: committed.append(time.perf_counter())
        ingest.start()
        taken = []
        with path.open("ab", buffering=0) as file:
            for number in range(LINES):
                time.sleep(0.02 + number % 7 * 0.011)
                seen = len(committed)
                began = time.perf_counter()
                file.write(encode_record(Record("step", time.time(), number, None, {"loss": 1.0})))
                while len(committed) == seen:
                    time.sleep(0.0005)
                taken.append((committed[-1] - began) * 1000)
        ingest.stop()
        store.close()
        yield Row("written line → committed, p50", LINES, statistics.median(taken), most=GOAL_MS)
        yield Row("written line → committed, p95", LINES, part(taken, 0.95), most=GOAL_MS)
