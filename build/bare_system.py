"""A minimal Debian in a folder, without Python, and a network of its own without any network: where packages are tried.

    python build/bare_system.py COMMAND…     COMMAND as root in namespaces of its own; the system is in STEPLINE_BARE

The folder is made once by debootstrap from this machine's own apt sources, and kept in .cache/package-test. COMMAND
sees this machine's files (so it can be pytest), no network but loopback, and may chroot into copies. Where that cannot
be done, COMMAND runs with STEPLINE_BARE_MISSING telling why, and skips what needs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "package-test"
BASE = FOLDER / "base"
INCLUDED = ("libgl1", "libegl1", "fontconfig-config")
"""What the .deb depends on: it has to be there before, because nothing can be fetched later."""
NEEDED = {"debootstrap": "debootstrap", "unshare": "util-linux", "chroot": "coreutils", "dpkg": "dpkg"}


class CannotBeMade(Exception):
    """Why there is no bare system on this machine."""


def make() -> None:
    """Make the base where it is missing. Raises CannotBeMade."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotBeMade("it takes root on Linux")
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        raise CannotBeMade(f"apt-get install {' '.join(missing)}")
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        raise CannotBeMade("this machine lets nobody make namespaces")
    stamp, wanted = BASE / ".included", " ".join(INCLUDED)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(BASE, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    release, mirror = source()
    print(f"Making a minimal {release} in {BASE}", flush=True)
    words = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", release, str(BASE), mirror]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBeMade(f"debootstrap: {(done.stdout + done.stderr).strip()[-400:]}")
    shutil.rmtree(BASE / "var" / "cache" / "apt", ignore_errors=True)
    stamp.write_text(wanted)


def source() -> tuple[str, str]:
    """This system's release and the mirror that its packages come from."""
    form = "$(RELEASE) $(REPO_URI)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        release, _, mirror = line.partition(" ")
        if "-" not in release and mirror.startswith(("http", "file")):
            return release, mirror
    raise CannotBeMade("apt knows no source")


def main(command: list[str]) -> int:
    environment = dict(os.environ)
    inside = []
    try:
        make()
        environment["STEPLINE_BARE"] = str(BASE)
        inside = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        inside += ["--propagation", "private"]
    except CannotBeMade as error:
        environment["STEPLINE_BARE_MISSING"] = str(error)
    return subprocess.run([*inside, *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
