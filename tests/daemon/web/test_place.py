"""Where the page is, written down for the next daemon."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prismctl.files.dashboard_place import load_place
from prismctl.machine import is_port_free

if TYPE_CHECKING:
    from collections.abc import Callable


def reach(lab: Any) -> tuple[int | None, str]:
    """Where the page is, and the token that it is opened with."""
    link = urlsplit(lab.client.dashboard_link())
    return link.port, link.query


def kill_daemon(lab: Any, wait_until: Callable[..., None], meanwhile: Callable[[], Any]) -> None:
    """Kill it while its keeper cannot start the next one."""
    killed, keeper = lab.daemon_pid(), lab.keeper_pid()
    os.kill(keeper, signal.SIGSTOP)
    try:
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_port_free(load_place(lab.paths).port or 0))
        meanwhile()
    finally:
        os.kill(keeper, signal.SIGCONT)
    wait_until(lambda: lab.daemon_pid() not in {None, killed})


def test_a_link_stays_good_when_the_daemon_was_killed_and_has_its_port_again(
    lab: Any, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.shell("web", "exec sleep 1000"))
    before = reach(lab)

    kill_daemon(lab, wait_until, lambda: None)

    assert reach(lab) == before


def test_whoever_took_the_port_of_a_killed_daemon_cannot_use_what_open_pages_tell_him(
    lab: Any, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.shell("web", "exec sleep 1000"))
    port, token = reach(lab)

    with ExitStack() as thief:
        kill_daemon(
            lab,
            wait_until,
            lambda: thief.enter_context(socket.create_server(("127.0.0.1", port))),
        )
        new_port, new_token = reach(lab)

    assert new_port != port
    assert new_token != token


def test_a_note_about_a_full_disk_stayed_when_there_was_room_again(
    lab: Any, wait_until: Callable[..., None]
) -> None:
    lab.start()
    # A directory in its place can no more be replaced by a file than a full disk can take one.
    obstacle = lab.paths.dashboard_place
    obstacle.mkdir()
    lab.apply(lab.plan(lab.shell("web", "exec sleep 1000")))

    def notes() -> list[str]:
        return [note for note in lab.client.status()["notes"] if obstacle.name in note]

    wait_until(lambda: len(notes()) == 1, notes)
    obstacle.rmdir()

    wait_until(lambda: notes() == [], notes)
    assert load_place(lab.paths).port == urlsplit(lab.client.dashboard_link()).port
