"""What history asks of a store. `stepline.store.Store` answers them; so may anything else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from stepline.store.levels import Levels


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
    def started(self) -> float: ...


class SourceMetric(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Source(Protocol):
    """A store as history sees it. Sequences are given in the order of taking in and never change; records that are
    taken away (an import was replaced) leave theirs empty and change the task's generation."""

    def next_sequence(self, task_id: str) -> int: ...
    def generation(self, task_id: str) -> int: ...
    def runs(self, task_id: str) -> Sequence[SourceRun]: ...
    def metrics(self, task_id: str) -> Sequence[SourceMetric]: ...

    def columns(
        self, task_id: str, metric: str, first: int = 0, last: int | None = None, *, places: Collection[str] = ...
    ) -> SourceColumns:
        """Points with a sequence in [first, last). places: which of step, epoch and time are wanted; the others hold
        anything."""
        ...

    def columns_in_parts(
        self, task_id: str, metric: str, first: int, last: int, *, places: Collection[str]
    ) -> Iterator[SourceColumns]:
        """The same, one part after another, none of them long."""
        ...

    def levels(self, task_id: str, metric: str, shift: int, first: int = 0, last: int | None = None) -> Levels:
        """The same points in buckets of 2^shift sequences; at a cost of the count of buckets."""
        ...

    def places(self, task_id: str, sequence: NDArray[Any], column: str) -> NDArray[Any]:
        """step, epoch or time of the records with these sequences, ascending."""
        ...
