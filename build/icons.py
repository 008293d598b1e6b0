"""Draws the icon's sizes from icons/stepline.svg: PNG for Linux, .ico for Windows, .icns for macOS.

python build/icons.py FOLDER        Qt draws; where the window is not Qt's, it is there for this alone
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
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
        names = [f"{size}.png", *({256: ["stepline.ico"], 512: ["stepline.icns"]}.get(size, []))]
        for name in names:
            if not image.save(str(folder / name)):
                sys.exit(f"{folder / name} cannot be written")
    application.quit()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
