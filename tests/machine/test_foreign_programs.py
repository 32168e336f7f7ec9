from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import no_containers
from prismctl.machine import find_program, find_tool, gather_facts

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    directory = tmp_path / "tools"
    directory.mkdir(mode=0o755)
    place(directory / "nomad-1.11.3")
    (directory / "nomad").symlink_to("nomad-1.11.3")
    return directory


def place(path: Path) -> Path:
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def find_everywhere(tools: Path) -> list[bool]:
    """Whether a program is found as one of the home, as one of the cache, and on PATH."""
    nowhere = tools.parent / "nowhere"
    return [
        find_tool("nomad", tools, {"PATH": "", "PRISM_TOOLS_DIR": str(nowhere)}) is not None,
        find_tool("nomad", nowhere, {"PATH": "", "PRISM_TOOLS_DIR": str(tools)}) is not None,
        find_program("nomad", {"PATH": str(tools)}) != "",
    ]


def test_a_program_of_ours_is_found_everywhere(tools: Path) -> None:
    assert find_everywhere(tools) == [True, True, True]
    tools.chmod(0o775)
    assert find_everywhere(tools) == [True, True, True]


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_program_in_a_directory_that_everybody_can_write_is_not_there(
    tools: Path, mode: int
) -> None:
    tools.chmod(mode)
    assert find_everywhere(tools) == [False, False, False]


def test_a_program_that_everybody_can_change_is_not_there(tools: Path) -> None:
    (tools / "nomad-1.11.3").chmod(0o757)
    assert find_everywhere(tools) == [False, False, False]


def test_a_link_into_a_directory_that_everybody_can_write_is_not_there(tools: Path) -> None:
    shared = tools.parent / "shared"
    shared.mkdir()
    place(shared / "nomad")
    (tools / "nomad").unlink()
    (tools / "nomad").symlink_to(shared / "nomad")
    assert find_everywhere(tools) == [True, True, True]
    shared.chmod(0o1777)
    assert find_everywhere(tools) == [False, False, False]


@needs_root
def test_what_belongs_to_another_user_is_found_on_path_only(tools: Path) -> None:
    os.chown(tools / "nomad-1.11.3", STRANGER, STRANGER)
    assert find_everywhere(tools) == [False, False, True]
    os.chown(tools / "nomad-1.11.3", 0, 0)
    os.chown(tools, STRANGER, STRANGER)
    assert find_everywhere(tools) == [False, False, True]


def test_the_next_directory_of_path_stands_in_for_one_that_is_not_safe(
    tools: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    program = place(other / "nomad")
    tools.chmod(0o1777)
    assert find_program("nomad", {"PATH": f"{tools}:{other}"}) == str(program)


@pytest.mark.parametrize("entry", ["", ".", "tools", "./tools", "../tools"])
def test_entries_of_path_that_depend_on_the_working_directory_are_skipped(
    tools: Path, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tools if entry.startswith("..") or entry == "." else tools.parent)
    assert find_program("nomad", {"PATH": entry}) == ""


@needs_root
@pytest.mark.parametrize("linked", ["", "build", "build/binaries", "build/binaries/prism-admin"])
def test_a_link_of_somebody_else_to_a_program_of_ours_is_not_followed(
    tmp_path: Path, linked: str
) -> None:
    ours = tmp_path / "ours"
    (ours / "build" / "binaries").mkdir(parents=True)
    place(ours / "build" / "binaries" / "prism-admin")
    theirs = tmp_path / "theirs"
    link = theirs / linked
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(ours / linked)
    facts = gather_facts(
        look_for_containers=lambda: no_containers("not asked"),
        home_tools=tmp_path / "bin",
        project_directory=theirs,
        environment={"PATH": ""},
    )
    assert facts.find_binary("prism-admin") == str(theirs / "build" / "binaries" / "prism-admin")

    os.lchown(link, STRANGER, STRANGER)

    assert facts.find_binary("prism-admin") == ""


def test_binaries_of_a_project_are_held_to_the_same(tmp_path: Path) -> None:
    binaries = tmp_path / "build" / "binaries"
    binaries.mkdir(parents=True)
    program = place(binaries / "prism-admin")
    facts = gather_facts(
        look_for_containers=lambda: no_containers("not asked"),
        home_tools=tmp_path / "bin",
        project_directory=tmp_path,
        environment={"PATH": ""},
    )
    assert facts.find_binary("prism-admin") == str(program)
    binaries.chmod(0o1777)
    assert facts.find_binary("prism-admin") == ""
