"""What is new: to each client once, in time, whoever wrote it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepline.history import Decoded, decode, frame
from stepline.home import Home
from stepline.live import BEHIND_RECORDS, ROWS, TASKS, Client
from stepline.recording.journal import Record
from stepline.store import Store
from tests.front_door import PATIENCE_SECS, FrontDoor, header, served, steps, write


class Listening:
    """A client whose messages are kept, as a page keeps them."""

    threads: ClassVar[list[threading.Thread]] = []

    def __init__(self, client: Client) -> None:
        self.client = client
        self.messages: list = []
        self.came = threading.Condition()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        self.threads.append(self.thread)

    def _listen(self) -> None:
        for message in self.client.messages():
            with self.came:
                self.messages.append(decode(message) if isinstance(message, bytes) else message)
                self.came.notify_all()

    def wait(self, condition) -> None:
        with self.came:
            assert self.came.wait_for(condition, PATIENCE_SECS), self.messages[-3:]

    def of(self, kind: str) -> list:
        return [message for message in self.messages if not isinstance(message, Decoded) and message["type"] == kind]

    @property
    def frames(self) -> list[Decoded]:
        return [message for message in self.messages if isinstance(message, Decoded)]

    @property
    def rows(self) -> list[int]:
        return [row["sequence"] for message in self.of("facts") for row in message["rows"]]

    def points(self, name: str = "loss", column: str = "value") -> np.ndarray:
        found = [series.columns[column] for each in self.frames for series in each.series if series.name == name]
        return np.concatenate(found) if found else np.empty(0)


def ask(task: str | None, cursor: int = 0, *series: str, ema: int = 0, ma: int = 0):
    return {"type": "subscribe", "task": task, "cursor": cursor, "series": list(series), "ema": ema, "ma": ma}


@contextmanager
def looking(home: Home, interval_secs: float = 0.02) -> Iterator[tuple[FrontDoor, Store]]:
    store = Store.open(home.database, writable=True)
    door = FrontDoor(home, store, interval_secs=interval_secs)
    door.live.start()
    try:
        yield door, store
    finally:
        door.live.stop()
        while Listening.threads:
            Listening.threads.pop().join()
        door.findings.stop()
        store.close()


@pytest.fixture
def live(home) -> Iterator[tuple[FrontDoor, Store]]:
    with looking(home) as opened:
        opened[1].begin_run(header())
        yield opened


def test_the_list_comes_first_and_then_only_what_changed(live):
    door, store = live
    store.begin_run(header("t2", "r2"))
    client = Listening(door.live.join())
    client.wait(lambda: client.of("tasks"))
    assert [message["type"] for message in client.messages] == ["hello", "tasks"]
    assert {task["id"] for task in client.of("tasks")[0]["tasks"]} == {"t1", "t2"}
    write(store, "r2", steps([1]))
    client.wait(lambda: len(client.of("tasks")) == 2)
    [changed] = client.of("tasks")[1]["tasks"]
    assert (changed["id"], changed["records"], changed["step"]) == ("t2", 1, 1)
    assert client.of("facts") == []


def test_a_long_list_comes_in_parts(live):
    door, store = live
    with store.together() as together:
        for number in range(TASKS + 1):
            together.begin_run(header(f"more {number}", f"more-{number}"))
    client = Listening(door.live.join())
    client.wait(lambda: len(client.of("tasks")) == 2)
    first, second = client.of("tasks")
    assert ([first["more"], second["more"]], first["removed"]) == ([True, False], [])
    assert len(first["tasks"]) == TASKS
    assert {task["id"] for part in (first, second) for task in part["tasks"]} == {row.id for row in store.tasks()}


def test_facts_and_their_frame_have_one_cursor(live):
    door, store = live
    write(store, "r1", steps(range(1, 11)))
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 4, "loss"))
    client.wait(lambda: client.frames)
    assert client.rows == list(range(4, 10))
    assert client.points().tolist() == [1 / step for step in range(5, 11)]
    write(store, "r1", steps(range(11, 13)))
    client.wait(lambda: len(client.rows) == 8)
    client.wait(lambda: len(client.frames) == len(client.of("facts")))
    for told, tail in zip(client.of("facts"), client.frames, strict=True):
        assert told["detail"]["cursor"] == tail.metadata["cursor"]
    order = [
        isinstance(message, Decoded)
        for message in client.messages
        if isinstance(message, Decoded) or message["type"] == "facts"
    ]
    assert order == [False, True] * (len(order) // 2)


def test_a_subscription_is_answered_although_nothing_is_new(live):
    door, store = live
    write(store, "r1", steps(range(1, 4)))
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 3, "loss"))
    client.wait(lambda: client.frames)
    assert client.rows == []
    assert client.of("facts")[0]["detail"]["cursor"] == 3
    client.client.subscribe(ask("t1", 1, "loss"))
    client.wait(lambda: client.rows == [1, 2])
    client.client.subscribe(ask(None))
    write(store, "r1", steps([4]))
    client.wait(lambda: client.of("tasks")[-1]["tasks"][0]["records"] == 4)
    assert client.rows == [1, 2]


def test_while_two_write_and_many_look_nothing_is_lost_or_doubled(live):
    """Records come in odd portions from two runs; clients join and change what they look at in between."""
    door, store = live
    store.begin_run(header(run="r2"))
    total = 3000
    clients = [Listening(door.live.join()) for _ in range(4)]
    for each in clients:
        each.client.subscribe(ask("t1", 0, "loss", ema=10, ma=3))

    def write_all(run: str, seed: int) -> None:
        rng, step = np.random.default_rng(seed), 1
        while step <= total:
            count = int(rng.integers(1, 40))
            write(store, run, steps(range(step, min(step + count, total + 1)), lambda step: float(np.sin(step))))
            step += count
            time.sleep(float(rng.random()) * 0.004)

    writers = [threading.Thread(target=write_all, args=(run, seed)) for seed, run in enumerate(("r1", "r2"))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for each in clients:
        each.wait(lambda each=each: each.frames and each.frames[-1].metadata["cursor"] == 2 * total)
        sequences = np.sort(each.points(column="sequence"))
        assert np.array_equal(sequences, np.arange(2 * total))
        assert len(each.rows) == len(set(each.rows))
        cursors = [0, *(tail.metadata["cursor"] for tail in each.frames)]
        for tail, since in zip(each.frames, cursors, strict=False):
            assert tail.metadata["from"] == since
    whole = decode(frame(store, "t1", ["loss"], smoothing=door_smoothing(10, 3)))
    if whole.series[0].bucket == 1:
        by_sequence = dict(
            zip(whole.series[0].columns["smooth_sequence"], whole.series[0].columns["smooth_value"], strict=True)
        )
        seen = zip(clients[0].points(column="smooth_sequence"), clients[0].points(column="smooth_value"), strict=True)
        assert all(abs(by_sequence[place] - value) < 1e-12 for place, value in seen)


def door_smoothing(ema: int, ma: int):
    from stepline.history import Smoothing

    return Smoothing(ema=ema, ma=ma)


def test_at_most_the_newest_rows_come(live):
    door, store = live
    write(store, "r1", steps(range(1, 1001)))
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 0, "loss"))
    client.wait(lambda: client.frames)
    assert client.rows == list(range(1000 - ROWS, 1000))
    assert len(client.points()) == 1000


def test_who_is_too_far_behind_is_told_to_fetch_again(live):
    door, store = live
    write(store, "r1", steps(range(1, BEHIND_RECORDS + 2)))
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 0, "loss"))
    client.wait(lambda: client.of("behind"))
    assert client.of("behind") == [{"type": "behind", "task": "t1"}]
    write(store, "r1", steps([1]))
    client.wait(lambda: client.of("tasks")[-1]["tasks"][0]["records"] == BEHIND_RECORDS + 2)
    assert client.of("facts") == []
    client.client.subscribe(ask("t1", 1, "loss"))
    client.wait(lambda: len(client.of("behind")) == 2)
    client.client.subscribe(ask("t1", 2, "loss"))
    client.wait(lambda: client.frames)
    assert len(client.points()) == BEHIND_RECORDS


@pytest.mark.parametrize("cursor", [-1, 1, 10**9])
def test_a_cursor_that_is_not_known_is_one_that_fell_behind(live, cursor):
    client = Listening(live[0].live.join())
    client.client.subscribe(ask("t1", cursor, "loss"))
    client.wait(lambda: client.of("behind"))


def test_a_task_that_is_not_there_is_trouble_and_no_end(live):
    door, _ = live
    client = Listening(door.live.join())
    client.client.subscribe(ask("none", 0, "loss"))
    client.wait(lambda: client.of("trouble"))
    assert client.of("trouble")[0]["error"]["code"] == "task_not_found"
    client.client.subscribe(ask("t1", 0, "no such series"))
    client.wait(lambda: client.frames)
    assert client.points("no such series").size == 0


def test_at_most_one_batch_in_the_interval(home):
    interval = 0.3
    with looking(home, interval) as (door, store):
        store.begin_run(header())
        begun = time.monotonic()
        client = Listening(door.live.join())
        client.client.subscribe(ask("t1", 0, "loss"))
        client.wait(lambda: client.frames)
        for step in range(1, 101):
            write(store, "r1", steps([step]))
            door.live.nudge()
            time.sleep(0.01)
        client.wait(lambda: client.frames[-1].metadata["cursor"] == 100)
        # The answer to the subscription comes at once, the others begin an interval apart, however slow the machine is.
        assert len(client.frames) <= 2 + (time.monotonic() - begun) / interval


def test_another_processs_commit_is_noticed(live):
    door, store = live
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 0, "loss"))
    client.wait(lambda: client.frames)
    script = f"""
        from pathlib import Path
        from stepline.recording.journal import Record
        from stepline.store import Store
        store = Store.open(Path({str(store.path)!r}), writable=True)
        store.append("r1", [Record("step", 1.0, 7, None, {{"loss": 0.25}})], position=1)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
    client.wait(lambda: client.rows == [0] and len(client.frames) == len(client.of("facts")))
    assert client.points().tolist() == [0.25]


def test_whatever_was_logged_comes_as_it_was_logged(live):
    door, store = live
    client = Listening(door.live.join())
    client.client.subscribe(ask("t1", 0, "loss"))
    odd = [float("nan"), float("inf"), -float("inf"), 5e-324, 1e308, -0.0]
    write(
        store, "r1", [Record("step", 1.0, step, None, {"loss": value, "text": "好"}) for step, value in enumerate(odd)]
    )
    client.wait(lambda: len(client.rows) == 6 and len(client.frames) == len(client.of("facts")))
    rows = [row for message in client.of("facts") for row in message["rows"]]
    assert [row["metrics"]["loss"] for row in rows] == ["NaN", "Infinity", "-Infinity", 5e-324, 1e308, -0.0]
    assert rows[0]["metrics"]["text"] == "好"
    assert client.points("loss", "mark_count").sum() == 3


def test_all_ends_when_it_is_stopped(live):
    door, _ = live
    clients = [Listening(door.live.join()) for _ in range(3)]
    clients[0].client.subscribe(ask("t1", 0, "loss"))
    door.live.leave(clients[2].client)
    clients[2].thread.join(PATIENCE_SECS)
    assert not clients[2].thread.is_alive()
    door.live.stop()
    for each in clients:
        each.thread.join(PATIENCE_SECS)
        assert not each.thread.is_alive()
    assert list(door.live.join().messages())[2:] == []


def test_nonsense_on_the_socket_is_answered_with_trouble(home):
    with served(home) as serving:
        serving.door.store.begin_run(header())
        looking = serving.look()
        looking.until("tasks")
        for nonsense in ("", "{", "[]", '{"type":"subscribe"}', '{"type":"stop"}', "\x00"):
            looking.ws.send(nonsense)
            assert looking.until("trouble")["error"]["code"] == "usage"
        looking.ws.send_binary(b"\xff\xfe")
        assert looking.until("trouble")["error"]["code"] == "usage"
        looking.subscribe("t1")
        assert looking.facts()[0]["detail"]["task"]["id"] == "t1"
        looking.close()


def test_the_socket_is_not_compressed(home):
    with served(home) as serving:
        looking = serving.look(
            header=[f"Authorization: Bearer {serving.token}", "Sec-WebSocket-Extensions: permessage-deflate"]
        )
        assert "sec-websocket-extensions" not in looking.ws.getheaders()
        looking.close()


@settings(max_examples=25, deadline=None)
@given(portions=st.lists(st.integers(1, 300), min_size=1, max_size=12), begin=st.integers(0, 400))
def test_tails_joined_are_the_series(tmp_path_factory, portions, begin):
    home = Home.open(tmp_path_factory.mktemp("portions"))
    with looking(home, 0.0) as (door, store):
        store.begin_run(header())
        write(store, "r1", steps(range(1, 401)))
        client = Listening(door.live.join())
        client.client.subscribe(ask("t1", begin, "loss", ema=20, ma=5))
        done = 400
        for count in portions:
            write(store, "r1", steps(range(done + 1, done + count + 1)))
            done += count
        client.wait(lambda: client.frames and client.frames[-1].metadata["cursor"] == done)
        assert np.array_equal(client.points(column="sequence"), np.arange(begin, done))
