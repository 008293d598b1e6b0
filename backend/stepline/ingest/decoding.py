"""A journal's lines decoded fast: 1.2 µs a record of five metrics, where the standard library takes 8.

`journal.parse_lines` is the authority. The fast way takes only lines that are exactly what the recorder writes of an
ordinary record; any other line, damaged or merely unusual, goes to `parse_lines` by itself. So both give the same.
Lines are decoded so as they come; many at once, a backlog, become columns (stepline.ingest.backlog).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from stepline.recording.journal import Heartbeat, Record, Update, parse_lines
from stepline.recording.plain import NON_FINITE

_LARGEST_STEP = 2**63 - 1


class Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record as `journal.Record`, of a type that decodes fast. It never has details: such lines are unusual."""

    kind: Literal["train_start", "step", "evaluation", "checkpoint", "train_end", "message"]
    time: float
    step: Annotated[int, msgspec.Meta(ge=-_LARGEST_STEP, le=_LARGEST_STEP)] | None = None
    epoch: float | None = None
    metrics: dict[str, float | str] = {}
    message: str | None = None
    details: Annotated[dict[str, Any], msgspec.Meta(max_length=0)] = {}


@dataclass(slots=True)
class Decoded:
    """As `journal.Parsed`; a record is a Record or a Line."""

    entries: list[Line | Record | Heartbeat | Update]
    consumed: int
    damaged: int


_decode = msgspec.json.Decoder(Line).decode


def decode_lines(data: bytes, *, ended: bool = False) -> Decoded:
    """What `journal.parse_lines` gives for the same arguments."""
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError:
        # Some line is no UTF-8; the fast decoder does not look at all of a line's bytes.
        parsed = parse_lines(data, ended=ended)
        return Decoded([*parsed.entries], parsed.consumed, parsed.damaged)
    decoded = Decoded([], data.rfind(b"\n") + 1, 0)
    spelled = b'NaN"' in data or b'Infinity"' in data or b"\\u" in data
    for line in data[: decoded.consumed].split(b"\n"):
        _decode_line(line, decoded, spelled)
    if ended and decoded.consumed < len(data):
        parsed = parse_lines(data[decoded.consumed :], ended=True)
        decoded.entries += parsed.entries
        decoded.consumed += parsed.consumed
    return decoded


def _decode_line(line: bytes, decoded: Decoded, spelled: bool) -> None:
    try:
        record = _decode(line)
    except msgspec.MsgspecError:
        if line:
            parsed = parse_lines(line + b"\n")
            decoded.entries += parsed.entries
            decoded.damaged += parsed.damaged
        return
    if spelled:
        _spell_out(record.metrics)
    decoded.entries.append(record)


def _spell_out(metrics: dict[str, float | str]) -> None:
    for name, value in metrics.items():
        if value.__class__ is str and value in NON_FINITE:
            metrics[name] = NON_FINITE[value]
