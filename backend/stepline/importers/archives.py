"""A zip archive as a folder of the moment: its files are unpacked into it, within limits, and what is imported is known
by its records, as if a page had sent it.

Weights, arrays and pickles in it stay packed. No member can lead out of the folder, and a member that unpacks to more
than its share of the limits ends the import.
"""

from __future__ import annotations

import lzma
import os
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from stepline.errors import ImportFailed
from stepline.importers import limits

MAGIC = b"PK\x03\x04"
_CHUNK_BYTES = 1 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, NotImplementedError)
_PACKED_STAY = frozenset(
    f".{suffix}"
    for suffix in [
        "bin",
        "pt",
        "pth",
        "ckpt",
        "safetensors",
        "npy",
        "npz",
        "pkl",
        "h5",
        "onnx",
        "gguf",
        "zip",
        "png",
        "jpg",
    ]
)


def is_archive(path: Path) -> bool:
    try:
        # A pipe that nobody writes to would be waited for.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == MAGIC
    except OSError:
        return False


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A folder, there for the moment, in which the archive's files lie in one named as the archive. Raises
    ImportFailed."""
    with tempfile.TemporaryDirectory(prefix="stepline-zip-") as name:
        folder = Path(name).resolve()
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, path, folder / (path.stem or "archive"))
        except (*_DAMAGED, OSError, ValueError) as error:
            raise ImportFailed(
                f"{path} cannot be unpacked",
                why=str(error) or type(error).__name__,
                action="Unpack it yourself and import what comes out",
            ) from error
        yield folder


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path) -> None:
    members = [each for each in archive.infolist() if not each.is_dir()]
    wanted = [each for each in members if PurePosixPath(each.filename).suffix.casefold() not in _PACKED_STAY]
    if not wanted or any(each.filename.endswith("data.pkl") for each in members):
        raise ImportFailed(
            f"{path} is no training history",
            why="It is a zip archive of weights or arrays (so are .npz and .pt files)",
            action="See docs/importing.md for what can be imported",
        )
    if len(wanted) > limits.ARCHIVE_FILES:
        raise ImportFailed(
            f"{path} holds {len(wanted):,} files",
            why=f"At most {limits.ARCHIVE_FILES:,} are unpacked",
            action="Unpack it yourself and import the folder",
        )
    given = 0
    for member in wanted:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        parts = tuple(part for part in parts if part not in ("..", "/", "."))
        target = folder.joinpath(*(part.replace(":", "_") for part in parts or ["file"]))
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("wb") as file:
            while data := packed.read(_CHUNK_BYTES):
                given += len(data)
                if given > limits.ARCHIVE_BYTES or given > max(
                    limits.EXPANSION_FREE_BYTES, limits.EXPANSION * path.stat().st_size
                ):
                    raise ImportFailed(
                        f"{path} unpacks to more than {given - len(data):,} bytes",
                        why="There is still more, and no training log is so large",
                        action="Unpack it yourself and import the folder",
                    )
                file.write(data)
        os.utime(target, 2 * (_date(member),))


def _date(member: zipfile.ZipInfo) -> float:
    """A member's date, which has no zone, as if it were this machine's: a source that tells no time bears it."""
    try:
        return time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return time.time()
