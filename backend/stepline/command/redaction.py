"""Takes what is personal out of texts that a person may hand on: names, paths, addresses.

What is known to be a name is replaced wherever it stands; what looks like a path, a mail or a network address is taken
out whoever it belongs to. Rather a word too many than a folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

SHORTEST_NAME = 3
"""Letters; shorter ones ("a", "v2") stand in every sentence and tell nobody's name."""
SYSTEM = ("usr", "lib", "lib64", "bin", "sbin", "etc", "proc", "sys", "dev", "run")
"""Folders that look alike on every machine."""
_END = r"[^\n\r\"'`:;,()<>|]*"
_LOOKS = (
    (re.compile(r"token=[^\s&\"']+"), "token=<token>"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "<mail>"),
    # Before the paths: a loopback address says nothing of anybody.
    (re.compile(r"(?<![\d.])(?!127\.)(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"), "<address>"),
    (re.compile(rf"(?<![\w/:.>])/(?!(?:{'|'.join(SYSTEM)})(?:/|\b)){_END}"), "<path>"),
    (re.compile(rf"(?<!\w)[A-Za-z]:[\\/]{_END}"), "<path>"),
    (re.compile(rf"\\\\[\w.-]+\\{_END}"), "<path>"),
)


class Redaction:
    """`names`: what stands for each word that must not be told."""

    def __init__(self, names: Mapping[str, str]) -> None:
        known = {name.strip(): instead for name, instead in names.items() if len(name.strip()) >= SHORTEST_NAME}
        self._instead = {name.lower(): instead for name, instead in known.items()}
        # The longest first: a folder's name is part of the path of what lies in it.
        words = sorted(map(_word, known), key=len, reverse=True)
        self._known = re.compile("|".join(words), re.IGNORECASE) if words else None

    def __call__(self, value: Any) -> Any:
        """`value`, which is plain JSON, with all its texts made so; the keys of objects too."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(str(name)): self(each) for name, each in value.items()}
        if isinstance(value, Iterable):
            return [self(each) for each in value]
        return value

    def _text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(lambda found: self._instead[found[0].lower()], text)
        for looks, instead in _LOOKS:
            text = looks.sub(instead, text)
        return text


def _word(name: str) -> str:
    """As a word of its own where its letters part words: "ann" is no part of "channel", 张 may stand in any text."""
    before = r"(?<![^\W_])" if name[0].isascii() and name[0].isalnum() else ""
    after = r"(?![^\W_])" if name[-1].isascii() and name[-1].isalnum() else ""
    return before + re.escape(name) + after
