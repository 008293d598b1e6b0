"""A loss that went the wrong way and stayed there. Both rules look at medians of ten logs each: no spike is one.

    Diverged     the loss had fallen by 30 % and is back above where it began, for two such medians in a row
    Overfitting  the last three evaluations or more lie 10 % above the best one, and the training loss fell since

Over 27 public histories the first finds nothing, and the second one, whose evaluation loss rose by 31 % while its
training loss fell to a hundredth.
"""

from __future__ import annotations

import numpy as np

from stepline.diagnosis.points import Floats, Integers, Points
from stepline.wire import Finding, Severity

GROUP = 10
"""Logs of one median."""
FELL = 0.7
GROUPS_ABOVE = 2
ABOVE_BEST = 1.1
EVALUATIONS = 3


class Medians:
    """Medians of each GROUP finite values in a row, with the place of the last of them."""

    def __init__(self) -> None:
        self._rest = Points.none()

    def of(self, new: Points) -> Points:
        """Those that `new` completes, in order; each point is given once."""
        finite = np.isfinite(new.value)
        rest = self._rest
        joined = Points(
            *(
                np.concatenate([getattr(rest, name), getattr(new, name)[finite]])
                for name in ("sequence", "step", "time", "value")
            )
        )
        whole = len(joined) // GROUP * GROUP
        self._rest = Points(joined.sequence[whole:], joined.step[whole:], joined.time[whole:], joined.value[whole:])
        ends = slice(GROUP - 1, whole, GROUP)
        medians = np.median(joined.value[:whole].reshape(-1, GROUP), axis=1) if whole else np.empty(0)
        return Points(joined.sequence[ends], joined.step[ends], joined.time[ends], medians)


class Diverged:
    rule = "diverged"

    def __init__(self, run: int) -> None:
        self._run = run
        self._start = np.nan
        self._best = np.inf
        self._above: list[tuple[int, float, float]] = []
        """(sequence, step, median): the first of those above the start in a row, and the newest."""
        self._count = 0

    def examine(self, medians: Points) -> None:
        """New medians of the run's loss."""
        for sequence, step, value in zip(
            medians.sequence.tolist(), medians.step.tolist(), medians.value.tolist(), strict=True
        ):
            if np.isnan(self._start):
                self._start = value
            if value >= self._start > 0 and self._best <= FELL * self._start:
                self._above = [*self._above[:1], (sequence, step, value)]
                self._count += 1
            else:
                self._above, self._count = [], 0
            self._best = min(self._best, value)

    def findings(self) -> list[Finding]:
        if self._count < GROUPS_ABOVE:
            return []
        (first, first_step, _), (last, last_step, now) = self._above
        evidence = {"start": self._start, "best": self._best, "now": now}
        return [_finding(self.rule, "error", self._run, (first, last), (first_step, last_step), evidence)]


class Overfitting:
    rule = "overfitting"

    def __init__(self, run: int) -> None:
        self._run = run
        self._training = np.nan
        self._best = (0, np.nan, np.inf, np.nan)
        """(sequence, step, evaluation loss, training loss) of the best evaluation."""
        self._last = (0, np.nan, np.nan)
        self._lowest_since = np.inf
        self._since = 0

    def examine(self, evaluations: Points, medians: Points) -> None:
        """New evaluation losses of the run, and the new medians of its loss."""
        for sequence, step, value in zip(
            evaluations.sequence.tolist(), evaluations.step.tolist(), evaluations.value.tolist(), strict=True
        ):
            if not np.isfinite(value):
                continue
            self._last = (sequence, step, value)
            if value < self._best[2]:
                self._best = (sequence, step, value, self._training_at(medians, sequence))
                self._lowest_since, self._since = np.inf, 0
            else:
                self._lowest_since, self._since = min(self._lowest_since, value), self._since + 1
        if len(medians):
            self._training = float(medians.value[-1])

    def findings(self) -> list[Finding]:
        first, first_step, best, training = self._best
        last, last_step, now = self._last
        rose = self._since >= EVALUATIONS and best > 0 and self._lowest_since > ABOVE_BEST * best
        if not rose or not self._training < training:
            return []
        evidence = {"best": best, "now": now, "evaluations": float(self._since)}
        return [_finding(self.rule, "warning", self._run, (first, last), (first_step, last_step), evidence)]

    def _training_at(self, medians: Points, sequence: int) -> float:
        known: Integers = np.flatnonzero(medians.sequence <= sequence)
        values: Floats = medians.value
        return float(values[known[-1]]) if len(known) else self._training


def _finding(
    rule: str,
    severity: Severity,
    run: int,
    sequences: tuple[int, int],
    steps: tuple[float, float],
    evidence: dict[str, float],
) -> Finding:
    told = {"first_step": steps[0], "last_step": steps[1]}
    return Finding(
        id=f"{rule}:{run}:{sequences[0]}",
        rule=rule,
        severity=severity,
        run=run,
        first_sequence=sequences[0],
        last_sequence=sequences[1],
        evidence={**evidence, **{name: step for name, step in told.items() if np.isfinite(step)}},
    )
