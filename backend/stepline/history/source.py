"""What history asks of a store: three questions. `stepline.store.Store` answers them; so may anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray


class SourceColumns(Protocol):
    """Records that have the metric, by sequence. All arrays have one length; absent steps and epochs are NaN."""

    @property
    def sequence(self) -> NDArray[Any]: ...
    @property
    def run(self) -> NDArray[Any]: ...
    @property
    def step(self) -> NDArray[Any]: ...
    @property
    def epoch(self) -> NDArray[Any]: ...
    @property
    def time(self) -> NDArray[Any]: ...
    @property
    def value(self) -> NDArray[Any]: ...


class SourceRun(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def started(self) -> float | None: ...


class SourceMetric(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Source(Protocol):
    """A store as history sees it. Sequences are given in the order of taking in and never change."""

    def next_sequence(self, task_id: str) -> int: ...
    def runs(self, task_id: str) -> Sequence[SourceRun]: ...
    def metrics(self, task_id: str) -> Sequence[SourceMetric]: ...
    def columns(self, task_id: str, metric: str, first: int = 0, last: int | None = None) -> SourceColumns: ...
