"""The icon's files for each system, drawn from the one SVG."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = (16, 24, 32, 48, 64, 128, 256)


def pixels(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack_from(">II", png, 16)
    return width, height


def test_windows_icon_has_each_size_as_it_was_drawn(tmp_path: Path) -> None:
    pytest.importorskip("PySide6.QtSvg")
    subprocess.run([sys.executable, ROOT / "build" / "icons.py", tmp_path], check=True)
    icon = (tmp_path / "stepline.ico").read_bytes()
    assert struct.unpack_from("<HHH", icon) == (0, 1, len(SMALL))
    for index, size in enumerate(SMALL):
        width, height, *_, length, begin = struct.unpack_from("<BBBBHHII", icon, 6 + 16 * index)
        assert (width or 256, height or 256) == (size, size)
        assert pixels(icon[begin : begin + length]) == (size, size)
        assert icon[begin : begin + length] == (tmp_path / f"{size}.png").read_bytes()
    assert pixels((tmp_path / "512.png").read_bytes()) == (512, 512)
