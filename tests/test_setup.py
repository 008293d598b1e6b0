"""The set-up: pinned requirements, the page's build, system libraries, and packages that install without npm."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
HOSTS = re.compile(r"https?://|pypi|pythonhosted|npmjs|--index|--find-links")


def script(name: str) -> ModuleType:
    """A script of build/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "build" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A small page's sources, in a checkout of their own, with the built page beside."""
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    (folder / "src" / "main.ts").write_text("export {}")
    built = tmp_path / "backend" / "stepline" / "web_dist"
    built.mkdir(parents=True)
    (built / "index.html").write_text("built")
    (built / ".sources").write_text(script("hatch_web").digest(folder))
    return folder


def test_a_page_that_is_current_is_not_built_again(web: Path) -> None:
    assert script("hatch_web").build_page(web.parent) is False


def test_newer_times_alone_do_not_build_the_page(web: Path) -> None:
    (web / "src" / "main.ts").touch()
    assert script("hatch_web").build_page(web.parent) is False


def test_a_test_beside_the_sources_does_not_build_the_page(web: Path) -> None:
    (web / "src" / "main.test.ts").write_text("it('holds')")
    assert script("hatch_web").build_page(web.parent) is False


def test_changed_sources_need_npm_and_say_so(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (web / "src" / "main.ts").write_text("export const changed = true")
    monkeypatch.setenv("PATH", str(web.parent / "nothing"))
    hook = script("hatch_web")
    with pytest.raises(hook.PageError, match=r"npm is not installed.*Node"):
        hook.build_page(web.parent)


def test_in_an_unpacked_sdist_the_page_is_never_built(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (web / "src" / "main.ts").write_text("export const changed = true")
    (web.parent / "PKG-INFO").touch()
    monkeypatch.setenv("PATH", "")
    assert script("hatch_web").build_page(web.parent) is False


def test_a_checkout_without_page_and_sources_says_so(tmp_path: Path) -> None:
    hook = script("hatch_web")
    with pytest.raises(hook.PageError, match=r"web/package\.json"):
        hook.build_page(tmp_path)


def test_the_requirements_are_pinned_by_hash_and_name_no_host() -> None:
    text = (ROOT / "requirements" / "dev.txt").read_text()
    assert not HOSTS.search(text)
    requirements = [block for block in re.split(r"\n(?=[a-z])", text) if re.match(r"[a-z]", block)]
    assert len(requirements) > 50
    for requirement in requirements:
        assert re.match(r"[a-z0-9.-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_torch_is_not_among_the_pinned_requirements() -> None:
    text = (ROOT / "requirements" / "dev.txt").read_text()
    assert not re.search(r"^(torch==|nvidia-(?!ml-py)|triton)", text, re.MULTILINE)


def test_what_the_extras_ask_for_is_pinned() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {
        re.split(r"[ <>=;\[]", line)[0] for extra in ("app", "desktop", "hf", "test", "lint") for line in extras[extra]
    }
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    assert asked - pinned == {"stepline", "torch"}


def test_the_lock_of_the_page_names_no_host() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_the_first_name_that_the_release_knows_is_taken() -> None:
    libraries = script("system_libraries")
    lines = ["libasound2 libasound2t64", "libgl1"]
    assert libraries.choose(lines, {"libasound2t64", "libgl1"}.__contains__) == ["libasound2t64", "libgl1"]
    assert libraries.choose(lines, {"libasound2", "libasound2t64"}.__contains__) == ["libasound2", "libgl1"]
    assert libraries.choose(lines, set().__contains__) == ["libasound2", "libgl1"]


def test_a_library_is_there_under_any_of_its_names() -> None:
    libraries = script("system_libraries")
    assert libraries.missing(["libasound2 libasound2t64", "libgl1"], {"libasound2t64"}) == ["libgl1"]


def test_make_lists_its_commands() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is missing: apt-get install make")
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("setup", "demo", "test", "lint", "fix", "bench", "dev", "clean"):
        assert f"make {command} " in told


def test_the_sdist_installs_without_npm(tmp_path: Path) -> None:
    if not (ROOT / "backend" / "stepline" / "web_dist" / "index.html").is_file():
        pytest.skip("the page is not built: make setup")
    build = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("stepline-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert any(name.endswith("/backend/stepline/web_dist/index.html") for name in names)
    assert not any("node_modules" in name or ".venv" in name for name in names)

    without_npm = {**os.environ, "PATH": str(tmp_path)}
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*wheel, str(sdist)], check=True, env=without_npm)
    (made,) = tmp_path.glob("stepline-*.whl")
    with zipfile.ZipFile(made) as archive:
        held = archive.namelist()
    for name in ("stepline/web_dist/index.html", "stepline/demo/logbook.txt", "stepline_desktop/stepline.svg"):
        assert name in held
    assert len(held) == len(set(held))
