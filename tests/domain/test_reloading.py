"""Which changes restart which service, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.reloading import (
    BURST,
    BURST_SECONDS,
    LONGEST_SECONDS,
    MAX_FILES_TOLD,
    QUIET_SECONDS,
    Reload,
    ReloadPace,
    find_affected,
    is_noise,
    is_noisy_directory,
)
from prismctl.domain.service import ServiceName

WEB, API = ServiceName("web"), ServiceName("api")


@given(st.lists(st.floats(0.0, QUIET_SECONDS * 0.9), max_size=8))
def test_a_burst_of_changes_is_one_restart_once_it_is_over(gaps: list[float]) -> None:
    pace, now = ReloadPace(), 100.0
    pace.note(WEB, "first", now)
    for index, gap in enumerate(gaps):
        now += gap
        assert pace.take_due(now) == ()
        pace.note(WEB, str(index), now)
    assert pace.next_at == pytest.approx(now + QUIET_SECONDS)
    (reload,) = pace.take_due(now + QUIET_SECONDS + 0.001)
    assert (reload.service, reload.count) == (WEB, 1 + len(gaps))
    assert pace.next_at is None
    assert pace.take_due(now + 1000.0) == ()


def test_what_changes_all_the_time_is_used_now_and_then() -> None:
    pace = ReloadPace()
    moments = [100.0 + step * QUIET_SECONDS / 2 for step in range(100)]
    restarts = []
    for now in moments:
        pace.note(WEB, "log", now)
        restarts += [now for _ in pace.take_due(now)]
    assert restarts[0] == pytest.approx(100.0 + LONGEST_SECONDS, abs=QUIET_SECONDS)


def test_services_wait_for_themselves_alone() -> None:
    pace = ReloadPace()
    pace.note(WEB, "a", 100.0)
    pace.note(API, "b", 100.2)
    pace.note(WEB, "a", 100.1)
    assert pace.take_due(100.1 + QUIET_SECONDS) == (Reload(WEB, ("a",), 1),)
    assert pace.take_due(100.2 + QUIET_SECONDS) == (Reload(API, ("b",), 1),)


def test_what_is_restarted_for_what_it_writes_itself_is_so_at_a_bounded_rate() -> None:
    pace, now = ReloadPace(), 100.0
    restarts: list[float] = []
    while now < 100.0 + 3 * BURST_SECONDS:
        pace.note(WEB, "own.log", now)
        assert pace.next_at is not None
        if len(restarts) <= BURST:
            assert pace.find_held_back(now) == ((WEB,) if len(restarts) == BURST else ())
        now = pace.next_at
        assert len(pace.take_due(now)) == 1
        restarts.append(now)
    for first, last in zip(restarts, restarts[BURST:], strict=False):
        assert last - first >= BURST_SECONDS


def test_of_thousands_of_files_the_latest_few_are_told() -> None:
    pace = ReloadPace()
    for number in range(5000):
        pace.note(WEB, str(number), 100.0)
    (reload,) = pace.take_due(200.0)
    assert (reload.count, len(reload.files), reload.files[-1]) == (5000, MAX_FILES_TOLD, "4999")


def test_a_file_belongs_to_whoever_names_it_or_what_it_is_in() -> None:
    watched = {WEB: ("/p/src", "/p/web.conf"), API: ("/p/src/api",), ServiceName("x"): ("/p/sr",)}
    assert find_affected("/p/src/api/main.go", watched) == {WEB: "/p/src", API: "/p/src/api"}
    assert find_affected("/p/web.conf", watched) == {WEB: "/p/web.conf"}
    assert find_affected("/p/web.conf.bak", watched) == {}


@pytest.mark.parametrize(
    "name",
    [
        *(".main.py.swp", ".main.py.swx", "main.py~", "4913", ".#main.py", "#main.py#"),
        *(
            "main.py___jb_tmp___",
            ".main.py.kate-swp",
            ".goutputstream-ABC",
            "main.pyc",
            ".DS_Store",
        ),
    ],
)
def test_what_editors_and_interpreters_leave_is_noise(name: str) -> None:
    assert is_noise(name)


@pytest.mark.parametrize("name", ["main.py", ".env", "swp", "49130", "#", "a#b", "Makefile"])
def test_what_people_write_is_none(name: str) -> None:
    assert not is_noise(name)
    assert not is_noisy_directory(name)
