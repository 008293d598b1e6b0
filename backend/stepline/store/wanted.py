"""Which records a reader of the log wants: by kind, and by a search. Once for rows, as SQL; once for blocks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peewee import SQL

from stepline.store.blocks import Block
from stepline.store.content import KIND_CODES, Content
from stepline.store.models import TrainingLogModel

VARIABLES = 500
"""Values in one list of a query; SQLite's own limit was 999 for long."""

Sets = dict[int, tuple[str, ...]]


def _lower(text: str) -> bytes:
    """As SQLite compares: without regard to case of ASCII letters alone."""
    return text.encode("utf-8", "surrogatepass").lower()


class Wanted:
    """`kinds`: None for all. `search`: in messages, texts, kinds, names of metrics; a step by its number."""

    def __init__(self, kinds: Collection[str] | None, search: str | None) -> None:
        self.kinds = kinds
        self.search = search or None

    def of_block(self, block: Block) -> int | None:
        """How many records of a block are wanted; None where that is only known by looking."""
        if self.kinds is None:
            found = block.count
        else:
            found = sum(count for kind, count in block.kinds.items() if kind in self.kinds)
        return found if found == 0 or self.search is None else None

    def mask(self, content: Content, sets: Sets) -> NDArray[np.bool_]:
        mask = np.ones(len(content), bool)
        if self.kinds is not None:
            mask = np.isin(content.kind, [code for kind, code in KIND_CODES.items() if kind in self.kinds])
        if self.search is not None:
            mask &= self._found(content, sets, self.search)
        return mask

    def _found(self, content: Content, sets: Sets, search: str) -> NDArray[np.bool_]:
        words = _lower(search)
        kinds = [code for kind, code in KIND_CODES.items() if words in kind.encode()]
        found = np.isin(content.kind, kinds) | np.isin(content.metric_set, self._sets(sets, search))
        for place, texts, message, _ in content.notes:
            found[place] |= any(words in _lower(text) for text in (texts, message) if text is not None)
        step = self._step(search)
        return found if step is None else found | (content.step == step)

    def where(self, sets: Sets) -> Any:
        """The condition on rows; None for all of them."""
        log = TrainingLogModel
        chosen: Any = None
        if self.kinds is not None:
            chosen = log.kind.in_(list(self.kinds))
            if "step" not in self.kinds:
                # In these very words the index of the kinds that are no steps is defined.
                chosen &= SQL("kind <> 'step'")
        if self.search is not None:
            search = self.search
            found = log.message.contains(search) | log.texts.contains(search) | log.kind.contains(search)
            numbers = self._sets(sets, search)
            if numbers:
                found |= log.metric_set_id.in_(numbers[:VARIABLES])
            step = self._step(search)
            if step is not None:
                found |= log.step == step
            chosen = found if chosen is None else chosen & found
        return chosen

    @staticmethod
    def _sets(sets: Sets, search: str) -> list[int]:
        words = search.casefold()
        return [number for number, held in sets.items() if any(words in name.casefold() for name in held)]

    @staticmethod
    def _step(search: str) -> int | None:
        return int(search) if search.strip().isdecimal() and len(search) < 19 else None
