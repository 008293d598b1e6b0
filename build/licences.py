"""Collects the licences of all that the packaged app holds, a folder each, and says of what none was found.

Three sources: Python distributions (their dist-info), the packages whose code is in the built page (node_modules), and
the system's libraries that were taken along (Debian's copyright files).
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

NAMES = ("licen[cs]e*", "copying*", "notice*", "authors*", "LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*", "LICENSES")
COMMON = Path("/usr/share/common-licenses")
ROOT = Path(__file__).resolve().parent.parent
BUILDS_ONLY = frozenset(
    ("build", "editables", "hatchling", "uv", "pip", "setuptools", "cyclonedx-bom", "pyinstaller-hooks-contrib")
)


def collect(site: Path, web: Path, app: Path, folder: Path) -> list[str]:
    """Fill `folder`; the names of what comes without a licence's text, each with what its metadata says instead."""
    shutil.rmtree(folder, ignore_errors=True)
    without = []
    for name, said, files in (*distributions(site), *page_packages(web, app), *system_libraries(app)):
        place = folder / name
        for file in files:
            place.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".py":
                (place / "LICENSE").write_text(head(file), "utf-8")
            else:
                shutil.copyfile(file, place / file.name)
        if not files:
            without.append(f"{name}: {said}")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    if without:
        (folder / "without-a-text.txt").write_text("\n".join(without) + "\n")
    return without


def texts(folder: Path) -> list[Path]:
    """Licence files in `folder` and the folders beneath that hold nothing else."""
    found = {path for name in NAMES for path in folder.glob(name)}
    inside = {path for each in found | {folder / "licenses"} if each.is_dir() for path in each.rglob("*")}
    return sorted(path for path in found | inside if path.is_file())


def head(module: Path) -> str:
    """The comment that a module begins with."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), module.read_text("utf-8", "replace").splitlines())
    return "".join(f"{line.lstrip('#').removeprefix(' ')}\n" for line in lines)


def distributions(site: Path) -> Iterator[tuple[str, str, list[Path]]]:
    for each in metadata.distributions(path=[str(site)]):
        name = each.metadata["Name"]
        if name.lower() in BUILDS_ONLY or name == "stepline":
            continue
        said = next(
            (each.metadata[key] for key in ("License-Expression", "License") if key in each.metadata), "unknown"
        )
        folder = Path(str(each.locate_file(""))) / f"{name.replace('-', '_')}-{each.version}.dist-info"
        places = [path.parent for path in each.files or [] if path.name == "METADATA"]
        if places:
            folder = Path(str(each.locate_file(places[0])))
        found = texts(folder)
        if not found and "LGPL" in said:  # Qt's wheels name their licences and bring no text
            found = [path for path in (COMMON / "LGPL-3", COMMON / "GPL-3") if path.is_file()]
        if not found and "Apache-2.0" in said:  # arro3's wheels bring no text of it either; it is this project's own
            found = [ROOT / "LICENSE"]
        if not found:  # nvidia-ml-py has its licence in its module alone
            modules = [site / str(path) for path in each.files or [] if path.suffix == ".py" and len(path.parts) == 1]
            found = [path for path in modules if "Redistribution" in head(path)]
        yield f"python/{name}", said.partition("\n")[0], found


def page_packages(web: Path, app: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """By the list that the page's build leaves beside it: what npm installs for the page is more than what gets in."""
    for name in next(app.rglob("web_dist/packages.txt")).read_text("utf-8").split():
        package = web / "node_modules" / name
        about = json.loads((package / "package.json").read_text("utf-8"))
        yield f"page/{name.replace('/', '-')}", str(about.get("license")), texts(package)


def system_libraries(app: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """Debian packages whose libraries lie in the app. Elsewhere, none is found."""
    if shutil.which("dpkg-query") is None:
        return
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    names = [path.name for path in app.glob("_internal/*.so*")]
    # A merged /usr is told of under either name; whole paths, because patterns take dpkg 20 s.
    places = [f"{above}/lib/{multiarch}/{name}" for name in names for above in ("", "/usr")]
    found = subprocess.run(["dpkg-query", "-S", *places], capture_output=True, text=True, check=False)
    packages = {line.partition(":")[0].partition(",")[0] for line in found.stdout.splitlines()}
    for package in sorted(packages):
        file = Path("/usr/share/doc") / package / "copyright"
        yield f"system/{package}", "see Debian", [file] if file.is_file() else []
    python = Path(sys.base_prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "LICENSE.txt"
    yield "python/Python", "PSF-2.0", [python] if python.is_file() else []
