"""Texts and JSON values as numbers, steps, times and durations. Nothing here raises for a value, and nothing evaluates.

A text that holds a number is that number (`"0.5"`, `"1e-5"`, `"NaN"`, `"12%"`, `"[1e-05]"`); `None`, empty and the
usual words for nothing are absence, never 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stepline.recording.plain import text

ABSENT = frozenset({"", "none", "null", "n/a", "na", "-", "--", "<na>", "nil", "undefined"})
NAME_LIMIT = 512
TEXT_LIMIT = 1_000
"""Characters of a text metric; longer ones are samples of generated text, which belong to no curve."""
NESTING_LIMIT = 8
WIDTH_LIMIT = 10_000
"""Values of one row. TRL's and DeepSpeed's widest rows hold a few hundred."""
LARGEST_STEP = 2**53

_NUMBER = re.compile(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_WORDS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
_CLOCK = re.compile(r"(?:(\d+)\s*days?,?\s*)?(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)")
_SPANS = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|ms|m|s)[a-z]*", re.IGNORECASE)
_UNIT_SECS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_STAMPS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%Y-%m-%d %H:%M",
)


def number(value: Any) -> float | None:
    """A finite or non-finite number, or None where the value holds none."""
    if value.__class__ is float:
        return float(value)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, str):
        return _number_in(value)
    if isinstance(value, list) and len(value) == 1:
        return None if isinstance(value[0], list) else number(value[0])
    return None


def _number_in(words: str) -> float | None:
    words = words.strip()
    if len(words) > 64:
        return None
    if words[:1] == "[" and words[-1:] == "]" and "," not in words:
        words = words[1:-1].strip()
    words = words.removesuffix("%").rstrip()
    if _NUMBER.fullmatch(words):
        if "," in words:
            return float(words.replace(",", "")) if _THOUSANDS.fullmatch(words) else None
        return float(words)
    sign = -1.0 if words[:1] == "-" else 1.0
    found = _WORDS.get(words.lstrip("+-").casefold()) if len(words) <= 10 else None
    return None if found is None else sign * found


def whole(value: Any) -> int | None:
    """A step: a whole number, also as `"12"`, `12.0` or the first half of `"12/400"`."""
    if value.__class__ is float:
        return int(value) if value.is_integer() and -LARGEST_STEP <= value <= LARGEST_STEP else None
    if isinstance(value, str) and "/" in value:
        value = value.split("/", 1)[0]
    found = number(value)
    if found is None or not math.isfinite(found) or not found.is_integer() or abs(found) > LARGEST_STEP:
        return None
    return int(found)


def whole_after_slash(value: Any) -> int | None:
    """The total in `"12/400"`."""
    return whole(value.split("/", 1)[1]) if isinstance(value, str) and "/" in value else None


def wall_time(value: Any) -> float | None:
    """Unix seconds of a time stamp: a number in seconds, milli-, micro- or nanoseconds, or a date and time in words.
    A date without a zone is read as UTC, for the machine that wrote it is not known."""
    found = number(value)
    if found is not None:
        if not math.isfinite(found):
            return None
        for power in (1.0, 1e3, 1e6, 1e9):
            if 1e8 <= found / power < 1e10:
                return found / power
        return None
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        return None
    words = value.strip().replace(",", ".", 1) if re.search(r"\d,\d{3}", value) else value.strip()
    try:
        stamp = datetime.fromisoformat(words)
    except ValueError:
        bare = re.sub(r"\.\d+$", "", words)
        for form in _STAMPS:
            try:
                stamp = datetime.strptime(bare, form)
                break
            except ValueError:
                continue
        else:
            return None
    try:
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def duration_secs(value: Any) -> float | None:
    """Seconds in `6.5`, `"0:01:04"`, `"1 day, 2:00:00"`, `"1m 42s"`."""
    found = number(value)
    if found is not None:
        return found if math.isfinite(found) and 0 <= found < 1e9 else None
    if not isinstance(value, str) or len(value) > 40:
        return None
    words = value.strip()
    if matched := _CLOCK.fullmatch(words):
        days, hours, minutes, secs = matched.groups()
        return int(days or 0) * 86400.0 + int(hours or 0) * 3600.0 + int(minutes) * 60.0 + float(secs)
    spans = _SPANS.findall(words)
    if spans and not _SPANS.sub("", words).strip(" ,"):
        return sum(float(count) * _UNIT_SECS[unit.casefold()] for count, unit in spans)
    return None


def metrics_of(fields: Mapping[Any, Any], divider: str = "/") -> tuple[dict[str, float | str], int]:
    """One row's numbers and short texts, mappings within it flattened, and how many values were left out (lists, long
    texts, what is nested deeper than NESTING_LIMIT or beyond WIDTH_LIMIT values)."""
    flat: dict[str, float | str] = {}
    return flat, _flatten(fields, "", divider, NESTING_LIMIT, flat)


def _flatten(fields: Mapping[Any, Any], prefix: str, divider: str, depth: int, flat: dict[str, float | str]) -> int:
    left_out = 0
    for name, value in fields.items():
        if value.__class__ is float and not prefix and name.__class__ is str and len(name) <= NAME_LIMIT:
            flat[name] = value
            continue
        if value is None:
            continue
        if len(flat) >= WIDTH_LIMIT:
            left_out += 1
            continue
        own = text(f"{prefix}{name}", NAME_LIMIT)
        if isinstance(value, Mapping):
            left_out += _flatten(value, f"{own}{divider}", divider, depth - 1, flat) if depth > 1 else 1
        elif (found := number(value)) is not None:
            flat[own] = found
        elif isinstance(value, str):
            if len(value) > TEXT_LIMIT:
                left_out += 1
            elif value.strip().casefold() not in ABSENT:
                flat[own] = text(value)
        else:
            left_out += 1
    return left_out
