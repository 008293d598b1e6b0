from __future__ import annotations

import threading

from stepline.errors import StoreError
from stepline.rounds import Rounds


def test_rounds_go_on_after_a_failure_which_is_told_once(caplog):
    errors = [StoreError("The disk is full"), StoreError("The disk is full"), ValueError("odd")]
    done = threading.Event()

    def look() -> None:
        if errors:
            raise errors.pop(0)
        done.set()

    rounds = Rounds("test", 0.001, look, failed="It could not be done")
    rounds.start()
    assert done.wait(30)
    rounds.stop()
    rounds.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "It could not be done: The disk is full.",
        "It could not be done: odd",
    ]
    assert [record.exc_info is not None and bool(record.exc_info) for record in caplog.records] == [False, True]


def test_one_that_never_began_can_be_stopped():
    Rounds("test", 3600, lambda: None, failed="").stop()
