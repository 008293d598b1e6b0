"""Stepline: watch model training.

    from stepline import SteplineCallback       # Trainer(callbacks=[SteplineCallback()]) is all a user writes
    with stepline.record("pilot") as run: ...   # any other loop
    stepline.load("pilot")                      # a notebook reads it back

Importing this loads nothing but the standard library; each name loads what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepline.recording import hook

__version__ = "0.1.0"
__all__ = ["SteplineCallback", "__version__", "load", "record"]

if TYPE_CHECKING:
    # Not `load`: it stands on the store, and so would every module that asks for the version.
    from stepline.recording.callback import SteplineCallback
    from stepline.recording.recorder import record


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'stepline' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__


_PLACES = {
    "SteplineCallback": "stepline.recording.callback",
    "load": "stepline.reading",
    "record": "stepline.recording.recorder",
}

# `TrainingArguments(report_to="stepline")` is known from here on; transformers itself is not imported for it.
hook.offer_reporting()
