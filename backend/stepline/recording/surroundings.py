"""What a training ran in: versions of the libraries it has loaded, and the commit of the code.

Asked in a side thread, for a checkout on a slow disk takes its time. Git's files are read, and git is not called: a
process started from a training that holds a GPU or many threads is a risk, and reading three small files is none.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "transformers", "accelerate", "trl", "peft", "datasets", "tokenizers", "numpy", "deepspeed")


def surroundings() -> dict[str, Any]:
    """Flat settings: "versions.python", "versions.torch", …, "git.commit", "git.branch", as far as known."""
    found: dict[str, Any] = {"versions.python": platform.python_version()}
    for name in LIBRARIES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[f"versions.{name}"] = str(version)
    script = sys.argv[0] if sys.argv else ""
    for folder in ([Path(script).resolve().parent] if script else []) + [Path.cwd()]:
        if commit := git_commit(folder):
            return found | commit
    return found


def git_commit(folder: Path) -> dict[str, str]:
    """Commit and branch checked out where `folder` lies; empty where git's files are not there or cannot be read."""
    try:
        for place in (folder, *folder.parents):
            if (place / ".git").exists():
                return _head(place / ".git")
    except (OSError, ValueError):
        return {}
    return {}


def _head(git: Path) -> dict[str, str]:
    if git.is_file():
        # A worktree's or a submodule's .git says where the real one is.
        git = git.parent / git.read_text("utf-8").removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return {"git.commit": head}
    ref = head.removeprefix("ref:").strip()
    shared = git / "commondir"
    common = git / shared.read_text("utf-8").strip() if shared.is_file() else git
    commit = _loose(common / ref) or _packed(common / "packed-refs", ref)
    return {"git.commit": commit, "git.branch": ref.removeprefix("refs/heads/")} if commit else {}


def _loose(path: Path) -> str:
    return path.read_text("utf-8").strip() if path.is_file() else ""


def _packed(path: Path, ref: str) -> str:
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""
