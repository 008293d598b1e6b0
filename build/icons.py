"""Draws the icon's sizes from icons/stepline.svg: PNG for Linux, .ico for Windows, .icns for macOS.

python build/icons.py FOLDER        Qt draws; where the window is not Qt's, it is there for this alone
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
"""Windows draws what is missing from the next larger one, which blurs a line of one pixel."""
SOURCE = Path(__file__).resolve().parent.parent / "icons" / "stepline.svg"


def draw(folder: Path) -> None:
    """`<size>.png` for each of SIZES, `stepline.ico`, `stepline.icns`."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    application = QGuiApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    renderer = QSvgRenderer(str(SOURCE))
    for size in SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(0)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        for name in (f"{size}.png", *(["stepline.icns"] if size == 512 else [])):
            if not image.save(str(folder / name)):
                sys.exit(f"{folder / name} cannot be written")
    (folder / "stepline.ico").write_bytes(_ico({size: (folder / f"{size}.png").read_bytes() for size in ICO_SIZES}))
    application.quit()


def _ico(pictures: dict[int, bytes]) -> bytes:
    """An icon of several sizes out of PNG files, by their pixels; Qt writes one size alone. 256 is written as 0."""
    begin = 6 + 16 * len(pictures)
    entries = []
    for size, picture in pictures.items():
        entries.append(struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(picture), begin))
        begin += len(picture)
    return struct.pack("<HHH", 0, 1, len(pictures)) + b"".join(entries) + b"".join(pictures.values())


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
