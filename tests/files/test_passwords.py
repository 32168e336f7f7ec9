from __future__ import annotations

import re
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.passwords import PASSWORD_LETTERS, Passwords, load_passwords, make_password
from prismctl.files.paths import Home, StackPaths

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    return Home(tmp_path / "home").stack("default")


def test_a_password_is_made_once_and_closed_to_others(paths: StackPaths) -> None:
    first = Passwords(paths, saves=True).find("redis")
    assert Passwords(paths, saves=True).find("redis") == first
    assert Passwords(paths, saves=True).find("postgres") != first
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600
    assert load_passwords(paths)["redis"] == first


def test_passwords_need_no_quoting() -> None:
    for _ in range(500):
        assert re.fullmatch(
            rf"[A-Za-z0-9_][A-Za-z0-9_-]{{{PASSWORD_LETTERS - 1}}}", make_password()
        )


def test_a_trial_writes_nothing_and_is_true_to_itself(paths: StackPaths) -> None:
    trial = Passwords(paths, saves=False)
    assert trial.find("redis") == trial.find("redis")
    assert not paths.directory.exists()


def test_two_starts_at_once_get_the_same_password(paths: StackPaths) -> None:
    found: list[str] = []
    barrier = threading.Barrier(8)

    def find() -> None:
        barrier.wait()
        found.append(Passwords(paths, saves=True).find("redis"))

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("text", ["", "[1]", '{"redis": 1}'])
def test_a_damaged_file_is_told_and_not_replaced(paths: StackPaths, text: str) -> None:
    paths.directory.mkdir(parents=True)
    paths.secrets.write_text(text)
    with pytest.raises(PrismError, match=r"secrets\.json"):
        Passwords(paths, saves=True).find("redis")
    assert paths.secrets.read_text() == text
