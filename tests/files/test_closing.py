from __future__ import annotations

import os
from pathlib import Path

import pytest

from prismctl.errors import PrismError
from prismctl.files.closing import (
    WAY_OUT,
    close_to_others,
    find_obstacle,
    holds_more,
    refuse_open,
)
from prismctl.files.paths import Home
from prismctl.install.checks.home import DirectoryFacts, judge_directory

STRANGER = 65534


def made(path: Path, mode: int) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def begin_stack(home: Path) -> None:
    paths = Home(home).stack("u1")
    paths.ensure()
    if paths.socket_directory != paths.directory:
        paths.socket_directory.rmdir()


def test_a_directory_of_ours_is_closed(tmp_path: Path) -> None:
    home = made(tmp_path / "home", 0o755)
    refuse_open(home)
    assert close_to_others(home) == (0o755, 0o700)
    assert mode_of(home) == 0o700


def test_a_directory_that_everybody_shares_stays_open(tmp_path: Path) -> None:
    shared = made(tmp_path / "shared", 0o1777)
    with pytest.raises(PrismError, match="everybody shares it") as raised:
        close_to_others(shared)
    assert raised.value.hint == WAY_OUT
    with pytest.raises(PrismError, match="everybody shares it") as raised:
        refuse_open(shared)
    assert raised.value.hint == WAY_OUT
    assert mode_of(shared) == 0o1777


def test_what_a_link_leads_to_stays_open(tmp_path: Path) -> None:
    target = made(tmp_path / "target", 0o755)
    link = tmp_path / "link"
    link.symlink_to(target)
    assert find_obstacle(link) == "it is a link"
    with pytest.raises(PrismError):
        close_to_others(link)
    with pytest.raises(PrismError, match="it is a link"):
        refuse_open(link)
    assert mode_of(target) == 0o755


def test_a_link_to_a_home_that_is_closed_is_no_reason_to_refuse(tmp_path: Path) -> None:
    made(tmp_path / "target", 0o700)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    refuse_open(tmp_path / "link")
    refuse_open(tmp_path / "not there yet")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_stays_open(tmp_path: Path) -> None:
    theirs = made(tmp_path / "theirs", 0o755)
    os.chown(theirs, STRANGER, STRANGER)
    with pytest.raises(PrismError, match="belongs to somebody else"):
        close_to_others(theirs)
    assert mode_of(theirs) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_keeps_its_mode(tmp_path: Path) -> None:
    secret = tmp_path / "plan.json"
    secret.touch()
    secret.chmod(0o644)
    os.chown(secret, STRANGER, STRANGER)
    with pytest.raises(PrismError, match="belongs to somebody else"):
        close_to_others(secret)
    assert mode_of(secret) == 0o644


def test_the_user_home_and_all_above_it_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = made(tmp_path / "ana", 0o755)
    monkeypatch.setenv("HOME", str(user))
    assert find_obstacle(user) == "it holds more than a Prism home"
    assert not holds_more(user / ".prism")


@pytest.mark.parametrize("path", ["/", "/etc", "/usr", "/usr/local", "/var", "/home"])
def test_directories_of_the_system_are_no_homes(path: str) -> None:
    assert holds_more(Path(path))


def test_a_home_that_cannot_be_closed_has_no_repair_and_a_fix_that_harms_nobody() -> None:
    (found,) = judge_directory(
        DirectoryFacts(Path("/shared"), 0o1777, obstacle="everybody shares it")
    )
    assert found.repair is None
    assert found.fix == WAY_OUT
    assert "everybody shares it" in found.detail


@pytest.mark.parametrize("mode", [0o775, 0o755, 0o710])
def test_a_home_that_was_made_open_to_others_is_closed_by_the_next_start(
    tmp_path: Path, mode: int
) -> None:
    home = made(tmp_path / "prism", mode)
    begin_stack(home)
    assert mode_of(home) == 0o700


def test_a_start_under_a_weak_umask_leaves_nothing_open(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        home = made(tmp_path / "prism", 0o775)
        begin_stack(home)
    finally:
        os.umask(before)
    directories = [home, *(each for each in home.rglob("*") if each.is_dir())]
    assert {mode_of(each) for each in directories} == {0o700}


def test_a_start_leaves_a_place_that_others_need_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = made(tmp_path / "shared", 0o1777)
    begin_stack(shared)
    assert mode_of(shared) == 0o1777
    person = made(tmp_path / "person", 0o755)
    monkeypatch.setenv("HOME", str(person))
    begin_stack(person)
    assert mode_of(person) == 0o755
