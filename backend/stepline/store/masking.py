"""Losses that were not numbers, and that a trainer logged as 0.0.

With `logging_nan_inf_filter`, on by default, transformers puts the running mean in place of a non-finite step loss; of
a window in which every step was NaN it logs loss 0.0. Taken for a number it pulls the smoothed line down, makes
perplexity 1.0 and is the best loss there ever was. So such a value is stored as a NaN of its own, MASKED, and whatever
reads series (levels, smoothing, extremes, best loss) sees a NaN without knowing of this. The log, exports and digests
get back what was logged: 0.0.

It is decided once, in the order of taking in, so that nothing drawn changes later. A loss of exactly 0.0 is masked

    beside a gradient norm that is not finite: certain;
    after ordinary losses, none of the last 64 below 0.05, unless its gradient norm is 0 as well: likely.
        GRPO's loss lies around 0 by itself, one that was overfitted has come near it; a hinge of 0 has no gradient.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepline.recording.journal import Record
from stepline.store.content import Content, Values

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOSS, NORM = "loss", "grad_norm"
ORDINARY_LOSS = 0.05
BEFORE_POINTS = 64

_BITS = 0x7FF8_4C4F_5353_3D30
"""A quiet NaN whose payload reads "LOSS=0"; no arithmetic makes it."""
MASKED: float = struct.unpack("<d", _BITS.to_bytes(8, "little"))[0]

Before = Callable[[], Floats]
"""The run's finite losses before these, in order: the last BEFORE_POINTS of them, or all."""


def is_masked(values: Floats) -> Mask:
    found: Mask = np.ascontiguousarray(values, np.float64).view(np.int64) == _BITS
    return found


def logged_metrics(metrics: dict[str, Any]) -> bool:
    """Give a record's metrics their loss as it was logged; whether it was masked."""
    loss = metrics.get(LOSS)
    if loss is None or loss == loss or struct.pack("<d", loss) != _BITS.to_bytes(8, "little"):
        return False
    metrics[LOSS] = 0.0
    return True


def masked(loss: Floats, bad_norm: Mask, no_norm: Mask, before: Before) -> Mask:
    """Which of a run's losses, in order, hide a NaN.

    bad_norm: where a gradient norm that is not finite stands beside; no_norm: where one of exactly 0 does.
    """
    # A mean of nothing is +0.0; the log gives back that, so -0.0 stays as it is.
    zero = (loss == 0.0) & ~np.signbit(loss)
    found: Mask = zero & bad_norm
    doubtful = np.flatnonzero(zero & ~bad_norm & ~no_norm)
    if not len(doubtful):
        return found
    known = before()
    values = np.concatenate([known, loss])
    clean = np.isfinite(values)
    clean[len(known) :] &= ~zero | no_norm
    # How many clean losses stand before each, and where among them the last low one does; without the doubtful ones.
    rank = np.cumsum(clean) - clean
    low = np.maximum.accumulate(np.where(clean & (values < ORDINARY_LOSS), rank, -1))
    passed, last_passed = 0, -math.inf
    for place in doubtful.tolist():
        at = len(known) + place
        here = int(rank[at]) + passed
        last_low = max(int(low[at]) + passed if low[at] >= 0 else -math.inf, last_passed)
        if here == 0 or here - last_low <= BEFORE_POINTS:
            # It counts as a loss, and as a low one.
            passed, last_passed = passed + 1, here
        else:
            found[place] = True
    return found


def mask_content(content: Content, before: Before) -> None:
    """Put MASKED for the losses of one run's records that hide a NaN."""
    held = content.metrics.get(LOSS)
    if held is None or not (held.values == 0.0).any():
        return
    norm = _norm_beside_loss(content)
    found = masked(held.values, ~np.isfinite(norm), norm == 0.0, before)
    if found.any():
        content.metrics[LOSS] = Values(held.places, np.where(found, MASKED, held.values))


def mask_runs(content: Content, before: dict[int, Floats]) -> bool:
    """The same for records of several runs; whether there was any. before: each run's newest finite losses, by its
    number, up to these records, and brought up to their end."""
    held = content.metrics.get(LOSS)
    if held is None:
        return False
    norm, runs, values = _norm_beside_loss(content), content.run[content.places_of(LOSS)], held.values.copy()
    for run in np.unique(runs).tolist():
        own = runs == run
        known = before.get(run, np.zeros(0))
        found = masked(values[own], ~np.isfinite(norm[own]), norm[own] == 0.0, lambda known=known: known)  # type: ignore[misc]
        values[own] = np.where(found, MASKED, values[own])
        clean = values[own][np.isfinite(values[own])]
        before[run] = np.concatenate([known, clean])[-BEFORE_POINTS:]
    content.metrics[LOSS] = Values(held.places, values)
    return bool((is_masked(values) & ~is_masked(held.values)).any())


def _norm_beside_loss(content: Content) -> Floats:
    """The gradient norm of each record that has a loss; 1 where it has none."""
    norm = np.full(len(content), 1.0)
    if NORM in content.metrics:
        norm[content.places_of(NORM)] = content.metrics[NORM].values
    return norm[content.places_of(LOSS)]


def masked_records(records: Sequence[Any], before: Before) -> Sequence[Any]:
    """A run's entries, those whose loss hides a NaN with MASKED for it; the same sequence where none does."""
    losses = [(place, each.metrics) for place, each in enumerate(records) if LOSS in getattr(each, "metrics", ())]
    if not any(metrics[LOSS] == 0.0 for _, metrics in losses):
        return records
    numbers = [(place, metrics) for place, metrics in losses if not isinstance(metrics[LOSS], str)]
    norm = [_number(metrics.get(NORM)) for _, metrics in numbers]
    bad = np.array([value is not None and not math.isfinite(value) for value in norm])
    none = np.array([value == 0.0 for value in norm])
    values = np.array([metrics[LOSS] for _, metrics in numbers], np.float64)
    changed = list(records)
    for at in np.flatnonzero(masked(values, bad, none, before)).tolist():
        place, metrics = numbers[at]
        each = records[place]
        changed[place] = Record(
            each.kind, each.time, each.step, each.epoch, {**metrics, LOSS: MASKED}, each.message, each.details
        )
    return changed


def _number(value: float | str | None) -> float | None:
    return None if isinstance(value, str) else value
