"""Time spent training between two logs: what training speed is counted over.

Evaluation, saving, and skipping over data that a resumed run has seen are taken out. The trainer tells when those end
but not when they begin, so the clock stops where they are due and goes on where they ended. All times are in seconds of
`time.perf_counter`. Time up to the first step, in which data loaders start, is not counted.
"""

from __future__ import annotations


class TrainingClock:
    """Told of a training's events in their order; `take` gives the seconds spent training since it was last asked."""

    def __init__(self) -> None:
        self._secs = 0.0
        self._mark: float | None = None  # training before it is in _secs already
        self._interrupted = False
        self._step_ended = 0.0

    def step_begins(self, now: float) -> None:
        if self._mark is None:
            self._mark = now
        self._interrupted = False

    def step_ended(self, now: float) -> None:
        self._step_ended = now

    def interruption_due(self, now: float) -> None:
        """An evaluation or a save begins here, after the log that may come first."""
        if self._mark is not None and not self._interrupted:
            self._secs += now - self._mark
            self._mark = now
        self._interrupted = True

    def interruption_goes_on(self, now: float) -> None:
        """An evaluation or a save is going on or has ended; the time up to here was not training."""
        if not self._interrupted:
            # Nobody said it was due, as where a callback calls evaluate(): it began after the last step.
            self.interruption_due(max(self._step_ended, self._mark or 0.0))
        if self._mark is not None:
            self._mark = now

    def take(self, now: float) -> float:
        """Seconds of training since the last call, up to a log at `now`."""
        if self._mark is not None:
            # Also where an interruption is due: the trainer logs before it evaluates, and waits for the GPU there.
            self._secs += now - self._mark
            self._mark = now
        secs, self._secs = self._secs, 0.0
        return secs
