"""qtpy, as far as pywebview asks for it, name by name.

PySide6 makes a class of Qt when its name is first asked for. qtpy asks for every name of its modules at once: 0.13 s of
CPU at each start, a third of what Qt takes. Here a name is looked up when pywebview, or `qt`, imports it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PLACES = {
    "QtCore": ("QtCore",),
    "QtGui": ("QtGui",),
    "QtNetwork": ("QtNetwork",),
    "QtWebChannel": ("QtWebChannel",),
    "QtWebEngineCore": ("QtWebEngineCore",),
    # What Qt 5 had there, Qt 6 has moved.
    "QtWebEngineWidgets": ("QtWebEngineWidgets", "QtWebEngineCore"),
    "QtWidgets": ("QtWidgets", "QtGui"),
}
"""Where PySide6 has the names of a module of qtpy's."""


class _Module(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(f"qtpy.{name}")
        self.__spec__ = ModuleSpec(self.__name__, None)
        self._places = PLACES[name]

    def __getattr__(self, name: str) -> Any:
        for place in self._places:
            try:
                found = getattr(import_module(f"PySide6.{place}"), name)
            except AttributeError:
                continue
            setattr(self, name, found)
            return found
        raise AttributeError(f"PySide6 has no {name} in {' or '.join(self._places)}")


def stand_in_for_qtpy() -> None:
    """Nothing happens where qtpy is loaded already, or where it would take another binding than PySide6."""
    wanted = os.environ.get("QT_API", "pyside6").lower()
    if "qtpy" in sys.modules or wanted != "pyside6" or importlib.util.find_spec("PySide6") is None:
        return
    package: Any = ModuleType("qtpy")
    package.__spec__ = ModuleSpec("qtpy", None, is_package=True)
    package.__path__ = []
    package.PYSIDE6, package.PYQT6 = True, False
    sys.modules["qtpy"] = package
    for name in PLACES:
        module = _Module(name)
        sys.modules[module.__name__] = module
        setattr(package, name, module)
