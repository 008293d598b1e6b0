"""Time remaining over real histories, record by record: the true end lies in the range nine times in ten."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepline import facts
from stepline.home import Home
from stepline.recording.journal import Header, Process, Record
from stepline.store import LogEntry, Store
from stepline.visit import import_into, take_in

HISTORIES = Path(__file__).parents[2] / "shared" / "data" / "histories"
TIMED = (
    "llamafactory-medical-eval.jsonl",
    "llamafactory-law-llm.jsonl",
    "swift-deepclima.jsonl",
    "hflog-lora-alpaca.log",
    "tfevents-hf-chatbot.tfevents",
    "wandb-review-bert.wandb",
)
"""Those with a time a record, of trainings with steps of one length."""
SHORT = ("llamafactory-law-llm.jsonl", "swift-deepclima.jsonl", "hflog-lora-alpaca.log", "wandb-review-bert.wandb")
EVERY = 5


def entries(home: Home, file: str) -> list[LogEntry]:
    import_into(home, [HISTORIES / file])
    with take_in(home) as store:
        task = store.tasks()[0]
        return [entry for entry in store.records(task.id) if entry.kind in ("step", "evaluation", "checkpoint")]


def replayed(store: Store, logged: list[LogEntry], run: str) -> list[bool]:
    """Whether the end lay in the range that was said, at every fifth step."""
    total = max(entry.step or 0 for entry in logged)
    end = max(entry.time for entry in logged)
    store.begin_run(Header(run, run, None, run, logged[0].time, Process(7, None, "elsewhere", None, None), total, {}))
    found = []
    for place, entry in enumerate(logged):
        record = Record(entry.kind, entry.time, entry.step, entry.epoch, dict(entry.metrics))
        store.append(run, [record], position=place + 1)
        if place % EVERY == 0 and entry.kind == "step" and entry.step != total:
            span = facts.detail(store, run)["remaining_secs"]
            if span is not None:
                found.append(span[0] <= end - entry.time <= span[1])
    return found


def resumed(store: Store, logged: list[LogEntry], run: str) -> list[bool]:
    """The same at every moment that says something of a second run, which is the second half of the history."""
    total = max(entry.step or 0 for entry in logged)
    end = max(entry.time for entry in logged)
    half = next(at for at, each in enumerate(logged) if each.kind == "step" and (each.step or 0) * 2 >= total)
    begin, moments = logged[half], []
    for name, part in ((f"{run} 1", logged[: half + 1]), (f"{run} 2", logged[half + 1 :])):
        process = Process(7, None, "elsewhere", None, None)
        store.begin_run(Header(run, run, None, name, part[0].time, process, total, {}))
        store.append(
            name, [Record("train_start", begin.time if part[0] is not logged[0] else part[0].time)], position=1
        )
        for place, entry in enumerate(part):
            record = Record(entry.kind, entry.time, entry.step, entry.epoch, dict(entry.metrics))
            store.append(name, [record], position=place + 2)
            if name.endswith("2") and entry.kind == "step" and entry.step != total:
                moments.append((facts.detail(store, run)["remaining_secs"], end - entry.time))
        store.append(name, [Record("train_end", part[-1].time, details={"status": "stopped"})], position=len(part) + 2)
    assert all(span is not None for span, _ in moments[1:]), "the run before tells from the second log on"
    return [span[0] <= left <= span[1] for span, left in moments if span is not None]


@pytest.mark.skipif(not HISTORIES.is_dir(), reason="needs the public histories, which are not part of the repository")
def test_the_true_end_lies_within_the_range_of_nine_in_ten_real_moments(home: Home, tmp_path: Path):
    store = Store.open(tmp_path / "replay.db", writable=True)
    found: list[bool] = []
    for file in TIMED:
        found += replayed(store, entries(Home.open(tmp_path / file), file), file)
    store.close()
    assert len(found) > 200
    assert sum(found) >= 0.9 * len(found)


@pytest.mark.skipif(not HISTORIES.is_dir(), reason="needs the public histories, which are not part of the repository")
def test_the_true_end_lies_within_the_range_right_after_a_resume(home: Home, tmp_path: Path):
    store = Store.open(tmp_path / "replay.db", writable=True)
    found: list[bool] = []
    for file in SHORT:
        found += resumed(store, entries(Home.open(tmp_path / file), file), file)
    store.close()
    assert len(found) > 150
    assert sum(found) >= 0.9 * len(found)
