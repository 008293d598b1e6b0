"""The program's heap on Linux: one for all threads.

glibc gives a thread a heap of its own where another one is in use, up to eight a core, and what is freed stays in the
one where it was made. Each request has a thread, so every heap came to hold a request's arrays: 40 MiB while a task was
browsed, for nothing, as a thread that computes holds the interpreter lock when it asks for an array.

A program that trains is left alone: its threads ask for memory at the same time.
"""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""glibc's malloc.h."""


def share() -> None:
    """To be called before there are threads. Does nothing where the system has another allocator."""
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_M_ARENA_MAX, 1)
