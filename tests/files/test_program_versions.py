from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.files.paths import Home
from prismctl.files.program_versions import FILE_NAME, read_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def program(tmp_path: Path, says: str) -> str:
    path = tmp_path / "my-server"
    path.write_text(f'#!/bin/sh\necho asked >>{tmp_path}/asked\necho "{says}"\n')
    path.chmod(0o755)
    return str(path)


def test_a_program_is_asked_once_until_it_is_another(home: Home, tmp_path: Path) -> None:
    path = program(tmp_path, "my-server 1.2.3")
    assert read_version(home, path, saves=True) == "1.2.3"
    assert read_version(home, path, saves=True) == "1.2.3"
    assert (tmp_path / "asked").read_text() == "asked\n"

    program(tmp_path, "my-server 1.2.30")
    assert read_version(home, path, saves=True) == "1.2.30"


def test_a_trial_writes_nothing(home: Home, tmp_path: Path) -> None:
    assert read_version(home, program(tmp_path, "v1.0"), saves=False) == "1.0"
    assert list(home.directory.iterdir()) == []


def test_a_program_that_may_not_be_run_is_known_from_before_or_not_at_all(
    home: Home, tmp_path: Path
) -> None:
    path = program(tmp_path, "v1.0")
    assert read_version(home, path, saves=True, asks=False) is None
    assert not (tmp_path / "asked").exists()

    read_version(home, path, saves=True)

    assert read_version(home, path, saves=True, asks=False) == "1.0"


def test_what_says_nothing_is_asked_again(home: Home, tmp_path: Path) -> None:
    path = program(tmp_path, "usage")
    assert read_version(home, path, saves=True) == ""
    assert read_version(home, path, saves=True) == ""
    assert (tmp_path / "asked").read_text() == "asked\nasked\n"


def test_a_cache_that_is_damaged_is_not_believed(home: Home, tmp_path: Path) -> None:
    home.cache.mkdir()
    (home.cache / FILE_NAME).write_text("[")
    assert read_version(home, program(tmp_path, "v1.0"), saves=True) == "1.0"


def test_a_program_that_is_gone_has_no_version(home: Home, tmp_path: Path) -> None:
    assert read_version(home, str(tmp_path / "none"), saves=True) == ""
