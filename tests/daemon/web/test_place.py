"""Where the page is, written down for the next daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prismctl.files.dashboard_place import load_place

if TYPE_CHECKING:
    from collections.abc import Callable


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
