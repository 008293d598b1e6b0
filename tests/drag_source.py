"""A small window whose files can be dragged out of it: `python drag_source.py FILE…`, at the screen's upper left."""

from __future__ import annotations

import sys

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

SIZE_PX = 60


class Source(QWidget):
    def __init__(self, paths: list[str]) -> None:
        super().__init__(None, Qt.WindowType.BypassWindowManagerHint | Qt.WindowType.WindowStaysOnTopHint)
        self._paths = paths
        self.setGeometry(0, 0, SIZE_PX, SIZE_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        content = QMimeData()
        content.setUrls([QUrl.fromLocalFile(path) for path in self._paths])
        drag = QDrag(self)
        drag.setMimeData(content)
        print("dragging", flush=True)
        done = drag.exec(Qt.DropAction.CopyAction)
        print("dropped" if done == Qt.DropAction.CopyAction else "not taken", flush=True)


if __name__ == "__main__":
    application = QApplication(sys.argv[:1])
    source = Source(sys.argv[1:])
    source.show()
    source.raise_()
    print("shown", flush=True)
    sys.exit(application.exec())
