"""What an earlier run left and does not end: nothing is started beside it, and it is told what is in the way."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from tests.control_group import Group, control_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StackLab


@pytest.fixture
def group() -> Iterator[Group]:
    with control_group() as made:
        yield made


@pytest.mark.timeout(90)
def test_a_start_over_a_process_that_does_not_end_names_it_and_the_daemon_lives(
    lab: StackLab, group: Group
) -> None:
    held = lab.pids(lab.start_with(lab.service("held")))["held"]
    group.put(held)
    # What is held from above cannot be let go from below.
    group.hold(group.outer)
    for pid in (lab.daemon_pid(), lab.keeper_pid()):
        os.kill(pid, signal.SIGKILL)

    lab.start()
    with pytest.raises(PrismError, match=f"not even SIGKILL ends {held}$") as told:
        lab.apply(lab.plan(lab.service("fresh")))
    assert f"-p {held}`" in told.value.hint
    daemon = lab.daemon_pid()

    group.let_go()
    result = lab.apply(lab.plan(lab.service("fresh")))[1]
    assert result["outcome"] == "ready"
    assert lab.daemon_pid() == daemon
    assert held not in dict(lab.own_processes())
