"""What the window itself says, outside the page, in the page's languages."""

from __future__ import annotations

import os
from typing import Any, NamedTuple


class Words(NamedTuple):
    close_title: str
    close_question: str


ENGLISH = Words(
    close_title="A training is running",
    close_question="It runs in this program, and closing the window stops it. What it logged is kept. Close?",
)
CHINESE = Words(
    close_title="训练正在运行",
    close_question="训练在本程序中运行，关闭窗口会停止训练，已记录的内容都会保留。要关闭吗？",
)


def words(language: Any) -> Words:
    """In the language set in the page ("zh" or "en"), else the system's."""
    if language not in ("zh", "en"):
        spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
        language = "zh" if spoken.startswith("zh") else "en"
    return CHINESE if language == "zh" else ENGLISH
