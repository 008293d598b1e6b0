"""Other tools' training histories, read as Stepline's records. docs/importing.md lists the formats.

`import_paths` takes files and folders into the store; `gathered` only reads them. No file is written to, no pickle is
opened, nothing from a file is evaluated, and what a file may ask of the machine has limits (`limits`).
"""

from __future__ import annotations

from stepline.importers.following import Following
from stepline.importers.gathering import Gathered, gathered
from stepline.importers.imported import ImportedRun, ImportedTask, Remark
from stepline.importers.taking_in import ImportResult, import_paths

__all__ = ["Following", "Gathered", "ImportResult", "ImportedRun", "ImportedTask", "Remark", "gathered", "import_paths"]
