"""What removes trees: what it follows, enters and says."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.install.cleaning.removing import (
    find_mounts,
    measure,
    remove,
    remove_empty,
    remove_lock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory of nobody's that everybody can get to, as those of tests are not."""
    top = Path(tempfile.mkdtemp(prefix="prism-lab-"))
    top.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(top, NOBODY, NOBODY)
    yield top
    shutil.rmtree(top)


def grow(directory: Path) -> Path:
    (directory / "a" / "b").mkdir(parents=True)
    (directory / "a" / "b" / "file").write_text("x")
    (directory / "a" / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(directory / "a" / "pipe")
    (directory / "file").write_bytes(b"x" * 10_000)
    return directory


def test_a_tree_goes_with_everything_in_it(tmp_path: Path) -> None:
    assert remove(grow(tmp_path / "tree")) == []
    assert not (tmp_path / "tree").exists()


def test_what_is_not_there_is_done(tmp_path: Path) -> None:
    assert remove(tmp_path / "nothing") == []
    assert remove(tmp_path / "nothing" / "deeper") == []


def test_links_go_and_what_they_point_to_stays(tmp_path: Path) -> None:
    outside = grow(tmp_path / "outside")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "directory").symlink_to(outside)
    (tree / "file").symlink_to(outside / "file")
    (tree / "dangling").symlink_to(tmp_path / "nowhere")
    top = tmp_path / "top"
    top.symlink_to(outside)
    assert remove(tree) == []
    assert remove(top) == []
    assert not tree.exists()
    assert not top.is_symlink()
    assert (outside / "a" / "b" / "file").read_text() == "x"


def test_a_mount_is_not_entered_and_the_rest_goes(tmp_path: Path) -> None:
    tree = grow(tmp_path / "tree")
    failures = remove(tree, mounts=frozenset({str(tree / "a" / "b")}))
    assert [(each.path, each.fix) for each in failures] == [
        (tree / "a" / "b", f"sudo umount {tree / 'a' / 'b'}")
    ]
    assert (tree / "a" / "b" / "file").exists()
    assert not (tree / "file").exists()
    assert not (tree / "a" / "pipe").exists()


def test_a_mount_is_seen_through_a_link_above_the_tree(tmp_path: Path) -> None:
    grow(tmp_path / "real" / "tree")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    failures = remove(
        tmp_path / "link" / "tree", mounts=frozenset({str(tmp_path / "real" / "tree" / "a")})
    )
    assert [each.path for each in failures] == [tmp_path / "real" / "tree" / "a"]


def test_mount_points_are_read_with_their_spaces(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "36 35 98:0 / /mnt/a\\040b rw - ext3 /dev/root rw\n37 35 0:5 / /proc rw - proc proc rw\nodd\n"
    )
    assert find_mounts(table) == {"/mnt/a b", "/proc"}
    assert find_mounts(tmp_path / "missing") == frozenset()


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux has the table")
def test_the_mounts_of_this_machine_are_known() -> None:
    assert {"/", "/proc"} <= find_mounts()


def test_directories_that_their_owner_has_closed_are_opened(public: Path) -> None:
    tree = grow(public / "tree")
    (tree / "a" / "b").chmod(0o000)
    (tree / "a").chmod(0o500)
    if os.geteuid() != 0:
        assert remove(tree) == []
        return
    # Root may do anything: somebody else has to try.
    for path in (tree, *tree.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    said = remove_as_nobody(tree)
    assert said == "[]"
    assert not tree.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of somebody else's")
def test_what_is_somebody_elses_is_named_and_the_rest_goes(public: Path) -> None:
    tree = grow(public / "tree")
    for path in (tree, tree / "file"):
        os.chown(path, NOBODY, NOBODY)
    said = remove_as_nobody(tree)
    assert "permission denied" in said
    assert f"sudo rm -r {tree}/a" in said
    assert (tree / "a" / "b" / "file").exists()
    assert not (tree / "file").exists()


def remove_as_nobody(tree: Path) -> str:
    """What `remove` says in a process that is not root's."""
    code = (
        "import os, sys; from pathlib import Path; from prismctl.install.cleaning.removing import remove\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "print([(str(each.path), each.reason, each.fix) for each in remove(Path(sys.argv[1]))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_file_with_two_names_is_measured_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(os.urandom(50_000))
    before = measure(tree)
    os.link(tree / "one", tree / "two")
    assert measure(tree) == before
    assert before >= 50_000


def test_links_are_measured_as_links(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(200_000))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "big")
    assert measure(tmp_path / "tree") < 100_000
    assert measure(tmp_path / "nothing") == 0


def test_a_lock_that_is_held_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [each.reason for each in remove_lock(path)] == ["somebody holds it"]
        assert path.exists()
    assert remove_lock(path) == []
    assert not path.exists()
    assert remove_lock(path) == []


def test_only_an_empty_directory_goes(tmp_path: Path) -> None:
    (tmp_path / "full" / "in").mkdir(parents=True)
    assert [each.path for each in remove_empty(tmp_path / "full")] == [tmp_path / "full"]
    assert remove_empty(tmp_path / "full" / "in") == []
    assert remove_empty(tmp_path / "full") == []
    assert remove_empty(tmp_path / "full") == []
    assert not (tmp_path / "full").exists()
