"""Kernels: arrays in, arrays out. Extremes of cells, exponential and moving averages, numbers out of byte planes.

Every kernel is here twice: compiled by numba (`stepline.kernels.compiled`), and in NumPy alone
(`stepline.kernels.plain`), which answers until `prepare` has the compiled ones ready in a thread of its own. numba's
import takes 0.2 s and a first compilation 4 s, and the first window waits for neither.

The compiled kernels release the interpreter lock and never use numba's own threads: two threads inside its default
threading layer abort the process. Long arrays are split between two threads of ours.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stepline.kernels import lines, plain
from stepline.kernels.types import AverageState, Bytes, EmaState, Extremes, Floats, Ints, Words

__all__ = [
    "AverageState",
    "EmaState",
    "Extremes",
    "Floats",
    "Ints",
    "distinct",
    "ema",
    "extremes",
    "failure",
    "interleave",
    "moving_average",
    "prepare",
    "ready",
    "stretches",
    "widen",
]

Whole = TypeVar("Whole", bound=np.integer[Any])

COMPILING_TURN_SECS = 0.0005
KEPT_BYTES = 31 << 20

_lock = threading.Lock()
_preparing: threading.Thread | None = None
_compiled: Any = None
_failure: str | None = None


def prepare(cache: Path | None = None, *, wait: bool = False, done: Callable[[], None] | None = None) -> None:
    """Make the compiled kernels ready in a thread; calling again is free.

    cache: folder for compiled code, in one of its own for these sources (NUMBA_CACHE_DIR, read by numba when it is
    first imported).
    wait: return only when they are ready, or have failed; for benchmarks and tests.
    done: called in that thread when it ends.
    """
    global _preparing
    with _lock:
        if _preparing is None:
            # glibc gives a freed array of 128 KiB or more back to the system, and each page of the next one costs 2 µs
            # anew: 19,000 of them, 50 ms, in smoothing ten million points. It keeps what is no larger than the largest
            # array that was freed so, up to 32 MiB.
            np.empty(KEPT_BYTES, np.uint8)
            if cache is not None:
                os.environ.setdefault("NUMBA_CACHE_DIR", str(cache / _sources()))
            _preparing = threading.Thread(target=_prepare, args=(done,), name="stepline-kernels", daemon=True)
            _preparing.start()
    if wait:
        _preparing.join()


def _sources() -> str:
    """Changes with any of the kernels' sources. numba compiles anew what is in a file that changed, and not what was
    made with another file's help."""
    text = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(text).hexdigest()[:16]


def _prepare(done: Callable[[], None] | None) -> None:
    global _compiled, _failure
    interval = sys.getswitchinterval()
    try:
        # A compiler holds the interpreter lock. In turns of the usual 5 ms beside it, the first frame of 100,000 points
        # took 180 ms, in these 120 ms.
        sys.setswitchinterval(COMPILING_TURN_SECS)
        from stepline.kernels import compiled

        _compiled = compiled
        lines.prepare()
    # Whatever a compiler may raise, the NumPy path goes on answering; the reason is told by `failure`.
    except Exception as error:
        _failure = f"{type(error).__name__}: {error}"
    finally:
        sys.setswitchinterval(interval)
        if done is not None:
            done()


def ready() -> bool:
    """Whether the compiled kernels answer now, all of them."""
    return _compiled is not None and lines.ready()


def failure() -> str | None:
    """Why there are no compiled kernels, where that is so."""
    return _failure


def extremes(values: Floats, starts: Ints) -> Extremes:
    """Extremes of the cells [starts[i], starts[i + 1]); the last one ends with the values.

    values: float64 of length n; NaN and infinities are counted apart and are never an extreme.
    starts: int64, strictly ascending from 0, below n; empty for no values.
    Of equal values the first place counts.
    """
    values = np.ascontiguousarray(values, np.float64)
    starts = np.ascontiguousarray(starts, np.int64)
    return (_compiled or plain).extremes(values, starts)  # type: ignore[no-any-return]


def ema(values: Floats, span: int, state: EmaState | None = None) -> tuple[Floats, EmaState]:
    """Debiased exponential average of one run, alpha = 2 / (span + 1), and the state from which it goes on.

    y[k] = sum(w^(k-i) x[i]) / sum(w^(k-i)), w = 1 - alpha, over finite points alone (pandas' ewm with adjust and
    ignore_na). NaN where x is not finite. Without a state the run begins here.
    """
    values = np.ascontiguousarray(values, np.float64)
    return (_compiled or plain).ema(values, span, state)  # type: ignore[no-any-return]


def moving_average(values: Floats, span: int, state: AverageState | None = None) -> tuple[Floats, AverageState]:
    """Mean of the last `span` finite points of one run, of fewer at its start, and the state from which it goes on.

    NaN where the value is not finite. Going on from a state gives the same bits as one call over all points.
    """
    values = np.ascontiguousarray(values, np.float64)
    return (_compiled or plain).moving_average(values, span, state)  # type: ignore[no-any-return]


def distinct(values: NDArray[Whole]) -> NDArray[Whole]:
    """The distinct ones of whole numbers, ascending. np.unique imports numpy.ma for it, 12 ms of a first window."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def interleave(planes: Bytes, varying: int, held: int, out: Words) -> None:
    """Numbers of 8 bytes out of planes: their first bytes, their second ones and so on.

    planes: one after another, each as long as `out`, those alone that `varying` has a bit for (bit 0: the lowest
    byte). held: the other bytes of all numbers, 0 in these places.
    """
    (_compiled or plain).interleave(planes, varying, held, out)


def widen(planes: Bytes, varying: int, held: int, out: Floats) -> None:
    """Likewise numbers of 4 bytes, which are float32, as float64."""
    (_compiled or plain).widen(planes, varying, held, out)


def stretches(begins: Ints, firsts: Ints, steps: Ints, out: Ints | Floats) -> None:
    """From begins[i] on, firsts[i] and steps[i] more at each place. begins: ascending from 0, below the length.

    out: int64, or float64 for whole numbers as such.
    """
    (_compiled or plain).stretches(begins, firsts, steps, out)
