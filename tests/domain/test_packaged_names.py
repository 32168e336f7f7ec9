"""The names that the tab key offers are written apart from what ships, and can be forgotten there."""

from __future__ import annotations

from prismctl.domain.packaged import PACKAGED
from prismctl.domain.packaged_names import PACKAGED_NAMES


def test_the_names_alone_are_those_of_what_ships_in_the_same_order() -> None:
    assert tuple(PACKAGED) == PACKAGED_NAMES
