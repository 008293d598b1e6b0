"""`make package`: all that is handed out, into dist/, from this checkout.

    stepline-V-py3-none-any.whl, stepline-V.tar.gz      for Python's own tools
    stepline_recorder-V-py3-none-any.whl                what a training needs: pure Python, without a dependency
    stepline_V_amd64.deb                                Debian, Ubuntu
    stepline-V-linux-x86_64.tar.zst                     other Linux systems; its install.sh needs no root
    stepline-V-windows-x86_64.exe                       on Windows, by Inno Setup: an installer
    stepline-V-macos-MACHINE.dmg                        on macOS: a disk image with Stepline.app
    stepline-V.cdx.json, SHA256SUMS                     what is inside (CycloneDX), checksums

What was run of Windows' part, and that nothing was of macOS', is told in docs/packaging.md.
The app is built in an environment of its own below .cache/package (requirements/package.txt), without torch.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import licences
from parts import parts

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "package"
DIST = ROOT / "dist"
LINUX = ROOT / "build" / "linux"
VERSION = re.findall(r'^__version__ = "(.+)"', (ROOT / "backend/stepline/__init__.py").read_text(), re.MULTILINE)[0]
WINDOWS = sys.platform == "win32"
PYTHON = WORK / "venv" / ("Scripts/python.exe" if WINDOWS else "bin/python")
DEPENDS = f"libc6 (>= {platform.libc_ver()[1]}), libgl1, libegl1, fontconfig-config"
"""Found by starting the app in a minimal Debian: it brings everything else. Without a font (fontconfig-config brings
one) the page's process crashes."""


def run(*words: str | Path, **environment: str) -> None:
    subprocess.run([str(word) for word in words], cwd=ROOT, check=True, env={**os.environ, **environment})


def say(line: str) -> None:
    print(f"package: {line}", flush=True)


def environment() -> None:
    """The lean environment, made anew where the requirements changed."""
    requirements = ROOT / "requirements" / "package.txt"
    stamp, wanted = WORK / "venv" / ".requirements", requirements.read_text("utf-8")
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    say("installing the Python packages of requirements/package.txt")
    shutil.rmtree(WORK / "venv", ignore_errors=True)
    run(sys.executable, "-m", "venv", WORK / "venv")
    pip("install", "--no-deps", "--require-hashes", "-r", requirements)
    stamp.write_text(wanted, "utf-8")


def pip(*words: str | Path) -> None:
    run(PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", *words)


def wheels() -> None:
    """Stepline's wheel and sdist, and the recorder's wheel."""
    for old in (*DIST.glob("stepline-*"), *DIST.glob("stepline_*")):
        old.unlink()
    run(PYTHON, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT)
    source = WORK / "recorder"
    shutil.rmtree(source, ignore_errors=True)
    backend = ROOT / "backend" / "stepline"
    for pattern in ("__init__.py", "errors.py", "home.py", "recording/*.py", "adapters/*.py"):
        for file in backend.glob(pattern):
            place = source / "stepline" / file.relative_to(backend)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    shutil.copyfile(ROOT / "LICENSE", source / "LICENSE")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "stepline-recorder"\nversion = "{VERSION}"\nrequires-python = ">=3.11"\n'
        'license = "Apache-2.0"\ndescription = "Records a training for Stepline; the standard library alone."\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["stepline"]\n',
        "utf-8",
    )
    run(PYTHON, "-m", "build", "--no-isolation", "--wheel", "--outdir", DIST, source)


def app() -> Path:
    """The app's folder: PyInstaller's, with the recorder's wheel and the licences beside the program."""
    pip("install", "--no-deps", "--no-index", "--force-reinstall", DIST / f"stepline-{VERSION}-py3-none-any.whl")
    run(PYTHON, ROOT / "build" / "icons.py", WORK / "icons")
    say("building the app")
    out = WORK / "app"
    run(
        *(PYTHON, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"),
        *("--distpath", out, "--workpath", WORK / "work", ROOT / "build" / "stepline.spec"),
    )
    folder = out / "stepline"
    # Modules that are files are compiled at each start otherwise, 0.15 s: a frozen program writes none of what it
    # compiles. By their source's hash, which nothing asks for, because copies bear other dates.
    # On macOS the bundle beside the folder has its own.
    files = {file.resolve().parent for file in out.rglob("stepline/app.py")}
    # Without this machine's path, which is not another's.
    run(PYTHON, "-m", "compileall", "-q", "-s", out, "--invalidation-mode", "unchecked-hash", *files)
    strip(folder)
    (folder / "recorder").mkdir()
    shutil.copy(DIST / f"stepline_recorder-{VERSION}-py3-none-any.whl", folder / "recorder")
    for line in licences.collect(parts(sources(), site(), ROOT / "web"), folder / "licenses"):
        say(f"no licence's text with {line}")
    return folder


def strip(folder: Path) -> None:
    """Leave out symbols that only a debugger reads (65 MB): not from Qt and NumPy, whose libraries were patched after
    they were linked and break."""
    if sys.platform == "linux" and available("strip", "the app stays 60 MB larger"):
        inside = folder / "_internal"
        for pattern in (
            "libpython*.so*",
            "python3*/lib-dynload/*.so",
            "llvmlite/**/*.so",
            "zstandard/*.so",
            "psutil/*.so",
            "msgspec/*.so",
        ):
            for file in inside.glob(pattern):
                run("strip", "--strip-unneeded", file)


def available(program: str, otherwise: str) -> bool:
    """Whether a program of the system is there; said where it is not."""
    there = shutil.which(program) is not None
    if not there:
        say(f"{program} is not installed, so {otherwise}")
    return there


def sources() -> list[Path]:
    """The files that the app was made from."""
    return [Path(line) for line in (WORK / "work" / "stepline" / "sources.txt").read_text("utf-8").splitlines()]


def site() -> Path:
    told = subprocess.check_output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    return Path(told.strip())


def bill_of_materials(folder: Path) -> None:
    """What is inside, as CycloneDX."""
    place = DIST / f"stepline-{VERSION}.cdx.json"
    listed = WORK / "work" / "stepline" / "sources.txt"
    run(PYTHON, ROOT / "build" / "materials.py", listed, site(), ROOT / "web", VERSION, place)
    shutil.copy(place, folder / "licenses")


def shared(folder: Path) -> None:
    """What the desktop reads, below a `share` folder: menu entry, icons, MIME types."""
    for file, place in (("org.stepline.Stepline.desktop", "applications"), ("stepline.xml", "mime/packages")):
        (folder / place).mkdir(parents=True)
        shutil.copy(LINUX / file, folder / place)
    for png in (WORK / "icons").glob("*.png"):
        apps = folder / "icons" / "hicolor" / f"{png.stem}x{png.stem}" / "apps"
        apps.mkdir(parents=True)
        shutil.copy(png, apps / "stepline.png")
    scalable = folder / "icons" / "hicolor" / "scalable" / "apps"
    scalable.mkdir(parents=True)
    shutil.copy(ROOT / "icons" / "stepline.svg", scalable)


def fresh(name: str) -> Path:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def deb(folder: Path) -> Path:
    root = fresh("deb")
    share = root / "usr" / "share"
    shared(share)
    # Hard links: the folder is 600 MB.
    shutil.copytree(folder, root / "usr" / "lib" / "stepline", symlinks=True, copy_function=os.link)
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "stepline").symlink_to("../lib/stepline/stepline")
    (share / "doc" / "stepline").mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", share / "doc" / "stepline" / "copyright")
    kib = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        f"Package: stepline\nVersion: {VERSION}\nArchitecture: amd64\nMaintainer: Stepline\nInstalled-Size: {kib}\n"
        f"Depends: {DEPENDS}\nRecommends: xdg-utils, shared-mime-info, desktop-file-utils, fonts-noto-cjk\n"
        "Section: science\nPriority: optional\nDescription: watch model training\n"
        " Live while it runs, whole afterwards; offline, without an account. A desktop app that keeps\n"
        " every log of a training and shows it without hiding a spike.\n"
    )
    # Started by root, Python leaves its compiled modules beside the files that the package knows of.
    after = root / "DEBIAN" / "postrm"
    after.write_text('#!/bin/sh\nset -e\ncase "$1" in remove | purge) rm -rf /usr/lib/stepline ;; esac\n')
    after.chmod(0o755)
    place = DIST / f"stepline_{VERSION}_amd64.deb"
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--threads-max=2", "--build", root, place)
    return place


def tarball(folder: Path) -> Path:
    name = f"stepline-{VERSION}-linux-x86_64"
    root = fresh("tar") / name
    root.mkdir()
    shared(root / "share")
    shutil.copytree(folder, root / "app", symlinks=True, copy_function=os.link)
    shutil.copy(LINUX / "install.sh", root)
    place = DIST / f"{name}.tar.zst"
    same = ("--sort=name", f"--mtime=@{os.environ['SOURCE_DATE_EPOCH']}", "--owner=0", "--group=0", "--numeric-owner")
    run("tar", "--zstd", *same, "-C", root.parent, "-cf", place, name, ZSTD_CLEVEL="9", ZSTD_NBTHREADS="2")
    return place


def installer(folder: Path) -> None:
    """Windows: build/windows/stepline.iss, which looks for WebView2."""
    known = (Path(os.environ.get("PROGRAMFILES(X86)", "")) / "Inno Setup 6" / "ISCC.exe", Path("iscc"))
    compiler = next((path for path in known if shutil.which(path)), None)
    if compiler is None:
        say("Inno Setup 6 is not installed, so there is no installer")
        return
    told = (f"/DVersion={VERSION}", f"/DApp={folder}", f"/DIcon={WORK / 'icons' / 'stepline.ico'}", f"/O{DIST}")
    run(compiler, "/Qp", *told, ROOT / "build" / "windows" / "stepline.iss")


def disk_image(folder: Path) -> None:
    """macOS: the app beside a link to where apps lie, signed without an identity, where STEPLINE_SIGNATURE names none.

    Whoever downloads such a one has to allow it in the system's settings.
    """
    bundle = folder.with_name("Stepline.app")
    inside = bundle / "Contents" / "Resources"
    for name in ("recorder", "licenses"):
        shutil.copytree(folder / name, inside / name)
    run("codesign", "--force", "--deep", "--sign", os.environ.get("STEPLINE_SIGNATURE", "-"), bundle)
    image = fresh("dmg")
    shutil.copytree(bundle, image / "Stepline.app", symlinks=True)
    (image / "Applications").symlink_to("/Applications")
    place = DIST / f"stepline-{VERSION}-macos-{platform.machine()}.dmg"
    place.unlink(missing_ok=True)
    run("hdiutil", "create", "-volname", "Stepline", "-srcfolder", image, "-format", "UDZO", place)


def checksums() -> None:
    lines = []
    for file in sorted(DIST.iterdir()):
        if file.name.startswith("stepline"):
            with file.open("rb") as content:
                lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n")
    (DIST / "SHA256SUMS").write_bytes("".join(lines).encode("ascii"))


def source_date() -> str:
    """Of the commit, so that the same commit makes the same files; of this moment where there is none."""
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(int(time.time()))


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    # What is packed bears this date; the order of sets in what Python compiles does not change from build to build.
    os.environ.setdefault("SOURCE_DATE_EPOCH", source_date())
    os.environ["PYTHONHASHSEED"] = "0"
    environment()
    wheels()
    folder = app()
    bill_of_materials(folder)
    if sys.platform == "linux":
        if available("dpkg-deb", "there is no .deb"):
            deb(folder)
        if available("zstd", "there is no archive"):
            tarball(folder)
    elif WINDOWS:
        installer(folder)
    else:
        disk_image(folder)
    checksums()
    for file in sorted(DIST.iterdir()):
        say(f"{file.stat().st_size / 1e6:7.1f} MB  {file.relative_to(ROOT)}")
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    say(f"{size / 1e6:7.1f} MB  the app, unpacked")


if __name__ == "__main__":
    main()
