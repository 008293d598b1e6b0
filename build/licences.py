"""Puts the licences of all that the packaged app holds into a folder, and says of what none was found.

A text comes from the part itself, else from build/notices, where those lie that a wheel ought to bring and does not:

    FOLDER/python, page, system/NAME/…    what each part brings
    FOLDER/common/                        texts that Debian's notices name by their place on a Debian
    FOLDER/without-a-text.txt             parts of which nothing was found, and what their metadata say
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from parts import Part

COMMON = Path("/usr/share/common-licenses")
ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "build" / "notices"


def collect(every: Iterable[Part], folder: Path) -> list[str]:
    """Fill `folder`; what comes without a text, each with what its metadata say instead."""
    shutil.rmtree(folder, ignore_errors=True)
    without = []
    for part in every:
        place = folder / part.kind / part.name.replace("/", "-")
        texts = part.texts | of_ours(part)
        for name, file in texts.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place / name)
        if not texts:
            without.append(f"{part.kind}/{part.name} {part.version}: {part.licence or 'unknown'}")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    if COMMON.is_dir():
        shutil.copytree(COMMON, folder / "common")  # links become files
    if without:
        (folder / "without-a-text.txt").write_text("\n".join(without) + "\n", "utf-8")
    return without


def of_ours(part: Part) -> dict[str, Path]:
    """Texts that are in this checkout, or on this system, for a part that brings none or not all."""
    notices = {path.name: path for path in NOTICES.glob(f"{part.name}.*")} if part.kind == "python" else {}
    if "LGPL" in part.licence:  # Qt's wheels name their licences
        notices |= {path.name: path for path in (COMMON / "LGPL-3", COMMON / "GPL-3") if path.is_file()}
    elif "Apache-2.0" in part.licence and not part.texts:  # arro3's wheels; it is this project's own
        notices |= {"LICENSE": ROOT / "LICENSE"}
    return notices
