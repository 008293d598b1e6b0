"""Each package, installed and used as a person does: `make package-test`.

The .deb and the archive in a minimal Debian without Python and without a network (build/bare_system.py), on a screen of
ours; the wheels in a fresh virtual environment. What is looked at stands in screenshots/.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stepline
from stepline.home import Home
from stepline.store import migrations, sqlite
from tests.front_door import wait_for
from tests.import_files import log_history, trainer_state
from tests.package.built import LEAN, ROOT, app, package
from tests.screens import Page, close, free_port, screen, window_on, xdotool

PICTURES = ROOT / "screenshots" / "packages"
STARTS_SECS = 90.0
USER = 1000


def outer() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}


@dataclass
class Bare:
    """A copy of the bare system, entered by chroot."""

    root: Path
    display: str = ""

    def command(self, *words: str, user: int = 0, **environment: str) -> list[str]:
        home = "/root" if user == 0 else "/home/user"
        given = {"HOME": home, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "DISPLAY": self.display, **environment}
        told = [f"{name}={value}" for name, value in given.items()]
        return ["chroot", f"--userspec={user}:{user}", str(self.root), "env", "-i", *told, *words]

    def run(self, *words: str, user: int = 0) -> str:
        done = subprocess.run(self.command(*words, user=user), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def has(self, program: str) -> bool:
        return subprocess.run(self.command("sh", "-c", f"command -v {program}"), capture_output=True).returncode == 0


def bring_loopback_up() -> None:
    """A network of one's own begins with its loopback down."""
    up, running, set_flags = 0x1, 0x40, 0x8914
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14x", b"lo", up | running))


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    base = os.environ.get("STEPLINE_BARE")
    if base is None:
        pytest.skip(f"no bare system: {os.environ.get('STEPLINE_BARE_MISSING', 'make package-test')}")
    assert Path("/sys/class/net/lo").is_dir()
    bring_loopback_up()
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    root = Path(base).with_name(f"system-{os.getpid()}")
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    sockets = root / "tmp" / ".X11-unix"
    mounts = {
        root / "proc": ("-t", "proc", "proc"),
        root / "dev" / "shm": ("-t", "tmpfs", "tmpfs"),
        sockets: ("--bind", "/tmp/.X11-unix"),
    }
    with screen() as display:
        try:
            for place, words in mounts.items():
                place.mkdir(mode=0o1777, exist_ok=True)
                subprocess.run(["mount", *words, place], check=True)
            yield Bare(root, display)
        finally:
            for place in mounts:
                subprocess.run(["umount", "-l", place], check=False)
            # Not through a mount that might be left.
            subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def picture(display: str, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    shot = ["import", "-window", "root", str(PICTURES / f"{name}.png")]
    subprocess.run(shot, env={**os.environ, "DISPLAY": display}, check=True)


def use(bare: Bare, program: str, name: str, user: int = 0) -> Path:
    """Open a history in the real window, see a training go on live, close it as a person does. Returns the home."""
    folder = bare.root / ("root" if user == 0 else "home/user") / "训练 1"
    folder.mkdir()
    history = folder / "trainer_state.json"
    trainer_state(history, log_history(range(10, 501, 10)))
    home = folder.parent / ".local" / "share" / "stepline"
    inside = "/" + str(history.relative_to(bare.root))
    port = free_port()
    words = bare.command(program, "open", inside, user=user, QTWEBENGINE_REMOTE_DEBUGGING=f"127.0.0.1:{port}")
    errors = bare.root / "tmp" / "errors"
    with errors.open("wb") as told, subprocess.Popen(words, stderr=told) as window:
        try:
            page = Page(port, secs=STARTS_SECS)
            wait_for(lambda: page.shows("训练 1"), STARTS_SECS)
            wait_for(lambda: page.run("document.querySelectorAll('canvas').length") > 1)
            time.sleep(1)
            picture(bare.display, f"{name}-history")
            if user:
                os.chown(folder, user, user)
            aside = Home.open(bare.root / "tmp" / f"{name}-aside")
            with stepline.record("live", home=aside, total_steps=40) as run:
                for step in range(1, 21):
                    run.log({"loss": 2 / step}, step=step)
                # A journal that appears as root's was seen, and told of, before it was given to the user.
                (journal,) = aside.journals.glob("*.jsonl")
                os.chown(journal, user, user)
                os.link(journal, home / "journals" / journal.name)
                live = next(task for task in tasks(bare, program, user) if task["name"] == "live")
                page.run(
                    "window.stepline = { asked: [] }; window.stepline.asked.push("
                    + json.dumps({"taken": {"tasks": [live["id"]], "imported": []}})
                    + "); window.dispatchEvent(new Event('stepline-asked'))"
                )
                wait_for(lambda: "20/ 40" in said(page))
                for step in range(21, 31):
                    run.log({"loss": 2 / step}, step=step)
                wait_for(lambda: "30/ 40" in said(page))
                picture(bare.display, f"{name}-live")
            the_dialog_speaks_the_pages_language(bare.display, page)
            page.close()
            shown = xdotool(bare.display, "search", "--onlyvisible", "--name", "Stepline").split("\n")[0]
            close(bare.display, shown)
            assert window.wait(30) == 0
        finally:
            if window.poll() is None:
                window.kill()
    # The port that this test looks through tells of itself.
    assert [line for line in errors.read_text().splitlines() if line and not line.startswith("DevTools")] == []
    return home


def the_dialog_speaks_the_pages_language(display: str, page: Page) -> None:
    """Qt's own words are in the package."""
    page.run("fetch('api/settings', {method: 'PUT', body: JSON.stringify({language: 'zh'})})")
    window = window_on(display)

    def dialog() -> str:
        return xdotool(display, "search", "--onlyvisible", "--name", "^打开$")

    def opened() -> str:
        xdotool(display, "windowfocus", window)
        xdotool(display, "key", "ctrl+o")
        with contextlib.suppress(AssertionError):
            wait_for(dialog, 3)
        return dialog()

    wait_for(opened, 60)
    wait_for(lambda: [xdotool(display, "key", "--window", dialog(), "Escape"), not dialog()][1])


def said(page: Page) -> str:
    """The page's words, blanks made one: a figure and its unit stand in elements of their own."""
    return " ".join((page.run("document.body?.innerText ?? ''") or "").split())


def tasks(bare: Bare, program: str, user: int) -> list[dict]:
    return json.loads(bare.run(program, "tasks", "--json", user=user))


def kernels_are_compiled_once(bare: Bare) -> None:
    """As a user who cannot write the program's folder: the first start compiles, the second finds what it left."""
    bare.run("useradd", "--create-home", "--uid", str(USER), "user")
    home = bare.root / "home/user/.local/share/stepline"
    kept: list[dict[str, int]] = []
    for _ in range(2):
        with subprocess.Popen(bare.command("stepline", "serve", user=USER), stdout=subprocess.PIPE) as serving:
            wait_for(lambda: (asked(home, "/api/about") or {}).get("kernels") == "ready", STARTS_SECS)
            kept.append({path.name: path.stat().st_mtime_ns for path in (home / "kernels").rglob("*.nb?")})
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(30) == 0
    assert len(kept[0]) > 10
    assert kept[0] == kept[1]


def asked(home: Path, path: str) -> Any:
    """What the Stepline on a home answers; None where none does."""
    try:
        writer = json.loads((home / "writer.json").read_text())
        request = urllib.request.Request(
            writer["address"] + path, headers={"Authorization": f"Bearer {writer['token']}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def test_the_deb(bare: Bare) -> None:
    assert not bare.has("python3")
    deb = package("stepline_*_amd64.deb")
    shutil.copy(deb, bare.root / "tmp" / deb.name)
    bare.run("dpkg", "-i", f"/tmp/{deb.name}")
    assert stepline.__version__ in bare.run("stepline", "--version")
    for file in (
        "usr/share/applications/org.stepline.Stepline.desktop",
        "usr/share/icons/hicolor/512x512/apps/stepline.png",
    ):
        assert (bare.root / file).is_file()
    found = {check["subject"]: check for check in json.loads(bare.run("stepline", "doctor", "--json"))}
    assert found["window"]["state"] == "well", found["window"]
    kernels_are_compiled_once(bare)
    home = use(bare, "stepline", "deb")
    assert sorted(task["records"] for task in tasks(bare, "stepline", 0)) == [32, 50]
    bare.run("dpkg", "--purge", "stepline")
    assert not (bare.root / "usr" / "lib" / "stepline").exists()
    assert not bare.has("stepline")
    assert (home / "stepline.db").is_file(), "histories outlive the program"


def test_the_archive_for_one_user(bare: Bare) -> None:
    archive = package("stepline-*-linux-x86_64.tar.zst")
    bare.run("useradd", "--create-home", "--uid", str(USER), "user")
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", bare.root / "tmp"], check=True)
    unpacked = f"/tmp/{archive.name.removesuffix('.tar.zst')}"
    bare.run(f"{unpacked}/install.sh", user=USER)
    shutil.rmtree(bare.root / unpacked.lstrip("/"))
    program = "/home/user/.local/bin/stepline"
    entry = bare.root / "home/user/.local/share/applications/org.stepline.Stepline.desktop"
    assert 'Exec="/home/user/.local/lib/stepline/stepline" open' in entry.read_text()
    home = use(bare, program, "archive", USER)
    bare.run("/home/user/.local/lib/stepline/install.sh", "--uninstall", user=USER)
    left = [path for path in (bare.root / "home/user/.local").rglob("*") if path.is_file() and home not in path.parents]
    assert left == []
    assert (home / "stepline.db").is_file(), "histories outlive the program"


SCRIPT = """
import os, sys, ctypes.util
assert "LD_LIBRARY_PATH" not in os.environ, "the training would load the app's libraries"
import stepline
with stepline.record("unchanged", total_steps=3) as run:
    for step in range(1, 4):
        run.log({"loss": 1 / step}, step=step)
"""


def test_the_app_runs_a_training_in_an_environment_that_knows_nothing_of_it(tmp_path: Path) -> None:
    program = app()
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = outer()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    assert subprocess.run([python, "-c", "import stepline"], capture_output=True).returncode == 1
    words = ["run", "--home", tmp_path / "home", "--", python, script]
    subprocess.run([program, *words], check=True, env=environment)
    told = subprocess.check_output([program, "tasks", "--json", "--home", tmp_path / "home"], env=environment)
    (task,) = json.loads(told)
    assert (task["name"], task["status"], task["records"]) == ("unchanged", "completed", 5)


def test_the_app_passes_the_smoke_test_of_every_system() -> None:
    program, wheel = app(), package("stepline_recorder-*.whl")
    with screen() as display:
        words = [sys.executable, ROOT / "build" / "smoke.py", program, wheel]
        environment = {**outer(), "DISPLAY": display, "LC_ALL": "C"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "smoke: all is well"
    assert "smoke: shown" in done.stdout.splitlines()


def test_the_lines_of_a_first_start_can_be_pasted(tmp_path: Path) -> None:
    program = app()
    user = tmp_path / "user 1"
    folder = user / "work" / "my model" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    (next(folder.glob("lib/python3*/site-packages")) / "transformers-5.0.0.dist-info").mkdir()
    home = Home.open(user / "home")
    environment = {**outer(), "HOME": str(user), "STEPLINE_HOME": str(home.path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.DEVNULL) as serving:
        told = wait_for(lambda: asked(home.path, "/api/beginning"), STARTS_SECS)
        (found,) = [each for each in told["environments"] if each["path"] == str(folder)]
        assert "--no-index" in found["install"]
        # Without anything installed, then from the wheel: both as a terminal takes the line.
        for line in (found["run"], found["install"], f"'{folder}/bin/python' train.py"):
            subprocess.run(line, shell=True, cwd=tmp_path, env=environment, check=True)
        wait_for(lambda: [task["runs"] for task in asked(home.path, "/api/tasks")["tasks"]] == [2])
        again = asked(home.path, "/api/beginning")
        assert [each["stepline"] for each in again["environments"] if each["path"] == str(folder)] == [
            stepline.__version__
        ]
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0


def test_an_older_database_is_copied_and_a_newer_one_refused(home: Home) -> None:
    program = app()
    database = sqlite.Database(home.database, writable=True)
    with sqlite.writing(database):
        for migration in migrations.MIGRATIONS[:2]:
            migration(database)
        sqlite.set_version(database, 2)
    database.end()
    older = version_of(home.database)
    words = [program, "tasks", "--json", "--home", home.path]
    assert json.loads(subprocess.check_output(words, env=outer())) == []
    assert (older, version_of(home.database)) == (2, migrations.VERSION)
    assert version_of(home.database.with_name("stepline.db.2.bak")) == 2
    with contextlib.closing(sqlite3.connect(home.database)) as later:
        later.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    before = home.database.read_bytes()
    refused = subprocess.run(words, env=outer(), capture_output=True, text=True)
    assert refused.returncode == 1
    assert "later Stepline" in refused.stderr
    assert home.database.read_bytes() == before


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("wheel", ["stepline-*.whl", "stepline_recorder-*.whl"])
def test_a_wheel_in_a_fresh_environment_records_without_an_index(wheel: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", package(wheel)], check=True)
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "STEPLINE_HOME": str(tmp_path / "home")}
    environment.pop("LD_LIBRARY_PATH", None)
    subprocess.run([python, script], check=True, env=environment, cwd=tmp_path)
    (journal,) = (tmp_path / "home" / "journals").glob("*.jsonl")
    assert journal.read_text().count('"loss"') == 3


def test_the_wheel_with_its_extras_is_the_app(tmp_path: Path) -> None:
    if not LEAN.is_dir():
        pytest.skip("the lean environment is not there: make package")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", package("stepline-*.whl")], check=True)
    folders = [next(each.glob("lib/python3*/site-packages")) for each in (tmp_path / "venv", LEAN)]
    (folders[0] / "lean.pth").write_text(f"{folders[1]}\n")
    program = [python.with_name("stepline"), "serve", "--home", tmp_path / "home"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("Stepline is at http://127.0.0.1:")
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
