"""Versions and the commit, read without starting a process; compared with what git says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stepline.recording.surroundings import git_commit, surroundings


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git makes what is read here: install git")
def test_the_commit_is_the_one_that_git_says(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == {}
    checkout = tmp_path / "checkout"
    (checkout / "deep").mkdir(parents=True)
    git(checkout, "init", "-q", "-b", "topic/a")
    assert git_commit(checkout) == {}
    git(checkout, "commit", "-q", "--allow-empty", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    expected = {"git.commit": commit, "git.branch": "topic/a"}
    assert git_commit(checkout / "deep") == expected
    git(checkout, "pack-refs", "--all")
    assert git_commit(checkout) == expected
    git(checkout, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    assert git_commit(tmp_path / "tree") == {"git.commit": commit, "git.branch": "other"}
    git(checkout, "checkout", "-q", "--detach")
    assert git_commit(checkout) == {"git.commit": commit}


def test_versions_are_of_what_is_loaded() -> None:
    found = surroundings()
    assert found["versions.python"].count(".") == 2
    assert all(isinstance(value, str) for value in found.values())
