"""Where a home lies, what is made of it, and what happens on a network file system."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.errors import HomeError
from stepline.home import Home, default_home, file_system, on_network, parse_mount_output, parse_mountinfo

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


def test_the_variable_names_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPLINE_HOME", str(tmp_path / "here"))
    assert default_home() == tmp_path / "here"
    assert Home.open().path == tmp_path / "here"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders are Linux's")
def test_without_it_the_platform_does(monkeypatch, tmp_path):
    monkeypatch.delenv("STEPLINE_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "stepline"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/not/allowed")
    assert default_home() == Path.home() / ".local/share/stepline"


@posix
def test_what_is_made_is_for_its_user_only(tmp_path):
    home = Home.open(tmp_path / "a" / "家 home")
    for folder in (home.path, home.journals):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (home.database, home.database_moved) == (home.path / "stepline.db", False)


def test_a_relative_path_is_taken_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Home.open("h").path == tmp_path / "h"


def test_a_home_that_is_not_there_is_refused_where_none_shall_be_made(tmp_path):
    with pytest.raises(HomeError, match="There is no home"):
        Home.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be made"):
        Home.open(tmp_path / "file" / "home")


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_home_that_may_not_be_written_is_refused(tmp_path):
    home = Home.open(tmp_path / "home")
    home.path.chmod(0o500)
    try:
        with pytest.raises(HomeError, match="cannot be read and written"):
            Home.open(home.path)
    finally:
        home.path.chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="there must be a folder where nobody can make one")
def test_where_no_folder_can_be_made_the_system_s_reason_is_told():
    with pytest.raises(HomeError) as caught:
        Home.open("/proc/stepline")
    assert caught.value.why
    assert "--home" in caught.value.action


def test_on_a_network_the_database_goes_to_a_local_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPLINE_TREAT_AS_NETWORK", str(tmp_path / "network"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "local"))
    home = Home.open(tmp_path / "network" / "home")
    assert home.database_moved
    assert home.journals.parent == home.path
    for file in (home.database, home.lock, home.address_file, home.kernels_cache):
        assert not file.is_relative_to(tmp_path / "network")
    assert home.database == Home.open(home.path).database, "the same home finds its database again"
    assert home.database != Home.open(tmp_path / "network" / "other").database


@pytest.mark.skipif(sys.platform != "linux", reason="the state folder is named by XDG_STATE_HOME on Linux")
def test_a_state_folder_on_the_network_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPLINE_TREAT_AS_NETWORK", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    home = Home.open(tmp_path / "home")
    assert not home.database.is_relative_to(tmp_path)
    home.database.parent.rmdir()


def test_a_path_through_a_link_counts_as_where_it_leads(monkeypatch, tmp_path):
    (tmp_path / "network").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "network")
    monkeypatch.setenv("STEPLINE_TREAT_AS_NETWORK", str(tmp_path / "network"))
    assert on_network(tmp_path / "link" / "home")
    assert not on_network(tmp_path / "network-like")


MOUNTINFO = r"""22 27 0:20 / /proc rw,nosuid - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw
40 27 0:35 / /data rw master:1 - nfs4 server:/export rw,vers=4.2
41 40 8:1 / /data/scratch rw - xfs /dev/sda1 rw
42 27 0:36 / /my\040disk rw - fuse.sshfs me@there: rw
43 27 0:37 / /训练 rw - cifs //nas/a rw
44 27 8:2 / /data/scratch rw - nfs server:/over rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/opt/x", ("/", "ext4")),
        ("/data", ("/data", "nfs4")),
        ("/database", ("/", "ext4")),
        ("/data/scratch/home", ("/data/scratch", "nfs")),
        ("/my disk/home", ("/my disk", "fuse.sshfs")),
        ("/训练/家", ("/训练", "cifs")),
    ],
)
def test_the_innermost_and_newest_mount_holds_a_path(path, found):
    assert file_system(Path(path), parse_mountinfo(MOUNTINFO)) == found


@given(st.text())
def test_no_mount_table_is_too_odd(text):
    list(parse_mountinfo(text))
    list(parse_mount_output(text))


def test_the_list_that_macos_prints():
    text = (
        "/dev/disk3s1 on / (apfs, local, journaled)\n"
        "//me@nas/data on /Volumes/my (old) data (smbfs, nodev)\n"
        "nas:/x on /n (nfs)\n"
    )
    assert list(parse_mount_output(text)) == [("/", "apfs"), ("/Volumes/my (old) data", "smbfs"), ("/n", "nfs")]
