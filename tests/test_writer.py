"""One writer a home: the lock between processes, and the address that its holder leaves."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from stepline.writer import Address, WriterLock, publish_address, read_address, withdraw_address

HOLDER = """
import os, sys, time
from stepline.home import Home
from stepline.writer import WriterLock, publish_address
home = Home.open(sys.argv[1])
lock = WriterLock(home)
held = lock.acquire()
if held:
    publish_address(home, "http://127.0.0.1:1", "secret")
print("held" if held else "refused", flush=True)
if held:
    {then}
"""


def hold(home, then="time.sleep(600)"):
    """A process that tries the lock and does `then` with it; what it says of the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(then=then), str(home.path)], stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_one_of_two_processes_has_it(home):
    first, said = hold(home)
    try:
        assert said == "held"
        second, said = hold(home)
        end(second)
        assert said == "refused"
        assert not WriterLock(home).acquire()
    finally:
        end(first)


def test_a_holder_killed_with_9_is_taken_over(home):
    process, _ = hold(home)
    end(process)
    lock = WriterLock(home)
    assert lock.acquire()
    assert read_address(home).token == "secret", "the address outlives its process; the lock says that it is dead"
    withdraw_address(home)
    assert read_address(home) is not None, "another process's address is not ours to take back"
    lock.release()


def test_two_locks_of_one_process_exclude_each_other(home):
    one, other = WriterLock(home), WriterLock(home)
    assert one.acquire()
    assert one.acquire(), "held already"
    assert not other.acquire()
    one.release()
    one.release()
    assert (one.held, other.acquire(), other.held) == (False, True, True)
    other.release()


def test_of_many_threads_one_gets_it(home):
    locks = [WriterLock(home) for _ in range(16)]
    together = threading.Barrier(len(locks))
    got = []

    def acquire(lock):
        together.wait()
        if lock.acquire():
            got.append(lock)

    threads = [threading.Thread(target=acquire, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].release()


def test_a_lock_file_that_was_removed_and_made_anew_is_not_mistaken_for_it(home):
    lock = WriterLock(home)
    assert lock.acquire()
    lock.release()
    home.lock.unlink()
    again = WriterLock(home)
    assert again.acquire()
    assert not lock.acquire()
    again.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_that_outlives_its_parent_does_not_hold_it(home):
    child = "print(os.getpid(), lock.held, flush=True), time.sleep(60), os._exit(0)"
    then = f"import os; os.fork() == 0 and ({child}); time.sleep(600)"
    process, said = hold(home, then)
    assert said == "held"
    pid, holds = process.stdout.readline().split()
    try:
        assert holds == "False"
        assert not WriterLock(home).acquire(), "the parent has it still"
        process.kill()
        process.wait()
        lock = WriterLock(home)
        deadline = time.monotonic() + 10
        while not lock.acquire():
            assert time.monotonic() < deadline, "the child holds the lock"
            time.sleep(0.01)
        lock.release()
    finally:
        os.kill(int(pid), signal.SIGKILL)
        process.stdout.close()


def test_an_address_is_replaced_although_somebody_reads_it(home):
    publish_address(home, "http://127.0.0.1:1", "before")
    with open(home.address_file) as reader:  # Windows lets nobody replace it meanwhile
        done = threading.Timer(0.2, reader.close)
        done.start()
        publish_address(home, "http://127.0.0.1:2", "after")
        done.join()
    assert read_address(home).token == "after"
    assert not list(home.folder.glob("writer.json.*"))


def test_the_address_is_for_its_user_only_and_can_be_taken_back(home):
    assert read_address(home) is None
    publish_address(home, "http://127.0.0.1:4711", "first")
    publish_address(home, "http://127.0.0.1:4712", "second")
    assert read_address(home) == Address("http://127.0.0.1:4712", "second", os.getpid())
    if sys.platform != "win32":
        assert stat.S_IMODE(home.address_file.stat().st_mode) == 0o600
    assert [path.name for path in home.folder.iterdir() if "writer" in path.name] == ["writer.json"]
    withdraw_address(home)
    withdraw_address(home)
    assert read_address(home) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"address": "x"}', b"\xff\xfe", b'{"address":1,"token":2,"pid":"x"}']
)
def test_a_broken_address_is_none(home, content):
    home.address_file.write_bytes(content)
    assert read_address(home) is None
