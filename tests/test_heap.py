"""The program's heap: one for all threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from stepline.command import heap
if sys.argv[1] == "shared":
    heap.share()
system = ctypes.CDLL(None)
system.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def ask():
    together.wait()
    for _ in range(1000):
        system.malloc(2000)
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
system.fdopen.restype = ctypes.c_void_p
system.malloc_info(0, ctypes.c_void_p(system.fdopen(1, b"w")))
system.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_all_threads_share_one_heap():
    def heaps(how: str) -> int:
        told = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True).stdout
        return told.count("<heap nr=")

    assert heaps("shared") == 1
    assert heaps("own") > 1
