"""Lines of any encoding, packed or not, within limits."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from stepline.errors import ImportFailed
from stepline.importers import gathered, limits
from stepline.importers.imported import Remarks
from stepline.importers.lines import lines
from stepline.importers.opening import Opened


def read(path: Path, data: bytes) -> tuple[list[tuple[int, str]], Remarks]:
    path.write_bytes(data)
    remarks = Remarks()
    with Opened(path) as opened:
        return list(lines(opened, remarks)), remarks


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk"])
def test_encodings_are_found(tmp_path, encoding):
    words = "step 1 loss 2.5\nstep 2 loss 2.25\n" * 40 + "轮次 3\n"
    found, _ = read(tmp_path / "log", words.encode(encoding))
    assert found[-1] == (81, "轮次 3")
    assert found[0] == (1, "step 1 loss 2.5")


def test_line_ends_progress_bars_and_colours(tmp_path):
    found, _ = read(tmp_path / "log", b"a\r\n\x1b[32mb\x1b[0m\x1b[K\n 10%\r 20%\r\x1b]0;title\x07 30%\nlast")
    assert found == [(1, "a"), (2, "b"), (3, " 10%"), (3, " 20%"), (3, " 30%"), (4, "last")]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_packed_files_are_unpacked_and_may_end_early(tmp_path, pack):
    words = "".join(f'{{"step": {step}, "loss": {step}.5}}\n' for step in range(1, 20_000)).encode()
    packed = pack(words)
    whole, _ = read(tmp_path / "whole", packed)
    assert len(whole) == 19_999
    cut, remarks = read(tmp_path / "cut", packed[: len(packed) // 2])
    assert len(cut) < 19_999
    assert cut[:10] == whole[:10]
    assert remarks.count == 1


def test_a_bomb_meets_a_limit(tmp_path):
    path = tmp_path / "log.gz"
    with gzip.open(path, "wb") as file:
        file.write(b'{"step": 1, "loss": 1}\n')
        zeros = b" " * (1 << 20)
        for _ in range((limits.EXPANSION_FREE_BYTES >> 20) + 2):
            file.write(zeros)
    with pytest.raises(ImportFailed, match="unpacks to more than"):
        gathered(path)


def test_a_line_without_end_is_left_out(tmp_path):
    found, remarks = read(tmp_path / "log", b"first\n" + b"x" * (limits.LINE_BYTES + 5) + b"\nlast\n")
    assert [words for _, words in found] == ["first", "last"]
    assert remarks.kept[0].place == "line 2"


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"PK\x03\x04" + b"\0" * 50, "zip"), (b"\x80\x04\x95abc", "pickle"), (bytes(range(256)) * 4, "binary")],
)
def test_other_files_are_named_for_what_they_are(tmp_path, data, what):
    path = tmp_path / "trainer_state.json"
    path.write_bytes(data)
    with pytest.raises(ImportFailed) as failed:
        gathered(path)
    assert what in failed.value.why
