"""Following `Trainer.train` from outside, because the trainer has no event for an exception.

An exception that the caller of `train()` catches, as every notebook does, reaches no hook of the interpreter. So the
class's `train` is wrapped, once; on a trainer without our callback the wrapper does nothing. The class and not the
instance, because a trainer may be pickled (Ray's hyperparameter search does) and a subclass calls `super().train()`.
"""

from __future__ import annotations

import functools
from typing import Any


class Follower:
    """A trainer's callback that is told of calls of `train`."""

    def train_called(self, trainer: Any) -> None:
        """`trainer.train(…)` begins."""

    def train_raised(self, error: BaseException) -> None:
        """`error` is on its way out of `trainer.train(…)`."""


def follow_train(trainer_class: Any) -> None:
    """Wrap `trainer_class.train`, if that was not done before."""
    original = trainer_class.train
    if getattr(original, "tells_followers", False):
        return

    @functools.wraps(original)
    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        for follower in _followers(self):
            follower.train_called(self)
        try:
            return original(self, *args, **kwargs)
        except BaseException as error:
            for follower in _followers(self):
                follower.train_raised(error)
            raise

    train.tells_followers = True  # type: ignore[attr-defined]
    trainer_class.train = train


def _followers(trainer: Any) -> list[Follower]:
    handler = getattr(trainer, "callback_handler", None)
    return [each for each in getattr(handler, "callbacks", ()) if isinstance(each, Follower)]
