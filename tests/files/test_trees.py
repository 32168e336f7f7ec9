from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from prismctl.files.trees import copy_tree, measure_tree, remove_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "deep/er").mkdir(parents=True)
    (made / "file").write_bytes(b"a" * 100_000)
    (made / "deep/er/empty").touch()
    return made


def test_a_copy_has_the_same_content_modes_and_times(tree: Path, tmp_path: Path) -> None:
    (tree / "file").chmod(0o640)
    (tree / "deep").chmod(0o750)
    os.utime(tree / "file", (1_000_000, 2_000_000))

    copy_tree(tree, tmp_path / "copy")

    copied = tmp_path / "copy"
    assert (copied / "file").read_bytes() == (tree / "file").read_bytes()
    assert (copied / "deep/er/empty").is_file()
    assert stat.S_IMODE((copied / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((copied / "deep").stat().st_mode) == 0o750
    assert (copied / "file").stat().st_mtime == 2_000_000


@needs_root
def test_a_copy_belongs_to_whom_the_original_does(tree: Path, tmp_path: Path) -> None:
    for path in (tree, tree / "deep", tree / "file"):
        os.chown(path, 12345, 54321)
    (tree / "link").symlink_to("file")
    os.lchown(tree / "link", 12345, 54321)
    (tree / "file").chmod(0o4700)

    copy_tree(tree, tmp_path / "copy")

    for name in (".", "deep", "file", "link"):
        status = (tmp_path / "copy" / name).lstat()
        assert (status.st_uid, status.st_gid) == (12345, 54321), name
    assert stat.S_IMODE((tmp_path / "copy/file").stat().st_mode) == 0o4700
    assert (tmp_path / "copy/deep/er").stat().st_uid == 0


def test_links_are_copied_as_links_wherever_they_lead(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tree / "directory").symlink_to(outside)
    (tree / "loop").symlink_to(".")
    (tree / "nowhere").symlink_to("/no/such/place")

    copy_tree(tree, tmp_path / "copy")

    copied = tmp_path / "copy"
    assert str((copied / "directory").readlink()) == str(outside)
    assert str((copied / "loop").readlink()) == "."
    assert str((copied / "nowhere").readlink()) == "/no/such/place"


def test_a_link_in_place_of_the_directory_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    with pytest.raises(OSError, match="link"):
        copy_tree(tmp_path / "link", tmp_path / "copy")


def test_sockets_and_pipes_are_left_out(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(tree, os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        copy_tree(tree, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["deep", "file"]


def test_a_copy_can_be_given_up_between_files(tree: Path, tmp_path: Path) -> None:
    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copy_tree(tree, tmp_path / "copy", give_up)


def test_what_links_lead_to_is_neither_measured_nor_removed(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_bytes(b"b" * 1_000_000)
    (tree / "link").symlink_to(outside)

    assert 100_000 <= measure_tree(tree).size_bytes < 200_000
    assert remove_tree(tree)
    assert (outside / "big").exists()
    (tmp_path / "again").symlink_to(outside)
    assert remove_tree(tmp_path / "again")
    assert (outside / "big").exists()


def test_the_newest_file_says_when_a_tree_was_changed(tree: Path) -> None:
    os.utime(tree / "file", (1, 3_000_000_000))
    assert measure_tree(tree).changed_at == 3_000_000_000
    assert measure_tree(tree / "nowhere").changed_at is None


def test_write_protected_directories_can_be_removed(tree: Path) -> None:
    (tree / "deep/er").chmod(0o500)
    (tree / "deep").chmod(0o500)
    assert remove_tree(tree)


def test_what_cannot_be_copied_is_named(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("in the way")
    with pytest.raises(FileExistsError):
        copy_tree(tree, tmp_path / "copy")
    if os.geteuid() == 0:
        return
    (tree / "deep/er/empty").chmod(0)
    with pytest.raises(PermissionError) as caught:
        copy_tree(tree, tmp_path / "other")
    assert caught.value.filename == str(tree / "deep/er/empty")


@needs_root
def test_who_may_not_give_files_away_is_told_which_file_it_is(tree: Path, tmp_path: Path) -> None:
    """As another account: a group that only root could give back is let go, a stranger's file is not copied."""
    paths = (tree, tree / "file", tree / "deep", tree / "deep/er", tree / "deep/er/empty")
    for path in paths:
        os.chown(path, 65534, 0)
    tmp_path.chmod(0o777)

    assert copy_as_nobody(tmp_path, "first") == ""
    assert (tmp_path / "first/file").stat().st_uid == 65534
    os.chown(tree / "deep/er/empty", 0, 0)
    assert copy_as_nobody(tmp_path, "second") == "tree/deep/er/empty"


def copy_as_nobody(directory: Path, target: str) -> str:
    """Copy the tree in a process of another account; the file that could not be copied."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.chdir(directory)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            copy_tree(Path("tree"), Path(target))
        except OSError as error:
            os.write(writer, str(error.filename).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        return told.read()
