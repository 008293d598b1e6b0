"""A digest of a run's records, by which a source that was imported before is known again.

The time of a record is left out: a source that tells none bears its file's date, which a copy changes.
"""

from __future__ import annotations

import hashlib
import math
import struct

from stepline.recording.journal import Record

HEAD_RECORDS = 4
"""Records that find the imports a source may be a copy of; whether it is one, all of them say."""

_NUMBER = struct.Struct("<d")
_NAN = _NUMBER.pack(math.nan)


class Digest:
    """The digest of the records added so far, and how many they are."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.records = 0

    def add(self, record: Record) -> None:
        metrics = record.metrics
        parts = [f"{record.kind}\0{record.step}\0{record.epoch}\0{record.message}\0".encode(errors="replace")]
        for name in sorted(metrics):
            value = metrics[name]
            parts.append(name.encode(errors="replace"))
            if isinstance(value, str):
                parts.append(value.encode(errors="replace"))
            else:
                # NaNs differ in bits that mean nothing.
                parts.append(_NAN if value != value else _NUMBER.pack(value))
        self._hash.update(b"\0".join(parts))
        self.records += 1

    def value(self) -> str:
        return self._hash.hexdigest()[:32]
