from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import find_project_file
from prismctl.files.project import find_stack_name, load_project

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture(autouse=True)
def _without_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    file = tmp_path / "prism.yaml"
    file.write_text("preset: redis\n", encoding="utf-8")
    file.chmod(0o644)
    return file


@pytest.fixture
def inside(project: Path) -> Path:
    directory = project.parent / "a" / "b"
    directory.mkdir(parents=True)
    return directory


@needs_root
def test_the_project_file_of_another_user_is_refused_with_a_way_to_take_it_over(
    project: Path, inside: Path
) -> None:
    os.chown(project, STRANGER, STRANGER)
    for use in (find_project_file, load_project, lambda path: find_stack_name("", {}, path)):
        with pytest.raises(PrismError, match="is not run as you") as raised:
            use(inside)
        assert f"sudo chown root {project}" in raised.value.hint
    os.chown(project, 0, 0)
    assert find_project_file(inside) == project


@needs_root
def test_a_link_that_another_user_made_is_refused_whatever_it_leads_to(
    project: Path, inside: Path
) -> None:
    link = inside / "prism.yaml"
    link.symlink_to(project)
    os.lchown(link, STRANGER, STRANGER)
    with pytest.raises(PrismError, match="belongs to") as raised:
        find_project_file(inside)
    assert f"chown -h root {link}" in raised.value.hint


@needs_root
def test_under_sudo_the_files_of_the_caller_are_ours(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(project, STRANGER, STRANGER)
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert find_project_file(project.parent) == project
    monkeypatch.setenv("SUDO_UID", "1")
    with pytest.raises(PrismError):
        find_project_file(project.parent)


@needs_root
def test_roots_file_is_used_but_not_from_a_directory_that_everybody_can_write(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    assert find_project_file(project.parent) == project
    project.parent.chmod(0o1777)
    with pytest.raises(PrismError, match="everybody can write"):
        find_project_file(project.parent)


def test_a_project_file_that_everybody_can_change_is_refused(project: Path, inside: Path) -> None:
    project.chmod(0o666)
    with pytest.raises(PrismError, match="can be changed by everybody") as raised:
        find_project_file(inside)
    assert f"chmod o-w {project}" in raised.value.hint
    project.chmod(0o664)
    assert find_project_file(inside) == project


def test_a_file_of_ours_is_used_even_in_a_shared_directory(project: Path) -> None:
    project.parent.chmod(0o1777)
    assert find_project_file(project.parent) == project


def test_a_stack_that_is_named_needs_no_project_file(project: Path, inside: Path) -> None:
    project.chmod(0o666)
    assert find_stack_name("mine", {}, inside) == "mine"
    assert find_stack_name("", {"PRISM_STACK": "mine"}, inside) == "mine"
