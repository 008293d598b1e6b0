"""What the packaged app is made of, by the files that went into it: a part each for a Python distribution, Python
itself, a package of the page, a package of the system.

PyInstaller's spec leaves the list of those files (`sources.txt`), so what merely lies in the building environment is no
part, and a library that PyInstaller took along from the system is one.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """`licence` as its metadata name it; `texts`: its licence's own files, by the place each is to have in a folder."""

    kind: str
    name: str
    version: str
    licence: str
    purl: str
    texts: dict[str, Path] = field(default_factory=dict)


def parts(sources: Sequence[Path], site: Path, web: Path) -> list[Part]:
    """Sorted. `site` is the folder of the Python packages, `web` the page's sources."""
    sources = [path for path in sources if path.is_absolute()]  # a link's entry is where it leads
    found = [*distributions(sources, site), *page_packages(sources, web), *system_packages(sources, site), python()]
    return sorted(found, key=lambda part: (part.kind, part.name.lower()))


def distributions(sources: Sequence[Path], site: Path) -> Iterator[Part]:
    taken = {str(path) for path in sources}
    for each in metadata.distributions(path=[str(site)]):
        name = each.metadata["Name"]
        files = [Path(str(each.locate_file(path))) for path in each.files or []]
        if name == "stepline" or taken.isdisjoint(map(str, files)):
            continue
        (folder,) = {path.parent for path in files if path.name == "METADATA"}
        keys = ("License-Expression", "License")
        said = next((each.metadata[key].partition("\n")[0] for key in keys if key in each.metadata), "")
        texts = {str(path.relative_to(folder)): path for path in licence_files(folder)}
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{each.version}"
        yield Part("python", name, each.version, said, purl, texts)


def python() -> Part:
    places = (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix))
    texts = {text.name: text for text in (place / "LICENSE.txt" for place in places) if text.is_file()}
    version = platform.python_version()
    return Part("python", "Python", version, "PSF-2.0", f"pkg:generic/python@{version}", texts)


def page_packages(sources: Sequence[Path], web: Path) -> Iterator[Part]:
    """By the list that the page's build leaves beside it: what npm installs for the page is more than what gets in."""
    listed = next(path for path in sources if path.name == "packages.txt" and path.parent.name == "web_dist")
    for name in listed.read_text("utf-8").split():
        folder = web / "node_modules" / name
        about = json.loads((folder / "package.json").read_text("utf-8"))
        texts = {str(path.relative_to(folder)): path for path in licence_files(folder)}
        purl = f"pkg:npm/{name.replace('@', '%40')}@{about['version']}"
        yield Part("page", name, about["version"], str(about.get("license", "")), purl, texts)


def system_packages(sources: Sequence[Path], site: Path) -> Iterator[Part]:
    """Debian's packages whose libraries lie in the app. Elsewhere, none is found."""
    if shutil.which("dpkg-query") is None:
        return
    own = (site, Path(sys.base_prefix), site.parents[2])
    libraries = [path for path in sources if ".so" in path.name and not any(each in path.parents for each in own)]
    # A merged /usr is told of under either name; whole paths, because patterns take dpkg 20 s.
    places = [str(each) for path in libraries for each in (path, Path("/usr") / path.relative_to("/"), _unmerged(path))]
    asked = subprocess.run(["dpkg-query", "-S", *places], capture_output=True, text=True, check=False)
    names = sorted({line.partition(":")[0].partition(",")[0] for line in asked.stdout.splitlines()})
    if not names:
        return
    form = "${Package} ${Version} ${Architecture}\n"
    told = subprocess.check_output(["dpkg-query", "-W", f"--showformat={form}", *names], text=True)
    for name, version, architecture in map(str.split, told.splitlines()):
        text = Path("/usr/share/doc") / name / "copyright"
        purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}"
        yield Part("system", name, version, "", purl, {text.name: text} if text.is_file() else {})


def _unmerged(path: Path) -> Path:
    return Path("/", *path.parts[2:]) if path.parts[:2] == ("/", "usr") else path


def licence_files(folder: Path) -> list[Path]:
    """Files that hold licences in `folder` and in the folders beneath that hold nothing else."""
    first = [path for path in folder.iterdir() if named_as_licence(path) or path.name == "licenses"]
    inside = [each for path in first if path.is_dir() for each in path.rglob("*")]
    return sorted(path for path in {*first, *inside} if path.is_file())


def named_as_licence(path: Path) -> bool:
    words = ("license", "licence", "copying", "notice", "authors")
    return path.suffix not in (".py", ".pyc", ".js", ".ts") and path.name.lower().startswith(words)
