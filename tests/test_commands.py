"""Requests to a run: whole lines, each id once."""

from __future__ import annotations

from pathlib import Path

from stepline.recording.commands import Command, CommandFile, commands_path


def test_each_request_is_given_once_when_its_line_is_whole(tmp_path: Path) -> None:
    file = CommandFile(tmp_path, "run")
    assert file.new() == []
    path = commands_path(tmp_path, "run")
    with path.open("ab", buffering=0) as writer:
        writer.write(b'{"id": "a", "command": "stop", "time": 1}\n{"id": "b", "comm')
        assert file.new() == [Command("a", "stop")]
        assert file.new() == []
        writer.write(b'and": "save"}\n\nnonsense\n{"id": "a", "command": "log"}\n{"id": 5, "command": "log"}\n')
        assert file.new() == [Command("b", "save")]
        writer.write(b'{"id": "c", "command": ["log"]}\n\xff\n{"id": "d", "command": "log"}\n')
        assert file.new() == [Command("d", "log")]
    file.remove()
    file.remove()
    assert file.new() == []
    assert not path.exists()
