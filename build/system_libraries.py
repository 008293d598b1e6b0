"""Installs the libraries that pip cannot bring: those of the window, and those that the tests of the window use.

As root on Debian or Ubuntu it calls apt; anywhere else it prints the exact command, or the libraries' names, and goes
on: without them the page opens in the browser, and the tests that need them are skipped with a line that says so.
Names differ between releases (`libasound2` became `libasound2t64`): the first that the release knows is taken.
Runs before anything is installed, so it uses the standard library alone.

    python build/system_libraries.py           install what is missing, or print how
    python build/system_libraries.py --print   print the command, install nothing
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable

# Verified in a minimal Debian 12; each line is one library, older release's name first.
WINDOW = (
    "libgl1",
    "libegl1",
    "libglib2.0-0 libglib2.0-0t64",
    "libdbus-1-3",
    "libfontconfig1",
    "libnss3",
    "libasound2 libasound2t64",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-keysyms1",
    "libxcb-shape0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
    "libxcomposite1",
    "libxdamage1",
    "libxrandr2",
    "libxtst6",
    "libxkbfile1",
)
TESTS = ("xvfb", "xdotool", "imagemagick", "x11-utils", "dbus-daemon dbus", "chromium chromium-browser")
PACKAGES = ("binutils", "debootstrap", "zstd")
VENV = ("python3-venv",)


def wanted() -> tuple[str, ...]:
    """All that this machine should have; python3-venv only where Python cannot make a virtual environment."""
    return (*(VENV if importlib.util.find_spec("ensurepip") is None else ()), *WINDOW, *TESTS, *PACKAGES)


def missing(libraries: Iterable[str], installed: set[str]) -> list[str]:
    """The lines of which no name is installed."""
    return [line for line in libraries if installed.isdisjoint(line.split())]


def choose(lines: Iterable[str], known: Callable[[str], bool]) -> list[str]:
    """One package name a line: the first that the release knows, else the line's first name."""
    return [next((name for name in line.split() if known(name)), line.split()[0]) for line in lines]


def installed() -> set[str]:
    """Names of the installed Debian packages."""
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n"], capture_output=True, text=True, check=False
    )
    return {line.split()[1] for line in listed.stdout.splitlines() if line.startswith("ii ")}


def known(name: str) -> bool:
    """Whether apt could install it here: a candidate exists, not only a name that others speak of."""
    told = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False).stdout
    candidate = [line.split(":", 1)[1].strip() for line in told.splitlines() if line.strip().startswith("Candidate:")]
    return candidate not in ([], ["(none)"])


def command(packages: Iterable[str]) -> list[str]:
    return ["apt-get", "install", "-y", "--no-install-recommends", *packages]


def install(lines: list[str]) -> list[str]:
    """Install by apt, as root. One that fails does not keep the others away. Returns what is missing still."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing system libraries by apt: {', '.join(line.split()[0] for line in lines)}", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
    packages = choose(lines, known)
    if subprocess.run([*command(packages), "-qq"], env=quiet, stdout=subprocess.DEVNULL, check=False).returncode:
        for package in packages:
            subprocess.run([*command([package]), "-qq"], env=quiet, stdout=subprocess.DEVNULL, check=False)
    return missing(lines, installed())


def main(arguments: list[str]) -> int:
    if sys.platform != "linux":
        return 0
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        names = ", ".join(line.split()[0] for line in wanted())
        print(f"Not a Debian or Ubuntu: where the window does not open, install your system's packages of: {names}")
        return 0
    lines = missing(wanted(), installed())
    if lines and os.geteuid() == 0 and "--print" not in arguments:
        lines = install(lines)
    if lines:
        sudo = "" if os.geteuid() == 0 else "sudo "
        print("System libraries are missing: without them the page opens in the browser instead of a window, and tests")
        print(f"that need them are skipped. To install them:\n  {sudo}{shlex.join(command(choose(lines, known)))}")
    elif "--print" in arguments:
        print("No system library is missing.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
