"""The demo's text as tokens: bytes, cut into windows of one length, the last tenth held out for evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

HELD_OUT = 0.1

Window = list[int]
"""Token ids, 0 to 255: the bytes of the text in UTF-8."""


@dataclass(frozen=True)
class Text:
    """Windows to train on, and windows that the training never sees."""

    training: list[Window]
    held_out: list[Window]


def load(window_bytes: int) -> Text:
    """Cut the shipped text. Training windows overlap by half, so that none of them always begins at the same place;
    held-out windows do not overlap. A rest that is shorter than a window is left out."""
    data = resources.files("stepline.demo").joinpath("logbook.txt").read_bytes()
    border = int(len(data) * (1 - HELD_OUT))
    return Text(
        training=windows(data[:border], window_bytes, window_bytes // 2),
        held_out=windows(data[border:], window_bytes, window_bytes),
    )


def windows(data: bytes, length: int, stride: int) -> list[Window]:
    return [list(data[start : start + length]) for start in range(0, len(data) - length + 1, stride)]
