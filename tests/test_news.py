"""What a person hears of trainings, from a store that somebody fills meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stepline.facts.findings import Findings
from stepline.news import News
from stepline.recording.journal import Header, Process, Record
from stepline.store import Store
from tests.filling import Filling, step

NAN = float("nan")


@pytest.fixture
def findings(store: Store) -> Iterator[Findings]:
    made = Findings(store)
    yield made
    made.stop()


@pytest.fixture
def news(store: Store, findings: Findings) -> News:
    return News(lambda: store, findings.of)


def end(status: str, message: str | None = None) -> Record:
    return Record("train_end", 300.0, message=message, details={"status": status})


def told(news: News) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.task_id, each.rule or each.why) for each in news.look().happenings]


def test_what_had_ended_before_is_no_news(store: Store, fill: Filling, news: News) -> None:
    fill.begin("r1", "t1")
    fill.append("r1", Record("train_start", 100.0), step(1, loss=NAN, time=110.0), end("failed"))
    fill.begin("r2", "t2", total_steps=10)
    fill.append("r2", Record("train_start", 100.0), step(1, loss=NAN, time=110.0))
    assert told(news) == []
    assert told(news) == []


@pytest.mark.parametrize(("status", "kind"), [("completed", "ended"), ("stopped", "ended"), ("failed", "failed")])
def test_an_end_is_told_once(status: str, kind: str, fill: Filling, news: News) -> None:
    fill.begin("r1", "t1", total_steps=8)
    fill.append("r1", Record("train_start", 100.0), step(2, time=110.0))
    looked = news.look()
    assert looked.happenings == []
    assert [(each.task_id, each.progress) for each in looked.trainings] == [("t1", 0.25)]
    fill.append("r1", end(status, "out of memory"))
    looked = news.look()
    assert [(each.kind, each.status, each.why) for each in looked.happenings] == [(kind, status, "out of memory")]
    assert looked.trainings == []
    assert told(news) == []


def test_an_import_is_no_news(fill: Filling, news: News) -> None:
    news.look()
    fill.begin("r1", "t1")
    fill.append("r1", Record("train_start", 100.0), step(1, loss=NAN, time=110.0), end("completed"))
    assert told(news) == []


def test_a_finding_and_a_stall_are_told_once_and_old_findings_never(fill: Filling, news: News) -> None:
    fill.begin("r1", "t1")
    fill.append("r1", Record("train_start", 100.0), *(step(n, time=100.0 + n) for n in range(1, 5)), step(5, loss=NAN))
    # Its steps are of a time long gone, so it stalls at once; the NaN was there before the first look.
    assert told(news) == [("stalled", "t1", "stall")]
    assert told(news) == []
    fill.append("r1", step(6, time=300.0), step(7, loss=NAN, time=301.0))
    found = told(news)
    assert ("finding", "t1", "masked_nan") in found
    assert len([each for each in found if each[0] == "finding"]) == 1
    assert [each for each in told(news) if each[0] == "finding"] == []


def test_a_task_that_trains_again_tells_nothing_of_its_first_run(fill: Filling, news: News) -> None:
    fill.begin("r1", "t1")
    fill.append("r1", Record("train_start", 100.0), step(1, time=101.0), step(2, loss=NAN, time=102.0), end("failed"))
    assert told(news) == []
    fill.begin("r2", "t1", time=400.0)
    fill.append("r2", Record("train_start", 400.0), step(1, time=401.0))
    assert told(news) == []
    fill.append("r2", end("completed"))
    assert told(news) == [("ended", "t1", None)]


@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
def test_only_a_run_of_this_machine_runs_here(host: str, store: Store, fill: Filling, news: News) -> None:
    process = Process(7, 1000.5, host, "boot", "ns")
    store.begin_run(Header("t1", "demo", None, "r1", 100.0, process, None, {}))
    assert not news.look().runs_here, "it is pending"
    fill.append("r1", Record("train_start", 100.0), step(1))
    assert news.look().runs_here == (host == socket.gethostname())
    fill.append("r1", end("completed"))
    assert not news.look().runs_here
