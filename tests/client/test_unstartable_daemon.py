from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.client import start_daemon
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from tests.conftest import StackLab


def test_a_daemon_that_cannot_be_started_is_told_with_the_path_that_is_in_the_way(
    lab: StackLab,
) -> None:
    lab.paths.ensure()
    lab.paths.keeper_log.mkdir()
    try:
        with pytest.raises(PrismError) as raised:
            start_daemon(lab.paths)
    finally:
        lab.paths.keeper_log.rmdir()

    assert (
        raised.value.message == f"cannot start the daemon: {lab.paths.keeper_log}: is a directory"
    )
    assert "writable" in raised.value.hint
