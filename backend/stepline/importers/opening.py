"""A source file as a stream of bytes: gzip and zstd unpacked on the way, within limits, and never written to.

What is packed is found from the content. A packed file that ends early or is damaged gives what came before, and
`broken` says where it stopped. Raises ImportFailed where the file cannot be read at all.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

import numpy as np
import zstandard
from numpy.typing import NDArray

from stepline.errors import ImportFailed
from stepline.importers import limits

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 16
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_BYTES = 1 << 27


Reading = Callable[[Path, int, int], None]
_watched: ContextVar[Reading | None] = ContextVar("stepline_import_watched", default=None)


@contextmanager
def watched(call: Reading) -> Iterator[None]:
    """Within the block, `call` gets (path, bytes read of the file as it lies there, its size) at each read of any
    source; what it raises ends the read."""
    token = _watched.set(call)
    try:
        yield
    finally:
        _watched.reset(token)


def told_reading(path: Path, done_bytes: int) -> None:
    """For a source that a library reads."""
    if (call := _watched.get()) is not None:
        call(path, done_bytes, path.stat().st_size)


class Opened:
    """A file's bytes, unpacked. `broken` says why they ended early, where they did.

    Of a file that is not packed it may be the part [begin, end). `is_growing`: what is not whole at its end, a line or
    a record, is left `unread`, and told by nobody.
    """

    def __init__(self, path: Path, begin: int = 0, end: int | None = None, *, is_growing: bool = False) -> None:
        self.path = path
        self.begin = begin
        self.is_growing = is_growing
        self.broken: str | None = None
        self.unread = 0
        self._given_bytes = 0
        try:
            self._file: io.BufferedReader = path.open("rb")
            self.size_bytes = path.stat().st_size
        except OSError as error:
            raise ImportFailed(
                f"{path} cannot be read", why=error.strerror or str(error), action="Check the path and its permissions"
            ) from error
        magic = self._file.read(4)
        self._file.seek(0)
        self.packed = magic.startswith(_GZIP) or magic == _ZSTD
        self._promised_bytes = 0
        if magic.startswith(_GZIP):
            self._read: Callable[[int], bytes] = _Gzip(self._file).read
        elif magic == _ZSTD:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
            self._read = unpacker.stream_reader(self._file, read_across_frames=True).read
            self._promised_bytes = self._zstd_bytes()
        else:
            self._end = self.size_bytes if is_growing and end is None else end
            self._file.seek(begin)
            self._read = self._read_part

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, count: int = CHUNK_BYTES) -> bytes:
        """Up to `count` bytes, b"" at the end. Raises ImportFailed past the limit on unpacking."""
        if self.broken:
            return b""
        try:
            data = self._read(count)
        except (EOFError, zlib.error, zstandard.ZstdError, OSError) as error:
            self.broken = "the packed file ends early" if isinstance(error, EOFError) else f"damaged: {error}"
            return b""
        if not data and self._given_bytes < self._promised_bytes:
            self.broken = "the packed file ends early"
        self._given_bytes += len(data)
        if (call := _watched.get()) is not None:
            call(self.path, self._file.tell(), self.size_bytes)
        if (
            self.packed
            and self._given_bytes > limits.EXPANSION_FREE_BYTES
            and self._given_bytes > limits.EXPANSION * self.size_bytes
        ):
            raise ImportFailed(
                f"{self.path} unpacks to more than {limits.EXPANSION} times its size",
                why=f"After {self._given_bytes:,} bytes there is still more, which no training log does",
                action="If it is one, unpack it yourself and import what comes out",
            )
        return data

    def read_into(self, room: NDArray[np.uint8]) -> int:
        """Fill `room` with the next bytes; how many there were, less than fit at the end alone. Raises ImportFailed."""
        if self.packed:
            filled = 0
            while filled < len(room) and (data := self.read(min(CHUNK_BYTES, len(room) - filled))):
                room[filled : filled + len(data)] = np.frombuffer(data, np.uint8)
                filled += len(data)
            return filled
        try:
            filled = self._file.readinto(room.data) if len(room) else 0
        except OSError as error:
            self.broken = f"damaged: {error}"
            return 0
        if (call := _watched.get()) is not None:
            call(self.path, self._file.tell(), self.size_bytes)
        return filled

    @property
    def place(self) -> int:
        """The byte up to which whole lines or records were read."""
        return self.begin + self._given_bytes - self.unread

    def read_all(self, limit: int) -> bytes:
        """All bytes. Raises ImportFailed where there are more than `limit`."""
        parts = io.BytesIO()
        while data := self.read():
            parts.write(data)
            if parts.tell() > limit:
                raise ImportFailed(
                    f"{self.path} is one JSON document of more than {limit:,} bytes",
                    why="A document of this kind has to be held in memory whole",
                    action="Write it as JSON lines, which can be of any length",
                )
        return parts.getvalue()

    def _read_part(self, count: int) -> bytes:
        if self._end is not None:
            count = min(count, self._end - self.begin - self._given_bytes)
        return self._file.read(count)

    def _zstd_bytes(self) -> int:
        """How many bytes the first frame says it holds; 0 where it does not say."""
        head = self._file.read(18)
        self._file.seek(0)
        try:
            size = zstandard.get_frame_parameters(head).content_size
        except zstandard.ZstdError:
            return 0
        return 0 if size == zstandard.CONTENTSIZE_UNKNOWN else int(size)

    def chunks(self) -> Iterator[bytes]:
        while data := self.read():
            yield data


class _Gzip:
    """gzip's members one after another. The standard library's reader drops what it has when the file ends early."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._member = zlib.decompressobj(wbits=31)
        self._packed = b""

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, fewer before the end too. Raises EOFError where the file ends within a member."""
        while True:
            if self._member.eof:
                # Zeros may pad the end.
                self._packed = self._packed.lstrip(b"\0") or self._file.read(CHUNK_BYTES).lstrip(b"\0")
                if not self._packed:
                    return b""
                self._member = zlib.decompressobj(wbits=31)
            if not self._packed:
                self._packed = self._file.read(CHUNK_BYTES >> 4)
            if not self._packed:
                raise EOFError
            data = self._member.decompress(self._packed, count)
            self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if data:
                return data


def check_unpacking(path: Path) -> None:
    """Unpack all of a packed file and keep nothing of it: 1 GB a second, a hundred times as fast as it is read, so that
    one that unpacks to more than it may is not read for minutes first. Raises ImportFailed for such a one."""
    with Opened(path) as opened:
        token = _watched.set(None)
        try:
            while opened.packed and opened.read():
                pass
        finally:
            _watched.reset(token)


def head_of(path: Path, count: int = HEAD_BYTES) -> bytes:
    """The first `count` unpacked bytes, fewer where there are fewer."""
    with Opened(path) as opened:
        parts = []
        while count > 0 and (data := opened.read(count)):
            parts.append(data)
            count -= len(data)
    return b"".join(parts)
