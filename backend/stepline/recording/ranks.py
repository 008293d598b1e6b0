"""A request to a training on several ranks, which all of them must obey at the same step.

A stop that rank zero alone obeys leaves the others waiting for it at their next exchange, until they crash. So at each
step that logs, where the trainer lets its ranks wait for one another anyway, rank zero hands the others one number on
the CPU: what it was asked for. It is the only torch operation that Stepline adds, and there is none with one rank.

It is safe only where every rank has the callback. Each says so in the process group's key-value store when its training
begins, and reads the count after its first log: the trainer's own exchange of the loss lies between, so all ranks read
the same number and decide the same. Where it is not the number of ranks, no request is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from stepline.recording.commands import CommandName

WhyNot = Literal["before_first_log", "ranks_differ", "ranks_unknown", "never_logs"]
"""Why a training on several ranks takes no requests; the page says it in words."""

SHARED: tuple[CommandName, ...] = ("stop", "save", "evaluate")
"""What ranks can be asked for: the bits of the number. Logging together is when they hear of it, so not that."""

GROUP_SECS = 60
"""How long ranks wait for one another to form their group, which they all begin after the same log."""

_begun: dict[str, int] = {}


class SharedRequests:
    """One rank's part in one training."""

    def __init__(self, distributed: Any, store: Any, key: str, ranks: int) -> None:
        self.why_not: WhyNot | None = "before_first_log"
        self._distributed = distributed
        self._store = store
        self._key = key
        self._ranks = ranks
        self._group: Any = None
        store.add(key, 1)

    def logged(self) -> bool:
        """A training log was made, the same on every rank. True where this is now decided; see `why_not`."""
        if self.why_not != "before_first_log":
            return False
        # Whatever fails here fails for good, and must not be tried by one rank alone.
        self.why_not = "ranks_differ"
        if self._store.add(self._key, 0) == self._ranks:
            self._group = self._distributed.new_group(backend="gloo", timeout=timedelta(seconds=GROUP_SECS))
            self.why_not = None
        return True

    def exchange(self, asked: Iterable[CommandName]) -> list[CommandName]:
        """On every rank at the same step: what rank zero was asked for. Does nothing before `why_not` is None."""
        if self.why_not is not None:
            return []
        # Should a rank not come, none of the later exchanges can be trusted either.
        self.why_not = "ranks_differ"
        torch = sys.modules["torch"]
        number = torch.tensor([sum(1 << SHARED.index(name) for name in set(asked) & set(SHARED))], device="cpu")
        self._distributed.broadcast(number, src=0, group=self._group)
        self.why_not = None
        return [name for place, name in enumerate(SHARED) if int(number) >> place & 1]


class NoRequests(SharedRequests):
    """A training on several ranks that cannot share any."""

    def __init__(self, why_not: WhyNot) -> None:
        self.why_not = why_not


def shared_requests(args: Any) -> SharedRequests | None:
    """This rank's part in the training that begins now; None with one rank."""
    if args.world_size <= 1:
        return None
    distributed = sys.modules.get("torch.distributed")
    mode = str(getattr(args.parallel_mode, "value", args.parallel_mode))
    if distributed is None or mode != "distributed" or not distributed.is_initialized():
        return NoRequests("ranks_unknown")
    if str(getattr(args.logging_strategy, "value", args.logging_strategy)) == "no":
        return NoRequests("never_logs")
    store = distributed.distributed_c10d._get_default_store()
    # The training's number tells a second one in the same processes, which would find the first one's count.
    number = _begun[args.output_dir] = _begun.get(args.output_dir, 0) + 1
    return SharedRequests(distributed, store, f"stepline/{number}/{args.output_dir}", args.world_size)
