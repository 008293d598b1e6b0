"""What the window itself says, outside the page, in the page's languages."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple


class Words(NamedTuple):
    locale: str
    """By which Qt names its own words; the source's own are English."""
    close_title: str
    close_question: str
    yes: str
    no: str
    crashed_title: str
    crashed_text: str
    open_browser: str
    save: str
    cut: str
    copy: str
    paste: str
    select_all: str
    look_in: str
    files_of_type: str
    folder: str
    """What Qt's Chinese catalogue lacks of a file dialog."""
    file: str
    import_: str
    close: str
    view: str
    monitor: str
    tasks: str
    settings: str
    larger: str
    smaller: str
    actual_size: str
    full_screen: str
    reload: str
    help: str
    help_and_keys: str
    completed: str
    stopped: str
    failed: str
    stalled: str
    stalled_text: str
    finding: str
    masked_nan_text: str
    finding_text: str
    in_browser: str
    """Where Windows' menu started us and no window can open."""


ENGLISH = Words(
    locale="en",
    close_title="A training is running",
    close_question="It runs in this program, and closing the window stops it. What it logged is kept. Close?",
    yes="Close",
    no="Stay",
    crashed_title="The page keeps crashing",
    crashed_text="Nothing is lost: trainings go on, and what they log is kept. Where it crashes each time, the system "
    "may have no font; on Debian and Ubuntu: apt-get install fonts-dejavu-core",
    open_browser="Open in the browser",
    save="Save",
    cut="Cut",
    copy="Copy",
    paste="Paste",
    select_all="Select all",
    look_in="&Look in:",
    files_of_type="Files of &type:",
    folder="Folder",
    file="File",
    import_="Import…",
    close="Close window",
    view="View",
    monitor="Monitor",
    tasks="Tasks",
    settings="Settings",
    larger="Larger",
    smaller="Smaller",
    actual_size="Actual size",
    full_screen="Full screen",
    reload="Reload",
    help="Help",
    help_and_keys="Help and keys",
    completed="Training completed",
    stopped="Training stopped",
    failed="Training failed",
    stalled="No new steps",
    stalled_text="Nothing has been logged for much longer than usual.",
    finding="Something was found",
    masked_nan_text="The loss is NaN; the trainer logged it as 0.0.",
    finding_text="See what stands at its curves.",
    in_browser="No window can open, so Stepline is in the browser. It ends when this message is closed.\n\n"
    "For a window, install the Evergreen Standalone Installer of the Microsoft Edge WebView2 Runtime. "
    "It needs no network.",
)
CHINESE = Words(
    locale="zh_CN",
    close_title="训练正在运行",
    close_question="训练在本程序中运行，关闭窗口会停止训练，已记录的内容都会保留。要关闭吗？",
    yes="关闭",
    no="不关闭",
    crashed_title="页面反复崩溃",
    crashed_text="没有丢失任何内容：训练继续进行，记录都会保留。如果每次都崩溃，可能是系统没有字体，"
    "在 Debian 或 Ubuntu 上：apt-get install fonts-noto-cjk",
    open_browser="在浏览器中打开",
    save="保存",
    cut="剪切",
    copy="复制",
    paste="粘贴",
    select_all="全选",
    look_in="查找范围(&L)：",
    files_of_type="文件类型(&T)：",
    folder="文件夹",
    file="文件",
    import_="导入…",
    close="关闭窗口",
    view="视图",
    monitor="监控",
    tasks="任务",
    settings="设置",
    larger="放大",
    smaller="缩小",
    actual_size="实际大小",
    full_screen="全屏",
    reload="重新加载",
    help="帮助",
    help_and_keys="帮助与快捷键",
    completed="训练已完成",
    stopped="训练已停止",
    failed="训练失败",
    stalled="没有新的训练步骤",
    stalled_text="距上次记录的时间远超平时。",
    finding="发现异常",
    masked_nan_text="损失为 NaN，被训练器记成了 0.0。",
    finding_text="请查看曲线上的提示。",
    in_browser="无法打开窗口，Stepline 已在浏览器中打开。关闭此消息即退出 Stepline。\n\n"
    "如需独立窗口，请安装 Microsoft Edge WebView2 Runtime 的独立安装包（Evergreen Standalone Installer），"
    "安装时无需联网。",
)


def words(language: Any) -> Words:
    """In the language set in the page ("zh" or "en"), else the system's."""
    if language not in ("zh", "en"):
        language = "zh" if _system_is_chinese() else "en"
    return CHINESE if language == "zh" else ENGLISH


def _system_is_chinese() -> bool:
    if sys.platform == "win32":
        import ctypes

        # The lowest ten bits are the language, the others its country.
        chinese = 0x04
        return bool(ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == chinese)
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return spoken.startswith("zh")
