"""Series that are not logged but computed from one that is, point by point: perplexity = exp(loss).

Derived first, then smoothed. A value that overflows is Infinity and is marked like any other non-finite one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from stepline.kernels import Floats


@dataclass(frozen=True, slots=True)
class Derived:
    source: str
    """Name of the logged metric."""
    of: Callable[[Floats], Floats]
    """Value by value; never makes a finite value of a non-finite one."""
    monotone: bool
    """Whether it keeps the order of values, so that extremes of the source are extremes of this."""


def perplexity(loss: Floats) -> Floats:
    """exp(loss). A loss of minus infinity would give 0, which looks like a good value: it gives NaN."""
    with np.errstate(over="ignore"):
        result: Floats = np.exp(loss)
    result[loss == -np.inf] = np.nan
    return result


DERIVED = {"perplexity": Derived("loss", perplexity, monotone=True)}


def derived_names(logged: Iterable[str]) -> list[str]:
    """The derived series of a task that logs these metrics. A metric logged under the same name goes before."""
    names = set(logged)
    return [name for name, derived in DERIVED.items() if derived.source in names and name not in names]
