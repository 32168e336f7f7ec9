"""One at a time puts something into a home, or takes something away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.install.home_lock import holding_home

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 20.0


class BusyError(Exception):
    """Somebody else holds it."""


def refuse() -> None:
    raise BusyError


class Waiter:
    """Somebody who waits for the lock in a thread, and holds it until they are let go."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.waits, self.holds, self.ends = (threading.Event() for _ in range(3))
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        with holding_home(self.home, when_busy=self.waits.set):
            self.holds.set()
            self.ends.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        self.ends.set()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


def is_held(home: Home) -> bool:
    try:
        with holding_home(home, when_busy=refuse):
            return False
    except BusyError:
        return True


def test_home_is_made_closed_to_others_and_let_go_of(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "home")
    with holding_home(home, when_busy=refuse):
        assert is_held(home)
        assert home.directory.stat().st_mode & 0o777 == 0o700
        assert home.init_lock.stat().st_mode & 0o777 == 0o600
    assert not is_held(home)


def test_a_second_one_waits_for_the_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with holding_home(home, when_busy=refuse):
        second = Waiter(home)
        assert second.waits.wait(PATIENCE_SECONDS)
        assert not second.holds.is_set()
    assert second.holds.wait(PATIENCE_SECONDS)
    second.end()
    assert not is_held(home)


def test_who_waited_for_a_clean_holds_the_home_that_is_there_afterwards(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with holding_home(home, when_busy=refuse):
        second = Waiter(home)
        assert second.waits.wait(PATIENCE_SECONDS)
        home.init_lock.unlink()
        home.directory.rmdir()
    assert second.holds.wait(PATIENCE_SECONDS)
    assert is_held(home)
    second.end()


def test_what_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(PrismError, match=r"cannot write .*file/home: Not a directory") as caught,
        holding_home(Home(tmp_path / "file" / "home"), when_busy=refuse),
    ):
        pass
    assert "PRISM_HOME" in caught.value.hint
