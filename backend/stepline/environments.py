"""Python environments of this machine in which a training could run, and the lines that bring Stepline to each.

Found by where tools put them (conda, venv, pyenv, uv, poetry, pipenv, the system) and read by their files' names: no
interpreter is started, so that one that hangs or is broken costs nothing. Only those with transformers count. What lies
elsewhere, or deeper below the user's folder than projects do, is not found. What this user may not look into is none:
`os.path` says so where `pathlib` raises.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stepline import frozen
from stepline.wire import Beginning, EnvironmentKind, FoundEnvironment

PATIENCE_SECS = 2.0
"""Of looking below the user's folder, where a slow disk may lie."""
PROJECT_DEPTH = 3
"""~/work/name/.venv"""
MOST_FOLDERS = 5000
SITES = ("lib/python3*/site-packages", "lib/python3/dist-packages", "lib64/python3*/site-packages", "Lib/site-packages")
_VERSION = re.compile(r"-([^-]+)\.(dist|egg)-info$")


@dataclass(frozen=True)
class Environment:
    kind: EnvironmentKind
    folder: Path
    python: Path
    transformers: str
    stepline: str | None
    """The version of Stepline, or of its recorder alone."""
    has_pip: bool


def beginning() -> Beginning:
    """What a first start has to tell: how a training in each environment is recorded."""
    command = stepline_command()
    wheel = recorder_wheel()
    return {
        "command": command,
        "wheel": None if wheel is None else str(wheel),
        "install": install_line("python", wheel, has_pip=True),
        "run": f"{command} run -- python train.py",
        "environments": [_told(each, command, wheel) for each in find()],
    }


def find(user_folder: Path | None = None) -> list[Environment]:
    """Environments with transformers, the nearest first: the active ones, those of tools, of projects, the system."""
    found: dict[str, Environment] = {}
    for kind, folder in _candidates(user_folder or _user_folder()):
        environment = _read(kind, folder)
        if environment is not None:
            found.setdefault(os.path.realpath(folder), environment)
    return list(found.values())


def recorder_wheel() -> Path | None:
    """The recorder's wheel that the packaged app carries; None where Stepline is not packaged."""
    folder = frozen.folder()
    if folder is None:
        return None
    # In a macOS bundle the program lies in MacOS, and what is no program in Resources.
    places = (folder / "recorder", folder.parent / "Resources" / "recorder")
    return next((wheel for place in places for wheel in sorted(place.glob("*.whl"))), None)


def stepline_command() -> str:
    """How a terminal starts this Stepline."""
    folder = frozen.folder()
    if folder is None or Path("/usr/bin/stepline").resolve().parent == folder:
        return "stepline"
    return _words([str(Path(sys.executable).absolute())])


def install_line(python: str, wheel: Path | None, *, has_pip: bool) -> str:
    """Installs the recorder into an environment: without an index from the wheel that lies here."""
    what = ["stepline"] if wheel is None else ["--no-index", str(wheel)]
    if has_pip:
        return _words([python, "-m", "pip", "install", *what])
    return _words(["uv", "pip", "install", "--python", python, *what])


def _told(each: Environment, command: str, wheel: Path | None) -> FoundEnvironment:
    return {
        "kind": each.kind,
        "path": str(each.folder),
        "transformers": each.transformers,
        "stepline": each.stepline,
        "install": install_line(str(each.python), wheel, has_pip=each.has_pip),
        "run": f"{command} run -- {_words([str(each.python), 'train.py'])}",
    }


def _words(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _user_folder() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _read(kind: EnvironmentKind, folder: Path) -> Environment | None:
    python = next((path for path in _pythons(folder) if os.path.isfile(path)), None)
    if python is None:
        return None
    sites = [site for pattern in SITES for site in folder.glob(pattern)]
    if kind == "system":
        sites += [site for above in (_user_folder() / ".local", Path("/usr/local")) for site in above.glob(SITES[0])]
        sites += Path("/usr/local").glob("lib/python3*/dist-packages")
    versions = {name: _version(sites, name) for name in ("transformers", "stepline", "stepline_recorder", "pip")}
    if versions["transformers"] is None:
        return None
    return Environment(
        kind,
        folder,
        python,
        versions["transformers"],
        versions["stepline"] or versions["stepline_recorder"],
        versions["pip"] is not None,
    )


def _pythons(folder: Path) -> Iterator[Path]:
    for name in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        yield folder / name


def _version(sites: Iterable[Path], name: str) -> str | None:
    for site in sites:
        for path in site.glob(f"{name}-*-info"):
            if found := _VERSION.search(path.name):
                return found[1]
    return None


def _candidates(user: Path) -> Iterator[tuple[EnvironmentKind, Path]]:
    yield from ((_kind(folder), folder) for folder in _active())
    yield from (("conda", folder) for folder in _conda(user))
    pyenv = Path(os.environ.get("PYENV_ROOT") or user / ".pyenv")
    yield from (("pyenv", folder) for folder in _inside(pyenv / "versions"))
    data = Path(os.environ.get("XDG_DATA_HOME") or user / ".local" / "share")
    yield from (("uv", folder) for name in ("python", "tools") for folder in _inside(data / "uv" / name))
    for pool in (
        Path(os.environ.get("WORKON_HOME") or user / ".virtualenvs"),
        data / "virtualenvs",
        user / ".cache" / "pypoetry" / "virtualenvs",
    ):
        yield from (("venv", folder) for folder in _inside(pool))
    yield from (("venv", folder) for folder in _of_projects(user))
    if sys.platform == "win32":
        programs = Path(os.environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "Programs" / "Python"
        yield from (("system", folder) for folder in _inside(programs))
    else:
        for path in ("/usr", "/usr/local", "/opt/homebrew"):
            yield "system", Path(path)


def _active() -> Iterator[Path]:
    """Those that a terminal is in: its variables, its folder, its PATH; and the one that Stepline itself runs in."""
    yield from (Path(chosen) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if (chosen := os.environ.get(name)))
    with contextlib.suppress(OSError):  # the folder that a terminal is in may have been removed
        yield from (Path.cwd() / name for name in (".venv", "venv", "env"))
    for place in os.environ.get("PATH", "").split(os.pathsep):
        if place and Path(place).parent != Path("/") and Path(place).name in ("bin", "Scripts"):
            yield Path(place).parent
    if frozen.folder() is None:
        yield Path(sys.prefix)


def _kind(folder: Path) -> EnvironmentKind:
    if os.path.isdir(folder / "conda-meta"):
        return "conda"
    return "venv" if os.path.isfile(folder / "pyvenv.cfg") else "system"


def _conda(user: Path) -> Iterator[Path]:
    """conda keeps a list of its environments; beside that, where its installers go by themselves."""
    try:
        listed = (user / ".conda" / "environments.txt").read_text("utf-8", "replace").splitlines()
    except OSError:
        listed = []
    yield from (Path(line.strip()) for line in listed if line.strip())
    names = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
    roots = [above / name for above in (user, Path("/opt")) for name in names]
    for root in (*roots, Path("/opt/conda"), user / ".conda"):
        yield root
        yield from _inside(root / "envs")


def _of_projects(user: Path) -> Iterator[Path]:
    """Folders with a pyvenv.cfg, a few steps below the user's."""
    ends = time.monotonic() + PATIENCE_SECS
    left = MOST_FOLDERS
    layer = [user]
    for _ in range(PROJECT_DEPTH):
        below: list[Path] = []
        for folder in layer:
            for path in _inside(folder):
                left -= 1
                if left < 0 or time.monotonic() > ends:
                    return
                if os.path.isfile(path / "pyvenv.cfg"):
                    yield path
                elif not path.name.startswith(".") and path.name != "node_modules":
                    below.append(path)
        layer = below


def _inside(folder: Path) -> list[Path]:
    """The folders in a folder, links to folders left out; none where it is not there or may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(each.path) for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return []
