"""Python environments of a user's folder: those that have transformers are found, whatever made them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import stepline
from stepline.environments import Environment, beginning, find, install_line

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="laid out as on POSIX")

NOBODY = 65534


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user 张"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(folder)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "WORKON_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def environment(folder: Path, *packages: str, venv: bool = False) -> Path:
    site = folder / "lib" / "python3.11" / "site-packages"
    for package in packages:
        (site / f"{package}.dist-info").mkdir(parents=True)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    if venv:
        (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return folder


def found(user: Path) -> dict[Path, Environment]:
    return {each.folder: each for each in find(user) if each.folder.is_relative_to(user)}


def test_each_tools_environments_are_found(user: Path) -> None:
    made = {
        environment(user / "miniconda3" / "envs" / "llm", "transformers-4.46.0", "pip-24.0"): "conda",
        environment(user / "elsewhere", "transformers-4.47.1"): "conda",
        environment(user / ".pyenv" / "versions" / "3.11.7", "transformers-4.48.0"): "pyenv",
        environment(user / ".local" / "share" / "uv" / "python" / "cpython-3.11", "transformers-4.49.0"): "uv",
        environment(user / ".virtualenvs" / "old", "transformers-5.0.0", venv=True): "venv",
        environment(user / "work" / "my project" / ".venv", "transformers-5.23.0", "stepline-0.1.0", venv=True): "venv",
    }
    (user / ".conda").mkdir()
    (user / ".conda" / "environments.txt").write_text(f"{user / 'elsewhere'}\n{user / 'gone'}\n")
    environment(user / ".virtualenvs" / "other", "torch-2.13.0", venv=True)
    environment(user / "a" / "b" / "c" / "d" / "too deep", "transformers-5.0.0", venv=True)
    seen = found(user)
    assert [each.folder.name for each in seen.values() if each.has_pip] == ["llm"]
    assert {folder: each.kind for folder, each in seen.items()} == made
    assert [each.transformers for each in seen.values()] == ["4.47.1", "4.46.0", "4.48.0", "4.49.0", "5.0.0", "5.23.0"]
    assert seen[user / "work" / "my project" / ".venv"].stepline == "0.1.0"


def test_the_active_one_comes_first_and_once(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(user / ".virtualenvs" / "first", "transformers-5.0.0", venv=True)
    active = environment(user / ".virtualenvs" / "second", "transformers-5.1.0", venv=True)
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    assert [each.name for each in found(user)] == ["second", "first"]


def test_its_lines_can_be_pasted(user: Path) -> None:
    folder = user / "work" / "my project" / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "transformers-5.23.0.dist-info").mkdir()
    told = next(each for each in beginning()["environments"] if each["path"] == str(folder))
    assert told["stepline"] is None
    words = shlex.split(told["run"])
    assert words[:3] == ["stepline", "run", "--"]
    assert words[4] == "train.py"
    version = subprocess.run([words[3], "-c", "print(1)"], capture_output=True, text=True, check=True)
    assert version.stdout == "1\n"
    assert shlex.split(told["install"]) == ["uv", "pip", "install", "--python", words[3], "stepline"]


def test_with_the_recorders_wheel_no_index_is_asked(tmp_path: Path) -> None:
    wheel = tmp_path / "the app" / f"stepline_recorder-{stepline.__version__}-py3-none-any.whl"
    line = install_line("/opt/my env/bin/python", wheel, has_pip=True)
    assert shlex.split(line) == ["/opt/my env/bin/python", "-m", "pip", "install", "--no-index", str(wheel)]


def test_a_folder_that_may_not_be_read_or_is_a_loop_ends_nothing(user: Path) -> None:
    (user / "loop").symlink_to(user)
    (user / "closed").mkdir(mode=0)
    assert found(user) == {}


def test_an_environment_whose_python_this_user_may_not_reach_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own folders are closed to others
        other = environment(folder / "other user" / "python", "transformers-5.0.0")
        ours = environment(folder / "ours" / ".venv", "transformers-5.0.0", venv=True)
        (ours / "bin" / "python").unlink()
        (ours / "bin" / "python").symlink_to(other / "bin" / "python")
        (folder / "other user").chmod(0o700)
        monkeypatch.setenv("HOME", str(folder / "ours"))
        monkeypatch.setenv("PATH", str(other / "bin"))
        monkeypatch.setenv("VIRTUAL_ENV", str(other))
        (folder / "gone").mkdir()
        monkeypatch.chdir(folder / "gone")
        (folder / "gone").rmdir()
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        else:
            (folder / "other user").chmod(0)
        try:
            assert found(folder) == {}
        finally:
            os.seteuid(user)
            (folder / "other user").chmod(0o700)
            os.chdir("/")
