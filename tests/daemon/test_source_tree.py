"""What is told of changes of files, by a real kernel."""

from __future__ import annotations

import select
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prismctl.daemon.source_tree import SourceTree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of changes so")

BOUND_SECONDS = 10.0
END = "the-end-of-the-test"

Open = "Callable[..., SourceTree]"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    for name in ("src/deep", "src/node_modules/big", "run/default", "other"):
        (directory / name).mkdir(parents=True)
    (directory / "src" / "main.py").write_text("1")
    (directory / "web.conf").write_text("1")
    return directory


@pytest.fixture
def open_tree(project: Path) -> Iterator[Callable[..., SourceTree]]:
    from prismctl.daemon.source_tree import SourceTree

    opened: list[SourceTree] = []

    def open_(*roots: str, **limits: int) -> SourceTree:
        """A tree; a root of its own tells that all before it has been told."""
        paths = [str(project / root) for root in (*roots, END)]
        tree = SourceTree(paths, excluded=str(project / "run"), **limits)
        opened.append(tree)
        tree.scan()
        return tree

    yield open_
    for tree in opened:
        tree.close()


def told(tree: SourceTree, project: Path) -> list[str]:
    """All that is told up to now, relative to the project."""
    end = project / END
    end.write_text("")
    found: list[str] = []
    while str(end) not in found:
        assert select.select([tree.fileno()], [], [], BOUND_SECONDS)[0], found
        found += tree.read()
    end.unlink()
    return sorted({each.removeprefix(f"{project}/") for each in found} - {END})


def test_files_that_are_written_replaced_removed_or_linked_are_told(
    project: Path, open_tree: Callable[..., SourceTree]
) -> None:
    tree = open_tree("src", "web.conf")
    assert told(tree, project) == []
    (project / "src" / "main.py").write_text("2")
    assert told(tree, project) == ["src/main.py"]
    (project / "src" / "new").write_text("x")
    (project / "src" / "new").replace(project / "src" / "deep" / "main.py")
    assert told(tree, project) == ["src/deep/main.py", "src/new"]
    (project / "src" / "deep" / "main.py").unlink()
    assert told(tree, project) == ["src/deep/main.py"]
    (project / "src" / "link").symlink_to("main.py")
    assert told(tree, project) == ["src/link"]
    (project / "web.conf.new").write_text("2")
    (project / "web.conf.new").replace(project / "web.conf")
    assert told(tree, project) == ["web.conf"]


def test_a_file_that_is_still_being_written_is_told_at_its_end(
    project: Path, open_tree: Callable[..., SourceTree]
) -> None:
    tree = open_tree("src")
    with (project / "src" / "built").open("w") as file:
        file.write("half")
        file.flush()
        assert told(tree, project) == []
    assert told(tree, project) == ["src/built"]


def test_what_nobody_edits_is_not_told(project: Path, open_tree: Callable[..., SourceTree]) -> None:
    tree = open_tree("src", ".")
    (project / "src" / ".main.py.swp").write_text("x")
    (project / "src" / "__pycache__").mkdir()
    (project / "src" / "__pycache__" / "main.pyc").write_text("x")
    (project / "src" / "node_modules" / "big" / "index.js").write_text("x")
    # What services write themselves, in a catalog that lies in home.
    (project / "run" / "default" / "web.log").write_text("x")
    assert told(tree, project) == []
    # Read, and not changed.
    (project / "src" / "main.py").read_text()
    assert told(tree, project) == []


def test_directories_that_come_later_are_looked_into_with_what_is_in_them_already(
    project: Path, open_tree: Callable[..., SourceTree]
) -> None:
    tree = open_tree("src")
    (project / "other" / "a" / "b").mkdir(parents=True)
    (project / "other" / "a" / "b" / "c.py").write_text("1")
    (project / "other" / "a").rename(project / "src" / "a")
    assert told(tree, project) == ["src/a/b/c.py"]
    (project / "src" / "a" / "b" / "c.py").write_text("2")
    assert told(tree, project) == ["src/a/b/c.py"]
    (project / "src" / "a").rename(project / "other" / "a")
    assert told(tree, project) == ["src/a"]
    (project / "other" / "a" / "b" / "c.py").write_text("3")
    assert told(tree, project) == []


def test_what_is_not_there_yet_is_waited_for_and_may_go_and_come_again(
    project: Path, open_tree: Callable[..., SourceTree]
) -> None:
    tree = open_tree("build/binaries/web")
    assert told(tree, project) == []
    for content in "12":
        (project / "build" / "binaries").mkdir(parents=True)
        (project / "build" / "binaries" / "web").write_text(content)
        assert told(tree, project) == ["build/binaries/web"]
        (project / "build" / "binaries" / "other").write_text(content)
        assert told(tree, project) == []
        shutil.rmtree(project / "build")
        assert told(tree, project) == ["build/binaries/web"]


def test_too_many_directories_are_said_and_the_first_of_them_are_followed_all_the_same(
    project: Path, open_tree: Callable[..., SourceTree]
) -> None:
    for number in range(20):
        (project / "src" / f"d{number}").mkdir()
    tree = open_tree("src", max_directories=10)
    assert len(tree) == 10
    (problem,) = tree.problems.values()
    assert problem.startswith("there are more than 10 directories: changes in ")
    (project / "src" / "main.py").write_text("2")
    assert told(tree, project) == ["src/main.py"]
