"""The home: the folder where one person's histories lie.

    home/                      0700
      journals/<run id>.jsonl  what training processes write; may lie on a network file system
      trash/                   the journals of tasks in the trash
      stepline.db              the store
      writer.lock, writer.json who writes the store now (stepline.writer)
      kernels/                 compiled kernels

SQLite's write-ahead log needs memory shared between processes and locks that hold, and network file systems give
neither. Where the home lies on one, all but the journals goes to a local folder named by a hash of the home's path.

Standard library only, and nothing slow on opening: training processes open a home too. What kind of file system it
is gets looked up when the database's place is asked for, not before.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stepline.errors import HomeError

NETWORK_TYPES = frozenset(
    (
        "9p", "acfs", "afs", "afpfs", "beegfs", "ceph", "cephfs", "cifs", "coda", "cvmfs", "davfs", "drvfs",
        "fhgfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "panfs",
        "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "wekafs", "webdav",
    )
)  # fmt: skip
"""File system types, as mount tables name them, on which SQLite must not lie. Those in fuse: see NETWORK_FUSE."""

NETWORK_FUSE = frozenset(
    (
        "alluxio", "blobfuse", "blobfuse2", "ceph", "ceph-fuse", "curlftpfs", "davfs2", "gcsfuse", "glusterfs",
        "goofys", "grpcfuse", "gvfsd-fuse", "juicefs", "mount-s3", "moosefs", "osxfs", "rclone", "s3fs",
        "sshfs", "vmhgfs-fuse",
    )
)  # fmt: skip


REPLACING_SECS = 2.0


def default_home() -> Path:
    """STEPLINE_HOME, else the platform's folder for a program's data."""
    chosen = os.environ.get("STEPLINE_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or _user_folder() / "AppData" / "Local") / "Stepline"
    if sys.platform == "darwin":
        return _user_folder() / "Library" / "Application Support" / "Stepline"
    return _xdg_folder("XDG_DATA_HOME", ".local/share") / "stepline"


@dataclass(frozen=True)
class Home:
    """A home folder. `Home.open` is how to get one; `path` is absolute."""

    path: Path

    @classmethod
    def open(cls, path: str | Path | None = None, *, create: bool = True) -> Home:
        """The home at `path` (None: `default_home()`), its folders made where they are missing.

        Raises HomeError where it cannot be made, read or written; with `create=False` also where there is none.
        """
        folder = Path(os.path.abspath(Path(path if path is not None else default_home()).expanduser()))
        home = cls(folder)
        if create:
            for each in (folder, home.journals):
                _make_folder(each)
        elif not folder.is_dir():
            raise HomeError(
                f"There is no home at {folder}", action="Name another folder with --home DIR or STEPLINE_HOME"
            )
        _check_access(folder)
        return home

    @property
    def journals(self) -> Path:
        return self.path / "journals"

    @property
    def trash(self) -> Path:
        return self.path / "trash"

    @cached_property
    def folder(self) -> Path:
        """Where all but the journals lies: the home itself, or a local folder where the home is on a network."""
        if not on_network(self.path):
            return self.path
        name = hashlib.sha256(os.fsencode(os.path.realpath(self.path))).hexdigest()[:16]
        for parent in _local_folders():
            if on_network(parent):
                continue
            _make_folder(parent)
            if not _belongs_to_us(parent):
                continue
            folder = parent / name
            _make_folder(folder)
            _check_access(folder)
            return folder
        raise HomeError(
            f"The home {self.path} lies on a network file system, where a database cannot lie",
            why="No local folder was found for it either",
            action="Set XDG_STATE_HOME to a folder on a local disk",
        )

    @property
    def database(self) -> Path:
        return self.folder / "stepline.db"

    @property
    def database_moved(self) -> bool:
        """Whether the database lies outside the home, because the home is on a network file system."""
        return self.folder != self.path

    @property
    def lock(self) -> Path:
        return self.folder / "writer.lock"

    @property
    def address_file(self) -> Path:
        return self.folder / "writer.json"

    @property
    def kernels_cache(self) -> Path:
        return self.folder / "kernels"


def replace(draft: Path, path: Path) -> None:
    """`os.replace`. Windows refuses it while somebody reads the file at `path`: there it is tried for a while."""
    ends = time.monotonic() + (REPLACING_SECS if sys.platform == "win32" else 0.0)
    while True:
        try:
            os.replace(draft, path)
            return
        except PermissionError:
            if time.monotonic() >= ends:
                raise
            time.sleep(0.01)


def on_network(path: Path) -> bool:
    """Whether `path`, which need not exist yet, lies on a network file system, as far as the system tells.

    STEPLINE_TREAT_AS_NETWORK names a folder whose content counts as such, where the system does not tell.
    """
    real = Path(os.path.realpath(path))
    treated = os.environ.get("STEPLINE_TREAT_AS_NETWORK")
    if treated and real.is_relative_to(os.path.realpath(treated)):
        return True
    if sys.platform == "win32":
        return _windows_drive_is_remote(real)
    return _is_network_type(*file_system(real, _mounts()))


def file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """(mount point, type) of the file system that holds the real path `path`; ("", "") where none does.

    `mounts` are (mount point, type) in the order of mounting: of two at one place the later covers the earlier.
    """
    best = ("", "")
    for point, kind in mounts:
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best


def parse_mountinfo(text: str) -> Iterator[tuple[str, str]]:
    """(mount point, type) of each line of Linux's /proc/self/mountinfo."""
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:
            # Blank, tab, newline and backslash stand as octal escapes: "\040".
            point = fields[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
            yield point.encode("latin-1", "replace").decode("utf-8", "surrogateescape"), after.split(" ")[0]


def parse_mount_output(text: str) -> Iterator[tuple[str, str]]:
    """(mount point, type) of each line that macOS's `mount` prints: "//me@nas/data on /Volumes/data (smbfs, nodev)"."""
    for line in text.splitlines():
        _, _, rest = line.partition(" on ")
        point, opening, options = rest.rpartition(" (")
        if opening:
            yield point, options.rstrip(")").split(",")[0].strip()


def _mounts() -> Iterable[tuple[str, str]]:
    try:
        if sys.platform == "darwin":
            answer = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=False)
            return list(parse_mount_output(answer.stdout))
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return list(parse_mountinfo(file.read()))
    except (OSError, subprocess.SubprocessError):
        return []


def _is_network_type(point: str, kind: str) -> bool:
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.") in NETWORK_FUSE
    # A sandbox may have all of its files on 9p (gVisor does); as the root it is as local as that machine gets.
    return kind in NETWORK_TYPES and not (kind == "9p" and point == "/")


def _windows_drive_is_remote(path: Path) -> bool:
    if sys.platform == "win32":
        import ctypes

        drive_remote = 4
        return path.drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(path.anchor) == drive_remote
    else:  # noqa: RET505 - mypy takes what follows a return on this platform for dead code
        return False


def _local_folders() -> Iterator[Path]:
    """Where a database may go whose home is on a network; best first."""
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA") or _user_folder() / "AppData" / "Local") / "Stepline" / "State"
    elif sys.platform == "darwin":
        yield _user_folder() / "Library" / "Application Support" / "Stepline" / "State"
    else:
        yield _xdg_folder("XDG_STATE_HOME", ".local/state") / "stepline"
        # On a cluster the user's own folder often is on the network too. /var/tmp outlives a restart.
        yield Path("/var/tmp") / f"stepline-{os.getuid()}"
    yield Path(tempfile.gettempdir()) / "stepline-state"


def _xdg_folder(variable: str, otherwise: str) -> Path:
    chosen = os.environ.get(variable, "")
    return Path(chosen) if os.path.isabs(chosen) else _user_folder() / otherwise


def _user_folder() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise HomeError(
            "The user's own folder is not known",
            why=str(error),
            action="Name a folder with --home DIR or STEPLINE_HOME",
        ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"The folder {folder} cannot be made",
            why=error.strerror or str(error),
            action="Name another folder with --home DIR or STEPLINE_HOME",
        ) from error


def _check_access(folder: Path) -> None:
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        is_locked = sys.platform != "win32" and os.statvfs(folder).f_flag & os.ST_RDONLY
        mend = "Mount it for writing" if is_locked else "Allow it (chmod u+rwx)"
        raise HomeError(
            f"The home {folder} cannot be read and written",
            why="Its file system is read-only" if is_locked else "Its permissions do not allow it",
            action=f"{mend}, or name another folder with --home DIR or STEPLINE_HOME",
        )


def _belongs_to_us(folder: Path) -> bool:
    """In a folder that everybody may write, such as /var/tmp, another user may have made ours first."""
    return sys.platform == "win32" or folder.stat().st_uid == os.getuid()
