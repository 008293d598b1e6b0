"""Steps that stopped coming, in a run that still lives.

A run is unresponsive when its last step lies longer ago than ten times the median time between its last logged
steps, and it is neither evaluating, saving nor going through data after a resume (the heartbeat says which). It is a
mark on a running run, not a status: the next step takes it back.
"""

from __future__ import annotations

import numpy as np

from stepline.diagnosis.points import Floats, Points, RunLike
from stepline.wire import Finding, Number

MEDIANS = 10
AT_LEAST_SECS = 30.0
"""Below this a pause is not worth a word: a first batch of a data loader's epoch takes seconds."""
RECENT_POINTS = 65
TRAINING_PHASES = (None, "train")


class Stall:
    rule = "stall"

    def __init__(self, run: int) -> None:
        self._run = run
        self._times: Floats = np.empty(0)
        self._last_sequence = 0
        self._last_step: float = np.nan

    def examine(self, loss: Points) -> None:
        """New points of the run's loss, in order; each point is given once."""
        if not len(loss):
            return
        self._times = np.concatenate([self._times, loss.time[-RECENT_POINTS:]])[-RECENT_POINTS:]
        self._last_sequence = int(loss.sequence[-1])
        self._last_step = float(loss.step[-1])

    def findings(self, run: RunLike, now: float) -> list[Finding]:
        """The one finding while the run is stalled at `now` (Unix seconds); none before three steps were logged."""
        gaps = np.diff(self._times)
        gaps = gaps[np.isfinite(gaps) & (gaps >= 0)]
        if run.status != "running" or run.heartbeat_phase not in TRAINING_PHASES or len(gaps) < 2:
            return []
        median_secs = float(np.median(gaps))
        silent_secs = now - float(self._times[-1])
        if silent_secs <= max(MEDIANS * median_secs, AT_LEAST_SECS):
            return []
        evidence: dict[str, Number | str] = {"silent_secs": silent_secs, "median_secs": median_secs}
        if np.isfinite(self._last_step):
            evidence["last_step"] = self._last_step
        return [
            Finding(
                id=f"{self.rule}:{self._run}:{self._last_sequence}",
                rule=self.rule,
                severity="warning",
                run=self._run,
                first_sequence=self._last_sequence,
                last_sequence=self._last_sequence,
                evidence=evidence,
            )
        ]
