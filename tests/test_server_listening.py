"""The port, clients that have gone or stopped reading, and an end that leaves nothing."""

from __future__ import annotations

import socket
import sys
import threading
import time
from dataclasses import fields

import pytest

from stepline.errors import AddressInUse, UsageError
from stepline.history import decode
from stepline.server import Server
from stepline.store import Columns
from tests.front_door import PATIENCE_SECS, header, served, steps, wait_for, write


def test_a_port_in_use_is_a_clear_error(home):
    with served(home) as serving:
        with pytest.raises(AddressInUse, match=str(serving.port)):
            Server(serving.door, port=serving.port)
        with pytest.raises(UsageError):
            Server(serving.door, host="203.0.113.7")
        with pytest.raises(UsageError):
            Server(serving.door, port=99_999)


def test_an_end_leaves_no_thread_and_no_port(home):
    before = set(threading.enumerate())
    with served(home) as serving:
        serving.door.store.begin_run(header())
        looking = [serving.look() for _ in range(10)]
        for each in looking:
            each.subscribe("t1")
            each.until("facts")
        # One that connected and says nothing, one that went without a word.
        silent = socket.create_connection(("127.0.0.1", serving.port))
        looking[0].ws.sock.close()
        port = serving.port
    wait_for(lambda: not [t for t in set(threading.enumerate()) - before if t.name.startswith("stepline")])
    wait_for(lambda: len(set(threading.enumerate()) - before) == 0)
    with socket.create_server(("127.0.0.1", port)):
        silent.close()


class EndlessStore:
    """A store whose series go on for as long as somebody reads them, up to a minute."""

    def __init__(self, store):
        self._store = store
        self.begun, self.left = threading.Event(), threading.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    def columns_in_parts(self, *args, **named):
        parts = list(self._store.columns_in_parts(*args, **named))
        try:
            yield from parts
            self.begun.set()
            for _ in range(6000):
                time.sleep(0.01)
                yield Columns(*(getattr(parts[-1], each.name)[:0] for each in fields(Columns)))
        except GeneratorExit:
            self.left.set()
            raise


def test_nobody_works_for_a_client_that_has_gone(home):
    with served(home) as serving:
        store = serving.door.store
        store.begin_run(header())
        write(store, "r1", steps(range(1, 31)))
        serving.door.store = endless = EndlessStore(store)
        client = socket.create_connection(("127.0.0.1", serving.port))
        path = "/api/tasks/t1/frame?series=loss&ema=10"
        head = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{serving.port}", f"Authorization: Bearer {serving.token}")
        client.sendall("\r\n".join([*head, "", ""]).encode())
        assert endless.begun.wait(PATIENCE_SECS)
        assert not endless.left.wait(0.2)
        client.close()
        assert endless.left.wait(PATIENCE_SECS)
        serving.door.store = store
        [loss] = decode(serving.ask(path).body).series
        assert loss.points == 30


def test_a_client_that_stopped_reading_holds_nobody_up(home):
    before = set(threading.enumerate())
    with served(home, interval_secs=0.001) as serving:
        serving.door.store.begin_run(header())
        write(serving.door.store, "r1", steps(range(1, 4000)))
        small = (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck = serving.look(sockopt=(small,))
        stuck.until("tasks")
        teller = next(thread for thread in threading.enumerate() if thread.name == "stepline-teller")

        held, looks = None, 0

        def is_stuck() -> bool:
            """Whether the teller has been in one and the same `send` for twenty looks."""
            nonlocal held, looks
            stuck.subscribe("t1", 0, "loss", "perplexity", ema=10)
            frame = sys._current_frames().get(teller.ident)
            code = None if frame is None else frame.f_code
            sends = code is not None and code.co_name == "send" and code.co_filename.endswith("socket.py")
            looks = looks + 1 if sends and frame is held else 0
            held = frame if sends else None
            return looks >= 20

        # As many frames as the system buffers: some twenty, each read and smoothed on a machine that may be busy.
        wait_for(is_stuck, secs=180)
        reading = serving.look()
        reading.subscribe("t1", 3999, "loss")
        reading.facts()
        write(serving.door.store, "r1", steps(range(4000, 4010)))
        assert len(reading.facts()[0]["rows"]) == 10
    wait_for(lambda: len(set(threading.enumerate()) - before) == 0)


def test_stopping_twice_or_before_starting_does_nothing(home):
    with served(home) as serving:
        serving.server.stop()
        serving.server.stop()
        unstarted = Server(serving.door)
        unstarted.stop()
