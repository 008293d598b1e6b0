"""A store to fill by hand: headers, records, and what a database holds underneath."""

from __future__ import annotations

import sqlite3

from stepline.recording.journal import Header, Process, Record

PROCESS = Process(7, 1000.5, "host", "boot", "ns")


def header(run="r1", task="t1", *, name="demo", key=None, time=100.0, total_steps=None, settings=None):
    return Header(task, name, key, run, time, PROCESS, total_steps, settings or {})


class Filling:
    """Appends to runs without counting bytes: each append moves the position by one."""

    def __init__(self, store):
        self.store = store

    def begin(self, *args, **named):
        begun = header(*args, **named)
        self.store.begin_run(begun)
        return begun.run_id

    def append(self, run, *entries, damaged=0):
        position = self.store.position(run)
        return self.store.append(run, list(entries), position=position + 1, damaged=damaged, since=position)


def asked(path, query):
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def numbers(count, first=0, **metrics):
    for number in range(first, first + count):
        values = {name: of(number) for name, of in metrics.items()}
        yield Record("step", 1.7e9 + number / 8, number * 10, number / 100, {"loss": number * 0.5, **values})


def step(number, loss=1.0, time=200.0, **metrics):
    return Record("step", time, number, number / 10, {"loss": loss, **metrics})
