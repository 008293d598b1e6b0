"""Any Python value as JSON can carry it: metrics, settings and details come from other people's code.

Nothing here imports torch or numpy to know their types: a tensor or a numpy scalar of one element gives its number
through `item()`. Nothing here raises for a value, however odd, and what it gives is bounded in size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How non-finite numbers are spelled, for JSON has none."""

LARGEST_STEP = 2**63 - 1

TEXT_LIMIT = 10_000
"""Characters of one text. A metric or setting longer than this is somebody's data, not its description."""
DEPTH_LIMIT = 8
COUNT_LIMIT = 2_000
"""Items of one list and flat settings in all. 1,000 metrics in one record must pass; a tokenizer's vocabulary not."""


def metric_value(value: Any) -> float | str | None:
    """A metric's value: a number as float, anything else as text, None as None."""
    if value is None:
        return None
    if isinstance(value, str):
        return text(value)
    try:
        number = value.item() if hasattr(value, "item") else value
        return text(number) if isinstance(number, str) else float(number)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except Exception:  # a tensor of many elements, an object without a number, a broken __float__
        return description(value)


def whole_step(value: Any) -> int | None:
    """A step as the journal carries it: a whole number, also of a tensor, a float or a text; None for anything else."""
    try:
        number = value.item() if hasattr(value, "item") else value
        whole = number if isinstance(number, int) else float(number)
        return int(whole) if whole == int(whole) and abs(whole) < LARGEST_STEP else None
    except Exception:
        return None


def metric_values(metrics: Mapping[Any, Any]) -> dict[str, float | str]:
    """A copy of `metrics` with names as text and values as `metric_value` gives them; those that are None left out."""
    values = {text(name): metric_value(value) for name, value in metrics.items()}
    return {name: value for name, value in values.items() if value is not None}


def plain(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """`value` as JSON: mappings and lists as such, non-finite numbers spelled, what else there is as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        # str() of an int beyond 4,300 digits raises, and no reader takes more than a float's worth.
        return int(value) if abs(value) < 2**63 else spelled(metric_value(value))
    if isinstance(value, float):
        return spelled(value)
    if depth <= 0:
        return description(value)
    try:
        if isinstance(value, Mapping):
            return {text(name): plain(each, depth - 1) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            return [plain(each, depth - 1) for each in items[:COUNT_LIMIT]]
    except Exception:  # a mapping that raises while it is read
        return description(value)
    return spelled(metric_value(value))


def flat_settings(settings: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """`settings` as one level with dotted names ("model.hidden_size"), their values plain JSON."""
    flat: dict[str, Any] = {}
    for name, value in _flat_items(settings, prefix, DEPTH_LIMIT):
        if len(flat) >= COUNT_LIMIT:
            break
        flat[name] = plain(value)
    return flat


def _flat_items(settings: Mapping[Any, Any], prefix: str, depth: int) -> Iterable[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and depth > 0:
            yield from _flat_items(value, f"{prefix}{text(name)}.", depth - 1)
        else:
            yield f"{prefix}{text(name)}", value


def spelled(value: float | str | None) -> float | str | None:
    """A non-finite number as its word, anything else as it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return float(value) if isinstance(value, float) else value


def text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """`value` as text that UTF-8 can carry, cut at `limit` characters."""
    try:
        words = str(value)
    except Exception:
        words = f"a {type(value).__name__}"
    if len(words) > limit:
        words = words[: limit - 1] + "…"
    return words if words.isascii() else words.encode(errors="replace").decode()


def description(value: Any) -> str:
    """What `value` is; of a tensor only the shape, for writing out a large one on a GPU takes seconds."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, Iterable):
        return f"{type(value).__name__} of shape {tuple(shape)}"
    return text(value)
