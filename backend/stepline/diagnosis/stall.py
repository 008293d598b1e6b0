"""A run that lives and does not go on: it is marked unresponsive, which is no status, until it is heard of again.

Three signs, each with the only thing there is to judge by:

    steps      no step for ten times the median time between the last logged ones, while it trains
    phase      none while it evaluates or saves, for ten times what that took before: where nothing tells what it
               took, nor of going through data after a resume, nothing is said
    process    no sign of life at all, not even a heartbeat, which comes every 5 seconds, while its process is here: it
               was stopped, or it waits for a disk. Elsewhere, where clocks differ, silence makes it failed instead
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import numpy as np

from stepline.diagnosis.points import CheckpointLike, Floats, MetricLike, Points, RunLike, evaluation_secs
from stepline.wire import Finding, Number

MEDIANS = 10
AT_LEAST_SECS = 30.0
"""Below this a pause is not worth a word: a first batch of a data loader's epoch takes seconds."""
HEARTBEAT_SILENCE_SECS = 60.0
RECENT_POINTS = 65
TRAINING_PHASES = (None, "train")


class Stall:
    rule = "stall"

    def __init__(self, run: int) -> None:
        self._run = run
        self._host = socket.gethostname()
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

    def findings(
        self, run: RunLike, now: float, metrics: Sequence[MetricLike], checkpoints: Sequence[CheckpointLike]
    ) -> list[Finding]:
        """The one finding while the run is stalled at `now` (Unix seconds); none before three steps were logged.

        metrics, checkpoints: the task's, which tell how long evaluating and saving took.
        """
        gaps = np.diff(self._times)
        gaps = gaps[np.isfinite(gaps) & (gaps >= 0)]
        if run.status != "running" or len(gaps) < 2:
            return []
        median_secs = float(np.median(gaps))
        last = float(self._times[-1])
        beat = run.heartbeat_time
        unheard_secs = now - max(beat or 0.0, run.updated or 0.0, last)
        # A heartbeat tells where the run stood then; a later record says that it went on.
        phase = run.heartbeat_phase if beat is not None and beat >= last else None
        if beat is not None and run.process.host == self._host and unheard_secs > HEARTBEAT_SILENCE_SECS:
            return [self._finding("process", {"silent_secs": unheard_secs})]
        evidence: dict[str, Number | str] = {"silent_secs": now - last, "median_secs": median_secs}
        if phase in TRAINING_PHASES:
            if now - last > max(MEDIANS * median_secs, AT_LEAST_SECS):
                return [self._finding("steps", evidence)]
            return []
        took = (
            evaluation_secs(metrics) if phase == "evaluate" else _saving_secs(checkpoints) if phase == "save" else None
        )
        # It may begin as much as one logging interval after the last logged step.
        if took is not None and now - last > MEDIANS * max(took + median_secs, AT_LEAST_SECS / MEDIANS):
            return [self._finding("phase", {**evidence, "phase": str(phase), "took_secs": took})]
        return []

    def _finding(self, sign: str, evidence: dict[str, Number | str]) -> Finding:
        if np.isfinite(self._last_step):
            evidence["last_step"] = self._last_step
        return Finding(
            id=f"{self.rule}:{self._run}:{self._last_sequence}",
            rule=self.rule,
            severity="warning",
            run=self._run,
            first_sequence=self._last_sequence,
            last_sequence=self._last_sequence,
            evidence={"sign": sign, **evidence},
        )


def _saving_secs(checkpoints: Sequence[CheckpointLike]) -> float | None:
    return max((each.secs for each in checkpoints if each.secs is not None), default=None)
