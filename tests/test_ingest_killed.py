"""The app is killed at random moments while journals grow; the store equals what was logged."""

from __future__ import annotations

import random
import subprocess
import sys
import time

from stepline.ingest import Ingest
from stepline.store import Store
from tests.growing import Journal

INGESTING = """
import sys
from stepline.home import Home
from stepline.ingest import Ingest
from stepline.store import Store
home = Home.open(sys.argv[1])
store = Store.open(home.database, writable=True)
ingest = Ingest(home, store)
print("ready", flush=True)
while True:
    ingest.poll()
"""


def test_a_process_killed_again_and_again_loses_and_doubles_nothing(home):
    """-9 at random moments, while two runs of a task grow; what is stored equals what was logged."""
    chance = random.Random(1)
    runs = [Journal(home.journals, f"run{n}") for n in range(2)]
    logged = {journal.run: [] for journal in runs}
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", INGESTING, str(home.path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        ends = time.monotonic() + chance.uniform(0.0, 0.25)
        while time.monotonic() < ends:
            journal = chance.choice(runs)
            count = chance.choice([1, 3, 500])
            begin = len(logged[journal.run])
            journal.steps(begin, begin + count)
            logged[journal.run] += range(begin, begin + count)
        process.kill()
        process.wait()
        process.stdout.close()
    store = Store.open(home.database, writable=True)
    Ingest(home, store).take_in_all()
    entries = list(store.records("t1"))
    assert [entry.sequence for entry in entries] == list(range(len(entries)))
    for run, expected in logged.items():
        assert [entry.step for entry in entries if entry.run_id == run] == expected
    for row in store.runs("t1"):
        assert (row.records, row.damaged) == (len(logged[row.id]), 0)
        assert row.position == (home.journals / f"{row.id}.jsonl").stat().st_size
    assert store.metrics("t1")[0].count == len(entries)
    store.close()
