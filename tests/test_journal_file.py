"""The journal's file when something is done to it from outside."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stepline.recording.journal_file import WAITING_LIMIT_BYTES, JournalFile

proc_only = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="finds the descriptor in /proc/self/fd")


def test_lines_are_there_when_append_returns(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "deep" / "a.jsonl")
    file.append(b"one\n")
    assert file.path.read_bytes() == b"one\n"
    assert sys.platform == "win32" or file.path.stat().st_mode & 0o077 == 0
    file.append(b"two\n")
    assert file.path.read_bytes() == b"one\ntwo\n"
    assert not file.check()
    file.close()
    assert file.lost_lines == 0


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can remove an open file there")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_removed_or_replaced_file_comes_back_whole(tmp_path: Path, replaced: bool) -> None:
    file = JournalFile(tmp_path / "a.jsonl")
    file.append(b"one\n")
    file.path.unlink()
    if replaced:
        file.path.write_bytes(b"one\n")  # as an editor or a synchronising tool does
    file.append(b"two\n")
    assert file.check()
    assert file.path.read_bytes() == b"one\ntwo\n"
    file.append(b"three\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"
    assert not file.check()
    file.close()
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_lines_wait_up_to_a_limit_and_the_rest_is_counted(tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_bytes(b"")
    file = JournalFile(blocker / "a.jsonl")
    line = b"x" * (WAITING_LIMIT_BYTES // 4) + b"\n"
    for _ in range(5):
        with pytest.raises(OSError, match="blocker"):
            file.append(line)
    assert file.lost_lines == 2
    file.close()
    assert file.lost_lines == 5


@proc_only
def test_another_file_with_our_descriptors_number_is_left_alone(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "a.jsonl")
    file.append(b"one\n")
    (ours,) = [fd for fd in map(int, os.listdir("/proc/self/fd")) if _points_at(fd, file.path)]
    os.close(ours)  # as a program does that closes all it knows to become a daemon
    other = os.open(tmp_path / "weights", os.O_CREAT | os.O_RDWR)
    os.dup2(other, ours)
    file.check()
    file.append(b"two\n")
    assert (tmp_path / "weights").read_bytes() == b""
    assert file.path.read_bytes() == b"one\ntwo\n"
    file.close()
    for fd in {ours, other}:
        os.close(fd)


def _points_at(fd: int, path: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == str(path)
    except OSError:
        return False
