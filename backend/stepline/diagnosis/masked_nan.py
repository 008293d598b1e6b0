"""A loss that is not a number, also where the trainer hid it behind a 0.0 (stepline.store.masking). The signs:

    certain   logged as 0.0 beside a gradient norm that is not finite
    plain     logged as it is (the filter is off)
    likely    logged as exactly 0.0 after ordinary losses

Neighbouring points that show a sign are one stretch and one finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stepline.diagnosis.points import CheckpointLike, Points
from stepline.store.masking import is_masked
from stepline.wire import Finding, Number, Severity

STRETCHES_KEPT = 100
"""A run that turns NaN at every other log would have one finding a log: the later ones lengthen the last."""

CERTAIN, PLAIN, LIKELY = "certain", "plain", "likely"


@dataclass(slots=True)
class _Stretch:
    first_sequence: int
    last_sequence: int
    first_step: float
    last_step: float
    records: int
    signs: set[str]
    clean_sequence: int | None
    clean_step: float | None


class MaskedNaN:
    rule = "masked_nan"

    def __init__(self, run: int) -> None:
        self._run = run
        self._stretches: list[_Stretch] = []
        self._open = False
        self._clean_sequence: int | None = None
        self._clean_step: float | None = None

    def examine(self, loss: Points, norm: Points) -> None:
        """New points of the run's loss and gradient norm, in order; each point is given once."""
        if not len(loss):
            return
        masked = is_masked(loss.value)
        bad = ~np.isfinite(loss.value)
        certain = masked & np.isin(loss.sequence, norm.sequence[~np.isfinite(norm.value)])
        suspects = np.flatnonzero(bad)
        place = 0
        for group in np.split(suspects, np.flatnonzero(np.diff(suspects) > 1) + 1) if len(suspects) else []:
            self._pass_clean(loss, place, int(group[0]))
            place = int(group[-1]) + 1
            signs = set()
            if certain[group].any():
                signs.add(CERTAIN)
            if not masked[group].all():
                signs.add(PLAIN)
            if not signs:
                signs.add(LIKELY)
            self._add(loss, group, signs)
        self._pass_clean(loss, place, len(loss))

    def _pass_clean(self, loss: Points, first: int, last: int) -> None:
        if first >= last:
            return
        self._open = False
        self._clean_sequence = int(loss.sequence[last - 1])
        self._clean_step = float(loss.step[last - 1])

    def _add(self, loss: Points, group: np.ndarray[tuple[int], np.dtype[np.int64]], signs: set[str]) -> None:
        first, last = int(group[0]), int(group[-1])
        if self._stretches and (self._open or len(self._stretches) == STRETCHES_KEPT):
            stretch = self._stretches[-1]
            stretch.last_sequence, stretch.last_step = int(loss.sequence[last]), float(loss.step[last])
            stretch.records += len(group)
            stretch.signs |= signs
        else:
            self._stretches.append(
                _Stretch(
                    int(loss.sequence[first]),
                    int(loss.sequence[last]),
                    float(loss.step[first]),
                    float(loss.step[last]),
                    len(group),
                    signs,
                    self._clean_sequence,
                    self._clean_step,
                )
            )
        self._open = True

    def findings(self, checkpoints: Sequence[CheckpointLike]) -> list[Finding]:
        """A finding a stretch, with the last clean step and the last checkpoint saved at or before it."""
        found = []
        for stretch in self._stretches:
            sign = next(s for s in (CERTAIN, PLAIN, LIKELY) if s in stretch.signs)
            severity: Severity = "warning" if sign == LIKELY else "error"
            evidence: dict[str, Number | str] = {"sign": sign, "records": float(stretch.records)}
            steps = {
                "first_step": stretch.first_step,
                "last_step": stretch.last_step,
                "clean_step": np.nan if stretch.clean_step is None else stretch.clean_step,
            }
            evidence |= {name: step for name, step in steps.items() if np.isfinite(step)}
            if (saved := self._clean_checkpoint(stretch, checkpoints)) is not None:
                evidence["clean_checkpoint"] = float(saved)
            found.append(
                Finding(
                    id=f"{self.rule}:{self._run}:{stretch.first_sequence}",
                    rule=self.rule,
                    severity=severity,
                    run=self._run,
                    first_sequence=stretch.first_sequence,
                    last_sequence=stretch.last_sequence,
                    evidence=evidence,
                )
            )
        return found

    @staticmethod
    def _clean_checkpoint(stretch: _Stretch, checkpoints: Sequence[CheckpointLike]) -> int | None:
        clean_step = stretch.clean_step
        if clean_step is None or not np.isfinite(clean_step):
            return None
        steps = [saved.step for saved in checkpoints if saved.step is not None and saved.step <= clean_step]
        return max(steps, default=None)
