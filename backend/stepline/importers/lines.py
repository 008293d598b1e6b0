"""Lines of text from any tool and any machine, as they stream in.

UTF-8 with or without its mark, UTF-16 and UTF-32 with theirs (UTF-16 also without), GBK where a line is no UTF-8. Lines
end with LF, CRLF or CR, so the stages of a progress bar are lines of their own; colours and cursor movements of a
terminal are taken out. A line beyond limits.LINE_BYTES is left out and told.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from stepline.importers import limits
from stepline.importers.imported import Remarks
from stepline.importers.opening import Opened

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()][0-9A-Za-z]|[@-Z\\^_])|[\x00\x08]"
)


def encoding_of(head: bytes) -> str:
    """`utf-8` (which stands for every superset of ASCII, told apart line by line), or a UTF-16 or UTF-32 form."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    sample = head[: 1 << 12]
    if len(sample) >= 4:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if odd > len(sample) * 0.35 and even < len(sample) * 0.05:
            return "utf-16-le"
        if even > len(sample) * 0.35 and odd < len(sample) * 0.05:
            return "utf-16-be"
    return "utf-8"


def decoded(data: bytes) -> str:
    """A line or a document. GBK is tried only on what is no UTF-8; what is neither has its odd bytes marked."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        return data.decode(errors="replace")


def without_terminal(words: str) -> str:
    """Without what a terminal takes for colours and movements."""
    return _TERMINAL.sub("", words) if "\x1b" in words or "\x00" in words or "\x08" in words else words


def document(data: bytes) -> str:
    """A whole text of any of the encodings."""
    encoding = encoding_of(data)
    if encoding != "utf-8":
        return data.decode(encoding, errors="replace").removeprefix("\ufeff")
    return decoded(data.removeprefix(codecs.BOM_UTF8))


def lines(opened: Opened, remarks: Remarks, first: int = 1) -> Iterator[tuple[int, str]]:
    """(line number from `first`, text without its end) of each line that is not empty."""
    number = first - 1
    for number, line in _split(opened, remarks, first):
        pieces = line.split(b"\r") if b"\r" in line else (line,)
        for piece in pieces:
            if piece and not piece.isspace():
                words = decoded(piece)
                yield number, without_terminal(words)
    if opened.broken:
        remarks.leave_out(f"after line {number}", opened.broken)


def whole_lines(opened: Opened, remarks: Remarks) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes as UTF-8 with its end): for tables whose cells may hold line ends."""
    for number, line in _split(opened, remarks):
        yield number, line + b"\n"
    if opened.broken:
        remarks.leave_out(f"after line {number}", opened.broken)


def _as_utf8(opened: Opened) -> Iterator[bytes]:
    if opened.begin:
        yield from opened.chunks()
        return
    first = opened.read()
    encoding = encoding_of(first)
    if encoding == "utf-8":
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from opened.chunks()
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield decoder.decode(first).removeprefix("\ufeff").encode(errors="replace")
    for chunk in opened.chunks():
        yield decoder.decode(chunk).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")


def _split(opened: Opened, remarks: Remarks, number: int = 1) -> Iterator[tuple[int, bytes]]:
    held: list[bytes] = []
    held_bytes = 0
    for chunk in _as_utf8(opened):
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            if held:
                held.append(line)
                held_bytes += len(line)
                line = b"".join(held)
                if held_bytes > limits.LINE_BYTES:
                    remarks.leave_out(f"line {number}", f"longer than {limits.LINE_BYTES:,} bytes")
                    line = b""
                held, held_bytes = [], 0
            yield number, line
            number += 1
        if rest:
            held_bytes += len(rest)
            # Past the limit only the count is kept: a line of 10 GB must not be held.
            held = [*held, rest] if held_bytes <= limits.LINE_BYTES else [b""]
    if opened.is_growing:
        opened.unread = held_bytes
    elif held and held_bytes <= limits.LINE_BYTES:
        yield number, b"".join(held)
    elif held:
        remarks.leave_out(f"line {number}", f"longer than {limits.LINE_BYTES:,} bytes")
