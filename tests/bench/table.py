"""The one table: a row a measure, beside a peer or a floor, with its goal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

HEAD = ("measure", "points", "ours", "peer or floor", "its", "ratio", "goal", "met")
FORM = "{:<60} {:>11} {:>12} {:<38} {:>11} {:>6} {:>15} {:>4}"


@dataclass(frozen=True)
class Beside:
    """A peer or a floor. value: in the row's unit; None where the peer is not installed here, or gave no figure."""

    name: str
    value: float | None


@dataclass(frozen=True)
class Row:
    """One line. most, least: what is promised of `ours`; most_ratio: of ours / beside.

    ours: None where it cannot be measured here; `note` says why.
    """

    measure: str
    size: int
    ours: float | None
    unit: str = "ms"
    beside: Beside | None = None
    most: float | None = None
    least: float | None = None
    most_ratio: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.ours is None or self.beside is None or not self.beside.value:
            return None
        return self.ours / self.beside.value

    @property
    def goal(self) -> str:
        parts = [
            f"{sign} {value:g}{unit}"
            for sign, value, unit in (("≤", self.most, ""), ("≥", self.least, ""), ("≤", self.most_ratio, " ×"))
            if value is not None
        ]
        return ", ".join(parts)

    @property
    def met(self) -> bool | None:
        """None: nothing is promised, or it could not be measured, or the peer that it takes is missing."""
        if self.ours is None:
            return None
        if self.most is not None and self.ours > self.most:
            return False
        if self.least is not None and self.ours < self.least:
            return False
        if self.most_ratio is not None:
            return None if self.ratio is None else self.ratio <= self.most_ratio
        return True if self.goal else None

    def cells(self) -> tuple[str, ...]:
        beside, its = "", ""
        if self.beside is not None:
            beside = self.beside.name
            its = _figure(self.beside.value, self.unit)
        return (
            self.measure + (f" ({self.note})" if self.note else ""),
            f"{self.size:,}" if self.size else "",
            _figure(self.ours, self.unit),
            beside,
            its,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            self.goal,
            {True: "yes", False: "NO", None: "?" if self.goal else ""}[self.met],
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "goal": self.goal, "met": self.met}


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "missing"
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}"
