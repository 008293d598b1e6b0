"""What the packaged app says of what is inside: licences, bill of materials, checksums."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.package.built import ROOT, app, package


def test_what_is_inside_is_told_and_each_part_has_its_licence() -> None:
    inside = app().parent / "licenses"
    told = json.loads(package("stepline-*.cdx.json").read_text())
    parts = {each["purl"].partition("?")[0]: each for each in told["components"]}
    names = {purl.partition("@")[0].removeprefix("pkg:") for purl in parts}
    assert names >= {"pypi/flask", "pypi/numba", "pypi/pyside6-webengine", "npm/vue", "deb/debian/libnss3"}
    assert names >= {"generic/python", "pypi/pyinstaller", "pypi/proxy-tools"}
    assert not names & {"pypi/build", "pypi/hatchling", "pypi/pip", "pypi/torch", "npm/vite"}
    assert not (inside / "without-a-text.txt").exists()
    folders = {"pypi": "python", "generic": "python", "npm": "page", "deb": "system"}
    for purl, part in parts.items():
        folder = inside / folders[purl.removeprefix("pkg:").partition("/")[0]] / part["name"].replace("/", "-")
        assert any(path.stat().st_size > 100 for path in folder.rglob("*") if path.is_file()), folder
    assert "OpenBLAS" in texts(inside / "python" / "numpy")
    assert "LLVM" in texts(inside / "python" / "llvmlite")
    assert "Chromium" in texts(inside / "python" / "PySide6_WebEngine")
    assert str(ROOT) not in package("stepline-*.cdx.json").read_text()


def test_nothing_inside_holds_the_folder_that_it_was_built_in() -> None:
    files = [path for path in app().parent.rglob("*") if path.is_file() and path.stat().st_size < 20_000_000]
    assert [path for path in files if os.fsencode(ROOT) in path.read_bytes()] == []


def texts(folder: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.is_file())


def test_the_checksums_are_those_of_the_files() -> None:
    sums = package("SHA256SUMS")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", sums.name], cwd=sums.parent, check=True)
    listed = {line.split()[1] for line in sums.read_text().splitlines()}
    assert listed == {path.name for path in sums.parent.iterdir()} - {sums.name}
